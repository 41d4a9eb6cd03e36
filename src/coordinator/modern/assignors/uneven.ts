import type { Assignment } from '../assignment.ts'
import type { AssignableGroup } from '../target-assignment.ts'

/** Rounds over all topics at most; as a rule the second one finds nothing to do. */
const MAX_ROUNDS = 16
const NOBODY = -1

/** Members' numbers by load, the one with the least first; `sign` -1 turns that round. */
class LoadHeap {
  readonly #loads: readonly number[]
  readonly #sign: 1 | -1
  #entries: { member: number; load: number }[] = []

  constructor(loads: readonly number[], sign: 1 | -1, members: Iterable<number>) {
    this.#loads = loads
    this.#sign = sign
    for (const member of members) this.push(member)
  }

  push(member: number): void {
    const entries = this.#entries
    let at = entries.length
    const entry = { member, load: this.#loads[member]! }
    for (; at > 0; at = (at - 1) >> 1) {
      const parent = entries[(at - 1) >> 1]!
      if (!this.#isBefore(entry, parent)) break
      entries[at] = parent
    }
    entries[at] = entry
  }

  /** undefined where nobody is left. Entries whose load has changed meanwhile are put where they belong. */
  pop(): number | undefined {
    for (;;) {
      const top = this.#take()
      if (top === undefined) return undefined
      if (top.load === this.#loads[top.member]) return top.member
      this.push(top.member)
    }
  }

  #take() {
    const entries = this.#entries
    const top = entries[0]
    const last = entries.pop()
    if (top === undefined || last === undefined || entries.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= entries.length) break
      if (child + 1 < entries.length && this.#isBefore(entries[child + 1]!, entries[child]!)) child++
      if (!this.#isBefore(entries[child]!, last)) break
      entries[at] = entries[child]!
      at = child
    }
    entries[at] = last
    return top
  }

  #isBefore(a: { member: number; load: number }, b: { member: number; load: number }): boolean {
    if (a.load !== b.load) return (a.load - b.load) * this.#sign < 0
    return (a.member - b.member) * this.#sign < 0
  }
}

/** One topic: who may have its partitions, and who is to. */
interface Topic {
  readonly id: string
  readonly subscribers: number[]
  readonly owners: Int32Array
}

/**
 * Members are subscribed to different topics: everybody keeps what it has, what is left goes to the subscriber with the
 * least, and then partitions move from those with more to those with less as long as that makes them more equal.
 */
export function assignUnevenly(group: AssignableGroup): Map<string, Assignment> {
  const memberIds = [...group.members.keys()]
  const loads: number[] = memberIds.map(() => 0)
  const topics = topicsOf(group, memberIds, loads)
  for (const topic of topics) assignRest(topic, loads)
  balance(
    topics.filter((topic) => topic.subscribers.length > 1),
    loads,
  )
  return collect(memberIds, topics)
}

function topicsOf(group: AssignableGroup, memberIds: readonly string[], loads: number[]): Topic[] {
  const topics = new Map<string, Topic>()
  for (const [number, memberId] of memberIds.entries()) {
    for (const id of group.members.get(memberId)!.topicIds) {
      let topic = topics.get(id)
      if (topic === undefined) {
        topic = { id, subscribers: [], owners: new Int32Array(group.partitionCount(id) ?? 0).fill(NOBODY) }
        topics.set(id, topic)
      }
      topic.subscribers.push(number)
      for (const partition of group.members.get(memberId)!.assignment.get(id) ?? []) {
        if (topic.owners[partition] !== NOBODY) continue
        topic.owners[partition] = number
        loads[number] = loads[number]! + 1
      }
    }
  }
  // Topics with the most partitions for each of few subscribers first: the others can make up for them.
  const weight = ({ owners, subscribers }: Topic) => owners.length / subscribers.length
  return [...topics.values()].sort(
    (a, b) => weight(b) - weight(a) || a.subscribers.length - b.subscribers.length || (a.id < b.id ? -1 : 1),
  )
}

function assignRest({ owners, subscribers }: Topic, loads: number[]): void {
  const heap = new LoadHeap(loads, 1, subscribers)
  for (let partition = 0; partition < owners.length; partition++) {
    if (owners[partition] !== NOBODY) continue
    const member = heap.pop()!
    owners[partition] = member
    loads[member] = loads[member]! + 1
    heap.push(member)
  }
}

function balance(topics: readonly Topic[], loads: number[]): void {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let moves = 0
    for (const topic of topics) moves += balanceTopic(topic, loads)
    if (moves === 0) return
  }
}

/** Moves partitions of a topic from who has the most to who has the least; answers how many. */
function balanceTopic({ owners, subscribers }: Topic, loads: number[]): number {
  const owned = new Map<number, number[]>()
  for (const [partition, owner] of owners.entries()) {
    const partitions = owned.get(owner)
    if (partitions === undefined) owned.set(owner, [partition])
    else partitions.push(partition)
  }
  const poorest = new LoadHeap(loads, 1, subscribers)
  const richest = new LoadHeap(loads, -1, owned.keys())
  let moves = 0
  for (;;) {
    const from = richest.pop()
    const to = poorest.pop()
    if (from === undefined || to === undefined || loads[from]! - loads[to]! <= 1) return moves
    const partitions = owned.get(from)!
    owners[partitions.pop()!] = to
    loads[from] = loads[from]! - 1
    loads[to] = loads[to]! + 1
    moves++
    poorest.push(to)
    if (partitions.length > 0) richest.push(from)
  }
}

function collect(memberIds: readonly string[], topics: readonly Topic[]): Map<string, Assignment> {
  const assignments = memberIds.map(() => new Map<string, Set<number>>())
  for (const { id, owners } of topics) {
    for (const [partition, owner] of owners.entries()) {
      const assignment = assignments[owner]!
      const partitions = assignment.get(id)
      if (partitions === undefined) assignment.set(id, new Set([partition]))
      else partitions.add(partition)
    }
  }
  return new Map(memberIds.map((memberId, number) => [memberId, assignments[number]!]))
}
