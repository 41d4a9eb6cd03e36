import type { Scheduled, Time } from '../platform/time.ts'

export interface UntoldDirectoriesOptions {
  readonly time: Time
  /** log.dir.failure.timeout.ms */
  readonly timeoutMs: number
  /** Called when the time of a directory is over. */
  readonly onTimeout: (directoryId: string) => void
}

/** Failed log directories that no controller has heard of yet, which may last only so long: others count on what was there. */
export class UntoldDirectories {
  readonly #options: UntoldDirectoriesOptions
  readonly #waiting = new Map<string, Scheduled>()
  readonly #told = new Set<string>()

  constructor(options: UntoldDirectoriesOptions) {
    this.#options = options
  }

  /** All that have failed, among them those that are known. */
  failed(directoryIds: readonly string[]): void {
    const { time, timeoutMs, onTimeout } = this.#options
    for (const id of directoryIds) {
      if (!this.#told.has(id) && !this.#waiting.has(id))
        this.#waiting.set(
          id,
          time.after(timeoutMs, () => onTimeout(id)),
        )
    }
  }

  /** A controller has heard of them. */
  told(directoryIds: readonly string[]): void {
    for (const id of directoryIds) {
      this.#waiting.get(id)?.cancel()
      this.#waiting.delete(id)
      this.#told.add(id)
    }
  }

  close(): void {
    for (const timer of this.#waiting.values()) timer.cancel()
  }
}
