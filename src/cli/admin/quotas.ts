import { apis } from '../../protocol/api-keys.ts'
import { CommandError, UsageError } from '../console.ts'
import { type AdminClient, check } from './client.ts'
import type { Result } from './command.ts'
import type { Entity, EntityType } from './config-entities.ts'
import type { ConfigChange } from './config-info.ts'

const QUOTA_TYPES: Readonly<Partial<Record<EntityType, string>>> = { users: 'user', clients: 'client-id', ips: 'ip' }
const SHOWN_AS: Readonly<Record<string, string>> = { user: 'user-principal', 'client-id': 'client-id', ip: 'ip' }

const EXACT = 0
const DEFAULT = 1
const ANY = 2

export function isQuotaType(type: EntityType): boolean {
  return type in QUOTA_TYPES
}

interface Quotas {
  /** By 'user', 'client-id' and 'ip'; null for the default. */
  readonly entity: Readonly<Record<string, string | null>>
  readonly values: Readonly<Record<string, number>>
}

/** The quotas of exactly these entities. Throws AdminError. */
export async function quotasOf(admin: AdminClient, entities: readonly Entity[]): Promise<Quotas[]> {
  const components = entities.map(({ type, name }) => ({
    entityType: QUOTA_TYPES[type]!,
    matchType: name === undefined ? ANY : name === '' ? DEFAULT : EXACT,
    match: name === undefined || name === '' ? null : name,
  }))
  const answer = await admin.any(apis.DescribeClientQuotas, () => ({ components, strict: true }))
  check(answer.errorCode, answer.errorMessage)
  return (answer.entries ?? []).map(({ entity, values }) => ({
    entity: Object.fromEntries(entity.map(({ entityType, entityName }) => [entityType, entityName])),
    values: Object.fromEntries(values.map(({ key, value }) => [key, value])),
  }))
}

export async function describeQuotas(admin: AdminClient, entities: readonly Entity[]): Promise<Result> {
  const found = await quotasOf(admin, entities)
  const text = found.map(({ entity, values }) => {
    const who = ['user', 'client-id', 'ip'].filter((type) => type in entity).map((type) => nameOf(type, entity[type]!))
    const what = Object.entries(values).map(([key, value]) => `${key}=${value}`)
    return `Quotas of ${who.join(', ')}: ${what.join(', ')}`
  })
  return { json: { quotas: found }, text }
}

function nameOf(type: string, name: string | null): string {
  return name === null ? `the default ${SHOWN_AS[type]}` : `${SHOWN_AS[type]} '${name}'`
}

/** Sets and removes quotas of one combination of entities. Throws UsageError, CommandError. */
export async function alterQuotas(
  admin: AdminClient,
  entities: readonly Entity[],
  changes: readonly ConfigChange[],
): Promise<void> {
  const ops = changes.map(({ name, value }) => {
    const number = value === null || value.trim() === '' ? Number.NaN : Number(value)
    if (value !== null && Number.isNaN(number))
      throw new UsageError(`the value of quota ${name} is no number: ${value}`)
    return { key: name, value: value === null ? 0 : number, remove: value === null }
  })
  const removed = ops.filter(({ remove }) => remove).map(({ key }) => key)
  if (removed.length > 0) {
    const [now] = await quotasOf(admin, entities)
    const missing = removed.filter((key) => now === undefined || !(key in now.values))
    if (missing.length > 0) throw new CommandError(`not set, so it cannot be deleted: ${missing.join(', ')}`)
  }
  const entity = entities.map(({ type, name }) => ({ entityType: QUOTA_TYPES[type]!, entityName: name || null }))
  const { entries } = await admin.controller(apis.AlterClientQuotas, () => ({ entries: [{ entity, ops }] }))
  for (const { errorCode, errorMessage } of entries) check(errorCode, errorMessage)
}
