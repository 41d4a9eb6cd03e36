import { type DiskEntry, diskErrorCode } from '../platform/disk.ts'
import type { Scheduled } from '../platform/time.ts'
import { LogError } from './append-error.ts'
import { partitionKey } from './checkpoint.ts'
import type { LogDirectory } from './log-directory.ts'
import type { LogEnvironment } from './log-options.ts'
import { messageOf } from './log-state.ts'
import { PartitionLog } from './partition-log.ts'
import type { LogConfig } from './types.ts'

/** What the names of directories end in that are not, or no more, a partition's. */
export const FUTURE_SUFFIX = '-future'
export const DELETE_SUFFIX = '-delete'
export const STRAY_SUFFIX = '-stray'

export const MAX_FILE_NAME_CHARS = 255

/** What is known of a log before it is opened. */
export interface KnownState {
  readonly topicId?: string
  readonly cleanShutdown: boolean
  readonly recoveryPoint: number
  readonly logStartOffset: number
  readonly highWatermark: number
  readonly wasCompacted?: boolean
  /** What is in the directory of the log. */
  readonly entries?: readonly DiskEntry[]
}

/** The log directories of a broker and the logs in them: what opening, moving and removing logs have in common. */
export class LogStore {
  readonly environment: LogEnvironment
  readonly directories: LogDirectory[] = []
  /** By the names of the partitions. */
  readonly logs = new Map<string, PartitionLog>()
  /** Nothing is to be done any more. */
  isClosed = false
  readonly #onDirectoryFailure: ((directory: string, reason: string) => void) | undefined
  readonly #onLogFailure: ((topic: string, partition: number) => void) | undefined
  readonly #removals = new Map<string, Scheduled>()

  constructor(
    environment: LogEnvironment,
    onDirectoryFailure?: (directory: string, reason: string) => void,
    onLogFailure?: (topic: string, partition: number) => void,
  ) {
    this.environment = environment
    this.#onDirectoryFailure = onDirectoryFailure
    this.#onLogFailure = onLogFailure
  }

  /** Opens the log of a partition in its place, without anybody seeing it yet. Throws what the disk throws. */
  open(directory: LogDirectory, topic: string, partition: number, config: LogConfig, state: KnownState): PartitionLog {
    const key = partitionKey(topic, partition)
    // With a recovery point past the end of the log, a crash could make a torn write look like damage to flushed data.
    const onTruncated = () =>
      this.inDirectories((each) => {
        if (each !== directory) return
        each.writeRecoveryPoints()
        each.writeLogStarts()
        const end = log.logEndOffset
        if ((each.cleanedTo(key) ?? 0) > end) each.writeCleaned(key, end)
      })
    const onOffline = () => this.#onLogFailure?.(topic, partition)
    const options = {
      topic,
      partition,
      config,
      directory: `${directory.path}/${key}`,
      onTruncated,
      onOffline,
      ...state,
    }
    const log = PartitionLog.open(this.environment, options)
    return log
  }

  list(directory: LogDirectory, log: PartitionLog): void {
    directory.logs.set(log.name, log)
    this.logs.set(log.name, log)
  }

  unlist(directory: LogDirectory, log: PartitionLog): void {
    directory.logs.delete(log.name)
    this.logs.delete(log.name)
  }

  directoryOf(log: PartitionLog): LogDirectory | undefined {
    return this.directories.find((directory) => directory.logs.get(log.name) === log)
  }

  /** A path that nothing has, for what was or will be the directory of a partition. */
  pathFor(directory: LogDirectory, topic: string, partition: number, ending: string): string {
    const suffix = `-${partition}.${this.environment.random.bytes(16).toString('hex')}${ending}`
    return `${directory.path}/${topic.slice(0, MAX_FILE_NAME_CHARS - suffix.length)}${suffix}`
  }

  /** Renames a log's directory, which ends its use; answers the new path. Throws LogError KAFKA_STORAGE_ERROR. */
  putAway(directory: LogDirectory, log: PartitionLog, ending: string): string {
    const { topic, partition } = log
    const path = this.pathFor(directory, topic, partition, ending)
    try {
      log.markDeleted(path)
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error
      if (this.environment.disk.exists(log.directory)) {
        const what = `Error while deleting ${log.name} in dir ${directory.path}: ${messageOf(error)}`
        throw new LogError('KAFKA_STORAGE_ERROR', what)
      }
      // Somebody took it away under us: there is nothing left to keep or to remove.
      log.fail('its directory is gone')
    }
    return path
  }

  removeLater(path: string, delayMs: number): void {
    const removal = this.environment.time.after(delayMs, () => {
      this.#removals.delete(path)
      this.removeNow(path)
    })
    this.#removals.set(path, removal)
  }

  removeNow(path: string): void {
    try {
      this.environment.disk.removeTree(path)
    } catch (error) {
      this.environment.logger.warn(`${path} could not be removed: ${messageOf(error)}`)
    }
  }

  cancelRemovals(): void {
    for (const removal of this.#removals.values()) removal.cancel()
    this.#removals.clear()
  }

  noteCleaned(directory: LogDirectory, key: string, offset: number | undefined): void {
    if (directory.cleanedTo(key) === offset) return
    this.inDirectories((each) => {
      if (each === directory) each.writeCleaned(key, offset)
    })
  }

  /** Does something in every healthy directory; one whose disk fails goes offline. */
  inDirectories(act: (directory: LogDirectory) => void): void {
    for (const directory of this.directories) {
      if (directory.failure !== undefined) continue
      try {
        act(directory)
      } catch (error) {
        const code = diskErrorCode(error)
        if (code === undefined) throw error
        // A full disk may have room again later; anything else does not heal.
        if (code === 'ENOSPC' || code === 'EDQUOT') directory.noteFull(messageOf(error))
        else this.fail(directory, messageOf(error))
      }
    }
  }

  fail(directory: LogDirectory, reason: string): void {
    directory.failure = reason
    this.environment.logger.error(`Log directory ${directory.path} goes offline: ${reason}`)
    for (const log of directory.logs.values()) log.fail(`its directory failed: ${reason}`)
    this.#onDirectoryFailure?.(directory.path, reason)
  }
}
