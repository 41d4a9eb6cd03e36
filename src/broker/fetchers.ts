import type { BrokerConfig } from '../config/broker-config.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import type { BrokerAddress } from '../replication/channel/broker-links.ts'
import { FetcherManager } from '../replication/follower/fetcher-manager.ts'
import type { FollowerThrottle } from '../replication/follower/follower-options.ts'
import { endPointOf } from './endpoints.ts'

/** Where brokers are for each other; undefined for one that does not live. */
export function endpointsOf(config: BrokerConfig, image: MetadataImage): (id: number) => BrokerAddress | undefined {
  const { name } = config.interBrokerListener
  return (id) => {
    const broker = image.brokers.get(id)
    return broker?.fenced === false ? endPointOf(broker, name) : undefined
  }
}

/** What copies the logs of other brokers to the replicas of this one. */
export function makeFetchers(
  config: BrokerConfig,
  { network, time }: Platform,
  logger: Logger,
  image: MetadataImage,
  brokerEpoch: () => number,
  throttle: FollowerThrottle,
): FetcherManager {
  return new FetcherManager({
    nodeId: config.nodeId,
    network,
    time,
    logger,
    endpointOf: endpointsOf(config, image),
    brokerEpoch,
    throttle,
    settings: () => ({
      fetcherCount: config.get('num.replica.fetchers'),
      waitMaxMs: config.get('replica.fetch.wait.max.ms'),
      minBytes: config.get('replica.fetch.min.bytes'),
      maxBytes: config.get('replica.fetch.max.bytes'),
      responseMaxBytes: config.get('replica.fetch.response.max.bytes'),
      backoffMs: config.get('replica.fetch.backoff.ms'),
      socketTimeoutMs: config.get('replica.socket.timeout.ms'),
    }),
  })
}
