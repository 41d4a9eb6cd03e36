import { inHashOrder } from '../../hash-order.ts'
import { Heap } from '../heap.ts'
import { sourcesOf } from './streams-topology.ts'
import { brokenTopology, invalidTopology, status, TopicMisfit } from './topology-error.ts'
import type { Subtopology, TopicInfo, TopicView } from './types.ts'

type Subtopologies = ReadonlyMap<string, Subtopology>

/** Each the names of topics that are to be partitioned alike. */
type CopartitionGroups = readonly (readonly string[])[]

/** How many partitions topics have: those that exist, and internal ones as far as that has been decided. */
export class PartitionCounts {
  readonly #topics: TopicView
  readonly #decided: Map<string, number>

  /**
   * Decides for all internal topics.
   * @throws TopicMisfit where topics that are to be partitioned alike are not.
   * @throws CoordinatorError where the topology cannot be satisfied.
   */
  constructor(subtopologies: Subtopologies, copartitionGroups: CopartitionGroups, topics: TopicView) {
    this.#topics = topics
    this.#decided = repartitionCounts(subtopologies, topics)
    this.#alignCopartitioned(copartitionGroups, subtopologies)
    this.#followSources(subtopologies)
  }

  /** undefined: there is no such topic, and it is no internal one. */
  of(name: string): number | undefined {
    return this.#topics.byName(name)?.partitions.size ?? this.#decided.get(name)
  }

  /** Of an internal topic of the topology, as the topology wants it, whatever there is. */
  wanted({ name, partitions }: TopicInfo): number {
    return partitions === 0 ? this.#decided.get(name)! : partitions
  }

  /** The most that a source has; undefined without sources. */
  most(subtopology: Subtopology): number | undefined {
    return maxOf(sourcesOf(subtopology).map((name) => this.of(name)))
  }

  /** Repartition topics that are read together with others get as many partitions as those. */
  #alignCopartitioned(groups: CopartitionGroups, subtopologies: Subtopologies): void {
    const infos = [...subtopologies.values()].flatMap(({ repartitionSourceTopics }) => repartitionSourceTopics)
    const internal = new Set(infos.map(({ name }) => name))
    const fixed = new Map<string, number>()
    for (const { name, partitions } of infos) if (partitions !== 0) fixed.set(name, this.of(name)!)
    const fixedCounts = new Set(fixed.values())
    for (const group of groups) {
      if (group.length === 0) continue
      const count = this.#commonCount(group, internal, fixedCounts)
      for (const name of inHashOrder(group.filter((each) => internal.has(each)))) {
        const own = fixed.get(name)
        if (own !== undefined && own !== count) {
          const what = `Number of partitions [${own}] of repartition topic [${name}]`
          throw unlike(`${what} doesn't match number of partitions [${count}] of the source topic.`)
        }
        this.#decided.set(name, count)
      }
    }
  }

  /** What the group's repartition topics are to have: what its other topics have, or else what is fixed, or the most. */
  #commonCount(group: readonly string[], internal: ReadonlySet<string>, fixedCounts: ReadonlySet<number>): number {
    const external = group.filter((name) => !internal.has(name))
    if (external.length > 0) {
      const counts = new Set(external.map((name) => this.of(name)!))
      if (counts.size > 1) throw this.#differing(external)
      return this.of(external[0]!)!
    }
    // All numbers that the topology fixes must agree, not only those of this group.
    if (fixedCounts.size > 1) throw this.#differing(group)
    const [fixed] = fixedCounts
    if (fixed !== undefined) return fixed
    return maxOf(group.map((name) => this.of(name)))!
  }

  #differing(names: readonly string[]): TopicMisfit {
    const counts = [...names].sort().map((name) => `${name}=${this.of(name)}`)
    return unlike(`Following topics do not have the same number of partitions: [{${counts.join(', ')}}]`)
  }

  /** The changes of a store are partitioned as what the store is made from. */
  #followSources(subtopologies: Subtopologies): void {
    const counts = new Map<string, number>()
    for (const [id, subtopology] of subtopologies) {
      const count = this.most(subtopology)
      if (count === undefined) throw invalidTopology(`No source topics found for subtopology ${id}`)
      for (const { name } of subtopology.stateChangelogTopics) counts.set(name, count)
    }
    for (const [name, count] of counts) this.#decided.set(name, count)
  }
}

function unlike(detail: string): TopicMisfit {
  return new TopicMisfit(status.INCORRECTLY_PARTITIONED_TOPICS, detail)
}

/** undefined where none is known. Not by Math.max, which takes its arguments from the stack. */
function maxOf(counts: Iterable<number | undefined>): number | undefined {
  let max: number | undefined
  for (const count of counts) if (count !== undefined && (max === undefined || count > max)) max = count
  return max
}

/** @throws CoordinatorError where one has topics that the subtopology does not have. */
export function copartitionGroupsOf(subtopologies: Subtopologies): CopartitionGroups {
  const groups: string[][] = []
  for (const { sourceTopics, repartitionSourceTopics, copartitionGroups } of subtopologies.values()) {
    for (const group of copartitionGroups) {
      const names = [
        ...group.sourceTopics.map((index) => sourceTopics[index]),
        ...group.repartitionSourceTopics.map((index) => repartitionSourceTopics[index]?.name),
      ]
      if (!isComplete(names)) throw brokenTopology()
      groups.push(inHashOrder(new Set(names)))
    }
  }
  return groups
}

function isComplete(names: (string | undefined)[]): names is string[] {
  return !names.includes(undefined)
}

/**
 * By topic. What the topology does not fix is the most that the sources of the writing subtopology have; of several
 * that write a topic, and of several sources, what counts is what is known when a walk over all subtopologies, again
 * and again, comes by for the first time that it can be told. The walk here skips those that cannot be told, so that
 * a long chain costs no more than its length.
 */
function repartitionCounts(subtopologies: Subtopologies, topics: TopicView): Map<string, number> {
  const counts = new Map<string, number>()
  const all = [...subtopologies.values()]
  for (const { name, partitions } of all.flatMap(({ repartitionSourceTopics }) => repartitionSourceTopics)) {
    if (partitions !== 0) counts.set(name, partitions)
  }
  const walk = new Walk(all)
  for (let next = walk.next(); next !== undefined; next = walk.next()) {
    const { repartitionSourceTopics, sourceTopics, repartitionSinkTopics } = next
    const sources = [
      ...repartitionSourceTopics.map(({ name }) => counts.get(name)),
      ...sourceTopics.map((name) => topics.byName(name)?.partitions.size),
    ]
    const count = maxOf(sources)
    if (count === undefined) continue
    for (const sink of repartitionSinkTopics) {
      if (counts.has(sink)) continue
      counts.set(sink, count)
      walk.decided(sink)
    }
  }
  const lacks = (name: string) => !counts.has(name)
  if (all.some(({ repartitionSinkTopics }) => repartitionSinkTopics.some(lacks))) {
    const failure = 'Failed to compute number of partitions for all repartition topics.'
    throw invalidTopology(`${failure} There may be loops in the topology that cannot be resolved.`)
  }
  if (all.some(({ repartitionSourceTopics }) => repartitionSourceTopics.some(({ name }) => lacks(name)))) {
    const failure = 'Failed to compute number of partitions for all repartition topics, because'
    throw invalidTopology(`${failure} a repartition source topic is never used as a sink topic.`)
  }
  return counts
}

/** Over all subtopologies once, then over those that read a topic that has been decided, in the order of the rounds. */
class Walk {
  readonly #all: readonly Subtopology[]
  readonly #readers = new Map<string, number[]>()
  readonly #ahead: Heap<number>
  #nextRound: number[] = []
  readonly #waiting = new Set<number>()
  #at = -1

  constructor(all: readonly Subtopology[]) {
    this.#all = all
    this.#ahead = new Heap((index) => index, all.keys())
    for (const index of all.keys()) this.#waiting.add(index)
    for (const [index, { repartitionSourceTopics }] of all.entries()) {
      for (const { name } of repartitionSourceTopics) {
        const readers = this.#readers.get(name)
        if (readers === undefined) this.#readers.set(name, [index])
        else readers.push(index)
      }
    }
  }

  next(): Subtopology | undefined {
    let index = this.#ahead.pop()
    if (index === undefined) {
      for (const each of this.#nextRound) this.#ahead.push(each)
      this.#nextRound = []
      index = this.#ahead.pop()
    }
    if (index === undefined) return undefined
    this.#waiting.delete(index)
    this.#at = index
    return this.#all[index]
  }

  /** The subtopologies that read the topic may be told more now. */
  decided(topic: string): void {
    for (const index of this.#readers.get(topic) ?? []) {
      if (this.#waiting.has(index)) continue
      this.#waiting.add(index)
      if (index > this.#at) this.#ahead.push(index)
      else this.#nextRound.push(index)
    }
    this.#readers.delete(topic)
  }
}
