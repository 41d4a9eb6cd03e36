import { wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../../protocol/messages/update-features.ts'
import { defineHandler } from '../types.ts'

/** UpdateFeatures (KIP-584): all updates or none. */
export const handler = defineHandler({
  request: UpdateFeaturesRequest,
  response: UpdateFeaturesResponse,
  handle: async (request, { apiVersion }, { controller }) => {
    try {
      return await controller.updateFeatures(request, apiVersion)
    } catch (error) {
      return wholeOutcome(error)
    }
  },
  failed: (_request, errorCode) => ({
    errorCode,
    errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message,
  }),
})
