import type { InputOf, Message, MessageOf } from '../protocol/schema.ts'
import { answerQuorumRequest, type QuorumRequestType } from '../replication/raft/wire/answer.ts'
import type { ApiHandler, Outcome } from './types.ts'

/** How a request of another node of the quorum is answered: by the quorum itself. */
export function quorumHandler<Q extends Message, R extends Message>(
  type: QuorumRequestType,
  request: Q,
  response: R,
): ApiHandler<Q, R> {
  return {
    request,
    response,
    handle: (message, { connection }, { quorum }) => {
      const answer = answerQuorumRequest(quorum, type, message as MessageOf<Message>, connection.listenerName)
      return answer as Promise<Outcome<InputOf<R>>>
    },
    failed: (_request, errorCode) => ({ errorCode }) as InputOf<R>,
  }
}
