import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import type { Arguments } from '../arguments.ts'
import { CommandError, UsageError } from '../console.ts'
import { AdminError, check } from './client.ts'
import {
  type AdminCommand,
  COMMON_HELP,
  onlyWith,
  type Result,
  required,
  settings,
  switches,
  type World,
  wholeNumber,
} from './command.ts'
import type { TopicPartition } from './group-info.ts'
import { duplicateOf, objectsOf, partitionOf, readJsonObject } from './json-file.ts'
import { partitionName } from './offset-info.ts'
import { byTopic, comparePartitions } from './topic-info.ts'

const HELP: readonly string[] = [
  'ottla leader-election: elects leaders of partitions, as kafka-leader-election does.',
  '',
  '    --election-type preferred|unclean  the first replica if it is in sync, or one that is not if there is no other',
  '    --topic NAME --partition N         of one partition, or',
  '    --path-to-json-file FILE           of those in {"partitions": [{"topic": "t", "partition": 0}]}, or',
  '    --all-topic-partitions             of all',
  ...COMMON_HELP,
]

const TYPES = ['preferred', 'unclean'] as const
const SCOPES = ['topic', 'path-to-json-file', 'all-topic-partitions'] as const

/** `ottla leader-election`: what Apache Kafka's kafka-leader-election does. */
export const leaderElection: AdminCommand = {
  name: 'leader-election',
  help: HELP,
  flags: [...switches('all-topic-partitions'), ...settings('election-type', 'topic', 'partition', 'path-to-json-file')],
  async run(args, world) {
    onlyWith(args, 'election-type', ['partition', ...SCOPES])
    const text = required(args, 'election-type').toLowerCase()
    const type = TYPES.find((name) => name === text)
    if (type === undefined) throw new UsageError(`--election-type is preferred or unclean, not '${text}'`)
    return elect(world, type, scopeOf(args, world))
  },
}

/** null for all partitions. Throws UsageError, CommandError. */
function scopeOf(args: Arguments, { disk }: World): TopicPartition[] | null {
  const scopes = SCOPES.filter((name) => args.has(name))
  if (scopes.length !== 1) throw new UsageError(`one is needed of ${SCOPES.map((name) => `--${name}`).join(', ')}`)
  if (args.has('topic') !== args.has('partition')) throw new UsageError('--topic and --partition go together')
  switch (scopes[0]!) {
    case 'topic':
      return [{ topic: required(args, 'topic'), partition: wholeNumber(args, 'partition')! }]
    case 'all-topic-partitions':
      return null
    case 'path-to-json-file': {
      const path = required(args, 'path-to-json-file')
      const partitions = objectsOf(readJsonObject(disk, path), 'partitions').map(partitionOf)
      if (partitions.length === 0) throw new CommandError(`${path} names no "partitions"`)
      const twice = duplicateOf(partitions.map(partitionName))
      if (twice !== undefined) throw new CommandError(`${path} names ${twice} twice`)
      return partitions
    }
  }
}

async function elect(
  { admin }: World,
  electionType: (typeof TYPES)[number],
  partitions: readonly TopicPartition[] | null,
): Promise<Result> {
  const answer = await admin.retrying(async () => {
    const response = await admin.controller(
      apis.ElectLeaders,
      () => ({
        electionType: TYPES.indexOf(electionType),
        topicPartitions: partitions && byTopic(partitions).map(([topic, indexes]) => ({ topic, partitions: indexes })),
        timeoutMs: admin.requestTimeoutMs,
      }),
      // Before version 1 there is only one type.
      electionType === 'preferred' ? 0 : 1,
    )
    check(response.errorCode)
    return response
  })
  const results = answer.replicaElectionResults
    .flatMap(({ topic, partitionResult }) =>
      partitionResult.map(({ partitionId, errorCode, errorMessage }) => {
        return { topic, partition: partitionId, errorCode, errorMessage }
      }),
    )
    .sort(comparePartitions)
  const withCode = (wanted: (code: number) => boolean) => results.filter(({ errorCode }) => wanted(errorCode))
  const place = ({ topic, partition }: TopicPartition) => ({ topic, partition })
  const notNeeded = withCode((code) => code === errors.ELECTION_NOT_NEEDED.code).map(place)
  const elected = withCode((code) => code === 0).map(place)
  const failed = withCode((code) => code !== 0 && code !== errors.ELECTION_NOT_NEEDED.code).map((result) => ({
    ...place(result),
    error: new AdminError(result.errorCode, result.errorMessage).message,
  }))
  const names = (some: readonly TopicPartition[]) => some.map(partitionName).join(', ')
  const text = [
    ...(elected.length > 0 ? [`Elected a leader (${electionType}) of ${names(elected)}.`] : []),
    ...(notNeeded.length > 0 ? [`No election is needed of ${names(notNeeded)}.`] : []),
    ...(results.length === 0 ? ['No election is needed.'] : []),
  ]
  return {
    json: { electionType, elected, notNeeded, failed },
    text,
    errors: failed.map((result) => `no leader of ${partitionName(result)} was elected: ${result.error}`),
  }
}
