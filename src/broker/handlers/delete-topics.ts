import { wholeOutcome } from '../../controller/result.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../protocol/messages/delete-topics.ts'
import { defineHandler } from '../types.ts'

/** From this version on, what is beyond a quota is refused (KIP-599). */
const STRICT_QUOTA_FROM = 5

/** DeleteTopics: by name, from version 6 on also by id (KIP-516). */
export const handler = defineHandler({
  request: DeleteTopicsRequest,
  response: DeleteTopicsResponse,
  handle: async (request, context, { controller, quotas }) => {
    try {
      return await controller.deleteTopics(request, context.apiVersion, quotas.mutations(context, STRICT_QUOTA_FROM))
    } catch (error) {
      return failedWith(request, wholeOutcome(error).errorCode)
    }
  },
  failed: failedWith,
})

function failedWith({ topics, topicNames }: DeleteTopicsRequest, errorCode: number) {
  const named = topicNames.map((name) => ({ name, errorCode }))
  return { responses: [...named, ...topics.map(({ name, topicId }) => ({ name, topicId, errorCode }))] }
}
