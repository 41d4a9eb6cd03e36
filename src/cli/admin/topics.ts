import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import type { Arguments } from '../arguments.ts'
import { CommandError, UsageError } from '../console.ts'
import { check } from './client.ts'
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
  wholeNumber,
} from './command.ts'
import { describeTopics, listTopics, type TopicListing, topicFilter } from './topic-info.ts'
import { describe, PARTITION_FILTERS } from './topics-describe.ts'

const ACTIONS = ['list', 'describe', 'create', 'alter', 'delete'] as const

const HELP: readonly string[] = [
  'ottla topics: make, change, describe and delete topics, as kafka-topics does.',
  '',
  '    --list [--topic REGEX] [--exclude-internal]',
  '    --describe [--topic REGEX | --topic-id ID] [--if-exists] [--exclude-internal], and of the partitions only',
  '               --under-replicated-partitions, --unavailable-partitions, --under-min-isr-partitions,',
  '               --at-min-isr-partitions, or only --topics-with-overrides',
  '    --create --topic NAME [--partitions N] [--replication-factor N] [--config NAME=VALUE]... [--if-not-exists]',
  '             [--replica-assignment 1:2,2:3]   for each partition its brokers, in place of the two numbers',
  '    --alter --topic REGEX --partitions N [--replica-assignment ...] [--if-exists]',
  '    --delete --topic REGEX [--if-exists]',
  ...COMMON_HELP,
]

const MAX_REPLICATION_FACTOR = 32767

/** `ottla topics`: what Apache Kafka's kafka-topics does. */
export const topics: AdminCommand = {
  name: 'topics',
  help: HELP,
  flags: [
    ...switches(...ACTIONS, ...PARTITION_FILTERS, 'topics-with-overrides'),
    ...switches('if-exists', 'if-not-exists', 'exclude-internal'),
    ...settings('topic', 'topic-id', 'partitions', 'replication-factor', 'replica-assignment', 'config'),
    ...settings('partition-size-limit-per-response'),
  ],
  run(args, world) {
    switch (oneAction(args, ACTIONS)) {
      case 'list':
        onlyWith(args, 'list', ['topic', 'exclude-internal'])
        return list(args, world)
      case 'describe':
        return describe(args, world)
      case 'create':
        onlyWith(args, 'create', CREATE_FLAGS)
        return create(args, world)
      case 'alter':
        onlyWith(args, 'alter', ['topic', 'partitions', 'replica-assignment', 'if-exists'])
        return alter(args, world)
      case 'delete':
        onlyWith(args, 'delete', ['topic', 'if-exists'])
        return remove(args, world)
    }
  },
}

const CREATE_FLAGS = ['topic', 'partitions', 'replication-factor', 'replica-assignment', 'config', 'if-not-exists']

async function list(args: Arguments, { admin }: World): Promise<Result> {
  const isWanted = topicFilter(args.value('topic'), args.has('exclude-internal'))
  const names = (await listTopics(admin)).filter(isWanted).map(({ name }) => name)
  return { json: { topics: names }, text: names }
}

/** The topics that an action is for. Throws CommandError where there is none and --if-exists is not given. */
async function existing(args: Arguments, { admin }: World): Promise<TopicListing[]> {
  const expression = required(args, 'topic')
  const isWanted = topicFilter(expression)
  const found = (await listTopics(admin)).filter(isWanted)
  if (found.length === 0 && !args.has('if-exists')) throw new CommandError(`no topic is called ${expression}`)
  return found
}

async function create(args: Arguments, { admin, warn }: World): Promise<Result> {
  const name = required(args, 'topic')
  const assignment = replicaAssignment(args)
  if (assignment !== undefined && (args.has('partitions') || args.has('replication-factor'))) {
    throw new UsageError('--replica-assignment goes without --partitions and --replication-factor')
  }
  const numPartitions = wholeNumber(args, 'partitions', 1) ?? -1
  const replicationFactor = wholeNumber(args, 'replication-factor', 1) ?? -1
  if (replicationFactor > MAX_REPLICATION_FACTOR) throw new UsageError('--replication-factor is 32767 at most')
  if (/[._]/.test(name)) {
    warn("metrics cannot tell '.' and '_' in names of topics apart; it is best to use only one of them")
  }
  const topic = {
    name,
    numPartitions,
    replicationFactor,
    assignments: assignment?.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })) ?? [],
    configs: args.values('config').map(nameAndValue),
  }
  const answer = await admin.retrying(async () => {
    const response = await admin.controller(
      apis.CreateTopics,
      () => ({ topics: [topic], timeoutMs: admin.requestTimeoutMs }),
      // Before version 4 there are no defaults for the two numbers.
      assignment === undefined && (numPartitions < 0 || replicationFactor < 0) ? 4 : 0,
    )
    const [result] = response.topics
    if (result === undefined) throw new CommandError(`the broker says nothing of topic ${name}`)
    const isThere = result.errorCode === errors.TOPIC_ALREADY_EXISTS.code && args.has('if-not-exists')
    if (!isThere) check(result.errorCode, result.errorMessage)
    return { isThere, id: result.topicId }
  })
  if (answer.isThere) return { json: { created: [], existing: [name] }, text: [`Topic ${name} exists.`] }
  return { json: { created: [{ name, id: answer.id }], existing: [] }, text: [`Created topic ${name}.`] }
}

function nameAndValue(text: string): { name: string; value: string } {
  const match = /^([^=]+)=([\s\S]*)$/.exec(text)
  if (match === null) throw new UsageError(`--config needs name=value, not '${text}'`)
  return { name: match[1]!.trim(), value: match[2]!.trim() }
}

/** For each partition its brokers, of --replica-assignment 1:2,2:3. */
function replicaAssignment(args: Arguments): number[][] | undefined {
  const text = args.value('replica-assignment')
  if (text === undefined || text === '') return undefined
  return parseAssignment(text)
}

/** Throws UsageError. */
export function parseAssignment(text: string): number[][] {
  const partitions = text.split(',').map((partition) =>
    partition.split(':').map((broker) => {
      if (!/^\s*[0-9]{1,10}\s*$/.test(broker)) throw new UsageError(`'${broker}' in --replica-assignment is no broker`)
      return Number(broker)
    }),
  )
  for (const [partition, brokers] of partitions.entries()) {
    if (new Set(brokers).size < brokers.length) {
      throw new UsageError(`--replica-assignment has a broker twice for partition ${partition}`)
    }
    if (brokers.length !== partitions[0]!.length) {
      throw new UsageError(`--replica-assignment has another number of replicas for partition ${partition}`)
    }
  }
  return partitions
}

async function alter(args: Arguments, world: World): Promise<Result> {
  const { admin } = world
  const count = wholeNumber(args, 'partitions', 1)
  if (count === undefined) throw new UsageError('--partitions is required')
  const assignment = replicaAssignment(args)
  const names = (await existing(args, world)).map(({ name }) => name)
  const sizes = assignment === undefined ? [] : await describeTopics(admin, names)
  const wanted = names.map((name) => ({
    name,
    count,
    // The list is for all partitions, of which those that are there stay where they are.
    assignments:
      assignment
        ?.slice(sizes.find((topic) => topic.name === name)!.partitions.length)
        .map((brokerIds) => ({ brokerIds })) ?? null,
  }))
  if (wanted.length > 0) {
    await admin.retrying(async () => {
      const timeoutMs = admin.requestTimeoutMs
      const { results } = await admin.controller(apis.CreatePartitions, () => ({ topics: wanted, timeoutMs }))
      for (const { errorCode, errorMessage } of results) check(errorCode, errorMessage)
    })
  }
  return {
    json: { altered: names, partitionCount: count },
    text: names.map((name) => `Topic ${name} has ${count} partitions.`),
  }
}

async function remove(args: Arguments, world: World): Promise<Result> {
  const { admin } = world
  const names = (await existing(args, world)).map(({ name }) => name)
  if (names.length > 0) {
    await admin.retrying(async () => {
      const { responses } = await admin.controller(apis.DeleteTopics, (version) => ({
        ...(version < 6 ? { topicNames: names } : { topics: names.map((name) => ({ name })) }),
        timeoutMs: admin.requestTimeoutMs,
      }))
      for (const { errorCode, errorMessage } of responses) check(errorCode, errorMessage)
    })
  }
  return { json: { deleted: names }, text: names.map((name) => `Deleted topic ${name}.`) }
}
