/** Partitions of a topic whose share state is, or is to be, kept. */
export interface TopicState {
  readonly name: string
  readonly partitions: ReadonlySet<number>
  /** When that was written down. */
  readonly timestampMs: number
}

/** By topic id: what of a share group's state is being made, is there, and is being deleted. */
export interface StatePartitions {
  readonly initializing: ReadonlyMap<string, TopicState>
  readonly initialized: ReadonlyMap<string, TopicState>
  /** By topic id the name. */
  readonly deleting: ReadonlyMap<string, string>
}

export const NO_STATE: StatePartitions = { initializing: new Map(), initialized: new Map(), deleting: new Map() }

/** Partitions by topic id. */
export type PartitionsByTopic = ReadonlyMap<string, ReadonlySet<number>>

/** Both together; the later one's name and time. */
export function combined(
  topics: ReadonlyMap<string, TopicState>,
  more: ReadonlyMap<string, TopicState>,
): Map<string, TopicState> {
  const result = new Map(topics)
  for (const [topicId, state] of more) {
    const known = result.get(topicId)
    result.set(topicId, { ...state, partitions: new Set([...(known?.partitions ?? []), ...state.partitions]) })
  }
  return result
}

/** What is left of `topics` without `partitions`. */
export function without(
  topics: ReadonlyMap<string, TopicState>,
  partitions: PartitionsByTopic,
): Map<string, TopicState> {
  const result = new Map<string, TopicState>()
  for (const [topicId, state] of topics) {
    const removed = partitions.get(topicId)
    const rest = new Set([...state.partitions].filter((partition) => !removed?.has(partition)))
    if (rest.size > 0) result.set(topicId, { ...state, partitions: rest })
  }
  return result
}

export function partitionsOf(topics: ReadonlyMap<string, TopicState>): PartitionsByTopic {
  return new Map(Array.from(topics, ([topicId, { partitions }]) => [topicId, partitions]))
}
