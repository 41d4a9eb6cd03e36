import { type FieldType, type InputOf, includesVersion, type Message, type MessageOf } from '../protocol/schema.ts'
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
    handle: async (message, { apiVersion, connection }, { quorum }) => {
      const answer = await answerQuorumRequest(quorum, type, message as MessageOf<Message>, connection.listenerName)
      return inVersion(response, apiVersion, answer) as Outcome<InputOf<R>>
    },
    failed: (_request, errorCode) => ({ errorCode }) as InputOf<R>,
  }
}

/** What a version has no place for, whoever asks in it does without. */
function inVersion({ fields }: { readonly fields: Message['fields'] }, version: number, body: object): object {
  const kept = Object.entries(body).filter(([name]) => includesVersion(fields[name]!.options.versions, version))
  return Object.fromEntries(kept.map(([name, value]) => [name, valueIn(fields[name]!.type, version, value)]))
}

function valueIn(type: FieldType, version: number, value: unknown): unknown {
  if (type.kind === 'struct') return inVersion(type, version, value as object)
  return type.kind === 'array' ? (value as unknown[]).map((item) => valueIn(type.element, version, item)) : value
}
