import type { MetadataImage } from '../metadata/image.ts'
import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { quotaEntityKey } from '../metadata/replay.ts'
import type { AlterClientQuotasRequest, AlterClientQuotasResponse } from '../protocol/messages/alter-client-quotas.ts'
import type {
  DescribeClientQuotasRequest,
  DescribeClientQuotasResponse,
} from '../protocol/messages/describe-client-quotas.ts'
import { checkRecordCount, type Decision, type DecisionContext, type Outcome, outcomeOf, Refusal } from './result.ts'

type Entry = AlterClientQuotasRequest['entries'][number]
type Entity = readonly { readonly entityType: string; readonly entityName: string | null }[]
type NumberType = 'int' | 'long' | 'double'

const USER = 'user'
const CLIENT_ID = 'client-id'
const IP = 'ip'
const entityTypes: readonly string[] = [USER, CLIENT_ID, IP]

/** The quotas that users and clients may have, and those of addresses. */
const userQuotas: ReadonlyMap<string, NumberType> = new Map<string, NumberType>([
  ['producer_byte_rate', 'long'],
  ['consumer_byte_rate', 'long'],
  ['request_percentage', 'double'],
  ['controller_mutation_rate', 'double'],
])
const addressQuotas: ReadonlyMap<string, NumberType> = new Map<string, NumberType>([
  ['connection_creation_rate', 'int'],
])

const UPPER_LIMITS: Readonly<Record<NumberType, number>> = { int: 2 ** 31 - 1, long: 2 ** 63, double: Infinity }

/** Decides an AlterClientQuotas (KIP-546): one result for each entity that is named. */
export function alterClientQuotas(
  context: DecisionContext,
  request: AlterClientQuotasRequest,
): Decision<AlterClientQuotasResponse> {
  const records: MetadataRecord[] = []
  const results = new Map<string, { readonly entity: Entity; readonly outcome: Outcome }>()
  for (const { entity: parts, ops } of request.entries) {
    const entity = withoutRepeats(parts)
    const key = quotaEntityKey(entity)
    const outcome = outcomeOf(() => {
      if (results.has(key) || new Set(ops.map((op) => op.key)).size < ops.length) {
        throw invalid(`Ignoring duplicate entity ${nameOf(entity)}`)
      }
      records.push(...entityRecords(context.head, entity, ops))
    })
    results.set(key, { entity, outcome })
  }
  checkRecordCount(records)
  const entries = [...results.values()].map(({ entity, outcome }) => ({ ...outcome, entity: [...entity] }))
  return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, entries } }
}

/** A kind of entity that is named twice counts once, with what was said last. */
function withoutRepeats(entity: Entity): Entity {
  return [...new Map(entity.map((part) => [part.entityType, part])).values()]
}

function nameOf(entity: Entity): string {
  return entity.map(({ entityType, entityName }) => `${entityType}=${entityName}`).join(', ')
}

function invalid(text: string): Refusal {
  return new Refusal('INVALID_REQUEST', text)
}

function entityRecords(head: MetadataImage, entity: Entity, ops: Entry['ops']): MetadataRecord[] {
  const allowed = quotasOf(entity)
  const current = head.clientQuotas.get(quotaEntityKey(entity))?.values
  const records: MetadataRecord[] = []
  for (const { key, value, remove } of ops) {
    if (!remove) checkQuota(allowed, key, value)
    const isChange = remove ? current?.has(key) === true : !Object.is(current?.get(key), value)
    if (!isChange) continue
    const named = entity.map(({ entityType, entityName }) => ({ entityType, entityName }))
    records.push(metadataRecord('ClientQuota', { entity: named, key, value: remove ? 0 : value, remove }))
  }
  return records
}

/** The quotas that an entity may have. Throws Refusal for what is no entity. */
function quotasOf(entity: Entity): ReadonlyMap<string, NumberType> {
  if (entity.length === 0) throw invalid('Invalid empty client quota entity')
  for (const { entityType, entityName } of entity) {
    if (!entityTypes.includes(entityType)) throw invalid(`Unhandled client quota entity type: ${entityType}`)
    if (entityName === '') throw invalid(`Empty ${entityType} not supported`)
  }
  const address = entity.find(({ entityType }) => entityType === IP)
  if (address === undefined) return userQuotas
  if (entity.length > 1) {
    throw invalid('Invalid quota entity combination, IP entity should not be combined with User or ClientId')
  }
  const { entityName } = address
  if (entityName === null || isAddress(entityName)) return addressQuotas
  throw invalid(`${entityName} is not a valid IP or resolvable host.`)
}

/** Apache Kafka also asks the name service; here only this machine has a name. */
function isAddress(text: string): boolean {
  if (text === 'localhost') return true
  const parts = text.split('.')
  if (parts.length === 4) return parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)
  return text.includes(':') && /^[0-9a-f:]+(%\w+)?$/i.test(text) && text.split('::').length <= 2
}

function checkQuota(allowed: ReadonlyMap<string, NumberType>, key: string, value: number): void {
  const type = allowed.get(key)
  if (type === undefined) throw invalid(`Invalid configuration key ${key}`)
  if (value <= 0) throw invalid(`Quota ${key} must be greater than 0`)
  if (value > UPPER_LIMITS[type]) throw invalid(`Proposed value for ${key} is too large for its type, ${type}.`)
  if (type !== 'double' && Math.abs(value % 1) > 1e-6) throw invalid(`${key} cannot be a fractional value.`)
}

const MatchType = { exact: 0, default: 1, specified: 2 } as const

/** Answers a DescribeClientQuotas (KIP-546). Throws Refusal for a filter that makes no sense. */
export function describeClientQuotas(
  image: MetadataImage,
  { components, strict }: DescribeClientQuotasRequest,
): DescribeClientQuotasResponse {
  // undefined: whatever its name.
  const filter = new Map<string, string | null | undefined>()
  for (const component of components) filter.set(component.entityType, wantedName(component, filter))
  if (filter.has(IP) && filter.size > 1) {
    throw invalid(
      'Invalid entity filter component combination. IP filter component should not be used with user or clientId ' +
        'filter component.',
    )
  }
  const matches = (entity: Entity) => {
    if (strict && entity.length !== filter.size) return false
    for (const [type, name] of filter) {
      const part = entity.find(({ entityType }) => entityType === type)
      if (part === undefined || (name !== undefined && part.entityName !== name)) return false
    }
    return true
  }
  const entries = [...image.clientQuotas.values()]
    .filter(({ entity }) => matches(entity))
    .map(({ entity, values }) => ({
      entity: entity.map(({ entityType, entityName }) => ({ entityType, entityName })),
      values: [...values].map(([key, value]) => ({ key, value })),
    }))
  // Apache Kafka leaves the message of a success empty, which is not the same as leaving it out.
  return { throttleTimeMs: 0, errorCode: 0, errorMessage: '', entries }
}

function wantedName(
  { entityType, matchType, match }: DescribeClientQuotasRequest['components'][number],
  before: ReadonlyMap<string, unknown>,
): string | null | undefined {
  if (entityType === '') throw invalid('Invalid empty entity type.')
  if (before.has(entityType)) {
    throw invalid(`Entity type ${entityType} cannot appear more than once in the filter.`)
  }
  if (!entityTypes.includes(entityType)) {
    throw new Refusal('UNSUPPORTED_VERSION', `Unsupported entity type ${entityType}`)
  }
  switch (matchType) {
    case MatchType.exact:
      if (match === null) throw invalid('Request specified MATCH_TYPE_EXACT, but set match string to null.')
      return match
    case MatchType.default:
      if (match !== null) throw invalid('Request specified MATCH_TYPE_DEFAULT, but also specified a match string.')
      return null
    case MatchType.specified:
      if (match !== null) throw invalid('Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.')
      return undefined
    default:
      throw invalid(`Unknown match type ${matchType}`)
  }
}
