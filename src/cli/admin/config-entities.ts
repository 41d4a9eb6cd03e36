import type { Arguments } from '../arguments.ts'
import { UsageError } from '../console.ts'

export const ENTITY_TYPES = [
  'topics',
  'clients',
  'users',
  'brokers',
  'broker-loggers',
  'ips',
  'client-metrics',
  'groups',
] as const
export type EntityType = (typeof ENTITY_TYPES)[number]

/** Whom configs are of. */
export interface Entity {
  readonly type: EntityType
  /** '': the default of the type; undefined: all of the type. */
  readonly name: string | undefined
}

/** The short forms: --topic NAME for --entity-type topics --entity-name NAME. */
export const NAMED: Readonly<Record<string, EntityType>> = {
  topic: 'topics',
  client: 'clients',
  'client-id': 'clients',
  user: 'users',
  broker: 'brokers',
  'broker-logger': 'broker-loggers',
  ip: 'ips',
  'client-metrics': 'client-metrics',
  group: 'groups',
}
export const DEFAULTS: Readonly<Record<string, EntityType>> = {
  'client-defaults': 'clients',
  'user-defaults': 'users',
  'broker-defaults': 'brokers',
  'ip-defaults': 'ips',
}

/** Types with something to be said for all that are not named. */
const WITH_DEFAULT: readonly EntityType[] = ['clients', 'users', 'brokers', 'ips']

/** The entities of a command line, types and names in the order in which they stand. Throws UsageError. */
export function entitiesOf(args: Arguments): Entity[] {
  const long = args.order.some((name) => name.startsWith('entity-'))
  const short = args.order.some((name) => name in NAMED || name in DEFAULTS)
  if (long && short) throw new UsageError('--entity-type, --entity-name and --entity-default go without short forms')
  const entities = long ? longForm(args) : shortForm(args)
  checkTypes(entities.map(({ type }) => type))
  for (const { type, name } of entities) {
    if (name === '' && !WITH_DEFAULT.includes(type)) throw new UsageError(`there is no default of ${type}`)
    const isOfBroker = type === 'brokers' || type === 'broker-loggers'
    if (isOfBroker && name !== undefined && name !== '' && !/^[0-9]{1,10}$/.test(name)) {
      throw new UsageError(`the name of a broker is its id, not '${name}'`)
    }
  }
  return entities
}

function longForm(args: Arguments): Entity[] {
  const types = args.values('entity-type').map(entityType)
  const given = args.values('entity-name')[Symbol.iterator]()
  const names = args.order
    .filter((name) => name === 'entity-name' || name === 'entity-default')
    .map((name) => (name === 'entity-name' ? given.next().value! : ''))
  if (names.length > types.length) throw new UsageError('there are more names of entities than types')
  return types.map((type, index) => ({ type, name: names[index] }))
}

function shortForm(args: Arguments): Entity[] {
  return [...new Set(args.order)].flatMap((flag) => {
    const named = NAMED[flag]
    if (named !== undefined) return [{ type: named, name: args.value(flag)! }]
    const type = DEFAULTS[flag]
    return type === undefined ? [] : [{ type, name: '' }]
  })
}

function entityType(text: string): EntityType {
  const type = ENTITY_TYPES.find((name) => name === text)
  if (type === undefined) throw new UsageError(`--entity-type is one of ${ENTITY_TYPES.join(', ')}, not '${text}'`)
  return type
}

function checkTypes(types: readonly EntityType[]): void {
  if (types.length === 0) throw new UsageError('--entity-type is required')
  if (new Set(types).size < types.length) throw new UsageError('an entity type is given twice')
  if (types.length > 1 && !types.every((type) => type === 'users' || type === 'clients')) {
    throw new UsageError('only users and clients may be given together')
  }
}
