import { type UndoLog, UndoMap } from '../runtime/undo-log.ts'
import type { Tasks } from './assignor/types.ts'
import type { StreamsMember } from './member.ts'
import { type CurrentTasks, eachTask } from './tasks.ts'

/**
 * Which processes have a task, or may still have it. An active task is nobody else's; of standby and warm-up tasks every
 * process may have one, but none where it has the task in another way.
 */
export class TaskOwners {
  readonly #active: UndoMap<string, string>
  readonly #standby: UndoMap<string, ReadonlySet<string>>
  readonly #warmup: UndoMap<string, ReadonlySet<string>>

  constructor(undo: UndoLog) {
    this.#active = new UndoMap(undo)
    this.#standby = new UndoMap(undo)
    this.#warmup = new UndoMap(undo)
  }

  /** The process that runs the task; undefined where none does. */
  active(subtopologyId: string, partition: number): string | undefined {
    return this.#active.get(key(subtopologyId, partition))
  }

  hasCopy(subtopologyId: string, partition: number, processId: string): boolean {
    const task = key(subtopologyId, partition)
    return (this.#standby.get(task)?.has(processId) ?? false) || (this.#warmup.get(task)?.has(processId) ?? false)
  }

  take({ processId, assigned, pendingRevocation }: StreamsMember): void {
    for (const tasks of [assigned, pendingRevocation]) {
      for (const [subtopologyId, partition] of eachTask(tasks.active)) {
        this.#active.set(key(subtopologyId, partition), processId)
      }
      eachCopy(tasks, this.#standby, this.#warmup, (owners, task) => {
        owners.set(task, new Set([...(owners.get(task) ?? []), processId]))
      })
    }
  }

  release({ processId, assigned, pendingRevocation }: StreamsMember): void {
    for (const tasks of [assigned, pendingRevocation]) {
      for (const [subtopologyId, partition] of eachTask(tasks.active)) {
        const task = key(subtopologyId, partition)
        // Where another process has got it since, it stays theirs.
        if (this.#active.get(task) === processId) this.#active.delete(task)
      }
      eachCopy(tasks, this.#standby, this.#warmup, (owners, task) => {
        const rest = new Set(owners.get(task))
        rest.delete(processId)
        if (rest.size === 0) owners.delete(task)
        else owners.set(task, rest)
      })
    }
  }
}

type Owners = UndoMap<string, ReadonlySet<string>>

function eachCopy(
  { standby, warmup }: CurrentTasks,
  standbyOwners: Owners,
  warmupOwners: Owners,
  visit: (owners: Owners, task: string) => void,
): void {
  const both: readonly (readonly [Tasks, Owners])[] = [
    [standby, standbyOwners],
    [warmup, warmupOwners],
  ]
  for (const [tasks, owners] of both) {
    for (const [subtopologyId, partition] of eachTask(tasks)) visit(owners, key(subtopologyId, partition))
  }
}

/** No subtopology id can be mistaken for another: the number ends at the first blank. */
function key(subtopologyId: string, partition: number): string {
  return `${partition} ${subtopologyId}`
}
