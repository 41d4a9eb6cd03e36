import type { ConfiguredSubtopology } from '../topology/types.ts'

/** Partitions by subtopology id; no subtopology without partitions. The shape is that of `Assignment`. */
export type Tasks = ReadonlyMap<string, ReadonlySet<number>>

/** What a member is to run, or was to run up to now. */
export interface TaskAssignment {
  readonly active: Tasks
  readonly standby: Tasks
  /** Apache Kafka 4.3 assigns none. */
  readonly warmup: Tasks
}

/** A member as an assignor sees it. */
export interface AssignableMember {
  /** Members of one process share its memory and disk: it never has a task twice. */
  readonly processId: string
  /** Its target up to now; tasks that there are no more count for nothing. */
  readonly target: TaskAssignment
}

export interface AssignableStreamsGroup {
  readonly members: ReadonlyMap<string, AssignableMember>
  /** By id, sorted: those of a `ConfiguredTopology`. */
  readonly subtopologies: ReadonlyMap<string, Pick<ConfiguredSubtopology, 'taskCount' | 'isStateful'>>
  /** How many standby tasks each task with stores has; from 0. */
  readonly standbyReplicas: number
}

/** Decides who is to run what. */
export interface TaskAssignor {
  /** As settings name it. */
  readonly name: string
  /** What each member is to run; every member is in. */
  assign(group: AssignableStreamsGroup): Map<string, TaskAssignment>
}
