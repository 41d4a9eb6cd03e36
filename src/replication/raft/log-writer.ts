import type { Scheduled, Time } from '../../platform/time.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { MAX_BATCH_BYTES } from './batches.ts'
import type { Effect } from './core/types.ts'
import type { MetadataLog } from './metadata-log.ts'
import { MetadataLogError } from './types.ts'

type AppendEffect = Extract<Effect, { type: 'append' }>

export interface LogWriterOptions {
  readonly log: MetadataLog
  readonly time: Time
  /** How long what may wait does so for more to be written with it. */
  readonly lingerMs: number
  /** All before `nextOffset` is on stable storage. */
  readonly onWritten: (nextOffset: number, sizeBytes: number) => void
  /** Nothing of what was handed over and is not told as written will be in the log. */
  readonly onFailed: (error: MetadataLogError) => void
}

/** Brings batches to the metadata log in order; what comes while a write is under way is in the next one together. */
export class LogWriter {
  readonly #options: LogWriterOptions
  #waiting: AppendEffect[] = []
  #waitingBytes = 0
  #linger: Scheduled | undefined
  #writing: Promise<void> | undefined

  constructor(options: LogWriterOptions) {
    this.#options = options
  }

  /** `mayWait`: for `lingerMs`, unless there is enough to be written, or something that may not. */
  write(effect: AppendEffect, mayWait: boolean): void {
    const { lingerMs, time } = this.#options
    this.#waiting.push(effect)
    this.#waitingBytes += effect.batches.length
    if (mayWait && lingerMs > 0 && this.#waitingBytes < MAX_BATCH_BYTES) {
      if (this.#writing === undefined) this.#linger ??= time.after(lingerMs, () => this.flush())
    } else this.flush()
  }

  /** What waits does so no longer. */
  flush(): void {
    this.#linger?.cancel()
    this.#linger = undefined
    if (this.#waiting.length > 0) this.#writing ??= this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    const { log, onWritten, onFailed } = this.#options
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup()
      const { nextOffset, epoch, batches } = group.at(-1)!
      const bytes = group.length === 1 ? batches : Buffer.concat(group.map((effect) => effect.batches))
      const timestampMs = new BatchView(batches).maxTimestamp
      try {
        await log.append(bytes, { nextOffset, epoch, timestampMs })
      } catch (error) {
        if (!(error instanceof MetadataLogError)) throw error
        // What was to follow it is dropped with it.
        this.#waiting = []
        this.#waitingBytes = 0
        onFailed(error)
        continue
      }
      onWritten(nextOffset, bytes.length)
    }
    this.#writing = undefined
  }

  /** What is of one epoch and fits one write. */
  #takeGroup(): AppendEffect[] {
    const { epoch } = this.#waiting[0]!
    let sizeBytes = 0
    let count = 0
    for (const effect of this.#waiting) {
      if (count > 0 && (effect.epoch !== epoch || sizeBytes + effect.batches.length > MAX_BATCH_BYTES)) break
      sizeBytes += effect.batches.length
      count++
    }
    this.#waitingBytes -= sizeBytes
    return this.#waiting.splice(0, count)
  }

  /** What waits is not written, though what is under way may be. */
  stop(): void {
    this.#linger?.cancel()
    this.#waiting = []
    this.#waitingBytes = 0
  }

  /** Resolves when all that was handed over is written, or has failed. */
  async settled(): Promise<void> {
    this.flush()
    await this.#writing
  }
}
