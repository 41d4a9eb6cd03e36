import { groupSettings } from './definitions/group.ts'
import { listenerSettings } from './definitions/listeners.ts'
import { cleanerSettings, logSettings, topicDefaultSettings } from './definitions/log.ts'
import { metricsSettings } from './definitions/metrics.ts'
import { oauthSettings } from './definitions/oauth.ts'
import { dynamicOnlySettings, quotaSettings } from './definitions/quota.ts'
import { remoteSettings } from './definitions/remote.ts'
import { replicationSettings } from './definitions/replication.ts'
import { clientMetricsSettings, groupResourceSettings, topicSettings } from './definitions/resources.ts'
import { securitySettings } from './definitions/security.ts'
import { serverSettings } from './definitions/server.ts'
import { shareSettings } from './definitions/share.ts'
import { transactionSettings } from './definitions/transaction.ts'
import type { Setting } from './setting.ts'

/** Every setting of a broker or controller that its config file may hold. */
export const brokerSettings = {
  ...serverSettings,
  ...listenerSettings,
  ...topicDefaultSettings,
  ...logSettings,
  ...cleanerSettings,
  ...replicationSettings,
  ...groupSettings,
  ...shareSettings,
  ...transactionSettings,
  ...quotaSettings,
  ...metricsSettings,
  ...securitySettings,
  ...oauthSettings,
  ...remoteSettings,
}

export { clientMetricsSettings, dynamicOnlySettings, groupResourceSettings, topicSettings }

export type BrokerSettingName = keyof typeof brokerSettings
export type TopicSettingName = keyof typeof topicSettings
export type GroupSettingName = keyof typeof groupResourceSettings
export type ClientMetricsSettingName = keyof typeof clientMetricsSettings

/** The type that a setting's parsed value has for its readers: LONG is a number there, exact up to 2^53. */
export type ReadValue<S> = S extends Setting<infer V> ? (V extends bigint ? number : V) : never

export type SettingTable = Readonly<Record<string, Setting>>

/** The setting called `name`, or undefined; own rows only, so that 'constructor' is no setting. */
export function lookup(table: SettingTable, name: string): Setting | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** A setting that a broker resource may carry: one of the config file's, or one that exists only as a dynamic config. */
export function brokerSetting(name: string): Setting | undefined {
  return lookup(brokerSettings, name) ?? lookup(dynamicOnlySettings, name)
}

/**
 * Whether values of a resource's config are lists, so that AlterConfigs may append to them and subtract from them.
 * `resource` is the kind of the config resource.
 */
export function isListSetting(resource: 'topic' | 'broker' | 'group' | 'client-metrics', name: string): boolean {
  const table = {
    topic: topicSettings,
    broker: brokerSettings,
    group: groupResourceSettings,
    'client-metrics': clientMetricsSettings,
  }[resource]
  return lookup(table, name)?.type === 'LIST'
}
