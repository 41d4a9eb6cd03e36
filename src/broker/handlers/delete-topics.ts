import { wholeOutcome } from '../../controller/result.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../protocol/messages/delete-topics.ts'
import { defineHandler } from '../types.ts'

/** DeleteTopics: by name, from version 6 on also by id (KIP-516). */
export const handler = defineHandler({
  request: DeleteTopicsRequest,
  response: DeleteTopicsResponse,
  handle: async (request, { apiVersion }, { controller }) => {
    try {
      return await controller.deleteTopics(request, apiVersion)
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
