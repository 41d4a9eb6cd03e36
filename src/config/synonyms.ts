/** What the value of a broker setting is multiplied by to become milliseconds. */
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

export interface Synonym {
  readonly name: string
  readonly factor: number
}

function same(name: string): readonly Synonym[] {
  return [{ name, factor: 1 }]
}

/**
 * The broker settings from which a topic config takes its value where the topic has none of its own: the first that is
 * set wins, otherwise the last that has a default.
 */
export const TOPIC_SYNONYMS: Readonly<Record<string, readonly Synonym[]>> = {
  'segment.bytes': same('log.segment.bytes'),
  'segment.ms': [
    { name: 'log.roll.ms', factor: 1 },
    { name: 'log.roll.hours', factor: HOUR_MS },
  ],
  'segment.jitter.ms': [
    { name: 'log.roll.jitter.ms', factor: 1 },
    { name: 'log.roll.jitter.hours', factor: HOUR_MS },
  ],
  'segment.index.bytes': same('log.index.size.max.bytes'),
  'flush.messages': same('log.flush.interval.messages'),
  'flush.ms': [
    { name: 'log.flush.interval.ms', factor: 1 },
    { name: 'log.flush.scheduler.interval.ms', factor: 1 },
  ],
  'retention.bytes': same('log.retention.bytes'),
  'retention.ms': [
    { name: 'log.retention.ms', factor: 1 },
    { name: 'log.retention.minutes', factor: MINUTE_MS },
    { name: 'log.retention.hours', factor: HOUR_MS },
  ],
  'max.message.bytes': same('message.max.bytes'),
  'index.interval.bytes': same('log.index.interval.bytes'),
  'delete.retention.ms': same('log.cleaner.delete.retention.ms'),
  'min.compaction.lag.ms': same('log.cleaner.min.compaction.lag.ms'),
  'max.compaction.lag.ms': same('log.cleaner.max.compaction.lag.ms'),
  'file.delete.delay.ms': same('log.segment.delete.delay.ms'),
  'min.cleanable.dirty.ratio': same('log.cleaner.min.cleanable.ratio'),
  'cleanup.policy': same('log.cleanup.policy'),
  'unclean.leader.election.enable': same('unclean.leader.election.enable'),
  'min.insync.replicas': same('min.insync.replicas'),
  'compression.type': same('compression.type'),
  'compression.gzip.level': same('compression.gzip.level'),
  'compression.lz4.level': same('compression.lz4.level'),
  'compression.zstd.level': same('compression.zstd.level'),
  preallocate: same('log.preallocate'),
  'message.timestamp.type': same('log.message.timestamp.type'),
  'message.timestamp.before.max.ms': same('log.message.timestamp.before.max.ms'),
  'message.timestamp.after.max.ms': same('log.message.timestamp.after.max.ms'),
  'local.retention.ms': same('log.local.retention.ms'),
  'local.retention.bytes': same('log.local.retention.bytes'),
}

/** The broker setting from which a group config takes its value; three have none and keep their own default. */
export const GROUP_SYNONYMS: Readonly<Record<string, string>> = {
  'consumer.session.timeout.ms': 'group.consumer.session.timeout.ms',
  'consumer.heartbeat.interval.ms': 'group.consumer.heartbeat.interval.ms',
  'consumer.assignment.interval.ms': 'group.consumer.assignment.interval.ms',
  'share.session.timeout.ms': 'group.share.session.timeout.ms',
  'share.heartbeat.interval.ms': 'group.share.heartbeat.interval.ms',
  'share.record.lock.duration.ms': 'group.share.record.lock.duration.ms',
  'share.delivery.count.limit': 'group.share.delivery.count.limit',
  'share.partition.max.record.locks': 'group.share.partition.max.record.locks',
  'share.assignment.interval.ms': 'group.share.assignment.interval.ms',
  'streams.session.timeout.ms': 'group.streams.session.timeout.ms',
  'streams.heartbeat.interval.ms': 'group.streams.heartbeat.interval.ms',
  'streams.num.standby.replicas': 'group.streams.num.standby.replicas',
  'streams.initial.rebalance.delay.ms': 'group.streams.initial.rebalance.delay.ms',
  'streams.assignment.interval.ms': 'group.streams.assignment.interval.ms',
}

const FAMILIES = [
  ['log.roll.ms', 'log.roll.hours'],
  ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
]

/** Settings that are given once for each SASL mechanism of a listener: listener.name.NAME.MECHANISM.SETTING. */
const PER_MECHANISM = [
  'sasl.jaas.config',
  'sasl.login.callback.handler.class',
  'sasl.login.class',
  'sasl.server.callback.handler.class',
  'connections.max.reauth.ms',
]

/** The setting that `listener.name.NAME.SETTING` is given for one listener; undefined for any other name. */
export function listenerOverride(name: string): string | undefined {
  return /^listener\.name\.[^.]*\.(.*)$/.exec(name)?.[1]
}

/** The names under which the value of a broker setting may stand, the strongest first. */
export function brokerSynonyms(name: string, withListeners = true): readonly string[] {
  if (name === 'log.flush.interval.ms') return [name, 'log.flush.scheduler.interval.ms']
  const family = FAMILIES.find((names) => names.includes(name))
  if (family !== undefined) return family
  const base = withListeners ? listenerOverride(name) : undefined
  if (base === undefined) return [name]
  return [name, PER_MECHANISM.find((setting) => base.endsWith(setting)) ?? base]
}
