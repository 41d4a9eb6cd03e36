import { type Api, apiOfKey, requestHeaderVersion, responseHeaderVersion } from './api-keys.ts'
import { codecOf } from './codec.ts'
import { RequestHeader, ResponseHeader } from './messages/headers.ts'
import type { InputOf, Message, MessageOf } from './schema.ts'
import { DecodeError, Reader, Writer } from './wire.ts'

/** The size field before every frame. */
export const FRAME_SIZE_BYTES = 4

/** API key, version and correlation id: what every request starts with. */
const FIXED_HEADER_BYTES = 8

export interface RequestFrame {
  readonly api: Api
  readonly apiKey: number
  /** As sent: it may be a version that nobody knows. */
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
  /** Stands at the first byte of the body. */
  readonly reader: Reader
}

/**
 * Reads the header of a request. `frame` is without its size field. Throws DecodeError for an API key that does not exist
 * or a header that is cut off; a version that does not exist is left to the caller, as ApiVersions has an answer to it.
 */
export function decodeRequestHeader(frame: Buffer): RequestFrame {
  if (frame.length < FIXED_HEADER_BYTES) throw new DecodeError(`request of ${frame.length} bytes`)
  const apiKey = frame.readInt16BE(0)
  const apiVersion = frame.readInt16BE(2)
  const api = apiOfKey(apiKey)
  if (api === undefined) throw new DecodeError(`no API has key ${apiKey}`)
  const reader = new Reader(frame)
  const header = codecOf(RequestHeader, requestHeaderVersion(api, apiVersion)).read(reader)
  return { api, apiKey, apiVersion, correlationId: header.correlationId, clientId: header.clientId, reader }
}

/** A whole response, its size field included, as chunks to be sent in order; record data is passed on by reference. */
export function encodeResponse<Response extends Message>(
  api: Api<Message, Response>,
  version: number,
  correlationId: number,
  body: InputOf<Response>,
): Buffer[] {
  const writer = new Writer()
  writer.int32(0)
  codecOf(ResponseHeader, responseHeaderVersion(api, version)).write(writer, { correlationId })
  codecOf(api.response, version).write(writer, body)
  writer.patchFrameSize()
  return writer.finish()
}

/** A whole request, its size field included, as chunks to be sent in order. */
export function encodeRequest<Request extends Message>(
  api: Api<Request>,
  version: number,
  header: { readonly correlationId: number; readonly clientId: string | null },
  body: InputOf<Request>,
): Buffer[] {
  const writer = new Writer()
  writer.int32(0)
  codecOf(RequestHeader, requestHeaderVersion(api, version)).write(writer, {
    requestApiKey: api.key,
    requestApiVersion: version,
    ...header,
  })
  codecOf(api.request, version).write(writer, body)
  writer.patchFrameSize()
  return writer.finish()
}

/** Reads a response to a request of this version. `frame` is without its size field. */
export function decodeResponse<Response extends Message>(
  api: Api<Message, Response>,
  version: number,
  frame: Buffer,
): { readonly correlationId: number; readonly body: MessageOf<Response> } {
  const reader = new Reader(frame)
  const { correlationId } = codecOf(ResponseHeader, responseHeaderVersion(api, version)).read(reader)
  return { correlationId, body: codecOf(api.response, version).read(reader) }
}
