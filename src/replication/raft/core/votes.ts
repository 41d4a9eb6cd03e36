import type { ReplicaKey } from './types.ts'
import type { VoterSet } from './voters.ts'

/** The answers of an election. */
export class Votes {
  readonly #voters: VoterSet
  readonly #answers = new Map<number, boolean>()

  /** `selfId` votes for itself. */
  constructor(voters: VoterSet, selfId: number) {
    this.#voters = voters
    this.record(selfId, true)
  }

  /** Takes note of a voter's answer; others are not asked. What was granted stays granted. */
  record(id: number, isGranted: boolean): void {
    if (this.#voters.get(id) === undefined || this.#answers.get(id) === true) return
    this.#answers.set(id, isGranted)
  }

  get isWon(): boolean {
    return this.granting.length >= this.#majority
  }

  get isLost(): boolean {
    return this.granting.length + this.#voters.size - this.#answers.size < this.#majority
  }

  get granting(): number[] {
    return [...this.#answers].filter(([, isGranted]) => isGranted).map(([id]) => id)
  }

  get unanswered(): ReplicaKey[] {
    return this.#voters.nodes.filter(({ id }) => !this.#answers.has(id))
  }

  get #majority(): number {
    return Math.floor(this.#voters.size / 2) + 1
  }
}
