import type { BrokerConfig } from '../config/broker-config.ts'

/** The settings of the group coordinator; see `group.*` and `offsets.*`. Times in ms. */
export interface GroupCoordinatorConfig {
  /** group.min.session.timeout.ms */
  readonly minSessionTimeoutMs: number
  /** group.max.session.timeout.ms */
  readonly maxSessionTimeoutMs: number
  /** group.max.size */
  readonly maxGroupSize: number
  /** group.initial.rebalance.delay.ms */
  readonly initialRebalanceDelayMs: number
  /** offset.metadata.max.bytes: UTF-16 units, as Apache Kafka counts */
  readonly offsetMetadataMaxChars: number
  /** offsets.retention.minutes */
  readonly offsetsRetentionMs: number
  /** offsets.retention.check.interval.ms */
  readonly offsetsRetentionCheckIntervalMs: number
  /** offsets.commit.timeout.ms */
  readonly writeTimeoutMs: number
}

const MINUTE_MS = 60_000

/** The settings in force when the broker starts: none of them can be changed while it runs. */
export function groupCoordinatorConfig(config: BrokerConfig): GroupCoordinatorConfig {
  return {
    minSessionTimeoutMs: config.get('group.min.session.timeout.ms'),
    maxSessionTimeoutMs: config.get('group.max.session.timeout.ms'),
    maxGroupSize: config.get('group.max.size'),
    initialRebalanceDelayMs: config.get('group.initial.rebalance.delay.ms'),
    offsetMetadataMaxChars: config.get('offset.metadata.max.bytes'),
    offsetsRetentionMs: config.get('offsets.retention.minutes') * MINUTE_MS,
    offsetsRetentionCheckIntervalMs: config.get('offsets.retention.check.interval.ms'),
    writeTimeoutMs: config.get('offsets.commit.timeout.ms'),
  }
}

/** How long a member that is new to a group may keep silent during its first rebalance; fixed in Apache Kafka, too. */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000

/** Who sent a request. */
export interface ClientContext {
  readonly apiVersion: number
  /** '' for none. */
  readonly clientId: string
  /** As Kafka prints addresses: `/127.0.0.1`. */
  readonly clientHost: string
}
