import type { ClientContext } from '../coordinator/group-config.ts'
import type { RequestContext } from './types.ts'

/** An IPv4 address that came in by an IPv6 socket. */
const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
const IPV6_GROUPS = 8

/** Who sent a request, as the coordinators write it down. */
export function clientOf({ apiVersion, clientId, connection }: RequestContext): ClientContext {
  return { apiVersion, clientId: clientId ?? '', clientHost: `/${javaAddress(connection.remoteAddress)}` }
}

/** An address as Java prints it, and so Kafka, with a slash before: IPv6 in full. */
export function javaAddress(address: string): string {
  const mapped = MAPPED_IPV4.exec(address)
  if (mapped) return mapped[1]!
  const [head, tail] = address.split('::')
  if (tail === undefined) return address
  const before = head === '' ? [] : head!.split(':')
  const after = tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, IPV6_GROUPS - before.length - after.length)).fill('0')
  return [...before, ...zeros, ...after].join(':')
}
