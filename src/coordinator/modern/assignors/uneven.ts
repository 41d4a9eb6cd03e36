import type { Assignment } from '../assignment.ts'
import type { AssignableGroup } from '../target-assignment.ts'

/** Rounds over all topics at most; as a rule the second one finds nothing to do. */
const MAX_ROUNDS = 16
const NOBODY = -1

/**
 * Subscribers in turn, those with the least from the one end and those with the most from the other. Who is as loaded as
 * others keeps the place that it had at first, which is how Apache Kafka takes them.
 */
class Turns {
  readonly #loads: readonly number[]
  readonly #order: number[]
  /** The poorest are those before `#poorEnd`; all before `#poorNext` have had their turn at `#poorLoad`. */
  #poorEnd = 0
  #poorNext = 0
  #poorLoad: number
  /** The richest are those from `#richStart` to `#richEnd`; all after `#richNext` have had their turn. */
  #richStart: number
  #richEnd: number
  #richNext: number
  #richLoad: number

  /** `subscribers`: in order, at least one. */
  constructor(loads: readonly number[], subscribers: readonly number[]) {
    this.#loads = loads
    this.#order = [...subscribers].sort((a, b) => loads[a]! - loads[b]!)
    this.#richStart = this.#richEnd = this.#order.length
    this.#richNext = this.#order.length - 1
    this.#poorLoad = this.#loadAt(0) - 1
    this.#richLoad = this.#loadAt(this.#richNext) + 1
  }

  get imbalance(): number {
    return this.#loadAt(this.#order.length - 1) - this.#loadAt(0)
  }

  /** By what was in turn last. */
  get isBalanced(): boolean {
    return this.#richLoad - this.#poorLoad <= 1
  }

  poorest(): number {
    if (this.#poorNext >= this.#poorEnd) {
      this.#poorLoad++
      while (this.#poorEnd < this.#order.length && this.#loadAt(this.#poorEnd) === this.#poorLoad) this.#poorEnd++
      this.#poorNext = 0
    }
    return this.#order[this.#poorNext++]!
  }

  /** Among those that can give something up; undefined where there is none. */
  richest(canGive: (member: number) => boolean): number | undefined {
    for (;;) {
      if (this.#richNext < this.#richStart) this.#widenRich()
      if (this.#richNext < 0) return undefined
      const at = this.#richNext--
      const member = this.#order[at]!
      if (canGive(member)) return member
      this.#richEnd--
      this.#order[at] = this.#order[this.#richEnd]!
      this.#order[this.#richEnd] = member
    }
  }

  #widenRich(): void {
    const isEmpty = this.#richEnd <= this.#richStart && this.#richStart > 0
    this.#richLoad = isEmpty ? this.#loadAt(this.#richStart - 1) : this.#richLoad - 1
    while (this.#richStart > 0 && this.#loadAt(this.#richStart - 1) === this.#richLoad) this.#richStart--
    this.#richNext = this.#richEnd - 1
  }

  #loadAt(place: number): number {
    return this.#loads[this.#order[place]!]!
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
    (a, b) => weight(b) - weight(a) || a.subscribers.length - b.subscribers.length || compareTopicIds(a.id, b.id),
  )
}

/** As two signed numbers of 64 bits each. */
function compareTopicIds(a: string, b: string): number {
  const [left, right] = [Buffer.from(a, 'base64url'), Buffer.from(b, 'base64url')]
  for (const at of [0, 8]) {
    const [x, y] = [left.readBigInt64BE(at), right.readBigInt64BE(at)]
    if (x !== y) return x < y ? -1 : 1
  }
  return 0
}

function assignRest({ owners, subscribers }: Topic, loads: number[]): void {
  const turns = new Turns(loads, subscribers)
  for (let partition = 0; partition < owners.length; partition++) {
    if (owners[partition] !== NOBODY) continue
    const member = turns.poorest()
    owners[partition] = member
    loads[member] = loads[member]! + 1
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
  const turns = new Turns(loads, subscribers)
  if (turns.imbalance <= 1) return 0
  const owned = new Map<number, number[]>()
  for (const [partition, owner] of owners.entries()) {
    const partitions = owned.get(owner)
    if (partitions === undefined) owned.set(owner, [partition])
    else partitions.push(partition)
  }
  const canGive = (member: number) => (owned.get(member)?.length ?? 0) > 0
  for (let moves = 0; ; moves++) {
    const from = turns.richest(canGive)
    if (from === undefined) return moves
    const partition = owned.get(from)!.pop()!
    const to = turns.poorest()
    if (turns.isBalanced) return moves
    owners[partition] = to
    loads[from] = loads[from]! - 1
    loads[to] = loads[to]! + 1
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
