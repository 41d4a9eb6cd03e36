import { topicIdsInHashOrder } from '../../hash-order.ts'
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
  const free = new FreePartitions(group, topicIdsInHashOrder(first!.topicIds))
  const share = Math.floor(free.total / members.size)
  let extra = free.total % members.size
  const assignments = new Map<string, Assignment>()
  const unfilled: { kept: Map<string, Set<number>>; lacking: number }[] = []
  let left = members.size
  for (const [memberId, { assignment }] of members) {
    const { kept, count } = free.keep(assignment, extra > 0 ? share + 1 : share)
    // One of the extra partitions is for whoever has it already, unless all who are left must take one.
    const takesExtra = extra > 0 && (count > share || left <= extra)
    const lacking = (takesExtra ? share + 1 : share) - count
    if (takesExtra) extra--
    left--
    assignments.set(memberId, kept)
    if (lacking > 0) unfilled.push({ kept, lacking })
  }
  let next = 0
  for (const { kept, lacking } of unfilled) {
    for (const { topicId, partition } of free.partitions.slice(next, next + lacking)) {
      const partitions = kept.get(topicId)
      if (partitions === undefined) kept.set(topicId, new Set([partition]))
      else partitions.add(partition)
    }
    next += lacking
  }
  if (next !== free.partitions.length) throw new Error('there are other partitions than were counted')
  return assignments
}

/** What nobody has: first the partitions that nobody had, then those that members had too many of. */
class FreePartitions {
  readonly total: number
  readonly partitions: TopicPartition[] = []
  readonly #topicIds: ReadonlySet<string>

  constructor(group: AssignableGroup, topicIds: readonly string[]) {
    this.#topicIds = new Set(topicIds)
    const assigned = new Map(topicIds.map((topicId) => [topicId, new Set<number>()]))
    for (const { assignment } of group.members.values()) {
      for (const [topicId, partitions] of assignment) {
        for (const partition of partitions) assigned.get(topicId)?.add(partition)
      }
    }
    let total = 0
    for (const [topicId, isAssigned] of assigned) {
      const count = group.partitionCount(topicId) ?? 0
      for (let partition = 0; partition < count; partition++) {
        if (!isAssigned.has(partition)) this.partitions.push({ topicId, partition })
      }
      total += count
    }
    this.total = total
  }

  /** At most `quota` of the partitions in `assignment`, those of a topic from the lowest; the others are free now. */
  keep(assignment: Assignment, quota: number): { kept: Map<string, Set<number>>; count: number } {
    const kept = new Map<string, Set<number>>()
    let count = 0
    for (const topicId of topicIdsInHashOrder(assignment.keys())) {
      const partitions = assignment.get(topicId)!
      if (!this.#topicIds.has(topicId)) continue
      const room = quota - count
      if (partitions.size <= room) {
        kept.set(topicId, new Set(partitions))
        count += partitions.size
        continue
      }
      const inOrder = [...partitions].sort((a, b) => a - b)
      if (room > 0) kept.set(topicId, new Set(inOrder.slice(0, room)))
      for (const partition of inOrder.slice(room)) this.partitions.push({ topicId, partition })
      count = quota
    }
    return { kept, count }
  }
}
