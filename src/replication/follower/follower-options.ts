import type { Logger } from '../../platform/logger.ts'
import type { Network } from '../../platform/network.ts'
import type { Time } from '../../platform/time.ts'

export interface FollowerSettings {
  /** num.replica.fetchers: connections to each other broker, at least 1 */
  readonly fetcherCount: number
  /** replica.fetch.wait.max.ms */
  readonly waitMaxMs: number
  /** replica.fetch.min.bytes */
  readonly minBytes: number
  /** replica.fetch.max.bytes: of a partition, in one fetch */
  readonly maxBytes: number
  /** replica.fetch.response.max.bytes: of all partitions, in one fetch */
  readonly responseMaxBytes: number
  /** replica.fetch.backoff.ms */
  readonly backoffMs: number
  /** replica.socket.timeout.ms */
  readonly socketTimeoutMs: number
}

/** Keeps what throttled replicas fetch below a rate (KIP-73). */
export interface FollowerThrottle {
  /** Whether follower.replication.throttled.replicas names the replica that this broker has. */
  isThrottled(topic: string, partition: number): boolean
  /** Whether no more is to be fetched for now. */
  isExceeded(): boolean
  record(sizeBytes: number): void
}

export interface FetcherManagerOptions {
  readonly nodeId: number
  readonly network: Network
  readonly time: Time
  readonly logger: Logger
  /** Where a broker is by inter.broker.listener.name; undefined for one that is not there, which is asked again later. */
  readonly endpointOf: (brokerId: number) => { readonly host: string; readonly port: number } | undefined
  /** The epoch under which this broker is registered, -1 for none. */
  readonly brokerEpoch: () => number
  /** Asked before every fetch. */
  readonly settings: () => FollowerSettings
  /** Left out: nothing is throttled. */
  readonly throttle?: FollowerThrottle
}
