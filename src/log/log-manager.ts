import { StartupError } from '../config/startup-error.ts'
import { type DirectoryLock, diskErrorCode } from '../platform/disk.ts'
import type { Scheduled } from '../platform/time.ts'
import { LogError } from './append-error.ts'
import { partitionKey } from './checkpoint.ts'
import { type CleanerSettings, LogCleaner } from './cleaner/log-cleaner.ts'
import { loadDirectory, removeMoveMarks } from './load-directory.ts'
import type { CopyPace } from './log-copy.ts'
import { LogDirectory } from './log-directory.ts'
import { LogMoves } from './log-moves.ts'
import type { LogEnvironment } from './log-options.ts'
import { messageOf } from './log-state.ts'
import { DELETE_SUFFIX, FUTURE_SUFFIX, LogStore, MAX_FILE_NAME_CHARS, STRAY_SUFFIX } from './log-store.ts'
import type { PartitionLog } from './partition-log.ts'
import type { LogConfig, LogDirInfo } from './types.ts'

/** Directories that are remembered for logs to come; anybody may name partitions that never will be. */
const MAX_PREFERRED = 10_000
/** What the name of a copy has more than the name of the log. */
const FUTURE_NAME_CHARS = '.'.length + 32 + FUTURE_SUFFIX.length

export interface LogManagerOptions {
  readonly environment: LogEnvironment
  /** log.dirs */
  readonly directories: readonly string[]
  /** Of directories that the caller has locked already; they are released with the log manager. */
  readonly locks?: ReadonlyMap<string, DirectoryLock>
  /** The settings of a topic as far as they are known when logs are loaded; the broker's for a topic named ''. */
  readonly configOf: (topic: string) => LogConfig
  /** Why directories cannot be used, by their paths [all can]: they are offline from the beginning. */
  readonly unusable?: ReadonlyMap<string, string>
  /** Whether a directory takes no new logs (KIP-1066), by its path as in `directories` [none]. */
  readonly isCordoned?: (directory: string) => boolean
  readonly onDirectoryFailure?: (directory: string, reason: string) => void
  /** Told of every log that goes offline, be it with its directory. */
  readonly onLogFailure?: (topic: string, partition: number) => void
  /** log.initial.task.delay.ms [30 s] */
  readonly initialTaskDelayMs?: number
  /** log.retention.check.interval.ms [5 min] */
  readonly retentionCheckIntervalMs?: number
  /** log.flush.offset.checkpoint.interval.ms [1 min] */
  readonly recoveryPointIntervalMs?: number
  /** log.flush.start.offset.checkpoint.interval.ms [1 min] */
  readonly logStartIntervalMs?: number
  /** replica.high.watermark.checkpoint.interval.ms [5 s] */
  readonly highWatermarkIntervalMs?: number
  /** producer.id.expiration.check.interval.ms [10 min] */
  readonly producerExpiryIntervalMs?: number
  /** How logs are compacted [not at all] */
  readonly cleaner?: () => CleanerSettings
}

/** The logs of a broker: opens them, makes and deletes them, does what is due from time to time, and closes them. */
export class LogManager {
  readonly #options: LogManagerOptions
  readonly #environment: LogEnvironment
  readonly #store: LogStore
  readonly #moves: LogMoves
  readonly #jobs = new Map<string, Scheduled>()
  /** Where logs that are not there yet were asked to be. */
  readonly #preferred = new Map<string, LogDirectory>()
  #cleaner: LogCleaner | undefined
  #previousBrokerEpoch = -1

  private constructor(options: LogManagerOptions) {
    this.#options = options
    this.#environment = options.environment
    this.#store = new LogStore(options.environment, options.onDirectoryFailure, options.onLogFailure)
    this.#moves = new LogMoves(this.#store)
  }

  /**
   * Locks the directories and loads every partition. Throws StartupError when a directory is in use or none can be used; one
   * that only fails with I/O errors is left out (`describe` says why).
   */
  static open(options: LogManagerOptions): LogManager {
    const manager = new LogManager(options)
    try {
      manager.#openAll()
    } catch (error) {
      for (const directory of manager.#store.directories) directory.letGo()
      throw error
    }
    manager.#startJobs()
    return manager
  }

  #openAll(): void {
    const { disk, logger } = this.#environment
    const { directories } = this.#store
    const epochs: number[] = []
    for (const path of this.#options.directories) {
      const directory = new LogDirectory(disk, logger, path)
      directories.push(directory)
      const problem = this.#options.unusable?.get(path)
      if (problem !== undefined) {
        this.#store.fail(directory, problem)
        continue
      }
      try {
        directory.take(this.#options.locks?.get(path))
        epochs.push(this.#load(directory))
      } catch (error) {
        if (diskErrorCode(error) === undefined) throw error
        this.#store.fail(directory, messageOf(error))
      }
    }
    if (directories.every((directory) => directory.failure !== undefined)) {
      const failures = directories.map(({ path, failure }) => `${path} (${failure})`)
      throw new StartupError(`None of the log directories can be used: ${failures.join(', ')}`)
    }
    removeMoveMarks(this.#store)
    const first = epochs[0] ?? -1
    this.#previousBrokerEpoch = epochs.every((epoch) => epoch === first) ? first : -1
  }

  #load(directory: LogDirectory): number {
    return loadDirectory(this.#store, directory, {
      configOf: this.#options.configOf,
      onCopy: (copy) => this.#moves.noteCopy(copy),
    })
  }

  /** The broker epoch that a clean shutdown left in all directories, -1 for none (KIP-966). */
  get previousBrokerEpoch(): number {
    return this.#previousBrokerEpoch
  }

  /** Paths of those that serve nothing any more. */
  failedDirectories(): string[] {
    return this.#store.directories.filter(({ failure }) => failure !== undefined).map(({ path }) => path)
  }

  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#store.logs.get(partitionKey(topic, partition))
  }

  all(): IterableIterator<PartitionLog> {
    return this.#store.logs.values()
  }

  /**
   * A log for a partition, in the directory that has the fewest; the one there is, if there is one. Cordoned directories
   * come only after all others. Throws LogError KAFKA_STORAGE_ERROR, also where the partition `hadLog` that may be in a directory that failed: an empty one would look
   * as if everything had been deleted.
   */
  create(topic: string, partition: number, topicId: string, config: LogConfig, hadLog = false): PartitionLog {
    const known = this.get(topic, partition)
    if (known) return known
    const failed = this.#store.directories.filter(({ failure }) => failure !== undefined)
    if (hadLog && failed.length > 0) {
      const paths = failed.map(({ path }) => path).join(',')
      const what = `Can not create log for ${topic}-${partition} because log directories ${paths} are offline`
      throw new LogError('KAFKA_STORAGE_ERROR', what)
    }
    const directory = this.#directoryForNew(partitionKey(topic, partition))
    const path = `${directory.path}/${partitionKey(topic, partition)}`
    const wasThere = this.#environment.disk.exists(path)
    try {
      directory.forget(topic, partition)
      const state = { topicId, cleanShutdown: true, recoveryPoint: 0, logStartOffset: 0, highWatermark: 0 }
      const log = this.#store.open(directory, topic, partition, config, state)
      this.#store.list(directory, log)
      return log
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error
      // The next try may be in another directory, and then there would be two.
      if (!wasThere) this.#store.removeNow(path)
      throw new LogError(
        'KAFKA_STORAGE_ERROR',
        `Error while creating log for ${topic}-${partition} in dir ${directory.path}: ${messageOf(error)}`,
      )
    }
  }

  #directoryForNew(key: string): LogDirectory {
    const healthy = this.#store.directories.filter((directory) => directory.failure === undefined)
    const preferred = this.#preferred.get(key)
    this.#preferred.delete(key)
    const open = healthy.filter(({ path }) => !this.#isCordoned(path))
    const emptiest = open.sort((a, b) => a.logs.size - b.logs.size)[0]
    // The partition may have been given to this broker just before the last directory was cordoned.
    const directory = healthy.find((each) => each === preferred) ?? emptiest ?? healthy[0]
    if (!directory) throw new LogError('KAFKA_STORAGE_ERROR', 'No log directory can be used')
    return directory
  }

  #isCordoned(path: string): boolean {
    return this.#options.isCordoned?.(path) ?? false
  }

  /**
   * Copies whose logs are nowhere become the logs, where the metadata has the partition in the copy's directory. To be
   * called before logs are made. Throws what the disk throws.
   */
  adoptCopies(isAssigned: (topicId: string, partition: number, directory: string) => boolean): void {
    this.#moves.adopt(isAssigned, this.#options.configOf)
  }

  /**
   * To be called when the logs are those of the metadata: moves that were interrupted go on. `onMoved` is told at once of
   * every log that has taken the place of another. `pace`: how fast all moves together may be [as fast as they can].
   */
  resumeMoves(onMoved: (log: PartitionLog) => void, pace?: CopyPace): void {
    this.#moves.resume(onMoved, pace)
  }

  /**
   * Moves a log into another of the directories (KIP-113): copied in the background while it is used, and replaced by the
   * copy when that has everything. A move that is under way elsewhere is off. A log that is not there yet will be made in
   * that directory. Throws LogError.
   */
  move(topic: string, partition: number, path: string): void {
    const key = partitionKey(topic, partition)
    const { disk } = this.#environment
    const target = this.#store.directories.find((directory) => disk.absolutePath(directory.path) === path)
    if (key.length + FUTURE_NAME_CHARS > MAX_FILE_NAME_CHARS) {
      throw new LogError('INVALID_TOPIC_EXCEPTION', 'The topic name is too long.')
    }
    if (!target) throw new LogError('LOG_DIR_NOT_FOUND', `Log dir ${path} is not found in the config.`)
    if (target.failure !== undefined) throw new LogError('KAFKA_STORAGE_ERROR', `Log directory ${path} is offline`)
    if (this.#isCordoned(target.path)) {
      throw new LogError('INVALID_REPLICA_ASSIGNMENT', `Log directory ${path} is cordoned`)
    }
    const log = this.#store.logs.get(key)
    if (!log) {
      if (this.#preferred.size < MAX_PREFERRED) this.#preferred.set(key, target)
      throw new LogError('REPLICA_NOT_AVAILABLE', `There is no log of ${topic}-${partition} yet`)
    }
    if (log.offline !== undefined) throw new LogError('KAFKA_STORAGE_ERROR', `${topic}-${partition} is offline`)
    this.#moves.start(log, target)
  }

  /** The path of the directory that a log is in. */
  directoryPathOf(topic: string, partition: number): string | undefined {
    const log = this.get(topic, partition)
    return log && this.#store.directoryOf(log)?.path
  }

  /**
   * The log is gone at once, its directory renamed; the files follow after file.delete.delay.ms. Appends under way are
   * still answered. Throws LogError KAFKA_STORAGE_ERROR.
   */
  delete(topic: string, partition: number): void {
    const log = this.get(topic, partition)
    const path = this.#takeAway(topic, partition, DELETE_SUFFIX)
    if (log && path !== undefined) this.#store.removeLater(path, log.config.fileDeleteDelayMs)
  }

  /**
   * As `delete`, but the renamed directory stays, as with Apache Kafka: for a log that the metadata does not know, which
   * may as well mean that the metadata is what was lost. Throws LogError KAFKA_STORAGE_ERROR.
   */
  setAside(topic: string, partition: number): void {
    const path = this.#takeAway(topic, partition, STRAY_SUFFIX)
    if (path !== undefined) this.#environment.logger.warn(`${topic}-${partition} is kept as ${path}`)
  }

  /** Renames a log's directory and forgets the log; answers the new path, undefined when there is no such log. */
  #takeAway(topic: string, partition: number, ending: string): string | undefined {
    const log = this.get(topic, partition)
    const directory = log && this.#store.directoryOf(log)
    if (!log || !directory) return undefined
    this.#moves.callOff(log.name)
    const path = this.#store.putAway(directory, log, ending)
    this.#store.unlist(directory, log)
    return path
  }

  /** The directories and what is in them. */
  describe(): LogDirInfo[] {
    const { disk } = this.#environment
    return this.#store.directories.map((directory) => {
      const logs = [...directory.logs.values()].map(({ topic, partition, topicId, sizeBytes }) => ({
        topic,
        partition,
        topicId,
        sizeBytes,
        isFuture: false,
        offsetLag: 0,
      }))
      const space = directory.failure === undefined ? disk.space(directory.path) : UNKNOWN_SPACE
      return {
        directory: disk.absolutePath(directory.path),
        failure: directory.failure,
        isCordoned: this.#isCordoned(directory.path),
        ...space,
        logs: [...logs, ...this.#moves.describe(directory)],
      }
    })
  }

  #startJobs(): void {
    const options = this.#options
    const initialMs = options.initialTaskDelayMs ?? 30_000
    this.#every(initialMs, options.retentionCheckIntervalMs ?? 300_000, 'retention', () => this.retireAll())
    this.#every(initialMs, options.recoveryPointIntervalMs ?? 60_000, 'recovery points', () =>
      this.#store.inDirectories((directory) => directory.writeRecoveryPoints()),
    )
    this.#every(initialMs, options.logStartIntervalMs ?? 60_000, 'log starts', () =>
      this.#store.inDirectories((directory) => directory.writeLogStarts()),
    )
    const highWatermarkMs = options.highWatermarkIntervalMs ?? 5_000
    this.#every(highWatermarkMs, highWatermarkMs, 'high watermarks', () =>
      this.#store.inDirectories((directory) => directory.writeHighWatermarks()),
    )
    const expiryMs = options.producerExpiryIntervalMs ?? 600_000
    this.#every(expiryMs, expiryMs, 'producers', () => {
      for (const log of this.#store.logs.values()) log.expireProducers()
    })
    if (options.cleaner) this.#startCleaner(options.cleaner)
  }

  #startCleaner(settings: () => CleanerSettings): void {
    const { time, logger } = this.#environment
    const keyOf = ({ topic, partition }: PartitionLog) => partitionKey(topic, partition)
    this.#cleaner = new LogCleaner({
      time,
      logger,
      settings,
      logs: () => this.#store.logs.values(),
      cleanedTo: (log) => this.#store.directoryOf(log)?.cleanedTo(keyOf(log)),
      onCleaned: (log, offset) => {
        const directory = this.#store.directoryOf(log)
        if (directory) this.#store.noteCleaned(directory, keyOf(log), offset)
      },
    })
    this.#cleaner.start()
  }

  #every(initialMs: number, intervalMs: number, name: string, run: () => void): void {
    const next = (delayMs: number) => {
      const job = this.#environment.time.after(delayMs, () => {
        run()
        if (!this.#store.isClosed) next(intervalMs)
      })
      this.#jobs.set(name, job)
    }
    next(initialMs)
  }

  /** Removes the segments of all logs that are past retention; answers how many. */
  retireAll(): number {
    let count = 0
    for (const log of this.#store.logs.values()) {
      try {
        count += log.retire()
      } catch (error) {
        if (!(error instanceof LogError) && diskErrorCode(error) === undefined) throw error
        this.#environment.logger.error(`Retention of ${log.name} failed: ${messageOf(error)}`)
      }
    }
    return count
  }

  /**
   * Writes and syncs everything, marks the shutdown as clean and unlocks the directories. `brokerEpoch` goes into the
   * mark, -1 for unknown.
   */
  async close(brokerEpoch = -1): Promise<void> {
    this.#stopJobs()
    await this.#moves.whenStill()
    await this.#cleaner?.stop()
    for (const directory of this.#store.directories) {
      if (directory.failure !== undefined) continue
      const outcomes = await Promise.allSettled([...directory.logs.values()].map((log) => log.close()))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      this.#store.inDirectories((each) => {
        if (each !== directory) return
        each.writeRecoveryPoints()
        each.writeLogStarts()
        each.writeHighWatermarks()
        const areAllSound = !failed && [...each.logs.values()].every((log) => log.offline === undefined)
        if (areAllSound) each.markCleanShutdown(brokerEpoch)
      })
      if (failed)
        this.#environment.logger.error(`Closing logs in ${directory.path} failed: ${messageOf(failed.reason)}`)
    }
    for (const directory of this.#store.directories) directory.letGo()
  }

  /** Lets go of everything without writing, as a crash would; for tests. */
  abandon(): void {
    this.#stopJobs()
    this.#cleaner?.abandon()
    for (const log of this.#store.logs.values()) log.closeFiles()
    for (const directory of this.#store.directories) directory.letGo()
  }

  #stopJobs(): void {
    this.#store.isClosed = true
    this.#store.cancelRemovals()
    for (const job of this.#jobs.values()) job.cancel()
    this.#jobs.clear()
  }
}

const UNKNOWN_SPACE = { totalBytes: -1, usableBytes: -1 }
