import type { BrokerConfig, Properties } from './broker-config.ts'
import { ConfigError } from './config-error.ts'
import type { SettingValue } from './setting.ts'
import {
  type BrokerSettingName,
  type GroupSettingName,
  groupResourceSettings,
  lookup,
  type ReadValue,
} from './settings.ts'
import { GROUP_SYNONYMS } from './synonyms.ts'
import { defaultOf, parseSetting } from './values.ts'

export type GroupValue<N extends GroupSettingName> = ReadValue<(typeof groupResourceSettings)[N]>

function groupDefault(name: GroupSettingName, broker: BrokerConfig): SettingValue {
  const synonym = GROUP_SYNONYMS[name]
  if (synonym !== undefined) return broker.value(synonym as BrokerSettingName)
  return defaultOf<SettingValue>(name, groupResourceSettings[name])
}

/** The value of one config of a group: its own, else the broker's. Throws ConfigError for an own value out of range. */
export function groupValue<N extends GroupSettingName>(name: N, overrides: Properties, broker: BrokerConfig) {
  const text = overrides.get(name)
  const setting = groupResourceSettings[name]
  const value = text === undefined ? groupDefault(name, broker) : parseSetting<SettingValue>(name, setting, text)
  return value as GroupValue<N>
}

/** All values of a group, by name. Throws as `groupValue` does; unknown names are passed over. */
export function groupValues(overrides: Properties, broker: BrokerConfig): Map<string, SettingValue> {
  const names = Object.keys(groupResourceSettings) as GroupSettingName[]
  return new Map(names.map((name) => [name, groupValue(name, overrides, broker)]))
}

/** `atLeast` and `atMost` name the broker settings that bound a group's value. */
interface Bound {
  readonly name: GroupSettingName
  readonly atLeast: BrokerSettingName | null
  readonly atMost: BrokerSettingName
  /** Checked only where the group has a value of its own, as the broker's may change on its own. */
  readonly ownOnly: boolean
}

function bound(kind: 'consumer' | 'share' | 'streams', limit: string, ownOnly = false): Bound {
  return {
    name: `${kind}.${limit}` as GroupSettingName,
    atLeast: `group.${kind}.min.${limit}` as BrokerSettingName,
    atMost: `group.${kind}.max.${limit}` as BrokerSettingName,
    ownOnly,
  }
}

const BOUNDS: readonly Bound[] = [
  bound('consumer', 'heartbeat.interval.ms'),
  bound('consumer', 'session.timeout.ms'),
  bound('consumer', 'assignment.interval.ms', true),
  bound('share', 'heartbeat.interval.ms'),
  bound('share', 'session.timeout.ms'),
  {
    name: 'share.record.lock.duration.ms',
    atLeast: 'group.share.min.record.lock.duration.ms',
    atMost: 'group.share.max.record.lock.duration.ms',
    ownOnly: false,
  },
  {
    name: 'share.delivery.count.limit',
    atLeast: 'group.share.min.delivery.count.limit',
    atMost: 'group.share.max.delivery.count.limit',
    ownOnly: false,
  },
  {
    name: 'share.partition.max.record.locks',
    atLeast: 'group.share.min.partition.max.record.locks',
    atMost: 'group.share.max.partition.max.record.locks',
    ownOnly: false,
  },
  bound('share', 'assignment.interval.ms', true),
  bound('streams', 'heartbeat.interval.ms'),
  bound('streams', 'session.timeout.ms'),
  {
    name: 'streams.num.standby.replicas',
    atLeast: null,
    atMost: 'group.streams.max.standby.replicas',
    ownOnly: false,
  },
  bound('streams', 'assignment.interval.ms', true),
]

/** Checks all configs that a group is about to have. Throws ConfigError in Apache Kafka's words. */
export function checkGroupConfigs(overrides: Properties, broker: BrokerConfig): void {
  for (const name of overrides.keys()) {
    if (lookup(groupResourceSettings, name) === undefined) throw new ConfigError(`Unknown group config name: ${name}`)
  }
  const values = groupValues(overrides, broker)
  for (const { name, atLeast, atMost, ownOnly } of BOUNDS) {
    if (ownOnly && !overrides.has(name)) continue
    const value = values.get(name) as number
    if (atLeast !== null && value < (broker.get(atLeast) as number)) {
      throw new ConfigError(`${name} must be greater than or equal to ${atLeast}`)
    }
    if (value > (broker.get(atMost) as number)) {
      throw new ConfigError(`${name} must be less than or equal to ${atMost}`)
    }
  }
  for (const kind of ['consumer', 'share', 'streams']) {
    const [session, heartbeat] = [`${kind}.session.timeout.ms`, `${kind}.heartbeat.interval.ms`]
    if ((values.get(session) as number) <= (values.get(heartbeat) as number)) {
      throw new ConfigError(`${session} must be greater than ${heartbeat}`)
    }
  }
}
