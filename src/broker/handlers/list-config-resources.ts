import { type BrokerImage, type ConfigResource, ConfigResourceType } from '../../metadata/types.ts'
import { errors } from '../../protocol/errors.ts'
import {
  ListConfigResourcesRequest,
  ListConfigResourcesResponse,
} from '../../protocol/messages/list-config-resources.ts'
import { endPointOf } from '../endpoints.ts'
import { defineHandler, type RequestContext, type Services } from '../types.ts'

/** ListConfigResources (KIP-1142): in version 0 subscriptions to client metrics only. */
export const handler = defineHandler({
  request: ListConfigResourcesRequest,
  response: ListConfigResourcesResponse,
  handle: ({ resourceTypes }, context, services) => {
    const supported: readonly number[] =
      context.apiVersion === 0 ? [ConfigResourceType.clientMetrics] : Object.values(ConfigResourceType)
    if (resourceTypes.some((type) => !supported.includes(type))) return { errorCode: errors.UNSUPPORTED_VERSION.code }
    const wanted = new Set(resourceTypes.length === 0 ? supported : resourceTypes)
    const resources = listOrder.filter((type) => wanted.has(type)).flatMap((type) => list(type, context, services))
    return { configResources: resources.map(({ type, name }) => ({ resourceType: type, resourceName: name })) }
  },
  failed: (_request, errorCode) => ({ errorCode }),
})

const { group, clientMetrics, brokerLogger, broker, topic } = ConfigResourceType
const listOrder: readonly number[] = [group, clientMetrics, brokerLogger, broker, topic]

function list(type: number, { connection }: RequestContext, { image }: Services): ConfigResource[] {
  return [...names()].map((name) => ({ type, name }))

  function names(): Iterable<string> {
    if (type === topic) return image.topics.names()
    if (type === group || type === clientMetrics) return image.configs.resources(type).keys()
    const isReachable = (broker: BrokerImage) => endPointOf(broker, connection.listenerName) !== undefined
    const reachable = [...image.brokers.values()].filter(isReachable)
    return reachable.map(({ id }) => String(id))
  }
}
