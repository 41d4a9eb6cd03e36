import type { Assignment } from '../assignment.ts'
import type { AssignableGroup, PartitionAssignor } from '../target-assignment.ts'
import { assignUnevenly } from './uneven.ts'

interface TopicPartition {
  readonly topicId: string
  readonly partition: number
}

/** The same number of partitions for everybody, give or take one, and as few moves as that allows. */
export const uniformAssignor: PartitionAssignor = {
  name: 'uniform',
  assign(group) {
    if (group.members.size === 0) return new Map()
    return group.isHomogeneous ? assignEvenly(group) : assignUnevenly(group)
  },
}

/** All members are subscribed to the same topics: each keeps what it has up to its share, and is given what it lacks. */
function assignEvenly(group: AssignableGroup): Map<string, Assignment> {
  const { members } = group
  const [first] = members.values()
  const topicIds = first!.topicIds
  const free = new FreePartitions(group, topicIds)
  const share = Math.floor(free.total / members.size)
  let extra = free.total % members.size
  const assignments = new Map<string, Assignment>()
  const unfilled: { memberId: string; kept: Map<string, Set<number>>; lacking: number }[] = []
  let left = members.size
  for (const [memberId, { assignment }] of members) {
    const quota = extra > 0 ? share + 1 : share
    const { kept, count } = free.keep(assignment, quota)
    // One of the extra partitions is for whoever has it already, unless all who are left must take one.
    const takesExtra = extra > 0 && (count > share || left <= extra)
    const lacking = (takesExtra ? share + 1 : share) - count
    if (takesExtra) extra--
    left--
    assignments.set(memberId, kept)
    if (lacking > 0) unfilled.push({ memberId, kept, lacking })
  }
  const unassigned = free.rest()
  for (const { kept, lacking } of unfilled) {
    for (let i = 0; i < lacking; i++) {
      const next = unassigned.next()
      if (next.done) throw new Error('there are fewer partitions than were counted')
      const partitions = kept.get(next.value.topicId)
      if (partitions === undefined) kept.set(next.value.topicId, new Set([next.value.partition]))
      else partitions.add(next.value.partition)
    }
  }
  return assignments
}

/** Which partitions nobody has kept. */
class FreePartitions {
  readonly total: number
  readonly #byTopic = new Map<string, Uint8Array>()

  constructor(group: AssignableGroup, topicIds: ReadonlySet<string>) {
    let total = 0
    for (const topicId of topicIds) {
      const count = group.partitionCount(topicId) ?? 0
      this.#byTopic.set(topicId, new Uint8Array(count).fill(1))
      total += count
    }
    this.total = total
  }

  /** At most `quota` of the partitions in `assignment`; they are not free any more. */
  keep(assignment: Assignment, quota: number): { kept: Map<string, Set<number>>; count: number } {
    const kept = new Map<string, Set<number>>()
    let count = 0
    for (const [topicId, partitions] of assignment) {
      const isFree = this.#byTopic.get(topicId)
      if (isFree === undefined) continue
      const own = new Set<number>()
      for (const partition of partitions) {
        if (count === quota) break
        if (isFree[partition] !== 1) continue
        isFree[partition] = 0
        own.add(partition)
        count++
      }
      if (own.size > 0) kept.set(topicId, own)
    }
    return { kept, count }
  }

  *rest(): Generator<TopicPartition, undefined, undefined> {
    for (const [topicId, isFree] of this.#byTopic) {
      for (let partition = 0; partition < isFree.length; partition++) {
        if (isFree[partition] === 1) yield { topicId, partition }
      }
    }
    return undefined
  }
}
