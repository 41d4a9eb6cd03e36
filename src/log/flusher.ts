import type { AppendQueue } from './append-queue.ts'
import { type LogState, messageOf } from './log-state.ts'
import type { Segment } from './segment.ts'

/** setTimeout-sized; a longer flush.ms never comes due anyway. */
const MAX_FLUSH_DELAY_MS = 2 ** 31 - 1

/** Brings a log onto stable storage, and moves its recovery point when it is there. */
export class Flusher {
  readonly #state: LogState
  readonly #queue: AppendQueue
  #timer: { cancel(): void } | undefined
  /** Segments that are full, but whose last batches may not be written yet. */
  #closing: Segment[] = []

  constructor(state: LogState, queue: AppendQueue) {
    this.#state = state
    this.#queue = queue
  }

  /** Has a flush come after flush.ms, if there is such a setting. */
  schedule(): void {
    const { config, environment, name } = this.#state
    if (this.#timer || config.flushMs > MAX_FLUSH_DELAY_MS) return
    this.#timer = environment.time.after(config.flushMs, () => {
      this.#timer = undefined
      this.flush().catch((error) => environment.logger.error(`flush of ${name} failed: ${messageOf(error)}`))
    })
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  async flush(): Promise<void> {
    const state = this.#state
    await this.#queue.whenIdle()
    state.checkOnline()
    const endOffset = state.logEndOffset
    if (state.recoveryPoint >= endOffset) return
    const { truncations } = state
    try {
      for (const segment of state.segments.from(state.recoveryPoint)) {
        if (segment === state.segments.active) await segment.syncData()
        else await segment.sync()
      }
    } catch (error) {
      if (truncations !== state.truncations) return
      state.goOffline(`sync failed: ${messageOf(error)}`)
      throw state.refusalOf(error)
    }
    if (truncations === state.truncations) this.#advanceTo(endOffset)
  }

  /** A segment was rolled: it is closed and synced once all its batches are written. */
  add(segment: Segment): void {
    this.#closing.push(segment)
    if (this.#queue.isIdle) this.closeFull()
  }

  /** Closes the segments that were rolled and have all their batches, and syncs them in the background. */
  closeFull(): void {
    while (this.#closing.length > 0) {
      const segment = this.#closing[0]!
      if (this.#queue.staged.some((append) => append.segment === segment)) return
      try {
        segment.finish()
      } catch (error) {
        this.#state.environment.logger.warn(`indexes of ${segment.path} could not be written: ${messageOf(error)}`)
        return
      }
      this.#closing.shift()
      this.#syncClosed(segment)
    }
  }

  /** Segments are gone. */
  keepOnly(segments: readonly Segment[]): void {
    this.#closing = this.#closing.filter((segment) => segments.includes(segment))
  }

  #syncClosed(segment: Segment): void {
    const state = this.#state
    const endOffset = state.segments.after(segment)?.baseOffset ?? state.logEndOffset
    segment.sync().then(
      () => {
        if (!state.segments.all.includes(segment)) return
        this.onSynced(segment, endOffset)
        state.reader.release(segment)
      },
      (error) => {
        if (state.segments.all.includes(segment)) {
          state.goOffline(`sync of ${segment.path} failed: ${messageOf(error)}`)
        }
      },
    )
  }

  /** What `segment` holds below `endOffset` is on stable storage. */
  onSynced(segment: Segment, endOffset: number): void {
    if (this.#state.recoveryPoint >= segment.baseOffset) this.#advanceTo(endOffset)
  }

  #advanceTo(offset: number): void {
    const state = this.#state
    if (offset > state.recoveryPoint) state.recoveryPoint = Math.min(offset, state.logEndOffset)
  }
}
