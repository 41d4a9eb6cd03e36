import type { AssignableStreamsGroup, Tasks } from './types.ts'

interface Range {
  readonly id: string
  readonly first: number
  readonly count: number
}

/** Tasks as numbers from 0, in the order of subtopologies and then of partitions. */
export class TaskNumbers {
  readonly total: number
  readonly #ranges = new Map<string, Range>()
  readonly #rangeOf: Range[] = []

  constructor(subtopologies: AssignableStreamsGroup['subtopologies']) {
    let total = 0
    for (const [id, { taskCount }] of subtopologies) {
      const range = { id, first: total, count: taskCount }
      this.#ranges.set(id, range)
      for (let i = 0; i < taskCount; i++) this.#rangeOf.push(range)
      total += taskCount
    }
    this.total = total
  }

  /** The numbers of those tasks that there are. */
  *of(tasks: Tasks): Iterable<number> {
    for (const [id, partitions] of tasks) {
      const range = this.#ranges.get(id)
      if (range === undefined) continue
      for (const partition of partitions) {
        if (partition >= 0 && partition < range.count) yield range.first + partition
      }
    }
  }

  /** By partition first, by subtopology then. */
  byPartition(numbers: readonly number[]): number[] {
    const partitionOf = (number: number) => number - this.#rangeOf[number]!.first
    return [...numbers].sort((a, b) => partitionOf(a) - partitionOf(b) || a - b)
  }

  tasks(numbers: readonly number[]): Tasks {
    const tasks = new Map<string, Set<number>>()
    for (const number of [...numbers].sort((a, b) => a - b)) {
      const { id, first } = this.#rangeOf[number]!
      const partitions = tasks.get(id)
      if (partitions === undefined) tasks.set(id, new Set([number - first]))
      else partitions.add(number - first)
    }
    return tasks
  }
}
