import { apis } from '../../protocol/api-keys.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import type { Arguments } from '../arguments.ts'
import { UsageError } from '../console.ts'
import { type AdminClient, AdminError, check } from './client.ts'
import {
  type AdminCommand,
  COMMON_HELP,
  oneAction,
  onlyWith,
  type Result,
  required,
  settings,
  switches,
  type World,
} from './command.ts'
import { consumerGroups } from './group-info.ts'
import { describeGroups } from './groups-describe.ts'
import { RESET_FLAGS, resetOffsets } from './groups-reset.ts'
import { partitionName, partitionsOf } from './offset-info.ts'
import { table } from './table.ts'
import { byTopic, comparePartitions } from './topic-info.ts'

const HELP: readonly string[] = [
  'ottla groups: groups of consumers and their offsets, as kafka-consumer-groups does.',
  '',
  '    --list [--state [STATE,...]] [--type [TYPE,...]]',
  '    --describe (--group NAME... | --all-groups) [--offsets | --members | --state] [--verbose]',
  '    --delete (--group NAME... | --all-groups)',
  '    --delete-offsets --group NAME --topic TOPIC[:PARTITION,...]...',
  '    --reset-offsets (--group NAME... | --all-groups) (--topic TOPIC[:PARTITION,...]... | --all-topics)',
  '                    HOW [--dry-run | --execute] [--export]',
  '        HOW is one of --to-earliest, --to-latest, --to-current, --to-offset N, --shift-by N, --by-duration PnDTnHnMnS,',
  '        --to-datetime YYYY-MM-DDTHH:mm:SS.sss, --from-file FILE (without topics; what --export printed).',
  '        Nothing is changed without --execute.',
  '    --validate-regex REGEX             whether consumers can subscribe by it',
  '    --timeout MS                       for each operation (60000)',
  ...COMMON_HELP,
]

const ACTIONS = ['list', 'describe', 'delete', 'reset-offsets', 'delete-offsets', 'validate-regex'] as const

/** `ottla groups`: what Apache Kafka's kafka-consumer-groups does. */
export const groups: AdminCommand = {
  name: 'groups',
  help: HELP,
  timeoutFlag: 'timeout',
  flags: [
    ...switches(...ACTIONS.filter((action) => action !== 'validate-regex')),
    ...switches('all-groups', 'all-topics', 'offsets', 'members', 'verbose'),
    ...switches('to-earliest', 'to-latest', 'to-current', 'dry-run', 'execute', 'export'),
    ...settings('group', 'topic', 'timeout', 'to-offset', 'shift-by', 'by-duration', 'to-datetime', 'from-file'),
    ...settings('validate-regex'),
    { name: 'state', takesValue: 'maybe' },
    { name: 'type', takesValue: 'maybe' },
  ],
  run(args, world) {
    const action = oneAction(args, ACTIONS)
    const allowed: Readonly<Record<typeof action, readonly string[]>> = {
      list: ['state', 'type'],
      describe: ['group', 'all-groups', 'offsets', 'members', 'state', 'verbose'],
      delete: ['group', 'all-groups'],
      'reset-offsets': ['group', 'all-groups', 'topic', 'all-topics', ...RESET_FLAGS, 'dry-run', 'execute', 'export'],
      'delete-offsets': ['group', 'topic'],
      'validate-regex': [],
    }
    onlyWith(args, action, [...allowed[action], 'timeout'])
    return actions[action](args, world)
  },
}

const actions: Readonly<Record<(typeof ACTIONS)[number], (args: Arguments, world: World) => Promise<Result>>> = {
  list,
  describe: async (args, world) => describeGroups(args, world, await wantedGroups(args, world.admin)),
  delete: remove,
  'reset-offsets': async (args, world) => resetOffsets(args, world, () => wantedGroups(args, world.admin)),
  'delete-offsets': removeOffsets,
  'validate-regex': async (args) =>
    (await import('./validate-regex.ts')).validateRegex(required(args, 'validate-regex')),
}

const STATES = ['PreparingRebalance', 'CompletingRebalance', 'Stable', 'Dead', 'Empty', 'Assigning', 'Reconciling']
const TYPES = ['Classic', 'Consumer']

async function list(args: Arguments, { admin }: World): Promise<Result> {
  const states = filterOf(args, 'state', STATES)
  const types = filterOf(args, 'type', TYPES)
  const found = (await consumerGroups(admin)).filter(({ state, type }) => {
    return (states === undefined || states.includes(state)) && (types === undefined || types.includes(type))
  })
  const listed = found.map(({ group, type, state }) => ({ group, type, state }))
  const columns = ['group', ...(args.has('type') ? ['type'] : []), ...(args.has('state') ? ['state'] : [])] as const
  const rows = listed.map((entry) => columns.map((column) => entry[column as keyof typeof entry]))
  const heading = columns.map((column) => column.toUpperCase())
  return {
    json: { groups: listed },
    text: columns.length > 1 ? table(heading, rows) : listed.map(({ group }) => group),
  }
}

/** The values that a flag with a list names; undefined for all. Throws UsageError for a value that there is not. */
function filterOf(args: Arguments, flag: string, values: readonly string[]): string[] | undefined {
  const text = args.value(flag)
  if (text === undefined || text === '') return undefined
  return text.split(',').map((wanted) => {
    const value = values.find((name) => name.toLowerCase() === wanted.trim().toLowerCase())
    if (value === undefined) throw new UsageError(`--${flag} takes ${values.join(', ')}, not '${wanted.trim()}'`)
    return value
  })
}

/** The groups that an action is for, each once. Throws UsageError. */
async function wantedGroups(args: Arguments, admin: AdminClient): Promise<string[]> {
  if (args.has('group') === args.has('all-groups')) throw new UsageError('either --group or --all-groups is needed')
  if (args.has('all-groups')) return (await consumerGroups(admin)).map(({ group }) => group)
  return [...new Set(args.values('group'))].sort()
}

async function remove(args: Arguments, { admin }: World): Promise<Result> {
  const deleted: string[] = []
  const failed: { group: string; error: string }[] = []
  for (const group of await wantedGroups(args, admin)) {
    try {
      await admin.retrying(async () => {
        const { results } = await admin.coordinator(group, apis.DeleteGroups, () => ({ groupsNames: [group] }))
        for (const { errorCode } of results) check(errorCode)
      })
      deleted.push(group)
    } catch (error) {
      if (!(error instanceof AdminError)) throw error
      failed.push({ group, error: error.message })
    }
  }
  return {
    json: { deleted, failed },
    text: deleted.map((group) => `Deleted group ${group}.`),
    errors: failed.map(({ group, error }) => `group ${group} was not deleted: ${error}`),
  }
}

async function removeOffsets(args: Arguments, { admin }: World): Promise<Result> {
  if (args.values('group').length > 1) throw new UsageError('--delete-offsets takes one --group')
  const group = required(args, 'group')
  required(args, 'topic')
  const partitions = await partitionsOf(admin, args.values('topic'))
  const topics = byTopic(partitions).map(([name, indexes]) => ({
    name,
    partitions: indexes.map((partitionIndex) => ({ partitionIndex })),
  }))
  const answer = await admin.retrying(async () => {
    const response = await admin.coordinator(group, apis.OffsetDelete, () => ({ groupId: group, topics }))
    check(response.errorCode)
    return response
  })
  const results = answer.topics
    .flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode }) => ({
        topic: name,
        partition: partitionIndex,
        error: errorCode === 0 ? null : errorOfCode(errorCode).name,
      })),
    )
    .sort(comparePartitions)
  const rows = results.map(({ topic, partition, error }) => [topic, partition, error ?? 'deleted'])
  return {
    json: { group, offsets: results },
    text: table(['TOPIC', 'PARTITION', 'STATUS'], rows),
    errors: results
      .filter(({ error }) => error !== null)
      .map((result) => `the offset of ${partitionName(result)} was not deleted: ${result.error}`),
  }
}
