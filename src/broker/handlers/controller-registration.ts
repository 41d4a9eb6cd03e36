import { wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import {
  ControllerRegistrationRequest,
  ControllerRegistrationResponse,
} from '../../protocol/messages/controller-registration.ts'
import { defineHandler } from '../types.ts'

/** ControllerRegistration (KIP-919): a controller has started, and says where it is and what it supports. */
export const handler = defineHandler({
  request: ControllerRegistrationRequest,
  response: ControllerRegistrationResponse,
  handle: async (request, _context, { controller }) => {
    try {
      await controller.registerController(request)
      return { errorCode: 0, errorMessage: '' }
    } catch (error) {
      const { errorCode } = wholeOutcome(error)
      return { errorCode, errorMessage: errorOfCode(errorCode).message }
    }
  },
  failed: (_request, errorCode) => ({ errorCode, errorMessage: errorOfCode(errorCode).message }),
})
