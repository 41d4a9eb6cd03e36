import { type EpochAssignment, NO_EPOCHS, NO_PARTITIONS, sameAssignment, sameEpochs } from '../modern/assignment.ts'
import type { TaskAssignment, Tasks } from './assignor/types.ts'

/** What a member has. */
export interface CurrentTasks {
  /** With the epoch at which it got each of them. */
  readonly active: EpochAssignment
  readonly standby: Tasks
  readonly warmup: Tasks
}

/** As requests and records list tasks. */
export interface TaskIds {
  readonly subtopologyId: string
  readonly partitions: readonly number[]
}

export const NO_TARGET: TaskAssignment = { active: NO_PARTITIONS, standby: NO_PARTITIONS, warmup: NO_PARTITIONS }
export const NO_TASKS: CurrentTasks = { active: NO_EPOCHS, standby: NO_PARTITIONS, warmup: NO_PARTITIONS }

export function toTasks(ids: readonly TaskIds[]): Tasks {
  return new Map(ids.map(({ subtopologyId, partitions }) => [subtopologyId, new Set(partitions)]))
}

/** Subtopologies and partitions in order. */
export function toTaskIds(tasks: Tasks | EpochAssignment): { subtopologyId: string; partitions: number[] }[] {
  const ids: { subtopologyId: string; partitions: number[] }[] = []
  for (const [subtopologyId, partitions] of tasks) ids.push({ subtopologyId, partitions: inOrder(partitions) })
  return ids.sort((a, b) => (a.subtopologyId < b.subtopologyId ? -1 : 1))
}

export function inOrder(partitions: ReadonlySet<number> | ReadonlyMap<number, number>): number[] {
  return [...partitions.keys()].sort((a, b) => a - b)
}

export function isEmpty({ active, standby, warmup }: CurrentTasks): boolean {
  return active.size === 0 && standby.size === 0 && warmup.size === 0
}

export function sameTasks(a: CurrentTasks, b: CurrentTasks): boolean {
  return sameEpochs(a.active, b.active) && sameAssignment(a.standby, b.standby) && sameAssignment(a.warmup, b.warmup)
}

export function sameTarget(a: TaskAssignment, b: TaskAssignment): boolean {
  return (
    sameAssignment(a.active, b.active) && sameAssignment(a.standby, b.standby) && sameAssignment(a.warmup, b.warmup)
  )
}

/** Whether any task listed is in `tasks`. */
export function touches(ids: readonly TaskIds[], tasks: Tasks | EpochAssignment): boolean {
  return ids.some(({ subtopologyId, partitions }) => {
    const own = tasks.get(subtopologyId)
    return own !== undefined && partitions.some((partition) => own.has(partition))
  })
}

/** Whether every task listed is in `tasks`. */
export function isWithin(ids: readonly TaskIds[], tasks: Tasks | EpochAssignment): boolean {
  return ids.every(({ subtopologyId, partitions }) => {
    const own = tasks.get(subtopologyId)
    return own !== undefined && partitions.every((partition) => own.has(partition))
  })
}

export function* eachTask(tasks: Tasks | EpochAssignment): Generator<[subtopologyId: string, partition: number]> {
  for (const [subtopologyId, partitions] of tasks) {
    for (const partition of partitions.keys()) yield [subtopologyId, partition]
  }
}
