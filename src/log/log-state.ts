import { diskErrorCode } from '../platform/disk.ts'
import type { Scheduled } from '../platform/time.ts'
import { AppendError, LogError } from './append-error.ts'
import { DamageError } from './damage-error.ts'
import { DiskReader } from './disk-reader.ts'
import { EpochCache } from './epoch-cache.ts'
import type { LogEnvironment, PartitionLogOptions } from './log-options.ts'
import { ProducerState } from './producer-state.ts'
import { SegmentList } from './segment-list.ts'
import { Snapshots } from './snapshots.ts'
import { TailCache } from './tail-cache.ts'
import type { LogConfig } from './types.ts'

/** What the parts of a log share: its pieces, its offsets, and whether it still works. */
export class LogState {
  /** "topic-partition" */
  readonly name: string
  readonly environment: LogEnvironment
  readonly producers: ProducerState
  readonly epochs: EpochCache
  readonly snapshots: Snapshots
  readonly tail: TailCache
  readonly reader: DiskReader
  segments = new SegmentList()
  directory: string
  config: LogConfig
  offline: string | undefined
  logStartOffset: number
  highWatermark: number
  /** Past the last record that is written. */
  logEndOffset = 0
  /** The offset of the next append: past logEndOffset by what is staged. */
  nextOffset = 0
  recoveryPoint: number
  lastSnapshotOffset = 0
  /** Grows when data disappears or moves to other files, so that reads and syncs under way notice. */
  truncations = 0
  /** Whether a compaction is under way. */
  isCleaning = false
  /** Removals of files that are due later; a start does those that a close cancels. */
  readonly removals = new Set<Scheduled>()
  readonly #onOffline: () => void

  constructor(environment: LogEnvironment, options: PartitionLogOptions, onOffline: (reason: string) => void) {
    const { disk, tailBudget, tailCacheBytes } = environment
    const { directory } = options
    this.environment = environment
    this.reader = new DiskReader(environment.time, environment.readBuffers)
    this.name = `${options.topic}-${options.partition}`
    this.directory = directory
    this.config = options.config
    this.#onOffline = () => onOffline(this.offline ?? '')
    // A log that turns out to be damaged keeps what its checkpoints said, or the next start would take less care.
    this.recoveryPoint = options.recoveryPoint ?? 0
    this.logStartOffset = options.logStartOffset ?? 0
    this.highWatermark = options.highWatermark ?? 0
    this.producers = new ProducerState(this.name)
    this.epochs = new EpochCache(disk, directory)
    this.snapshots = new Snapshots(disk, directory)
    this.tail = new TailCache(tailCacheBytes, tailBudget)
  }

  checkOnline(): void {
    if (this.offline === undefined) return
    throw new AppendError('KAFKA_STORAGE_ERROR', `The log of ${this.name} is offline: ${this.offline}`)
  }

  goOffline(reason: string): void {
    if (this.offline !== undefined) return
    this.offline = reason
    this.environment.logger.error(`The log in ${this.directory} goes offline: ${reason}`)
    this.tail.restart(this.logEndOffset)
    this.#onOffline()
  }

  /** What to tell whoever asked, when `error` came of it. Damage puts the log offline. Errors of ours are thrown on. */
  refusalOf(error: unknown): LogError {
    if (error instanceof LogError) return error
    if (error instanceof DamageError) {
      this.goOffline(error.message)
      return new AppendError('KAFKA_STORAGE_ERROR', error.message)
    }
    if (diskErrorCode(error) === undefined) throw error
    return new AppendError('KAFKA_STORAGE_ERROR', `Disk error in ${this.directory}: ${messageOf(error)}`)
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
