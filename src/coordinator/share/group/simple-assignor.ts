import type { Assignment } from '../../modern/assignment.ts'
import type { AssignableGroup, PartitionAssignor } from '../../modern/target-assignment.ts'

/** A partition, and who is to have it. */
interface Shared {
  readonly topicId: string
  readonly partition: number
  readonly members: Set<string>
}

/** Partitions that are given to the same members, and as evenly as can be. */
interface Pool {
  readonly partitions: readonly Shared[]
  /** By member id, how many partitions it should have. */
  readonly wanted: ReadonlyMap<string, number>
  /** How many members each partition should have. */
  readonly sharing: number
  readonly given: Map<string, Set<Shared>>
}

/**
 * Partitions are shared (KIP-932): every one has as many members as it takes for every member to have one. What members
 * have they keep as far as that is even.
 */
export function simpleAssignor(isAssignable: (topicId: string, partition: number) => boolean): PartitionAssignor {
  return {
    name: 'simple',
    assign(group) {
      const result = new Map<string, Map<string, Set<number>>>()
      for (const memberId of group.members.keys()) result.set(memberId, new Map())
      for (const pool of poolsOf(group, isAssignable)) {
        keepOld(pool, group)
        fill(pool)
        for (const { topicId, partition, members } of pool.partitions) {
          for (const memberId of members) add(result.get(memberId)!, topicId, partition)
        }
      }
      return result as Map<string, Assignment>
    },
  }
}

/** One for all topics where all members have the same ones, else one for each topic. */
function poolsOf(group: AssignableGroup, isAssignable: (topicId: string, partition: number) => boolean): Pool[] {
  const subscribers = new Map<string, string[]>()
  for (const [memberId, { topicIds }] of group.members) {
    for (const topicId of topicIds) {
      const known = subscribers.get(topicId)
      if (known === undefined) subscribers.set(topicId, [memberId])
      else known.push(memberId)
    }
  }
  const partitionsOf = (topicId: string): Shared[] => {
    const count = group.partitionCount(topicId) ?? 0
    const all = Array.from({ length: count }, (_, partition) => ({ topicId, partition, members: new Set<string>() }))
    return all.filter(({ partition }) => isAssignable(topicId, partition))
  }
  if (!group.isHomogeneous) {
    return Array.from(subscribers, ([topicId, members]) => poolOf(partitionsOf(topicId), members))
  }
  return [poolOf([...subscribers.keys()].flatMap(partitionsOf), [...group.members.keys()])]
}

function poolOf(partitions: readonly Shared[], members: readonly string[]): Pool {
  const sharing = partitions.length === 0 ? 0 : Math.ceil(members.length / partitions.length)
  const each = (sharing * partitions.length) / members.length
  const wanted = new Map(
    members.map((memberId, i) => [memberId, Math.ceil(each * (i + 1)) - Math.ceil(each * i)] as const),
  )
  return { partitions, wanted, sharing, given: new Map(members.map((memberId) => [memberId, new Set()])) }
}

function keepOld({ partitions, wanted, sharing, given }: Pool, group: AssignableGroup): void {
  for (const shared of partitions) {
    for (const [memberId, own] of given) {
      const had = group.members.get(memberId)!.assignment.get(shared.topicId)?.has(shared.partition)
      if (!had || own.size >= wanted.get(memberId)! || shared.members.size >= sharing) continue
      own.add(shared)
      shared.members.add(memberId)
    }
  }
}

/** Members that have too little take what has too few members, in turn. */
function fill({ partitions, wanted, sharing, given }: Pool): void {
  let waiting = [...given].filter(([memberId, own]) => own.size < wanted.get(memberId)!)
  for (const shared of partitions) {
    for (const entry of [...waiting]) {
      if (shared.members.size >= sharing) break
      const [memberId, own] = entry
      if (shared.members.has(memberId)) continue
      shared.members.add(memberId)
      own.add(shared)
      waiting = waiting.filter((other) => other !== entry)
      if (own.size < wanted.get(memberId)!) waiting.push(entry)
    }
  }
}

function add(assignment: Map<string, Set<number>>, topicId: string, partition: number): void {
  const partitions = assignment.get(topicId)
  if (partitions === undefined) assignment.set(topicId, new Set([partition]))
  else partitions.add(partition)
}
