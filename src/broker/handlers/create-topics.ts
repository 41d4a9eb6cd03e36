import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../protocol/messages/create-topics.ts'
import { defineHandler } from '../types.ts'

/** CreateTopics: answers when the new partitions are served here, which Apache Kafka leaves open. */
export const handler = defineHandler({
  request: CreateTopicsRequest,
  response: CreateTopicsResponse,
  handle: async (request, _context, { controller }) => {
    try {
      return await controller.createTopics(request)
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
