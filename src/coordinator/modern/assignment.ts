/** Partitions by topic id: what a member should have. No topic without partitions. */
export type Assignment = ReadonlyMap<string, ReadonlySet<number>>

/** By topic id and partition, the epoch at which the member got it: what a member has. No topic without partitions. */
export type EpochAssignment = ReadonlyMap<string, ReadonlyMap<number, number>>

/** As requests and records list partitions. */
export interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export const NO_PARTITIONS: Assignment = new Map()
export const NO_EPOCHS: EpochAssignment = new Map()

export function toAssignment(topics: readonly TopicPartitions[]): Assignment {
  return new Map(topics.map(({ topicId, partitions }) => [topicId, new Set(partitions)]))
}

/** Partitions in order. */
export function toTopicPartitions(
  assignment: ReadonlyMap<string, ReadonlySet<number> | ReadonlyMap<number, number>>,
): { topicId: string; partitions: number[] }[] {
  return Array.from(assignment, ([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()].sort((a, b) => a - b),
  }))
}

/** All partitions got at `epoch`. */
export function atEpoch(assignment: EpochAssignment | Assignment, epoch: number): EpochAssignment {
  const result = new Map<string, ReadonlyMap<number, number>>()
  for (const [topicId, partitions] of assignment) {
    result.set(topicId, new Map(Array.from(partitions.keys(), (partition) => [partition, epoch])))
  }
  return result
}

export function sameAssignment(a: Assignment, b: Assignment): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId)
    if (others === undefined || !sameSet(partitions, others)) return false
  }
  return true
}

export function sameEpochs(a: EpochAssignment, b: EpochAssignment): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId)
    if (others === undefined || others.size !== partitions.size) return false
    for (const [partition, epoch] of partitions) if (others.get(partition) !== epoch) return false
  }
  return true
}

export function sameSet<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const each of a) if (!b.has(each)) return false
  return true
}

/** Whether every partition listed is in `assignment`. */
export function isWithin(topics: readonly TopicPartitions[], assignment: EpochAssignment): boolean {
  return topics.every(({ topicId, partitions }) => {
    const own = assignment.get(topicId)
    return own !== undefined && partitions.every((partition) => own.has(partition))
  })
}

/** Whether any partition listed is in `assignment`. */
export function touches(topics: readonly TopicPartitions[], assignment: EpochAssignment): boolean {
  return topics.some(({ topicId, partitions }) => {
    const own = assignment.get(topicId)
    return own !== undefined && partitions.some((partition) => own.has(partition))
  })
}
