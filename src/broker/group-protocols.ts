import type { Services } from './types.ts'

/** The level of group.version from which on there are consumer groups (KIP-848). */
const CONSUMER_GROUP_VERSION = 1
/** The level of streams.version from which on there are streams groups (KIP-1071). */
const STREAMS_GROUP_VERSION = 1

/** Whether groups of the consumer protocol are served: the setting allows it and so does the cluster. */
export function isConsumerProtocolEnabled({ config, image }: Pick<Services, 'config' | 'image'>): boolean {
  const isAllowed = config.get('group.coordinator.rebalance.protocols').includes('consumer')
  return isAllowed && image.featureLevel('group.version') >= CONSUMER_GROUP_VERSION
}

/** Whether streams groups are served: the setting allows it and so does the cluster. */
export function isStreamsProtocolEnabled({ config, image }: Pick<Services, 'config' | 'image'>): boolean {
  const isAllowed = config.get('group.coordinator.rebalance.protocols').includes('streams')
  return isAllowed && image.featureLevel('streams.version') >= STREAMS_GROUP_VERSION
}
