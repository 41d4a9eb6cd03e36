import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../protocol/messages/create-topics.ts'
import { defineHandler } from '../types.ts'

/** From this version on, what is beyond a quota is refused (KIP-599). */
const STRICT_QUOTA_FROM = 6

/** CreateTopics: answers when the new partitions are served here, which Apache Kafka leaves open. */
export const handler = defineHandler({
  request: CreateTopicsRequest,
  response: CreateTopicsResponse,
  handle: async (request, context, { controller, quotas }) => {
    try {
      return await controller.createTopics(request, quotas.mutations(context, STRICT_QUOTA_FROM))
    } catch (error) {
      return failedWith(request, wholeOutcome(error))
    }
  },
  failed: (request, errorCode) =>
    failedWith(request, { errorCode, errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message }),
})

function failedWith({ topics }: CreateTopicsRequest, outcome: Outcome) {
  return { topics: topics.map(({ name }) => ({ name, ...outcome })) }
}
