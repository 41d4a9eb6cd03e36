import type { Assignment } from '../assignment.ts'
import type { AssignableGroup, PartitionAssignor } from '../target-assignment.ts'

/** How far a topic is given away. */
interface Range {
  readonly count: number
  readonly perMember: number
  /** Members that still get one partition more. */
  extra: number
  next: number
}

/**
 * Each topic's partitions in consecutive ranges, to its subscribers in the order of their ids: where topics have the same
 * subscribers, partitions of the same number are with the same member. Static members come first, in the order of their
 * instance ids, so that they keep their ranges under new member ids.
 */
export const rangeAssignor: PartitionAssignor = {
  name: 'range',
  assign(group) {
    const memberIds = sortedMembers(group)
    const ranges = rangesOf(group)
    const assignments = new Map<string, Assignment>()
    for (const memberId of memberIds) {
      const assignment = new Map<string, Set<number>>()
      for (const topicId of group.members.get(memberId)!.topicIds) {
        const partitions = take(ranges.get(topicId))
        if (partitions.size > 0) assignment.set(topicId, partitions)
      }
      assignments.set(memberId, assignment)
    }
    return assignments
  },
}

function sortedMembers({ members }: AssignableGroup): string[] {
  const keyed = Array.from(members, ([id, { instanceId }]) => ({ id, isDynamic: instanceId === null, instanceId }))
  keyed.sort((a, b) => {
    if (a.isDynamic !== b.isDynamic) return a.isDynamic ? 1 : -1
    const [left, right] = [a.instanceId ?? a.id, b.instanceId ?? b.id]
    return left < right ? -1 : left > right ? 1 : 0
  })
  return keyed.map(({ id }) => id)
}

function rangesOf(group: AssignableGroup): Map<string, Range> {
  const subscribers = new Map<string, number>()
  for (const { topicIds } of group.members.values()) {
    for (const topicId of topicIds) subscribers.set(topicId, (subscribers.get(topicId) ?? 0) + 1)
  }
  const ranges = new Map<string, Range>()
  for (const [topicId, members] of subscribers) {
    const count = group.partitionCount(topicId) ?? 0
    ranges.set(topicId, { count, perMember: Math.floor(count / members), extra: count % members, next: 0 })
  }
  return ranges
}

function take(range: Range | undefined): Set<number> {
  const partitions = new Set<number>()
  if (range === undefined) return partitions
  let size = range.perMember
  if (range.extra > 0) {
    size++
    range.extra--
  }
  const end = Math.min(range.next + size, range.count)
  for (; range.next < end; range.next++) partitions.add(range.next)
  return partitions
}
