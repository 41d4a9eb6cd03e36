import { nodePlatform } from '../../platform/node-platform.ts'
import type { Arguments } from '../arguments.ts'
import { CommandError, UsageError } from '../console.ts'
import type { AdminClient } from './client.ts'
import {
  type AdminCommand,
  COMMON_HELP,
  CONTROLLER_HELP,
  oneAction,
  onlyWith,
  type Result,
  required,
  settings,
  switches,
  type World,
} from './command.ts'
import { duplicateOf, readJsonObject } from './json-file.ts'
import { cancel, execute, verify } from './reassign-actions.ts'
import { withDirectories } from './reassign-directories.ts'
import { formatReassignment, type PlaceableBroker, parseTopicsToMove, spread, type Target } from './reassign-plan.ts'
import { table } from './table.ts'
import { describeTopics, listReassignments, type TopicInfo } from './topic-info.ts'

const HELP: readonly string[] = [
  'ottla reassign-partitions: moves replicas to other brokers or directories, as kafka-reassign-partitions does.',
  '',
  '    --generate --topics-to-move-json-file FILE --broker-list 1,2,3 [--disable-rack-aware]',
  '        proposes where the partitions of {"topics": [{"topic": "t"}], "version": 1} could be',
  '    --execute --reassignment-json-file FILE [--throttle BYTES/S] [--replica-alter-log-dirs-throttle BYTES/S]',
  '              [--additional] [--disallow-replication-factor-change] [--timeout MS]',
  '        moves the partitions of {"partitions": [{"topic": "t", "partition": 0, "replicas": [1, 2]}], "version": 1}',
  '    --verify --reassignment-json-file FILE [--preserve-throttles]   how far it is; when done, throttles are lifted',
  '    --cancel --reassignment-json-file FILE [--preserve-throttles] [--timeout MS]',
  '    --list',
  ...COMMON_HELP,
  CONTROLLER_HELP,
]

const ACTIONS = ['generate', 'execute', 'verify', 'cancel', 'list'] as const
const ALLOWED: Readonly<Record<(typeof ACTIONS)[number], readonly string[]>> = {
  generate: ['topics-to-move-json-file', 'broker-list', 'disable-rack-aware'],
  execute: [
    'reassignment-json-file',
    'throttle',
    'replica-alter-log-dirs-throttle',
    'additional',
    'disallow-replication-factor-change',
    'timeout',
  ],
  verify: ['reassignment-json-file', 'preserve-throttles'],
  cancel: ['reassignment-json-file', 'preserve-throttles', 'timeout'],
  list: [],
}

/** `ottla reassign-partitions`: what Apache Kafka's kafka-reassign-partitions does. */
export const reassignPartitions: AdminCommand = {
  name: 'reassign-partitions',
  help: HELP,
  mayAskController: true,
  flags: [
    ...switches(...ACTIONS, 'additional', 'preserve-throttles', 'disable-rack-aware'),
    ...switches('disallow-replication-factor-change'),
    ...settings('topics-to-move-json-file', 'broker-list', 'reassignment-json-file'),
    ...settings('throttle', 'replica-alter-log-dirs-throttle', 'timeout'),
  ],
  run(args, world) {
    const action = oneAction(args, ACTIONS)
    onlyWith(args, action, ALLOWED[action])
    if (args.has('bootstrap-controller') && action !== 'cancel' && action !== 'list') {
      throw new UsageError(`--bootstrap-controller cannot be used with --${action}`)
    }
    return { generate, execute, verify, cancel, list }[action](args, world)
  },
}

async function list(_args: Arguments, { admin }: World): Promise<Result> {
  const found = await listReassignments(admin, null)
  const json = {
    reassignments: found.map(({ adding, removing, ...rest }) => ({
      ...rest,
      addingReplicas: adding,
      removingReplicas: removing,
    })),
  }
  if (found.length === 0) return { json, text: ['No partition is being reassigned.'] }
  const rows = found.map(({ topic, partition, replicas, adding, removing }) => {
    return [topic, partition, replicas.join(','), adding.join(','), removing.join(',')]
  })
  return { json, text: table(['TOPIC', 'PARTITION', 'REPLICAS', 'ADDING', 'REMOVING'], rows) }
}

async function generate(args: Arguments, { admin, disk }: World): Promise<Result> {
  const brokers = brokerList(required(args, 'broker-list'))
  const names = parseTopicsToMove(readJsonObject(disk, required(args, 'topics-to-move-json-file')))
  const topics = await describeTopics(admin, names)
  const usable = await usableBrokers(admin, brokers, args.has('disable-rack-aware'))
  const { random } = nodePlatform()
  const proposed = topics.flatMap(({ name, partitions }) => {
    const replicationFactor = partitions[0]?.replicas.length ?? 0
    const placed = spread(partitions.length, replicationFactor, usable, random.below(Math.max(1, usable.length)))
    return partitions.map(({ partition }, index): Target => {
      return { topic: name, partition, replicas: placed[index]!, directories: new Map() }
    })
  })
  const current = formatReassignment(await currentTargets(admin, topics))
  const json = { current, proposed: formatReassignment(proposed) }
  return {
    json,
    text: [
      'Current partition replica assignment',
      JSON.stringify(json.current),
      '',
      'Proposed partition reassignment configuration',
      JSON.stringify(json.proposed),
    ],
  }
}

function brokerList(text: string): number[] {
  const ids = text.split(',').map((id) => {
    if (!/^\s*[0-9]{1,10}\s*$/.test(id)) throw new UsageError(`--broker-list takes ids of brokers, not '${id}'`)
    return Number(id)
  })
  const twice = duplicateOf(ids)
  if (twice !== undefined) throw new UsageError(`--broker-list has broker ${twice} twice`)
  return ids
}

async function usableBrokers(
  admin: AdminClient,
  wanted: readonly number[],
  withoutRacks: boolean,
): Promise<PlaceableBroker[]> {
  const { brokers } = await admin.cluster()
  const found = [...brokers.values()].filter(({ id }) => wanted.includes(id))
  const missing = wanted.filter((id) => !brokers.has(id))
  if (missing.length > 0) throw new CommandError(`broker ${missing[0]} is not available`)
  const rackless = found.filter(({ rack }) => rack === null).length
  if (!withoutRacks && rackless !== 0 && rackless !== found.length) {
    throw new CommandError('only some of the brokers have a rack; --disable-rack-aware leaves racks out of account')
  }
  return found.map(({ id, rack }) => ({ id, rack: withoutRacks ? null : rack }))
}

/** Where the replicas of topics are, with their directories as far as they can be found out. */
async function currentTargets(admin: AdminClient, topics: readonly TopicInfo[]): Promise<Target[]> {
  const partitions = topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partition, replicas }) => ({ topic, partition, replicas })),
  )
  return withDirectories(admin, partitions)
}
