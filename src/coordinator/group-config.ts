import type { BrokerConfig, Properties } from '../config/broker-config.ts'
import { ConfigError } from '../config/config-error.ts'
import { groupValue } from '../config/group-config.ts'

/** Which way groups may change their protocol while they have members (KIP-848). */
export type MigrationPolicy = 'disabled' | 'upgrade' | 'downgrade' | 'bidirectional'

/** How members of a group are paced. */
export interface GroupPace {
  /** A member silent for so long is out. */
  readonly sessionTimeoutMs: number
  /** How often members send heartbeats. */
  readonly heartbeatIntervalMs: number
  /** The shortest time between two target assignments. */
  readonly assignmentIntervalMs: number
}

/** The settings of share groups. */
export interface ShareGroupConfig {
  /** group.share.max.size */
  readonly maxGroupSize: number
  /** group.share.initialize.retry.interval.ms */
  readonly initializeRetryIntervalMs: number
  /** share.session.timeout.ms, share.heartbeat.interval.ms, share.assignment.interval.ms */
  readonly paceOf: (groupId: string) => GroupPace
}

/** How members of a streams group are paced, and what they get besides active tasks. */
export interface StreamsGroupPace extends GroupPace {
  /** How long the first assignment of a group waits for more members; 0 for not at all. */
  readonly initialRebalanceDelayMs: number
  /** How many standby tasks each task with stores has. */
  readonly standbyReplicas: number
}

/** The settings of streams groups. */
export interface StreamsGroupConfig {
  /** group.streams.max.size */
  readonly maxGroupSize: number
  /** streams.session.timeout.ms and others, as the group is configured, or else the broker. */
  readonly paceOf: (groupId: string) => StreamsGroupPace
}

/** The settings of groups of the consumer protocol. */
export interface ConsumerGroupConfig {
  /** group.consumer.max.size */
  readonly maxGroupSize: number
  /** group.consumer.assignors: names of `assignors`, the default first. */
  readonly assignors: readonly string[]
  /** group.consumer.migration.policy */
  readonly migrationPolicy: MigrationPolicy
  /** group.consumer.regex.refresh.interval.ms */
  readonly regexRefreshIntervalMs: number
  /** As the group is configured, within the broker's limits, or else the broker. */
  readonly paceOf: (groupId: string) => GroupPace
}

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
  /** group.coordinator.append.linger.ms: -1 for as long as the write before takes. */
  readonly lingerMs: number
  readonly consumer: ConsumerGroupConfig
  readonly share: ShareGroupConfig
  readonly streams: StreamsGroupConfig
}

const MINUTE_MS = 60_000
const ASSIGNOR_PACKAGE = 'org.apache.kafka.coordinator.group.assignor.'
/** By every name that settings may give them. */
const consumerAssignors: ReadonlyMap<string, string> = new Map([
  ['uniform', 'uniform'],
  ['range', 'range'],
  [`${ASSIGNOR_PACKAGE}UniformAssignor`, 'uniform'],
  [`${ASSIGNOR_PACKAGE}RangeAssignor`, 'range'],
])
const shareAssignors: ReadonlyMap<string, string> = new Map([
  ['simple', 'simple'],
  [`${ASSIGNOR_PACKAGE}SimpleAssignor`, 'simple'],
])

/**
 * The settings in force when the broker starts; only those of single groups can be changed while it runs. `overridesOf`:
 * what was set for a group. Throws ConfigError.
 */
export function groupCoordinatorConfig(
  config: BrokerConfig,
  overridesOf: (groupId: string) => Properties,
): GroupCoordinatorConfig {
  // There is only one; another one must not be taken for it.
  assignorNames(config, 'group.share.assignors', shareAssignors)
  return {
    minSessionTimeoutMs: config.get('group.min.session.timeout.ms'),
    maxSessionTimeoutMs: config.get('group.max.session.timeout.ms'),
    maxGroupSize: config.get('group.max.size'),
    initialRebalanceDelayMs: config.get('group.initial.rebalance.delay.ms'),
    offsetMetadataMaxChars: config.get('offset.metadata.max.bytes'),
    offsetsRetentionMs: config.get('offsets.retention.minutes') * MINUTE_MS,
    offsetsRetentionCheckIntervalMs: config.get('offsets.retention.check.interval.ms'),
    writeTimeoutMs: config.get('offsets.commit.timeout.ms'),
    lingerMs: config.get('group.coordinator.append.linger.ms'),
    consumer: {
      maxGroupSize: config.get('group.consumer.max.size'),
      assignors: assignorNames(config, 'group.consumer.assignors', consumerAssignors),
      migrationPolicy: config.get('group.consumer.migration.policy').toLowerCase() as MigrationPolicy,
      regexRefreshIntervalMs: config.get('group.consumer.regex.refresh.interval.ms'),
      paceOf: (groupId) => consumerPace(config, overridesOf(groupId)),
    },
    share: {
      maxGroupSize: config.get('group.share.max.size'),
      initializeRetryIntervalMs: config.get('group.share.initialize.retry.interval.ms'),
      paceOf: (groupId) => sharePace(config, overridesOf(groupId)),
    },
    streams: {
      maxGroupSize: config.get('group.streams.max.size'),
      paceOf: (groupId) => streamsPace(config, overridesOf(groupId)),
    },
  }
}

function assignorNames(
  config: BrokerConfig,
  setting: 'group.consumer.assignors' | 'group.share.assignors',
  known: ReadonlyMap<string, string>,
): string[] {
  return config.get(setting).map((each) => {
    const name = known.get(each)
    if (name === undefined) throw new ConfigError(`${each} in ${setting} is not an assignor of this broker`)
    return name
  })
}

function consumerPace(config: BrokerConfig, overrides: Properties): GroupPace {
  return {
    sessionTimeoutMs: within(
      groupValue('consumer.session.timeout.ms', overrides, config),
      config.get('group.consumer.min.session.timeout.ms'),
      config.get('group.consumer.max.session.timeout.ms'),
    ),
    heartbeatIntervalMs: within(
      groupValue('consumer.heartbeat.interval.ms', overrides, config),
      config.get('group.consumer.min.heartbeat.interval.ms'),
      config.get('group.consumer.max.heartbeat.interval.ms'),
    ),
    assignmentIntervalMs: within(
      groupValue('consumer.assignment.interval.ms', overrides, config),
      config.get('group.consumer.min.assignment.interval.ms'),
      config.get('group.consumer.max.assignment.interval.ms'),
    ),
  }
}

function sharePace(config: BrokerConfig, overrides: Properties): GroupPace {
  return {
    sessionTimeoutMs: within(
      groupValue('share.session.timeout.ms', overrides, config),
      config.get('group.share.min.session.timeout.ms'),
      config.get('group.share.max.session.timeout.ms'),
    ),
    heartbeatIntervalMs: within(
      groupValue('share.heartbeat.interval.ms', overrides, config),
      config.get('group.share.min.heartbeat.interval.ms'),
      config.get('group.share.max.heartbeat.interval.ms'),
    ),
    assignmentIntervalMs: within(
      groupValue('share.assignment.interval.ms', overrides, config),
      config.get('group.share.min.assignment.interval.ms'),
      config.get('group.share.max.assignment.interval.ms'),
    ),
  }
}

function streamsPace(config: BrokerConfig, overrides: Properties): StreamsGroupPace {
  return {
    sessionTimeoutMs: within(
      groupValue('streams.session.timeout.ms', overrides, config),
      config.get('group.streams.min.session.timeout.ms'),
      config.get('group.streams.max.session.timeout.ms'),
    ),
    heartbeatIntervalMs: within(
      groupValue('streams.heartbeat.interval.ms', overrides, config),
      config.get('group.streams.min.heartbeat.interval.ms'),
      config.get('group.streams.max.heartbeat.interval.ms'),
    ),
    assignmentIntervalMs: within(
      groupValue('streams.assignment.interval.ms', overrides, config),
      config.get('group.streams.min.assignment.interval.ms'),
      config.get('group.streams.max.assignment.interval.ms'),
    ),
    initialRebalanceDelayMs: groupValue('streams.initial.rebalance.delay.ms', overrides, config),
    standbyReplicas: Math.min(
      groupValue('streams.num.standby.replicas', overrides, config),
      config.get('group.streams.max.standby.replicas'),
    ),
  }
}

/** The limits may have been lowered since the group was configured. */
function within(value: number, atLeast: number, atMost: number): number {
  return Math.min(Math.max(value, atLeast), atMost)
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
