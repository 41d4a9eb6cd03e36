import { apis } from '../protocol/api-keys.ts'
import { decode, encode } from '../protocol/codec.ts'
import { errorOfCode, errors, type KafkaError } from '../protocol/errors.ts'
import { DefaultPrincipalData } from '../protocol/messages/default-principal.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import type { ConnectionInfo } from './types.ts'

const PRINCIPAL_VERSION = 0
const VERSION_BYTES = 2
const LOOPBACK = Buffer.from([127, 0, 0, 1])

/**
 * Sends the frame of a client's request to the active controller in an envelope (KIP-590). Resolves with the frame that
 * answers it, without its size field, or with why there is none.
 */
export async function forward(
  link: ControllerLink,
  frame: Buffer,
  connection: ConnectionInfo,
  timeoutMs: number,
): Promise<Buffer | KafkaError> {
  const envelope = {
    requestData: frame,
    requestPrincipal: principalBytes(connection.principal),
    clientHostAddress: addressBytes(connection.remoteAddress),
  }
  try {
    const { response } = await link.request(apis.Envelope, () => envelope, { timeoutMs })
    if (response.errorCode !== 0) return errorOfCode(response.errorCode)
    return response.responseData ?? errors.UNKNOWN_SERVER_ERROR
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    return error.reason === 'unsupported version' ? errors.UNSUPPORTED_VERSION : errors.REQUEST_TIMED_OUT
  }
}

/** A principal, `User:alice`, as brokers tell it to controllers. */
export function principalBytes(principal: string): Buffer {
  const colon = principal.indexOf(':')
  const data = { type: principal.slice(0, colon), name: principal.slice(colon + 1), tokenAuthenticated: false }
  const version = Buffer.alloc(VERSION_BYTES)
  version.writeInt16BE(PRINCIPAL_VERSION)
  return Buffer.concat([version, encode(DefaultPrincipalData, PRINCIPAL_VERSION, data)])
}

/** Throws DecodeError; undefined for a version that is not known. */
export function principalOf(bytes: Buffer): string | undefined {
  if (bytes.length < VERSION_BYTES || bytes.readInt16BE(0) !== PRINCIPAL_VERSION) return undefined
  const { type, name } = decode(DefaultPrincipalData, PRINCIPAL_VERSION, bytes.subarray(VERSION_BYTES))
  return `${type}:${name}`
}

/** An IP address in binary; one of loopback for what is none. */
export function addressBytes(text: string): Buffer {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return Buffer.from(text.split('.').map(Number))
  const [address = ''] = text.split('%')
  if (!/^[0-9a-fA-F:]+$/.test(address) || !address.includes(':')) return LOOPBACK
  const [head = '', tail] = address.split('::')
  const before = groupsOf(head)
  const after = groupsOf(tail ?? '')
  const zeros = new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0)
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...before, ...zeros, ...after].slice(0, 8).entries())
    bytes.writeUInt16BE(group, index * 2)
  return bytes
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16) & 0xffff)
}

/** undefined for what is neither of IPv4 nor of IPv6. */
export function addressOf(bytes: Buffer): string | undefined {
  if (bytes.length === 4) return [...bytes].join('.')
  if (bytes.length !== 16) return undefined
  return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':')
}
