import { StartupError } from '../config/startup-error.ts'
import type { DirectoryLock, Disk } from '../platform/disk.ts'
import type { Logger } from '../platform/logger.ts'
import { partitionKey, readOffsets, renderOffsets } from './checkpoint.ts'
import { readIfThere, replaceUnsynced } from './files.ts'
import type { PartitionLog } from './partition-log.ts'

const RECOVERY_POINTS = 'recovery-point-offset-checkpoint'
const LOG_STARTS = 'log-start-offset-checkpoint'
const HIGH_WATERMARKS = 'replication-offset-checkpoint'
const CLEANED = 'cleaner-offset-checkpoint'
const CLEAN_SHUTDOWN = '.kafka_cleanshutdown'

/** What the checkpoint files of a directory say, by "topic-partition". */
export interface Checkpoints {
  readonly recoveryPoints: ReadonlyMap<string, number>
  readonly logStarts: ReadonlyMap<string, number>
  readonly highWatermarks: ReadonlyMap<string, number>
  /** Up to where each log was compacted; logs that never were are not in it. */
  readonly cleaned: ReadonlyMap<string, number>
}

/** What the checkpoints say of a log. */
interface CheckpointedLog {
  readonly topic: string
  readonly partition: number
  readonly recoveryPoint: number
  readonly logStartOffset: number
  readonly firstSegmentOffset: number
  readonly highWatermark: number
}

/** One of the directories of log.dirs: its lock, its checkpoints and its logs. */
export class LogDirectory {
  readonly path: string
  readonly logs = new Map<string, PartitionLog>()
  /** Logs that are about to be here: the checkpoints know of them before they are. */
  readonly arriving = new Map<string, CheckpointedLog>()
  /** Why nothing in it is served; undefined for a healthy one. */
  failure: string | undefined
  readonly #disk: Disk
  readonly #logger: Logger
  #lock: DirectoryLock | undefined
  #cleaned = new Map<string, number>()
  #isFull = false
  /** What each checkpoint file holds, to leave alone what would not change. */
  readonly #written = new Map<string, string>()

  constructor(disk: Disk, logger: Logger, path: string) {
    this.#disk = disk
    this.#logger = logger
    this.path = path
  }

  /**
   * Makes and locks the directory, unless it comes with its lock. Throws what the disk throws, or StartupError when
   * another process has it.
   */
  take(lock?: DirectoryLock): void {
    if (lock === undefined) this.#disk.makeDirectory(this.path)
    this.#lock = lock ?? this.#disk.lockDirectory(this.path)
    if (this.#lock) return
    throw new StartupError(
      `Failed to acquire lock on file .lock in ${this.path}. A Kafka instance in another process or thread is using this directory.`,
    )
  }

  letGo(): void {
    this.#lock?.release()
    this.#lock = undefined
  }

  /** Whether the last shutdown was clean, and of which broker epoch; the mark is removed. */
  takeCleanShutdown(): { brokerEpoch: number } | undefined {
    const path = `${this.path}/${CLEAN_SHUTDOWN}`
    const bytes = readIfThere(this.#disk, path)
    if (!bytes) return undefined
    this.#disk.remove(path)
    this.#disk.syncDirectory(this.path)
    return { brokerEpoch: brokerEpochIn(bytes.toString('utf8')) }
  }

  markCleanShutdown(brokerEpoch: number): void {
    const content = JSON.stringify({ version: 0, brokerEpoch })
    this.#disk.replaceFile(`${this.path}/${CLEAN_SHUTDOWN}`, Buffer.from(content, 'utf8'))
  }

  readCheckpoints(): Checkpoints {
    this.#cleaned = new Map(this.#read(CLEANED))
    return {
      recoveryPoints: this.#read(RECOVERY_POINTS),
      logStarts: this.#read(LOG_STARTS),
      highWatermarks: this.#read(HIGH_WATERMARKS),
      cleaned: this.#cleaned,
    }
  }

  /**
   * A new log must not find what the checkpoints say of an older one of its name: after a crash it would be cut off at
   * the other's log start, or be taken for damaged. Throws what the disk throws.
   */
  forget(topic: string, partition: number): void {
    const line = `\n${topic} ${partition} `
    if (this.#written.get(RECOVERY_POINTS)?.includes(line)) this.writeRecoveryPoints()
    if (this.#written.get(LOG_STARTS)?.includes(line)) this.writeLogStarts()
  }

  #read(name: string): ReadonlyMap<string, number> {
    const path = `${this.path}/${name}`
    const offsets = readOffsets(this.#disk, path)
    if (offsets) this.#written.set(name, readIfThere(this.#disk, path)?.toString('utf8') ?? '')
    else this.#logger.warn(`${this.path}/${name} is damaged and of no use`)
    return offsets ?? new Map()
  }

  writeRecoveryPoints(): void {
    this.#write(RECOVERY_POINTS, (log) => log.recoveryPoint, true)
  }

  /** Only logs that do not start where their first segment does: for all others the file name says it. */
  writeLogStarts(): void {
    this.#write(
      LOG_STARTS,
      (log) => (log.logStartOffset > log.firstSegmentOffset ? log.logStartOffset : undefined),
      true,
    )
  }

  /** Not synced: an older value does no harm, and this is written every few seconds. */
  writeHighWatermarks(): void {
    this.#write(HIGH_WATERMARKS, (log) => log.highWatermark, false)
  }

  /** Where the last compaction of a log ended, undefined for none. */
  cleanedTo(key: string): number | undefined {
    return this.#cleaned.get(key)
  }

  /** Takes note of how far a log is compacted; undefined for a log that is gone. Throws what the disk throws. */
  writeCleaned(key: string, offset: number | undefined): void {
    if (offset === undefined) this.#cleaned.delete(key)
    else this.#cleaned.set(key, offset)
    this.#write(CLEANED, (log) => this.#cleaned.get(partitionKey(log.topic, log.partition)), true)
  }

  #write(name: string, offsetOf: (log: CheckpointedLog) => number | undefined, sync: boolean): void {
    if (this.failure !== undefined) return
    const offsets = []
    for (const log of [...this.logs.values(), ...this.arriving.values()]) {
      const offset = offsetOf(log)
      if (offset !== undefined) offsets.push({ topic: log.topic, partition: log.partition, offset })
    }
    const bytes = renderOffsets(offsets)
    const text = bytes.toString('utf8')
    if (this.#written.get(name) === text) return
    const path = `${this.path}/${name}`
    if (sync) this.#disk.replaceFile(path, bytes)
    else replaceUnsynced(this.#disk, path, bytes)
    this.#written.set(name, text)
    if (this.#isFull) this.#logger.info(`${this.path} has room for its checkpoints again`)
    this.#isFull = false
  }

  /** A checkpoint could not be written, and will be again and again: that is told once. */
  noteFull(reason: string): void {
    if (!this.#isFull) this.#logger.error(`${this.path} has no room for its checkpoints: ${reason}`)
    this.#isFull = true
  }
}

function brokerEpochIn(text: string): number {
  try {
    const content: unknown = JSON.parse(text)
    if (typeof content !== 'object' || content === null || !('brokerEpoch' in content)) return -1
    return typeof content.brokerEpoch === 'number' ? content.brokerEpoch : -1
  } catch {
    // Releases before 4.0 left the file empty.
    return -1
  }
}
