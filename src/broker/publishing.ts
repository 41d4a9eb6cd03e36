import { GroupPublisher } from '../coordinator/group-publisher.ts'
import { SharePublisher } from '../coordinator/share/share-publisher.ts'
import { TransactionPublisher } from '../coordinator/transactions/transaction-publisher.ts'
import type { MetadataPublisher } from '../metadata/types.ts'
import { ConfigPublisher, ReplicaPublisher } from './publishers.ts'
import type { Services } from './types.ts'

/** Who hears of changes of the metadata on this node, in this order. */
export function publishersOf(services: Services): MetadataPublisher[] {
  const { config, image, logger, replicas } = services
  const settings = [new ConfigPublisher(config, image, logger), services.quotas]
  if (!config.isBroker) return settings
  return [
    ...settings,
    services.replicationQuotas,
    services.clientMetrics,
    new ReplicaPublisher(replicas, image),
    services.directories,
    new GroupPublisher(config.nodeId, image, services.groups),
    new TransactionPublisher(config.nodeId, image, services.transactions),
    services.shares,
    new SharePublisher(config.nodeId, image, services.shares.coordinator),
    services.autoTopics,
    {
      onMetadataChange: ({ brokersChanged, configsChanged }) => {
        services.brokerLinks.brokersChanged(brokersChanged)
        if (brokersChanged.size > 0) services.fetchers.brokersChanged()
        if (configsChanged.length > 0) services.fetchers.settingsChanged()
      },
    },
  ]
}
