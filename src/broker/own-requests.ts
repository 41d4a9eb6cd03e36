import type { Api } from '../protocol/api-keys.ts'
import { decodeResponse, encodeRequest, FRAME_SIZE_BYTES } from '../protocol/frames.ts'
import type { InputOf, Message, MessageOf } from '../protocol/schema.ts'
import type { Serve } from './connection.ts'
import type { ConnectionInfo } from './types.ts'

const OWN_ADDRESS = '127.0.0.1'

/** The id where there is no connection. */
export const NO_CONNECTION = 0

/** Stands for a connection where a request did not come in by one of its own. */
export function detachedConnection(
  listenerName: string,
  listenerKind: ConnectionInfo['listenerKind'],
  principal = 'User:ANONYMOUS',
  remoteAddress = OWN_ADDRESS,
): ConnectionInfo {
  return {
    id: NO_CONNECTION,
    listenerName,
    listenerKind,
    remoteAddress,
    remotePort: 0,
    principal,
    clientSoftwareName: undefined,
    clientSoftwareVersion: undefined,
    closed: false,
    mutedUntilMs: 0,
    abandon: undefined,
  }
}

/** The frame that answers a frame, both without their size fields; undefined where there is no answer. */
export async function answerTo(
  serve: Serve,
  frame: Buffer,
  connection: ConnectionInfo,
  nowMs: number,
): Promise<Buffer | undefined> {
  const answer = await serve(frame, connection, nowMs)
  return typeof answer === 'symbol' ? undefined : Buffer.concat(answer).subarray(FRAME_SIZE_BYTES)
}

/**
 * Asks this process itself, in the highest version there is, as another node would ask it: rare requests are not worth a
 * way of their own. undefined where it does not answer.
 */
export async function askItself<Request extends Message, Response extends Message>(
  serve: Serve,
  api: Api<Request, Response>,
  body: (version: number) => InputOf<Request>,
  { connection, clientId, nowMs }: { connection: ConnectionInfo; clientId: string; nowMs: number },
): Promise<{ readonly version: number; readonly response: MessageOf<Response> } | undefined> {
  const version = api.kafkaVersions.high
  const chunks = encodeRequest(api, version, { correlationId: 0, clientId }, body(version))
  const frame = await answerTo(serve, Buffer.concat(chunks).subarray(FRAME_SIZE_BYTES), connection, nowMs)
  return frame && { version, response: decodeResponse(api, version, frame).body }
}
