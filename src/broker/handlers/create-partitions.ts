import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../protocol/messages/create-partitions.ts'
import { defineHandler } from '../types.ts'

/** CreatePartitions (KIP-195): answers when the new partitions are served here. */
export const handler = defineHandler({
  request: CreatePartitionsRequest,
  response: CreatePartitionsResponse,
  handle: async (request, _context, { controller }) => {
    try {
      return await controller.createPartitions(request)
    } catch (error) {
      return failedWith(request, wholeOutcome(error))
    }
  },
  failed: (request, errorCode) =>
    failedWith(request, { errorCode, errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message }),
})

function failedWith({ topics }: CreatePartitionsRequest, outcome: Outcome) {
  return { results: topics.map(({ name }) => ({ name, ...outcome })) }
}
