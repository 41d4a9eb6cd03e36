import { parseProperties } from '../../config/properties.ts'
import type { Arguments } from '../arguments.ts'
import { CommandError, UsageError } from '../console.ts'
import { type AdminClient, UnsupportedError } from './client.ts'
import {
  type AdminCommand,
  COMMON_HELP,
  CONTROLLER_HELP,
  oneAction,
  onlyWith,
  type Result,
  readText,
  settings,
  switches,
  type World,
} from './command.ts'
import { DEFAULTS, ENTITY_TYPES, type Entity, entitiesOf, NAMED } from './config-entities.ts'
import {
  alterConfigs,
  type ConfigChange,
  type ConfigEntry,
  type ConfigSource,
  describeConfigs,
  listConfigResources,
  type ResourceKind,
} from './config-info.ts'
import { allGroups } from './group-info.ts'
import { alterQuotas, describeQuotas, isQuotaType } from './quotas.ts'
import { table } from './table.ts'
import { compareText, listTopics } from './topic-info.ts'

const HELP: readonly string[] = [
  'ottla configs: the settings of topics, brokers, groups and clients, as kafka-configs does.',
  '',
  '    --describe ENTITY [--all]      what is set on it; with --all also defaults and the configuration file',
  "    --alter ENTITY --add-config 'name=value,other=[1,2]' | --add-config-file FILE | --delete-config name,other",
  '',
  '    ENTITY is --entity-type TYPE with --entity-name NAME, --entity-default, or neither for all of a type. TYPE is',
  `    ${ENTITY_TYPES.join(', ')}; users and clients also together.`,
  '    In short: --topic, --broker, --broker-logger, --group, --client, --user, --ip and --client-metrics with a name;',
  '    --broker-defaults, --client-defaults, --user-defaults, --ip-defaults.',
  ...COMMON_HELP,
  CONTROLLER_HELP,
]

const ENTITY_FLAGS = ['entity-type', 'entity-name', 'entity-default', ...Object.keys(NAMED), ...Object.keys(DEFAULTS)]
const ACTIONS = ['describe', 'alter'] as const

/** `ottla configs`: what Apache Kafka's kafka-configs does. */
export const configs: AdminCommand = {
  name: 'configs',
  help: HELP,
  mayAskController: true,
  flags: [
    ...switches(...ACTIONS, 'all', 'entity-default', ...Object.keys(DEFAULTS)),
    ...settings('entity-type', 'entity-name', 'add-config', 'add-config-file', 'delete-config', ...Object.keys(NAMED)),
  ],
  run(args, world) {
    const action = oneAction(args, ACTIONS)
    if (action === 'describe') {
      onlyWith(args, action, [...ENTITY_FLAGS, 'all'])
      return describe(args, world)
    }
    onlyWith(args, action, [...ENTITY_FLAGS, 'add-config', 'add-config-file', 'delete-config'])
    return alter(args, world)
  },
}

async function alter(args: Arguments, { admin, disk }: World): Promise<Result> {
  const entities = entitiesOf(args)
  if (entities.some(({ name }) => name === undefined)) throw new UsageError('--alter needs the name of each entity')
  const added = args.value('add-config')
  const file = args.value('add-config-file')
  if (added !== undefined && file !== undefined) {
    throw new UsageError('--add-config and --add-config-file exclude each other')
  }
  const removed = args.values('delete-config').flatMap((text) => text.split(',').map((name) => name.trim()))
  const set = file === undefined ? parseConfigs(added ?? '') : parseProperties(readText(disk, file))
  for (const name of set.keys()) {
    if (!/^[$a-zA-Z0-9._-]+$/.test(name)) throw new UsageError(`'${name}' cannot be the name of a config`)
  }
  const changes: ConfigChange[] = [
    ...removed.map((name) => ({ name, value: null })),
    ...[...set].map(([name, value]) => ({ name, value })),
  ]
  if (changes.length === 0) throw new UsageError('--alter needs --add-config, --add-config-file or --delete-config')
  const [{ type, name } = { type: 'topics' as const, name: '' }] = entities
  if (isQuotaType(type)) {
    const scram = changes.find((change) => change.name.startsWith('SCRAM-'))
    if (scram !== undefined) throw new CommandError(`${scram.name}: passwords of users are not available yet`)
    await alterQuotas(admin, entities, changes)
  } else {
    await alterConfigs(admin, [{ kind: type as ResourceKind, name: name!, configs: changes }])
  }
  const json = {
    entities: entities.map(({ type, name }) => ({ type, name: name || null })),
    added: Object.fromEntries(set),
    deleted: removed,
  }
  const whom = entities.map(({ type, name }) => (name === '' ? `the default of ${type}` : `${singular(type)} ${name}`))
  return { json, text: [`Changed the configs of ${whom.join(', ')}.`] }
}

/** 'a=1,b=[2,3],c=' as --add-config has it: brackets hold values with commas together. Throws UsageError. */
export function parseConfigs(text: string): Map<string, string> {
  const found = new Map<string, string>()
  if (text.trim() === '') return found
  for (const part of text.split(/,(?=[^\]]*(?:\[|$))/)) {
    const equals = part.indexOf('=')
    if (equals < 1) throw new UsageError(`--add-config needs name=value or name=[value,value], not '${part}'`)
    found.set(
      part.slice(0, equals).trim(),
      part
        .slice(equals + 1)
        .replace(/[[\]]/g, '')
        .trim(),
    )
  }
  return found
}

function singular(type: string): string {
  return type.replace(/s$/, '')
}

async function describe(args: Arguments, { admin }: World): Promise<Result> {
  const entities = entitiesOf(args)
  const [entity] = entities
  if (entity === undefined || isQuotaType(entity.type)) return describeQuotas(admin, entities)
  const kind = entity.type as ResourceKind
  const all = args.has('all')
  const names = entity.name === undefined ? await namesOf(admin, kind) : [entity.name]
  if (entity.name !== undefined && !all) await checkIsThere(admin, kind, entity)
  const described = await describeConfigs(admin, kind, names)
  const shown = names.map((name) => ({
    type: kind,
    name: name === '' ? null : name,
    configs: described.get(name)!.filter((config) => all || isOwn(config, kind, name)),
  }))
  const text = shown.flatMap(({ name, configs }, index) => {
    const whose = name === null ? `the default of ${kind}` : `${singular(kind)} ${name}`
    const heading = `${all ? 'All configs' : 'Configs set'} of ${whose}:`
    return [...(index > 0 ? [''] : []), heading, ...configTable(configs)]
  })
  return { json: { entities: shown }, text }
}

function configTable(configs: readonly ConfigEntry[]): string[] {
  if (configs.length === 0) return ['  none']
  const rows = configs.map(({ name, value, source, sensitive }) => [
    name,
    sensitive ? '(sensitive)' : (value ?? ''),
    source,
  ])
  return table(['CONFIG', 'VALUE', 'SOURCE'], rows).map((line) => `  ${line}`)
}

/** Whether a config was set on this very entity. Loggers are shown whatever they are. */
function isOwn({ source }: ConfigEntry, kind: ResourceKind, name: string): boolean {
  const own: Readonly<Record<ResourceKind, ConfigSource | undefined>> = {
    topics: 'DYNAMIC_TOPIC_CONFIG',
    brokers: name === '' ? 'DYNAMIC_DEFAULT_BROKER_CONFIG' : 'DYNAMIC_BROKER_CONFIG',
    'broker-loggers': undefined,
    'client-metrics': 'DYNAMIC_CLIENT_METRICS_CONFIG',
    groups: 'DYNAMIC_GROUP_CONFIG',
  }
  return own[kind] === undefined || own[kind] === source
}

async function namesOf(admin: AdminClient, kind: ResourceKind): Promise<string[]> {
  switch (kind) {
    case 'topics':
      return (await listTopics(admin)).map(({ name }) => name)
    case 'brokers':
      return [...(await brokerIds(admin)), '']
    case 'broker-loggers':
      throw new UsageError('--describe of broker-loggers needs the id of a broker')
    case 'client-metrics':
      return listConfigResources(admin, kind)
    case 'groups':
      return groupNames(admin)
  }
}

async function brokerIds(admin: AdminClient): Promise<string[]> {
  const { brokers } = await admin.cluster()
  return [...brokers.keys()].sort((a, b) => a - b).map(String)
}

/** Groups that there are, and groups that have configs. */
async function groupNames(admin: AdminClient): Promise<string[]> {
  const groups = (await allGroups(admin)).map(({ group }) => group)
  try {
    groups.push(...(await listConfigResources(admin, 'groups')))
  } catch (error) {
    // Brokers from before KIP-1142 cannot list them.
    if (!(error instanceof UnsupportedError)) throw error
  }
  return [...new Set(groups)].sort(compareText)
}

async function checkIsThere(admin: AdminClient, kind: ResourceKind, { name }: Entity): Promise<void> {
  if (name === '') return
  const there = kind === 'broker-loggers' ? await brokerIds(admin) : await namesOf(admin, kind)
  if (!there.includes(name!)) throw new CommandError(`${singular(kind)} ${name} does not exist, and has no configs`)
}
