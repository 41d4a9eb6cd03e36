import type { BrokerConfig, Properties } from './broker-config.ts'
import { ConfigError, invalidValue } from './config-error.ts'
import type { Setting, SettingValue } from './setting.ts'
import { type BrokerSettingName, lookup, type TopicSettingName, topicSettings } from './settings.ts'
import { TOPIC_SYNONYMS } from './synonyms.ts'
import { defaultOf, parseSetting } from './values.ts'

export type CompressionType = 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export type TimestampType = 'CreateTime' | 'LogAppendTime'

/** The configuration in force of one topic. Times in milliseconds, sizes in bytes; Infinity where Kafka has 2^63-1. */
export interface TopicConfig {
  /** With neither of the two, old data is kept forever. */
  readonly compact: boolean
  readonly deleteOld: boolean
  readonly compressionType: CompressionType
  readonly compressionLevels: { readonly gzip: number; readonly lz4: number; readonly zstd: number }
  readonly deleteRetentionMs: number
  readonly fileDeleteDelayMs: number
  readonly flushMessages: number
  readonly flushMs: number
  readonly indexIntervalBytes: number
  readonly maxCompactionLagMs: number
  readonly maxMessageBytes: number
  readonly timestampAfterMaxMs: number
  readonly timestampBeforeMaxMs: number
  readonly timestampType: TimestampType
  readonly minCleanableDirtyRatio: number
  readonly minCompactionLagMs: number
  readonly minInsyncReplicas: number
  readonly preallocate: boolean
  /** -1: no limit. */
  readonly retentionBytes: number
  /** -1: no limit. */
  readonly retentionMs: number
  readonly segmentBytes: number
  readonly segmentIndexBytes: number
  readonly segmentJitterMs: number
  readonly segmentMs: number
  readonly uncleanLeaderElection: boolean
}

/** Parsed values of all settings of a topic, by name. */
export type TopicValues = ReadonlyMap<string, SettingValue>

/** The value that topics get from the broker for one of their settings; their own default where there is no synonym. */
export function topicDefault(name: TopicSettingName, broker: BrokerConfig): SettingValue {
  const setting: Setting = topicSettings[name]
  for (const synonym of TOPIC_SYNONYMS[name] ?? []) {
    const value = broker.value(synonym.name as BrokerSettingName)
    if (value === null) continue
    if (synonym.factor === 1) return name === 'retention.ms' && (value as bigint) < 0n ? -1n : value
    const milliseconds = BigInt(value as number) * BigInt(synonym.factor)
    return name === 'retention.ms' && milliseconds < 0n ? -1n : milliseconds
  }
  return defaultOf(name, setting)
}

/**
 * All values of a topic: its own configs over the broker's. Throws ConfigError for an own value that is refused; unknown
 * names are passed over, as a metadata log of another version may hold them.
 */
export function topicValues(overrides: Properties, broker: BrokerConfig): Map<string, SettingValue> {
  const values = new Map<string, SettingValue>()
  for (const name of Object.keys(topicSettings) as TopicSettingName[]) {
    const text = overrides.get(name)
    values.set(
      name,
      text === undefined ? topicDefault(name, broker) : parseSetting<SettingValue>(name, topicSettings[name], text),
    )
  }
  return values
}

/** The values as the log and the broker read them. Throws as `topicValues` does. */
export function resolveTopicConfig(overrides: Properties, broker: BrokerConfig): TopicConfig {
  const values = topicValues(overrides, broker)
  const number = (name: TopicSettingName): number => {
    const value = values.get(name)
    return value === 9223372036854775807n ? Number.POSITIVE_INFINITY : Number(value)
  }
  const policies = values.get('cleanup.policy') as readonly string[]
  const internalSegmentBytes = values.get('internal.segment.bytes') as number | null
  return {
    compact: policies.includes('compact'),
    deleteOld: policies.includes('delete'),
    compressionType: values.get('compression.type') as CompressionType,
    compressionLevels: {
      gzip: number('compression.gzip.level'),
      lz4: number('compression.lz4.level'),
      zstd: number('compression.zstd.level'),
    },
    deleteRetentionMs: number('delete.retention.ms'),
    fileDeleteDelayMs: number('file.delete.delay.ms'),
    flushMessages: number('flush.messages'),
    flushMs: number('flush.ms'),
    indexIntervalBytes: number('index.interval.bytes'),
    maxCompactionLagMs: number('max.compaction.lag.ms'),
    maxMessageBytes: number('max.message.bytes'),
    timestampAfterMaxMs: number('message.timestamp.after.max.ms'),
    timestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
    timestampType: values.get('message.timestamp.type') as TimestampType,
    minCleanableDirtyRatio: number('min.cleanable.dirty.ratio'),
    minCompactionLagMs: number('min.compaction.lag.ms'),
    minInsyncReplicas: number('min.insync.replicas'),
    preallocate: values.get('preallocate') as boolean,
    retentionBytes: number('retention.bytes'),
    retentionMs: number('retention.ms'),
    segmentBytes: internalSegmentBytes ?? number('segment.bytes'),
    segmentIndexBytes: number('segment.index.bytes'),
    segmentJitterMs: number('segment.jitter.ms'),
    segmentMs: number('segment.ms'),
    uncleanLeaderElection: values.get('unclean.leader.election.enable') as boolean,
  }
}

/**
 * Checks the configs that a topic is about to have, all of them: names, values, and values that must go together.
 * `existing` is what the topic had before. Throws ConfigError in Apache Kafka's words.
 */
export function checkTopicConfigs(overrides: Properties, broker: BrokerConfig, existing: Properties = new Map()): void {
  for (const name of overrides.keys()) {
    if (lookup(topicSettings, name) === undefined) throw new ConfigError(`Unknown topic config name: ${name}`)
  }
  const values = topicValues(overrides, broker)
  const minLagMs = values.get('min.compaction.lag.ms') as bigint
  const maxLagMs = values.get('max.compaction.lag.ms') as bigint
  if (minLagMs > maxLagMs) {
    throw new ConfigError(
      `conflict topic config setting min.compaction.lag.ms (${minLagMs}) > max.compaction.lag.ms (${maxLagMs})`,
    )
  }
  if (values.get('remote.storage.enable') === true) checkTiered(values, broker)
  else checkUntiered(values, existing)
}

function checkTiered(values: TopicValues, broker: BrokerConfig): void {
  if (!broker.get('remote.log.storage.system.enable')) {
    throw new ConfigError(
      'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.',
    )
  }
  const policies = values.get('cleanup.policy') as readonly string[]
  if (policies.length > 1 || (policies.length === 1 && policies[0] !== 'delete')) {
    throw new ConfigError(
      'Remote log storage only supports topics with cleanup.policy=delete or cleanup.policy being an empty list.',
    )
  }
  checkLocalRetention(values, 'retention.bytes', 'local.retention.bytes')
  checkLocalRetention(values, 'retention.ms', 'local.retention.ms')
  if (values.get('remote.log.copy.disable') !== true) return
  for (const name of ['retention.bytes', 'retention.ms']) {
    const local = values.get(`local.${name}`)
    if (local === -2n || local === values.get(name)) continue
    throw new ConfigError(
      `When \`remote.log.copy.disable\` is set to true, the \`local.${name}\` and \`${name}\` must be set to the ` +
        'identical value because there will be no more logs copied to the remote storage.',
    )
  }
}

function checkLocalRetention(values: TopicValues, name: string, localName: string): void {
  const total = values.get(name) as bigint
  const local = values.get(localName) as bigint
  if (total <= -1n || local === -2n) return
  if (local === -1n) throw invalidValue(localName, '-1', `Value must not be -1 as ${name} value is set as ${total}.`)
  if (local > total) {
    throw invalidValue(localName, String(local), `Value must not be more than ${name} property value: ${total}`)
  }
}

function checkUntiered(values: TopicValues, existing: Properties): void {
  const wasTiered = existing.get('remote.storage.enable')?.toLowerCase() === 'true'
  if (!wasTiered || values.get('remote.log.delete.on.disable') === true) return
  throw new ConfigError(
    'It is invalid to disable remote storage without deleting remote data. If you want to keep the remote data and turn ' +
      'to read only, please set `remote.storage.enable=true,remote.log.copy.disable=true`. If you want to disable remote ' +
      'storage and delete all remote data, please set `remote.storage.enable=false,remote.log.delete.on.disable=true`.',
  )
}
