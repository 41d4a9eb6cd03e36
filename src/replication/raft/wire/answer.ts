import { errors } from '../../../protocol/errors.ts'
import type { InputOf, Message, MessageOf } from '../../../protocol/schema.ts'
import type { RaftRequest, RaftResponse } from '../core/types.ts'
import { requestFormats } from './requests.ts'
import { responseFormats } from './responses.ts'

/** Requests of the quorum that come over the wire; ApiVersions is answered as to any client. */
export type QuorumRequestType = Exclude<RaftRequest['type'], 'versions'>

interface AnyFormat {
  decode(message: MessageOf<Message>): RaftRequest | undefined
  encode(response: RaftResponse, listenerName: string): InputOf<Message>
}

/** The answer to a request of another node, which came by `listenerName`, the listener of the quorum. */
export async function answerQuorumRequest(
  quorum: { receive(request: RaftRequest): Promise<RaftResponse> },
  type: QuorumRequestType,
  message: MessageOf<Message>,
  listenerName: string,
): Promise<InputOf<Message>> {
  const request = (requestFormats[type] as unknown as AnyFormat).decode(message)
  const response = request === undefined ? invalid(type) : await quorum.receive(request)
  return (responseFormats[type] as unknown as AnyFormat).encode(response, listenerName)
}

/** The request is not one about the metadata log. */
function invalid(type: QuorumRequestType): RaftResponse {
  return {
    type,
    error: errors.INVALID_REQUEST,
    isTopLevel: true,
    epoch: -1,
    leaderId: -1,
    leaderEndpoints: [],
    message: null,
    isGranted: false,
    highWatermark: -1,
    logStartOffset: -1,
    diverging: undefined,
    snapshot: { offset: -1, epoch: -1 },
    sizeBytes: 0,
    positionBytes: 0,
  } as RaftResponse
}
