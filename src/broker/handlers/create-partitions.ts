import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../protocol/messages/create-partitions.ts'
import { defineHandler } from '../types.ts'

/** From this version on, what is beyond a quota is refused (KIP-599). */
const STRICT_QUOTA_FROM = 3

/** CreatePartitions (KIP-195): answers when the new partitions are served here. */
export const handler = defineHandler({
  request: CreatePartitionsRequest,
  response: CreatePartitionsResponse,
  handle: async (request, context, { controller, quotas }) => {
    try {
      return await controller.createPartitions(request, quotas.mutations(context, STRICT_QUOTA_FROM))
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
