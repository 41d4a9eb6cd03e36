import type { Arguments } from '../arguments.ts'
import { CommandError, UsageError } from '../console.ts'
import { onlyWith, type Result, type World, wholeNumber } from './command.ts'
import { describeConfigs } from './config-info.ts'
import { table } from './table.ts'
import {
  describeTopics,
  listReassignments,
  listTopics,
  type PartitionInfo,
  type Reassignment,
  type TopicInfo,
  topicFilter,
} from './topic-info.ts'

export const PARTITION_FILTERS = [
  'under-replicated-partitions',
  'unavailable-partitions',
  'under-min-isr-partitions',
  'at-min-isr-partitions',
] as const

const FLAGS = [
  ...PARTITION_FILTERS,
  'topics-with-overrides',
  'topic',
  'topic-id',
  'if-exists',
  'exclude-internal',
  'partition-size-limit-per-response',
]

interface Described {
  readonly topic: TopicInfo
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string | null>>
  readonly minIsr: number
  readonly partitions: readonly DescribedPartition[]
}

interface DescribedPartition extends PartitionInfo {
  readonly reassignment: Reassignment | undefined
}

/** `ottla topics --describe`. Throws UsageError, CommandError. */
export async function describe(args: Arguments, { admin }: World): Promise<Result> {
  onlyWith(args, 'describe', FLAGS)
  const filters = PARTITION_FILTERS.filter((name) => args.has(name))
  const overridesOnly = args.has('topics-with-overrides')
  if (filters.length > 1 || (filters.length === 1 && overridesOnly)) {
    const [first, second = 'topics-with-overrides'] = filters
    throw new UsageError(`--${first} and --${second} exclude each other`)
  }
  const perResponse = wholeNumber(args, 'partition-size-limit-per-response', 1)
  const names = await wantedTopics(args, admin)
  const topics = await describeTopics(admin, names, perResponse)
  const configs = await describeConfigs(admin, 'topics', names)
  const reassignments = new Map(
    (await ongoing(admin, topics)).map((reassignment) => [keyOf(reassignment), reassignment]),
  )
  let described = topics.map((topic): Described => {
    const entries = configs.get(topic.name) ?? []
    const partitions = topic.partitions.map((partition) => ({
      ...partition,
      reassignment: reassignments.get(keyOf({ topic: topic.name, partition: partition.partition })),
    }))
    return {
      topic,
      // As in Apache Kafka's tool: all but the defaults, of whichever level they are set on.
      configs: Object.fromEntries(
        entries.filter(({ source }) => source !== 'DEFAULT_CONFIG').map(({ name, value }) => [name, value]),
      ),
      minIsr: Number(entries.find(({ name }) => name === 'min.insync.replicas')?.value ?? 1),
      replicationFactor: partitions[0] === undefined ? 0 : replicationFactor(partitions[0]),
      partitions,
    }
  })
  const [filter] = filters
  if (filter !== undefined) described = described.map((topic) => filtered(topic, filter))
  if (filter !== undefined) described = described.filter(({ partitions }) => partitions.length > 0)
  if (overridesOnly) described = described.filter((topic) => Object.keys(topic.configs).length > 0)
  return {
    json: { topics: described.map((topic) => asJson(topic, overridesOnly)) },
    text: asText(described, filter === undefined, !overridesOnly),
  }
}

async function wantedTopics(args: Arguments, admin: World['admin']): Promise<string[]> {
  const id = args.value('topic-id')
  const expression = args.value('topic')
  const isWanted = topicFilter(id === undefined ? expression : undefined, args.has('exclude-internal'))
  const listed = (await listTopics(admin)).filter(isWanted)
  const found = id === undefined ? listed : listed.filter((topic) => topic.id === id)
  if (found.length === 0 && !args.has('if-exists')) {
    if (id !== undefined) throw new CommandError(`no topic has the id ${id}`)
    if (expression !== undefined) throw new CommandError(`no topic is called ${expression}`)
  }
  return found.map(({ name }) => name)
}

async function ongoing(admin: World['admin'], topics: readonly TopicInfo[]): Promise<Reassignment[]> {
  const all = topics.flatMap(({ name, partitions }) => partitions.map(({ partition }) => ({ topic: name, partition })))
  return all.length === 0 ? [] : listReassignments(admin, all)
}

function keyOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}-${partition}`
}

/** Without the replicas that a reassignment is adding. */
function replicationFactor({ replicas, reassignment }: DescribedPartition): number {
  if (reassignment === undefined) return replicas.length
  const changing = new Set([...reassignment.adding, ...reassignment.removing])
  // It may have ended since it was listed.
  if (!replicas.some((id) => changing.has(id))) return replicas.length
  return reassignment.replicas.length - reassignment.adding.length
}

function filtered(topic: Described, filter: (typeof PARTITION_FILTERS)[number]): Described {
  const isShown = (partition: DescribedPartition) => {
    const { leader, isr } = partition
    switch (filter) {
      case 'under-replicated-partitions':
        return isr.length < replicationFactor(partition)
      case 'unavailable-partitions':
        return leader === null
      case 'under-min-isr-partitions':
        return leader === null || isr.length < topic.minIsr
      case 'at-min-isr-partitions':
        return isr.length === topic.minIsr
    }
  }
  return { ...topic, partitions: topic.partitions.filter(isShown) }
}

function asJson({ topic, replicationFactor, configs, partitions }: Described, withoutPartitions: boolean): unknown {
  const head = {
    name: topic.name,
    id: topic.id,
    internal: topic.internal,
    partitionCount: topic.partitions.length,
    replicationFactor,
    configs,
  }
  if (withoutPartitions) return head
  return {
    ...head,
    partitions: partitions.map(({ reassignment, ...partition }) => ({
      ...partition,
      addingReplicas: reassignment?.adding ?? [],
      removingReplicas: reassignment?.removing ?? [],
    })),
  }
}

function asText(described: readonly Described[], withTopics: boolean, withPartitions: boolean): string[] {
  if (described.length === 0) return []
  const topics = described.map(({ topic, replicationFactor, configs }) => {
    const settings = Object.entries(configs).map(([name, value]) => `${name}=${value}`)
    return [topic.name, topic.id, topic.partitions.length, replicationFactor, settings.join(',')]
  })
  const moving = described.some(({ partitions }) => partitions.some(({ reassignment }) => reassignment !== undefined))
  const partitions = described.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => {
      const { leader, replicas, isr, elr, lastKnownElr, reassignment } = partition
      const row = [topic.name, partition.partition, leader ?? 'none', replicas.join(','), isr.join(',')]
      if (moving) row.push((reassignment?.adding ?? []).join(','), (reassignment?.removing ?? []).join(','))
      return [...row, elr?.join(',') ?? 'n/a', lastKnownElr?.join(',') ?? 'n/a']
    }),
  )
  const movingColumns = moving ? ['ADDING', 'REMOVING'] : []
  return [
    ...(withTopics ? table(['TOPIC', 'ID', 'PARTITIONS', 'REPLICATION', 'CONFIGS'], topics) : []),
    ...(withTopics && withPartitions ? [''] : []),
    ...(withPartitions
      ? table(
          ['TOPIC', 'PARTITION', 'LEADER', 'REPLICAS', 'ISR', ...movingColumns, 'ELR', 'LAST-KNOWN-ELR'],
          partitions,
        )
      : []),
  ]
}
