import type { ClientContext } from '../coordinator/group-config.ts'
import type { RequestContext } from './types.ts'

/** Who sent a request, as the coordinators write it down: addresses as Kafka prints them, with a slash before. */
export function clientOf({ apiVersion, clientId, connection }: RequestContext): ClientContext {
  return { apiVersion, clientId: clientId ?? '', clientHost: `/${connection.remoteAddress}` }
}
