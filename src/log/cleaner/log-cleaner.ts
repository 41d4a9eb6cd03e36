import { diskErrorCode } from '../../platform/disk.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Scheduled, Time } from '../../platform/time.ts'
import { messageOf } from '../log-state.ts'
import type { PartitionLog } from '../partition-log.ts'
import type { CleaningOptions } from './clean-log.ts'
import type { CleanableRange } from './cleanable-range.ts'
import { CleaningAborted } from './pace.ts'

/** log.cleaner.*; read anew for each log, so that changes take effect. */
export interface CleanerSettings extends Omit<CleaningOptions, 'maxBytesPerSecond' | 'mayGoOn'> {
  /** log.cleaner.backoff.ms: the pause when there was nothing to do */
  readonly backoffMs: number
  /** log.cleaner.io.max.bytes.per.second */
  readonly maxBytesPerSecond: number
}

export interface LogCleanerOptions {
  readonly time: Time
  readonly logger: Logger
  readonly settings: () => CleanerSettings
  readonly logs: () => Iterable<PartitionLog>
  /** Where the last compaction of a log ended, undefined for none. */
  readonly cleanedTo: (log: PartitionLog) => number | undefined
  /** Takes note that a log is compacted up to an offset. */
  readonly onCleaned: (log: PartitionLog, offset: number) => void
}

/** Compacts the logs that ask for it, one at a time, the dirtiest first. */
export class LogCleaner {
  readonly #options: LogCleanerOptions
  /** Logs that cannot be compacted until somebody looks at them, by what is wrong. */
  readonly #uncleanable = new WeakMap<PartitionLog, string>()
  #timer: Scheduled | undefined
  #round: Promise<void> | undefined
  #isStopped = false

  constructor(options: LogCleanerOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#isStopped) return
    this.#timer = this.#options.time.after(this.#options.settings().backoffMs, () => {
      this.#round = this.#cleanAll().then(() => this.start())
    })
  }

  /** Resolves when nothing is written any more. */
  async stop(): Promise<void> {
    this.abandon()
    await this.#round
  }

  /** As `stop`, without waiting. */
  abandon(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  async #cleanAll(): Promise<void> {
    while (!this.#isStopped && (await this.cleanDirtiest()));
    if (this.#isStopped) return
    for (const log of this.#options.logs()) if (log.config.cleanupCompact) this.#retire(log)
  }

  #retire(log: PartitionLog): void {
    try {
      log.retire()
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error
      this.#options.logger.error(`Retention of ${log.name} failed: ${messageOf(error)}`)
    }
  }

  /** Why a log is left alone; undefined for a sound one. */
  uncleanableReason(log: PartitionLog): string | undefined {
    return this.#uncleanable.get(log)
  }

  /** Compacts the log that has the largest dirty part. False when no log has enough of it, or it failed. */
  async cleanDirtiest(): Promise<boolean> {
    const found = this.#dirtiest()
    if (!found) return false
    const { log, range } = found
    const { settings, cleanedTo, onCleaned, logger } = this.#options
    // From here on a start must expect gaps in this log.
    if (cleanedTo(log) !== range.firstDirtyOffset) onCleaned(log, range.firstDirtyOffset)
    const maxBytesPerSecond = () => settings().maxBytesPerSecond
    try {
      const mayGoOn = () => !this.#isStopped
      onCleaned(log, await log.clean(range, { ...settings(), maxBytesPerSecond, mayGoOn }))
      return true
    } catch (error) {
      if (error instanceof CleaningAborted) return !this.#isStopped
      if (diskErrorCode(error) === undefined) {
        logger.error(`${log.name} cannot be compacted and is left as it is: ${messageOf(error)}`)
        this.#uncleanable.set(log, messageOf(error))
        return true
      }
      logger.error(`The compaction of ${log.name} failed and is tried again later: ${messageOf(error)}`)
      return false
    }
  }

  #dirtiest(): { log: PartitionLog; range: CleanableRange } | undefined {
    let best: { log: PartitionLog; range: CleanableRange } | undefined
    for (const log of this.#options.logs()) {
      const range = this.#rangeOf(log)
      if (!range || range.cleanableBytes === 0) continue
      if (!range.isOverdue && range.dirtyRatio <= log.config.minCleanableDirtyRatio) continue
      if (!best || range.dirtyRatio > best.range.dirtyRatio) best = { log, range }
    }
    return best
  }

  #rangeOf(log: PartitionLog): CleanableRange | undefined {
    if (!log.config.cleanupCompact || log.offline !== undefined || this.#uncleanable.has(log)) return undefined
    try {
      return log.cleanableRange(this.#options.cleanedTo(log))
    } catch (error) {
      this.#options.logger.error(`${log.name} cannot be compacted: ${messageOf(error)}`)
      this.#uncleanable.set(log, messageOf(error))
      return undefined
    }
  }
}
