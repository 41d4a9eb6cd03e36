import { CommandError } from '../console.ts'
import type { TopicPartition } from './group-info.ts'
import { duplicateOf, isCount, type JsonObject, objectsOf, partitionOf } from './json-file.ts'
import { partitionName } from './offset-info.ts'
import { comparePartitions, type Reassignment } from './topic-info.ts'

const VERSION = 1
const ANY_DIRECTORY = 'any'

/** Where a partition is to be. */
export interface Target extends TopicPartition {
  readonly replicas: readonly number[]
  /** By broker; brokers that may choose are left out. */
  readonly directories: ReadonlyMap<number, string>
}

function checkVersion({ version = VERSION }: JsonObject): void {
  if (version !== VERSION) throw new CommandError(`"version" is ${JSON.stringify(version)}, but only 1 is known`)
}

/** The topics of {"topics": [{"topic": "t"}], "version": 1}. Throws CommandError. */
export function parseTopicsToMove(object: JsonObject): string[] {
  checkVersion(object)
  const topics = objectsOf(object, 'topics').map(({ topic }) => {
    if (typeof topic !== 'string') throw new CommandError('an entry of "topics" has no "topic"')
    return topic
  })
  const twice = duplicateOf(topics)
  if (twice !== undefined) throw new CommandError(`topic ${twice} is given twice`)
  return topics
}

/** {"partitions": [{"topic", "partition", "replicas", "log_dirs"}], "version": 1}. Throws CommandError. */
export function parseReassignment(object: JsonObject): Target[] {
  checkVersion(object)
  const targets = objectsOf(object, 'partitions').map(targetOf)
  if (targets.length === 0) throw new CommandError('there are no "partitions"')
  const twice = duplicateOf(targets.map(partitionName))
  if (twice !== undefined) throw new CommandError(`partition ${twice} is given twice`)
  return targets.sort(comparePartitions)
}

function targetOf(entry: JsonObject): Target {
  const { topic, partition } = partitionOf(entry)
  const name = partitionName({ topic, partition })
  const { replicas } = entry
  if (!Array.isArray(replicas) || replicas.length === 0 || !replicas.every(isCount)) {
    throw new CommandError(`"replicas" of ${name} is not a list of brokers`)
  }
  const twice = duplicateOf(replicas)
  if (twice !== undefined) throw new CommandError(`"replicas" of ${name} has broker ${twice} twice`)
  const directories: readonly unknown[] = Array.isArray(entry.log_dirs)
    ? entry.log_dirs
    : replicas.map(() => ANY_DIRECTORY)
  if (directories.length !== replicas.length || !directories.every((path) => typeof path === 'string')) {
    throw new CommandError(`"log_dirs" of ${name} is not a list of as many directories as there are replicas`)
  }
  const chosen = replicas.map((broker, index) => [broker, directories[index]!] as const)
  return { topic, partition, replicas, directories: new Map(chosen.filter(([, path]) => path !== ANY_DIRECTORY)) }
}

/** The document that --reassignment-json-file takes, as Apache Kafka's tool writes it. */
export function formatReassignment(targets: readonly Target[]): unknown {
  return {
    version: VERSION,
    partitions: [...targets].sort(comparePartitions).map(({ topic, partition, replicas, directories }) => ({
      topic,
      partition,
      replicas,
      log_dirs: replicas.map((broker) => directories.get(broker) ?? ANY_DIRECTORY),
    })),
  }
}

export interface PlaceableBroker {
  readonly id: number
  /** null: by itself. */
  readonly rack: string | null
}

/**
 * Spreads partitions over brokers: leaders go round the racks, the replicas of a partition lie in different racks as far
 * as there are enough, and within a rack its brokers take turns. `first` is where the round begins. Throws CommandError
 * where there are fewer brokers than replicas.
 */
export function spread(
  partitionCount: number,
  replicationFactor: number,
  brokers: readonly PlaceableBroker[],
  first: number,
): number[][] {
  if (replicationFactor > brokers.length) {
    throw new CommandError(`${replicationFactor} replicas need more than ${brokers.length} brokers`)
  }
  const byRack = new Map<string, number[]>()
  for (const { id, rack } of [...brokers].sort((a, b) => a.id - b.id)) {
    const name = rack === null ? `broker ${id}` : `rack ${rack}`
    byRack.set(name, [...(byRack.get(name) ?? []), id])
  }
  const racks = [...byRack.values()]
  return Array.from({ length: partitionCount }, (_, partition) => {
    const turn = first + partition
    const replicas: number[] = []
    for (let round = 0; replicas.length < replicationFactor; round++) {
      for (let step = 0; step < racks.length && replicas.length < replicationFactor; step++) {
        const rack = racks[(turn + step) % racks.length]!
        if (round < rack.length) replicas.push(rack[(Math.floor(turn / racks.length) + round) % rack.length]!)
      }
    }
    return replicas
  })
}

/** What is throttled while partitions move: by topic, the replicas that send and those that receive, and the brokers. */
export interface Throttles {
  readonly topics: ReadonlyMap<string, { readonly leaders: string; readonly followers: string }>
  readonly brokers: readonly number[]
}

/**
 * The throttles for moving partitions to their targets, together with the moves that go on: what sends is every replica
 * that is there before, what receives every one that is new.
 */
export function throttlesOf(
  targets: readonly Target[],
  ongoing: readonly Reassignment[],
  replicasNow: ReadonlyMap<string, readonly number[]>,
): Throttles {
  const moves = new Map<string, { place: TopicPartition; from: readonly number[]; to: readonly number[] }>()
  for (const { topic, partition, replicas, adding } of ongoing) {
    const from = replicas.filter((id) => !adding.includes(id))
    moves.set(partitionName({ topic, partition }), { place: { topic, partition }, from, to: adding })
  }
  for (const target of targets) {
    const name = partitionName(target)
    const from = moves.get(name)?.from ?? replicasNow.get(name) ?? []
    moves.set(name, { place: target, from, to: target.replicas.filter((id) => !from.includes(id)) })
  }
  const leaders = new Map<string, string[]>()
  const followers = new Map<string, string[]>()
  const brokers = new Set<number>()
  for (const { place, from, to } of moves.values()) {
    const { topic, partition } = place
    const add = (lists: Map<string, string[]>, ids: readonly number[]) =>
      lists.set(topic, [...(lists.get(topic) ?? []), ...ids.map((id) => `${partition}:${id}`)])
    add(leaders, from)
    add(followers, to)
    for (const id of [...from, ...to]) brokers.add(id)
  }
  const list = (names: readonly string[]) => [...names].sort().join(',')
  return {
    topics: new Map(
      [...leaders].map(([topic, names]) => [
        topic,
        { leaders: list(names), followers: list(followers.get(topic) ?? []) },
      ]),
    ),
    brokers: [...brokers].sort((a, b) => a - b),
  }
}
