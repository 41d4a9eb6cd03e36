import { ConfigError } from '../config/config-error.ts'
import { checkDynamicConfigs } from '../config/dynamic-checks.ts'
import { brokerSettings, isListSetting, lookup } from '../config/settings.ts'
import { formatValue } from '../config/values.ts'
import type { MetadataRecord } from '../metadata/records.ts'
import { type ConfigResource, ConfigResourceType } from '../metadata/types.ts'
import { LOG_LEVELS, type LogLevel } from '../platform/logger.ts'
import { errors } from '../protocol/errors.ts'
import type { AlterConfigsRequest } from '../protocol/messages/alter-configs.ts'
import type { IncrementalAlterConfigsRequest } from '../protocol/messages/incremental-alter-configs.ts'
import {
  CORDONED,
  type ConfigOperation,
  configRecords,
  OperationType,
  parseId,
  replacementRecords,
} from './config-changes.ts'
import {
  checkRecordCount,
  type Decision,
  type DecisionContext,
  OK,
  type Outcome,
  outcomeOf,
  Refusal,
} from './result.ts'

export interface ResourceResult extends Outcome {
  readonly resourceType: number
  readonly resourceName: string
}

/** One resource of either request, as the common checks see it. */
interface Resource {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

const ROOT_LOGGER = 'root'
const knownTypes: ReadonlySet<number> = new Set(Object.values(ConfigResourceType))

type Incremental = IncrementalAlterConfigsRequest['resources'][number]
type Replacement = AlterConfigsRequest['resources'][number]

/** What a broker needs to check what it is asked. */
export type BrokerChecks = Pick<DecisionContext, 'head' | 'config' | 'nodeId' | 'logger'>

/** Decides an IncrementalAlterConfigs. `kind`: a request to a broker is checked more, as the broker's own configs are. */
export function incrementalAlterConfigs(
  context: DecisionContext,
  request: IncrementalAlterConfigsRequest,
  kind: 'broker' | 'controller',
): Decision<ResourceResult[]> {
  return decide(request.resources, request.validateOnly, {
    kind,
    preprocess: (resource) => preprocessIncremental(context, resource, request.validateOnly),
    isMalformed: (resource) =>
      operationsOf(resource).some(
        ({ operation, value }) => operation < 0 || operation > 3 || (operation > 1 && value === null),
      ),
    recordsOf: (resource) => {
      const records = configRecords(context, resourceOf(resource), lastOfEach(operationsOf(resource)), false)
      return checkedPaths(context, kind, records)
    },
  })
}

/** Decides an AlterConfigs, which replaces all configs of a resource. `kind` as above. */
export function alterConfigs(
  context: DecisionContext,
  request: AlterConfigsRequest,
  kind: 'broker' | 'controller',
): Decision<ResourceResult[]> {
  return decide(request.resources, request.validateOnly, {
    kind,
    preprocess: (resource) => preprocessReplacement(context, resource),
    isMalformed: () => false,
    recordsOf: (resource) => {
      const settings = new Map(resource.configs.map(({ name, value }) => [name, value]))
      return checkedPaths(context, kind, replacementRecords(context, resourceOf(resource), settings))
    },
  })
}

/** What a broker says itself of an IncrementalAlterConfigs; the other resources are for the controller. */
export function screenIncremental(
  checks: BrokerChecks,
  { resources, validateOnly }: IncrementalAlterConfigsRequest,
): Map<Incremental, Outcome> {
  return screen(resources, 'broker', (resource) => preprocessIncremental(checks, resource, validateOnly))
}

/** The same of an AlterConfigs. */
export function screenReplacement(checks: BrokerChecks, { resources }: AlterConfigsRequest): Map<Replacement, Outcome> {
  return screen(resources, 'broker', (resource) => preprocessReplacement(checks, resource))
}

function operationsOf(resource: Incremental): ConfigOperation[] {
  return resource.configs.map(({ name, configOperation, value }) => ({ name, operation: configOperation, value }))
}

function preprocessIncremental(checks: BrokerChecks, resource: Incremental, validateOnly: boolean): void {
  const values = resource.configs.filter(({ configOperation }) => configOperation !== OperationType.delete)
  checkConfigs(resource.configs, values)
  if (resource.resourceType === ConfigResourceType.brokerLogger) {
    alterLoggers(checks, resource.resourceName, operationsOf(resource), validateOnly)
  }
  if (resource.resourceType === ConfigResourceType.broker) checkOwn(checks, resource, operationsOf(resource))
}

function preprocessReplacement(checks: BrokerChecks, resource: Replacement): void {
  checkConfigs(resource.configs, resource.configs)
  if (resource.resourceType === ConfigResourceType.brokerLogger) throw unknownType(resource.resourceType)
  if (resource.resourceType !== ConfigResourceType.broker) return
  checkNodeId(checks, resource.resourceName)
  const values = new Map(resource.configs.map(({ name, value }) => [name, value ?? '']))
  checkBrokerConfigs(checks, values, resource.resourceName)
}

interface Steps<R> {
  readonly kind: 'broker' | 'controller'
  readonly preprocess: (resource: R) => void
  /** Whether the controller cannot make sense of it at all. */
  readonly isMalformed: (resource: R) => boolean
  readonly recordsOf: (resource: R) => MetadataRecord[]
}

/** Why a resource is refused before anything is decided, or that there is nothing to be decided. */
function screen<R extends Resource>(
  resources: readonly R[],
  kind: 'broker' | 'controller',
  preprocess: (resource: R) => void,
): Map<R, Outcome> {
  const outcomes = new Map<R, Outcome>()
  const counts = new Map<string, number>()
  for (const resource of resources) counts.set(keyOf(resource), (counts.get(keyOf(resource)) ?? 0) + 1)
  for (const resource of resources) {
    const isDuplicate = counts.get(keyOf(resource))! > 1
    const check = kind === 'broker' ? checkAtBroker : checkAtController
    const outcome = outcomeOf(() => check(resource, isDuplicate, preprocess))
    // What there is to do for loggers has been done.
    const isDone = kind === 'broker' && resource.resourceType === ConfigResourceType.brokerLogger
    if (outcome !== OK || isDone) outcomes.set(resource, outcome)
  }
  return outcomes
}

function decide<R extends Resource>(
  resources: readonly R[],
  validateOnly: boolean,
  steps: Steps<R>,
): Decision<ResourceResult[]> {
  const outcomes = screen(resources, steps.kind, steps.preprocess)
  const remaining = resources.filter((resource) => !outcomes.has(resource))
  const records: MetadataRecord[] = []
  const areMalformed = remaining.some(steps.isMalformed)
  for (const resource of remaining) {
    if (areMalformed) outcomes.set(resource, { errorCode: errors.UNKNOWN_SERVER_ERROR.code, errorMessage: null })
    else
      outcomes.set(
        resource,
        outcomeOf(() => records.push(...steps.recordsOf(resource))),
      )
  }
  checkRecordCount(records)
  // A controller answers once for resources that come more often.
  const seen = new Set<string>()
  const answered = resources.filter((resource) => {
    const isFirst = !seen.has(keyOf(resource))
    seen.add(keyOf(resource))
    return isFirst || steps.kind === 'broker'
  })
  const response = answered.map((resource) => ({
    ...(outcomes.get(resource) ?? OK),
    resourceType: resource.resourceType,
    resourceName: resource.resourceName,
  }))
  return { records: validateOnly || areMalformed ? [] : records, response }
}

function checkAtBroker<R extends Resource>(resource: R, isDuplicate: boolean, preprocess: (resource: R) => void): void {
  if (isDuplicate) throw new Refusal('INVALID_REQUEST', 'Each resource must appear at most once.')
  preprocess(resource)
  if (!knownTypes.has(resource.resourceType)) throw unknownType(resource.resourceType)
}

function checkAtController(resource: Resource, isDuplicate: boolean): void {
  const { resourceType } = resource
  if (!knownTypes.has(resourceType)) {
    throw new Refusal('UNSUPPORTED_VERSION', `Unknown resource type ${resourceType}.`)
  }
  if (isDuplicate) throw new Refusal('INVALID_REQUEST', 'Duplicate resource.')
}

/** A broker checks the paths of its own directories; a controller knows only those that have been checked before. */
function checkedPaths(
  { head }: DecisionContext,
  kind: 'broker' | 'controller',
  records: MetadataRecord[],
): MetadataRecord[] {
  for (const record of kind === 'controller' ? records : []) {
    if (record.name !== 'Config' || record.value.name !== CORDONED) continue
    const { resourceType, resourceName, value } = record.value
    const known = pathsOf(head.configs.of(resourceType, resourceName).get(CORDONED))
    if (pathsOf(value).every((path) => known.includes(path))) continue
    const text = `When updating ${CORDONED} via controllers, the new value must be a subset of the current one.`
    throw new Refusal('INVALID_CONFIG', text)
  }
  return records
}

function pathsOf(list: string | null | undefined): string[] {
  return list?.trim() ? list.split(',').map((path) => path.trim()) : []
}

function unknownType(type: number): Refusal {
  return new Refusal('INVALID_REQUEST', `Unknown resource type ${type}`)
}

function keyOf({ resourceType, resourceName }: Resource): string {
  return `${resourceType}:${resourceName}`
}

function resourceOf({ resourceType, resourceName }: Resource): ConfigResource {
  return { type: resourceType, name: resourceName }
}

/** A config that is named twice counts once, with what was said last. */
function lastOfEach(operations: readonly ConfigOperation[]): ConfigOperation[] {
  return [...new Map(operations.map((operation) => [operation.name, operation])).values()]
}

function checkConfigs(configs: Resource['configs'], values: Resource['configs']): void {
  if (new Set(configs.map(({ name }) => name)).size < configs.length) {
    throw new Refusal('INVALID_REQUEST', 'Error due to duplicate config keys')
  }
  const nulls = values.filter(({ value }) => value === null).map(({ name }) => name)
  if (nulls.length > 0) throw new Refusal('INVALID_REQUEST', `Null value not supported for : ${nulls.join(', ')}`)
}

function checkNodeId({ nodeId }: BrokerChecks, name: string): void {
  if (name === '') return
  const id = parseId(name)
  if (id === undefined) throw new Refusal('INVALID_REQUEST', `Node id must be an integer, but it is: ${name}`)
  if (id !== nodeId) {
    throw new Refusal('INVALID_REQUEST', `Unexpected broker id, expected ${nodeId}, but received ${name}`)
  }
}

/**
 * The levels of loggers are no metadata: they are set at once, here, and forgotten by a restart. There is one logger, for
 * everything; 'root' is its name.
 */
function alterLoggers(
  { nodeId, logger }: BrokerChecks,
  name: string,
  operations: readonly ConfigOperation[],
  validateOnly: boolean,
): void {
  const id = parseId(name)
  if (id === undefined) throw new Refusal('INVALID_REQUEST', `Node id must be an integer, but it is: ${name}`)
  if (id !== nodeId) {
    throw new Refusal('INVALID_REQUEST', `Unexpected node id. Expected ${nodeId}, but received ${name}`)
  }
  const levels = operations.map(levelOf)
  const last = levels.at(-1)
  if (last !== undefined && !validateOnly) logger.level = last
}

function levelOf({ name, operation, value }: ConfigOperation): LogLevel {
  if (operation === OperationType.append || operation === OperationType.subtract) {
    const verb = operation === OperationType.append ? 'APPEND' : 'SUBTRACT'
    throw new Refusal('INVALID_REQUEST', `${verb} operation is not allowed for the BROKER_LOGGER resource`)
  }
  if (operation !== OperationType.set && operation !== OperationType.delete) {
    throw new Refusal('INVALID_REQUEST', `Unknown operation type ${operation} for the BROKER_LOGGER resource`)
  }
  if (name !== ROOT_LOGGER) throw new Refusal('INVALID_CONFIG', `Logger ${name} does not exist!`)
  if (operation === OperationType.delete) {
    throw new Refusal('INVALID_REQUEST', `Removing the log level of the ${ROOT_LOGGER} logger is not allowed`)
  }
  const level = LOG_LEVELS.find((known) => known === value)
  if (level !== undefined) return level
  throw new Refusal(
    'INVALID_CONFIG',
    `Cannot set the log level of ${name} to ${value} as it is not a supported log level. Valid log levels are ` +
      [...LOG_LEVELS].sort().join(', '),
  )
}

function checkOwn(context: BrokerChecks, resource: Resource, operations: readonly ConfigOperation[]): void {
  checkNodeId(context, resource.resourceName)
  const current = context.head.configs.of(ConfigResourceType.broker, resource.resourceName)
  const values = new Map(current)
  for (const { name, operation, value } of operations) {
    if (operation === OperationType.set) values.set(name, value!)
    else if (operation === OperationType.delete) values.delete(name)
    else if (operation === OperationType.append || operation === OperationType.subtract) {
      values.set(name, changedList(name, operation, value!, current.get(name)))
    } else throw new Refusal('INVALID_REQUEST', `Unknown operations type ${operation}`)
  }
  checkBrokerConfigs(context, values, resource.resourceName)
}

function changedList(name: string, operation: number, value: string, current: string | undefined): string {
  const setting = lookup(brokerSettings, name)
  if (setting === undefined) throw new Refusal('INVALID_CONFIG', `Unknown config name: ${name}`)
  if (!isListSetting('broker', name)) {
    const verb = operation === OperationType.append ? 'append' : 'subtract'
    throw new Refusal('INVALID_CONFIG', `Config value ${verb} is not allowed for config key: ${name}`)
  }
  const text = current ?? formatValue(setting.type, setting.default ?? null) ?? ''
  const old = text === '' ? [] : text.split(',')
  const parts = value.split(',')
  if (operation === OperationType.append) return [...old, ...parts.filter((part) => !old.includes(part))].join(',')
  return old.filter((part) => !parts.includes(part)).join(',')
}

function checkBrokerConfigs(context: BrokerChecks, values: ReadonlyMap<string, string>, name: string): void {
  try {
    checkDynamicConfigs(values, name !== '', context.config)
  } catch (error) {
    if (error instanceof ConfigError) throw new Refusal(error.error, error.message)
    throw error
  }
}
