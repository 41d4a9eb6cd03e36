import { checkClientMetricsConfigs } from '../config/client-metrics-config.ts'
import { ConfigError } from '../config/config-error.ts'
import { checkGroupConfigs } from '../config/group-config.ts'
import type { Setting } from '../config/setting.ts'
import {
  brokerSettings,
  clientMetricsSettings,
  groupResourceSettings,
  lookup,
  type SettingTable,
  topicSettings,
} from '../config/settings.ts'
import { checkTopicConfigs } from '../config/topic-config.ts'
import { formatValue } from '../config/values.ts'
import { ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION } from '../metadata/features.ts'
import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { type ConfigResource, ConfigResourceType } from '../metadata/types.ts'
import { checkAlteration } from './policies.ts'
import { type DecisionContext, Refusal } from './result.ts'
import { topicNameFault } from './topic-names.ts'

/** The numbers of IncrementalAlterConfigs. */
export const OperationType = { set: 0, delete: 1, append: 2, subtract: 3 } as const
const OPERATION_NAMES = ['SET', 'DELETE', 'APPEND', 'SUBTRACT']

export interface ConfigOperation {
  readonly name: string
  readonly operation: number
  /** null only for delete. */
  readonly value: string | null
}

interface Change {
  readonly name: string
  readonly value: string | null
}

const MIN_ISR = 'min.insync.replicas'
export const CORDONED = 'cordoned.log.dirs'
const MAX_VALUE_LENGTH = 0x7fff
/** The metadata.version from which log directories can be cordoned. */
const CORDONED_LEVEL = 30

const tables: ReadonlyMap<number, SettingTable> = new Map<number, SettingTable>([
  [ConfigResourceType.topic, topicSettings],
  [ConfigResourceType.broker, brokerSettings],
  [ConfigResourceType.group, groupResourceSettings],
  [ConfigResourceType.clientMetrics, clientMetricsSettings],
])

function settingOf(type: number, name: string): Setting | undefined {
  const table = tables.get(type)
  return table === undefined ? undefined : lookup(table, name)
}

/**
 * The records of an IncrementalAlterConfigs of one resource. A topic that is `isNew` need not exist. Throws Refusal in
 * Apache Kafka's words.
 */
export function configRecords(
  context: DecisionContext,
  resource: ConfigResource,
  operations: readonly ConfigOperation[],
  isNew: boolean,
): MetadataRecord[] {
  const current = context.head.configs.of(resource.type, resource.name)
  const changes: Change[] = []
  for (const operation of operations) {
    const before = current.get(operation.name) ?? null
    const value = newValue(resource, operation, before)
    // Broker configs are written even when they do not change: that makes the broker read its key stores again.
    if (value !== before || resource.type === ConfigResourceType.broker) changes.push({ name: operation.name, value })
  }
  checkChanges(context, resource, changes, [], isNew)
  return [...toRecords(resource, changes), ...clearElrRecords(context, resource, changes)]
}

/** The records of an AlterConfigs of one resource: what is not in `settings` is removed. Throws as `configRecords`. */
export function replacementRecords(
  context: DecisionContext,
  resource: ConfigResource,
  settings: ReadonlyMap<string, string | null>,
): MetadataRecord[] {
  const current = context.head.configs.of(resource.type, resource.name)
  const changes: Change[] = []
  for (const [name, value] of settings) {
    if ((current.get(name) ?? null) !== value || resource.type === ConfigResourceType.broker) {
      changes.push({ name, value })
    }
  }
  const removals = [...current.keys()].filter((name) => !settings.has(name)).map((name) => ({ name, value: null }))
  checkChanges(context, resource, changes, removals, false)
  const all = [...changes, ...removals]
  return [...toRecords(resource, all), ...clearElrRecords(context, resource, all)]
}

function toRecords({ type, name }: ConfigResource, changes: readonly Change[]): MetadataRecord[] {
  return changes.map((change) =>
    metadataRecord('Config', { resourceType: type, resourceName: name, name: change.name, value: change.value }),
  )
}

function newValue(resource: ConfigResource, { name, operation, value }: ConfigOperation, before: string | null) {
  if (operation === OperationType.delete) return null
  if (operation === OperationType.set) return value
  const setting = settingOf(resource.type, name)
  if (setting?.type !== 'LIST') {
    const verb = OPERATION_NAMES[operation]
    throw new Refusal('INVALID_CONFIG', `Can't ${verb} to key ${name} because its type is not LIST.`)
  }
  const old = before ?? (setting.default === undefined ? null : formatValue(setting.type, setting.default))
  const parts = splitParts(old)
  for (const part of javaSplit(value ?? '')) {
    const at = parts.indexOf(part)
    if (operation === OperationType.append && at < 0) parts.push(part)
    if (operation === OperationType.subtract && at >= 0) parts.splice(at, 1)
  }
  return parts.join(',')
}

function splitParts(value: string | null): string[] {
  return value === null ? [] : value.split(',').filter((part) => part !== '')
}

/** As Java's split: empty parts at the end are dropped, but a text without a comma is one part even when empty. */
function javaSplit(value: string): string[] {
  const parts = value.split(',')
  while (parts.length > 1 && parts.at(-1) === '') parts.pop()
  return value !== '' && parts.length === 1 && parts[0] === '' ? [] : parts
}

function checkChanges(
  context: DecisionContext,
  resource: ConfigResource,
  changes: readonly Change[],
  removals: readonly Change[],
  isNew: boolean,
): void {
  const existing = context.head.configs.of(resource.type, resource.name)
  const all = new Map<string, string>(existing)
  for (const change of [...changes, ...removals]) {
    checkReplicaSettings(context, resource, change)
    if (change.value === null) all.delete(change.name)
    else if (change.value.length > MAX_VALUE_LENGTH) {
      throw new Refusal(
        'INVALID_CONFIG',
        `The configuration value cannot be added because it exceeds the maximum value size of ${MAX_VALUE_LENGTH} bytes.`,
      )
    } else all.set(change.name, change.value)
  }
  checkResource(context, resource, all, existing)
  if (!isNew) checkExistence(context, resource)
  checkAlteration(context, resource, changes)
}

/** With eligible leader replicas, min.insync.replicas must be the same on all brokers (KIP-966). */
function checkReplicaSettings({ head }: DecisionContext, resource: ConfigResource, { name, value }: Change): void {
  if (resource.type !== ConfigResourceType.broker) return
  if (name === CORDONED && head.featureLevel(METADATA_VERSION) < CORDONED_LEVEL) {
    throw new Refusal(
      'INVALID_CONFIG',
      `The ${CORDONED} configuration value cannot be set because it requires metadata.version >= 4.3-IV0`,
    )
  }
  if (name !== MIN_ISR || head.featureLevel(ELIGIBLE_LEADER_REPLICAS) === 0) return
  if (resource.name !== '') {
    throw new Refusal('INVALID_CONFIG', `Broker-level ${MIN_ISR} cannot be altered while ELR is enabled.`)
  }
  if (value === null) {
    throw new Refusal('INVALID_CONFIG', `Cluster-level ${MIN_ISR} cannot be removed while ELR is enabled.`)
  }
}

function checkResource(
  { config }: DecisionContext,
  resource: ConfigResource,
  all: ReadonlyMap<string, string>,
  existing: ReadonlyMap<string, string>,
): void {
  try {
    switch (resource.type) {
      case ConfigResourceType.topic:
        checkTopicName(resource.name)
        checkTopicConfigs(all, config, existing)
        return
      case ConfigResourceType.broker:
        checkBrokerName(resource.name)
        return
      case ConfigResourceType.clientMetrics:
        checkClientMetricsConfigs(resource.name, all)
        return
      case ConfigResourceType.group:
        if (resource.name === '') throw new Refusal('INVALID_REQUEST', 'Default group resources are not allowed.')
        checkGroupConfigs(all, config)
        return
      default:
        throw new Refusal('INVALID_REQUEST', `Unknown resource type ${resource.type}`)
    }
  } catch (error) {
    if (error instanceof ConfigError) throw new Refusal(error.error, error.message)
    throw error
  }
}

function checkTopicName(name: string): void {
  if (name === '') throw new Refusal('INVALID_REQUEST', 'Default topic resources are not allowed.')
  const fault = topicNameFault(name)
  if (fault !== undefined) throw new Refusal('INVALID_TOPIC_EXCEPTION', fault)
}

function checkBrokerName(name: string): void {
  if (name === '') return
  const id = parseId(name)
  if (id === undefined) throw new Refusal('INVALID_REQUEST', 'Unable to parse broker name as a base 10 number.')
  if (id < 0) throw new Refusal('INVALID_REQUEST', 'Invalid negative broker ID.')
}

/** A number as Java's Integer.parseInt takes it; undefined for anything else. */
export function parseId(text: string): number | undefined {
  if (!/^[+-]?[0-9]{1,10}$/.test(text)) return undefined
  const id = Number(text)
  return id === (id | 0) ? id : undefined
}

function checkExistence({ head }: DecisionContext, { type, name }: ConfigResource): void {
  if (type === ConfigResourceType.topic && head.topics.byName(name) === undefined) {
    throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', `The topic '${name}' does not exist.`)
  }
  if (type !== ConfigResourceType.broker || name === '') return
  const id = parseId(name)
  if (id !== undefined && (head.brokers.has(id) || head.controllers.has(id))) return
  throw new Refusal('BROKER_ID_NOT_REGISTERED', `No node with id ${id} found.`)
}

/** Another min.insync.replicas makes what is known of eligible leaders void. */
function clearElrRecords(
  { head }: DecisionContext,
  resource: ConfigResource,
  changes: readonly Change[],
): MetadataRecord[] {
  if (head.featureLevel(ELIGIBLE_LEADER_REPLICAS) === 0) return []
  const topicName = resource.type === ConfigResourceType.topic ? resource.name : ''
  return changes.filter(({ name }) => name === MIN_ISR).map(() => metadataRecord('ClearElr', { topicName }))
}
