import type { BrokerConfig, Properties } from './broker-config.ts'
import { clientMetricsValues } from './client-metrics-config.ts'
import { groupValues } from './group-config.ts'
import type { Setting, SettingType, SettingValue } from './setting.ts'
import {
  type BrokerSettingName,
  brokerSetting,
  brokerSettings,
  clientMetricsSettings,
  groupResourceSettings,
  lookup,
  type SettingTable,
  topicSettings,
} from './settings.ts'
import { brokerSynonyms, GROUP_SYNONYMS, TOPIC_SYNONYMS } from './synonyms.ts'
import { topicValues } from './topic-config.ts'
import { formatValue } from './values.ts'

/** Where a value comes from, as DescribeConfigs numbers it. */
export const ConfigSource = {
  topic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  default: 5,
  dynamicBrokerLogger: 6,
  clientMetrics: 7,
  group: 8,
} as const

const UNKNOWN_TYPE = 0
const TYPE_IDS: Readonly<Record<SettingType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
}

export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

/** One config as DescribeConfigs answers it: the fields of all versions. */
export interface ConfigEntry {
  readonly name: string
  readonly value: string | null
  readonly readOnly: boolean
  readonly source: number
  readonly isSensitive: boolean
  /** The strongest first; the value's own source is the first one's. */
  readonly synonyms: readonly ConfigSynonym[]
  readonly type: number
  readonly documentation: string | null
}

/** Everything that gives a broker setting a value, strongest first. */
function synonymsOf(name: string, broker: BrokerConfig, hidden: boolean): ConfigSynonym[] {
  const names = brokerSynonyms(name)
  const { ownDynamic, defaultDynamic, fixed } = broker.layers()
  const found: ConfigSynonym[] = []
  const add = (read: (synonym: string) => string | null | undefined, source: number) => {
    for (const synonym of names) {
      const value = read(synonym)
      if (value !== undefined && value !== null) found.push({ name: synonym, value: hidden ? null : value, source })
    }
  }
  add((synonym) => ownDynamic.get(synonym), ConfigSource.dynamicBroker)
  add((synonym) => defaultDynamic.get(synonym), ConfigSource.dynamicDefaultBroker)
  add((synonym) => fixed.get(synonym), ConfigSource.staticBroker)
  add(defaultText, ConfigSource.default)
  const own = found.findIndex((synonym) => synonym.name === name)
  return own < 0 ? [] : found.slice(own)
}

function defaultText(name: string): string | null | undefined {
  const setting = lookup(brokerSettings, name)
  return setting?.default === undefined ? undefined : formatValue(setting.type, setting.default)
}

function entry(
  name: string,
  setting: Setting | undefined,
  value: string | null,
  synonyms: readonly ConfigSynonym[],
  readOnly: boolean,
): ConfigEntry {
  return {
    name,
    value,
    readOnly,
    source: synonyms[0]?.source ?? ConfigSource.default,
    isSensitive: isSensitive(setting),
    synonyms,
    type: setting === undefined ? UNKNOWN_TYPE : TYPE_IDS[setting.type],
    documentation: setting?.doc ?? null,
  }
}

/** A name that nobody knows may hold a secret. */
function isSensitive(setting: Setting | undefined): boolean {
  return setting === undefined || setting.type === 'PASSWORD'
}

/** The setting that decides the type of a broker config, also where it is given for one listener. */
function typeSetting(name: string): Setting | undefined {
  return brokerSetting(name) ?? brokerSetting(brokerSynonyms(name).at(-1)!)
}

function brokerEntry(name: string, value: string | null, synonyms: readonly ConfigSynonym[]): ConfigEntry {
  const setting = typeSetting(name)
  const own = brokerSetting(name)
  const readOnly = own === undefined || own.mutability === 'read-only'
  const described = entry(name, setting, isSensitive(setting) ? null : value, synonyms, readOnly)
  // The doc is that of the name itself: configs of one listener and those that are only dynamic have none.
  return { ...described, documentation: lookup(brokerSettings, name)?.doc ?? null }
}

/** All configs of this broker: the whole table, and whatever else is set. */
export function describeBroker(broker: BrokerConfig): ConfigEntry[] {
  const listed = Object.entries<Setting>(brokerSettings).filter(([, setting]) => !setting.internal)
  const names = new Set(listed.map(([name]) => name))
  const others = [...broker.effectiveProperties()].filter(([name]) => !names.has(name))
  const describe = (name: string, value: string | null) =>
    brokerEntry(name, value, synonymsOf(name, broker, isSensitive(typeSetting(name))))
  return [
    ...others.map(([name, text]) => describe(name, text)),
    ...listed.map(([name, setting]) =>
      describe(name, formatValue(setting.type, broker.value(name as BrokerSettingName))),
    ),
  ]
}

/** The dynamic configs of all brokers: the broker resource with the empty name. */
export function describeBrokerDefaults(broker: BrokerConfig): ConfigEntry[] {
  return [...broker.layers().defaultDynamic].map(([name, text]) => {
    const synonyms = synonymsOf(name, broker, isSensitive(typeSetting(name)))
    return brokerEntry(
      name,
      text,
      synonyms.filter((synonym) => synonym.source === ConfigSource.dynamicDefaultBroker),
    )
  })
}

/** All configs of a topic. `overrides` are the ones that were set on it. */
export function describeTopic(overrides: Properties, broker: BrokerConfig): ConfigEntry[] {
  return describeResource(topicSettings, topicValues(overrides, broker), overrides, ConfigSource.topic, (name) => {
    const synonym = TOPIC_SYNONYMS[name]?.[0]?.name
    return synonym === undefined ? [] : synonymsOf(synonym, broker, false)
  })
}

/** All configs of a group. `overrides` are the ones that were set on it. */
export function describeGroup(overrides: Properties, broker: BrokerConfig): ConfigEntry[] {
  const values = groupValues(overrides, broker)
  return describeResource(groupResourceSettings, values, overrides, ConfigSource.group, (name) => {
    const synonym = GROUP_SYNONYMS[name]
    if (synonym !== undefined) return synonymsOf(synonym, broker, false)
    const setting = lookup(groupResourceSettings, name)!
    return [{ name, value: formatValue(setting.type, setting.default ?? null), source: ConfigSource.default }]
  })
}

/** All configs of a metrics subscription. `overrides` are the ones that were set on it. */
export function describeClientMetrics(overrides: Properties): ConfigEntry[] {
  const values = clientMetricsValues(overrides)
  return describeResource(clientMetricsSettings, values, overrides, ConfigSource.clientMetrics, () => [])
}

function describeResource(
  table: SettingTable,
  values: ReadonlyMap<string, SettingValue>,
  overrides: Properties,
  source: number,
  inherited: (name: string) => readonly ConfigSynonym[],
): ConfigEntry[] {
  return Object.entries(table)
    .filter(([name, setting]) => !setting.internal || overrides.has(name))
    .map(([name, setting]) => {
      const value = formatValue(setting.type, values.get(name) ?? null)
      const below = inherited(name)
      const synonyms = overrides.has(name) ? [{ name, value, source }, ...below] : below
      return entry(name, setting, value, synonyms, false)
    })
}

/** The loggers of a broker and their levels. There is one here, for everything. */
export function describeBrokerLogger(levels: ReadonlyMap<string, string>): ConfigEntry[] {
  return [...levels].map(([name, value]) => ({
    name,
    value,
    readOnly: false,
    source: ConfigSource.dynamicBrokerLogger,
    isSensitive: false,
    synonyms: [],
    type: UNKNOWN_TYPE,
    documentation: null,
  }))
}
