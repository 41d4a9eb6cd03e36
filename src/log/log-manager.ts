import { StartupError } from '../config/startup-error.ts'
import { type DirectoryLock, diskErrorCode } from '../platform/disk.ts'
import type { Scheduled } from '../platform/time.ts'
import { LogError } from './append-error.ts'
import { partitionKey } from './checkpoint.ts'
import { type CleanerSettings, LogCleaner } from './cleaner/log-cleaner.ts'
import type { LogCopy } from './log-copy.ts'
import { LogDirectory } from './log-directory.ts'
import type { LogEnvironment } from './log-options.ts'
import { PartitionLog } from './partition-log.ts'
import type { LogConfig, LogDirInfo } from './types.ts'

/** The metadata log lives beside the others, and is not ours. */
const METADATA_LOG = '__cluster_metadata-0'
const MAX_FILE_NAME_CHARS = 255
/** Directories that are remembered for logs to come; anybody may name partitions that never will be. */
const MAX_PREFERRED = 10_000
const FUTURE_SUFFIX = '-future'
const DELETE_SUFFIX = '-delete'
const STRAY_SUFFIX = '-stray'

export interface LogManagerOptions {
  readonly environment: LogEnvironment
  /** log.dirs */
  readonly directories: readonly string[]
  /** Of directories that the caller has locked already; they are released with the log manager. */
  readonly locks?: ReadonlyMap<string, DirectoryLock>
  /** The settings of a topic as far as they are known when logs are loaded; the broker's for a topic named ''. */
  readonly configOf: (topic: string) => LogConfig
  /** Looks at meta.properties. Answers what is wrong with the directory, undefined when nothing is. */
  readonly checkDirectory?: (directory: string) => string | undefined
  readonly onDirectoryFailure?: (directory: string, reason: string) => void
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

interface Move {
  readonly target: LogDirectory
  readonly copy: LogCopy
  /** Settled when nothing more happens. */
  done: Promise<void>
}

/** The logs of a broker: opens them, makes and deletes them, does what is due from time to time, and closes them. */
export class LogManager {
  readonly #options: LogManagerOptions
  readonly #environment: LogEnvironment
  readonly #directories: LogDirectory[] = []
  readonly #logs = new Map<string, PartitionLog>()
  readonly #jobs = new Map<string, Scheduled>()
  /** Under way, by the key of the partition. */
  readonly #moves = new Map<string, Move>()
  /** Where logs that are not there yet were asked to be. */
  readonly #preferred = new Map<string, LogDirectory>()
  #cleaner: LogCleaner | undefined
  #previousBrokerEpoch = -1
  #isClosed = false

  private constructor(options: LogManagerOptions) {
    this.#options = options
    this.#environment = options.environment
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
      for (const directory of manager.#directories) directory.letGo()
      throw error
    }
    manager.#startJobs()
    return manager
  }

  #openAll(): void {
    const { disk, logger } = this.#environment
    const epochs: number[] = []
    for (const path of this.#options.directories) {
      const directory = new LogDirectory(disk, logger, path)
      this.#directories.push(directory)
      try {
        directory.take(this.#options.locks?.get(path))
        const problem = this.#options.checkDirectory?.(path)
        if (problem !== undefined) throw new StartupError(problem)
        epochs.push(this.#load(directory))
      } catch (error) {
        if (diskErrorCode(error) === undefined) throw error
        this.#fail(directory, messageOf(error))
      }
    }
    if (this.#directories.every((directory) => directory.failure !== undefined)) {
      const failures = this.#directories.map(({ path, failure }) => `${path} (${failure})`)
      throw new StartupError(`None of the log directories can be used: ${failures.join(', ')}`)
    }
    const first = epochs[0] ?? -1
    this.#previousBrokerEpoch = epochs.every((epoch) => epoch === first) ? first : -1
  }

  /** Answers the broker epoch of the last clean shutdown, -1 for none. */
  #load(directory: LogDirectory): number {
    const { disk, logger } = this.#environment
    const clean = directory.takeCleanShutdown()
    const checkpoints = directory.readCheckpoints()
    for (const { name, isDirectory } of disk.list(directory.path)) {
      if (!isDirectory || name === METADATA_LOG) continue
      if (name.endsWith(STRAY_SUFFIX)) {
        logger.warn(`${directory.path}/${name} is of a partition that the metadata did not know; it is left alone`)
        continue
      }
      if (name.endsWith(FUTURE_SUFFIX)) {
        logger.info(`${directory.path}/${name} is half of a move between directories, which is off`)
        this.#removeNow(`${directory.path}/${name}`)
        continue
      }
      if (name.endsWith(DELETE_SUFFIX)) {
        this.#removeLater(`${directory.path}/${name}`, this.#options.configOf('').fileDeleteDelayMs)
        continue
      }
      const match = /^([\w.-]+)-(\d{1,10})$/.exec(name)
      if (!match) {
        logger.warn(`${directory.path}/${name} is no directory of a partition and left alone`)
        continue
      }
      const key = partitionKey(match[1]!, Number(match[2]))
      if (this.#logs.has(key)) throw new StartupError(`${name} is in more than one log directory`)
      this.#open(directory, match[1]!, Number(match[2]), this.#options.configOf(match[1]!), {
        cleanShutdown: clean !== undefined,
        recoveryPoint: checkpoints.recoveryPoints.get(key) ?? 0,
        logStartOffset: checkpoints.logStarts.get(key) ?? 0,
        highWatermark: checkpoints.highWatermarks.get(key) ?? 0,
        wasCompacted: checkpoints.cleaned.has(key),
      })
    }
    return clean?.brokerEpoch ?? -1
  }

  #open(
    directory: LogDirectory,
    topic: string,
    partition: number,
    config: LogConfig,
    state: {
      topicId?: string
      cleanShutdown: boolean
      recoveryPoint: number
      logStartOffset: number
      highWatermark: number
      wasCompacted?: boolean
    },
  ): PartitionLog {
    const key = partitionKey(topic, partition)
    // With a recovery point past the end of the log, a crash could make a torn write look like damage to flushed data.
    const onTruncated = () =>
      this.#inDirectories((each) => {
        if (each !== directory) return
        each.writeRecoveryPoints()
        each.writeLogStarts()
        const end = log.logEndOffset
        if ((each.cleanedTo(key) ?? 0) > end) each.writeCleaned(key, end)
      })
    const options = { topic, partition, config, directory: `${directory.path}/${key}`, onTruncated, ...state }
    const log = PartitionLog.open(this.#environment, options)
    directory.logs.set(key, log)
    this.#logs.set(key, log)
    return log
  }

  /** The broker epoch that a clean shutdown left in all directories, -1 for none (KIP-966). */
  get previousBrokerEpoch(): number {
    return this.#previousBrokerEpoch
  }

  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#logs.get(partitionKey(topic, partition))
  }

  all(): IterableIterator<PartitionLog> {
    return this.#logs.values()
  }

  /**
   * A log for a partition, in the directory that has the fewest; the one there is, if there is one. Throws LogError
   * KAFKA_STORAGE_ERROR.
   */
  create(topic: string, partition: number, topicId: string, config: LogConfig): PartitionLog {
    const known = this.get(topic, partition)
    if (known) return known
    const healthy = this.#directories.filter((directory) => directory.failure === undefined)
    const preferred = this.#preferred.get(partitionKey(topic, partition))
    this.#preferred.delete(partitionKey(topic, partition))
    const directory = healthy.find((each) => each === preferred) ?? healthy.sort((a, b) => a.logs.size - b.logs.size)[0]
    if (!directory) throw new LogError('KAFKA_STORAGE_ERROR', 'No log directory can be used')
    try {
      directory.forget(topic, partition)
      const state = { topicId, cleanShutdown: true, recoveryPoint: 0, logStartOffset: 0, highWatermark: 0 }
      return this.#open(directory, topic, partition, config, state)
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error
      throw new LogError(
        'KAFKA_STORAGE_ERROR',
        `Error while creating log for ${topic}-${partition} in dir ${directory.path}: ${messageOf(error)}`,
      )
    }
  }

  /**
   * Moves a log into another of the directories (KIP-113): copied in the background while it is used, and replaced by the
   * copy when that has everything, of which `onMoved` is told at once. A move that is under way elsewhere is off.
   * A log that is not there yet will be made in that directory. Throws LogError.
   */
  move(topic: string, partition: number, path: string, onMoved: (log: PartitionLog) => void): void {
    const key = partitionKey(topic, partition)
    const { disk } = this.#environment
    const target = this.#directories.find((directory) => disk.absolutePath(directory.path) === path)
    const suffix = `-${partition}.${this.#environment.random.bytes(16).toString('hex')}${FUTURE_SUFFIX}`
    if (topic.length + suffix.length > MAX_FILE_NAME_CHARS) {
      throw new LogError('INVALID_TOPIC_EXCEPTION', 'The topic name is too long.')
    }
    if (!target) throw new LogError('LOG_DIR_NOT_FOUND', `Log dir ${path} is not found in the config.`)
    if (target.failure !== undefined) throw new LogError('KAFKA_STORAGE_ERROR', `Log directory ${path} is offline`)
    const log = this.#logs.get(key)
    if (!log) {
      if (this.#preferred.size < MAX_PREFERRED) this.#preferred.set(key, target)
      throw new LogError('REPLICA_NOT_AVAILABLE', `There is no log of ${topic}-${partition} yet`)
    }
    if (log.offline !== undefined) throw new LogError('KAFKA_STORAGE_ERROR', `${topic}-${partition} is offline`)
    if (this.#moves.get(key)?.target === target) return
    this.#moves.delete(key)
    if (this.#directoryOf(log) !== target) this.#startMove(log, target, `${target.path}/${topic}${suffix}`, onMoved)
  }

  #startMove(log: PartitionLog, target: LogDirectory, path: string, onMoved: (log: PartitionLog) => void): void {
    const { logger } = this.#environment
    const key = partitionKey(log.topic, log.partition)
    const mayGoOn = () => this.#moves.get(key) === move && !this.#isClosed
    const copy = log.copyTo(path, mayGoOn, () => {
      this.#moves.delete(key)
      onMoved(this.#replace(log, target, path))
      logger.info(`${log.name} is in ${target.path} now`)
    })
    const move: Move = { target, copy, done: Promise.resolve() }
    this.#moves.set(key, move)
    const giveUp = (why: string) => {
      if (this.#moves.get(key) === move) this.#moves.delete(key)
      logger.warn(`${log.name} stays where it is: ${why}`)
      this.#removeNow(path)
    }
    move.done = copy.run().then(
      (isComplete) => {
        if (!isComplete) giveUp('the move is off')
      },
      (error) => giveUp(messageOf(error)),
    )
  }

  /** The copy takes the place of the log. As with Apache Kafka both are there under this name for a moment. */
  #replace(log: PartitionLog, target: LogDirectory, path: string): PartitionLog {
    const { topic, partition, topicId, config, logEndOffset, logStartOffset, highWatermark } = log
    const key = partitionKey(topic, partition)
    const cleanedTo = this.#directoryOf(log)?.cleanedTo(key)
    this.#environment.disk.rename(path, `${target.path}/${key}`)
    this.delete(topic, partition)
    const moved = this.#open(target, topic, partition, config, {
      topicId,
      cleanShutdown: true,
      recoveryPoint: logEndOffset,
      logStartOffset,
      highWatermark,
      wasCompacted: cleanedTo !== undefined,
    })
    this.#inDirectories((each) => {
      each.writeRecoveryPoints()
      each.writeLogStarts()
      each.writeHighWatermarks()
    })
    if (cleanedTo !== undefined) this.#noteCleaned(target, key, cleanedTo)
    return moved
  }

  /** The path of the directory that a log is in. */
  directoryPathOf(topic: string, partition: number): string | undefined {
    const log = this.get(topic, partition)
    return log && this.#directoryOf(log)?.path
  }

  /**
   * The log is gone at once, its directory renamed; the files follow after file.delete.delay.ms. Appends under way are
   * still answered. Throws LogError KAFKA_STORAGE_ERROR.
   */
  delete(topic: string, partition: number): void {
    const log = this.get(topic, partition)
    this.#moves.delete(partitionKey(topic, partition))
    const path = this.#takeAway(topic, partition, DELETE_SUFFIX)
    if (log && path !== undefined) this.#removeLater(path, log.config.fileDeleteDelayMs)
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
    const key = partitionKey(topic, partition)
    const log = this.#logs.get(key)
    const directory = this.#directories.find((candidate) => candidate.logs.get(key) === log)
    if (!log || !directory) return undefined
    const suffix = `-${partition}.${this.#environment.random.bytes(16).toString('hex')}${ending}`
    const path = `${directory.path}/${topic.slice(0, MAX_FILE_NAME_CHARS - suffix.length)}${suffix}`
    try {
      log.markDeleted(path)
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error
      if (this.#environment.disk.exists(log.directory))
        throw new LogError(
          'KAFKA_STORAGE_ERROR',
          `Error while deleting ${key} in dir ${directory.path}: ${messageOf(error)}`,
        )
      // Somebody took it away under us: there is nothing left to keep or to remove.
      log.fail('its directory is gone')
    }
    this.#logs.delete(key)
    directory.logs.delete(key)
    this.#inDirectories((each) => each.writeHighWatermarks())
    return path
  }

  #removeLater(path: string, delayMs: number): void {
    const { time } = this.#environment
    const name = `remove ${path}`
    const job = time.after(delayMs, () => {
      this.#jobs.delete(name)
      this.#removeNow(path)
    })
    this.#jobs.set(name, job)
  }

  #removeNow(path: string): void {
    try {
      this.#environment.disk.removeTree(path)
    } catch (error) {
      this.#environment.logger.warn(`${path} could not be removed: ${messageOf(error)}`)
    }
  }

  /** The directories and what is in them. */
  describe(): LogDirInfo[] {
    return this.#directories.map((directory) => {
      const logs = [...directory.logs.values()].map(({ topic, partition, topicId, sizeBytes }) => ({
        topic,
        partition,
        topicId,
        sizeBytes,
        isFuture: false,
        offsetLag: 0,
      }))
      for (const [key, { target, copy }] of this.#moves) {
        if (target !== directory) continue
        const { topic, partition, topicId, logEndOffset } = this.#logs.get(key)!
        const offsetLag = logEndOffset - copy.copiedTo
        logs.push({ topic, partition, topicId, sizeBytes: copy.sizeBytes, isFuture: true, offsetLag })
      }
      const { disk } = this.#environment
      const space = directory.failure === undefined ? disk.space(directory.path) : UNKNOWN_SPACE
      return { directory: disk.absolutePath(directory.path), failure: directory.failure, ...space, logs }
    })
  }

  #startJobs(): void {
    const options = this.#options
    const initialMs = options.initialTaskDelayMs ?? 30_000
    this.#every(initialMs, options.retentionCheckIntervalMs ?? 300_000, 'retention', () => this.retireAll())
    this.#every(initialMs, options.recoveryPointIntervalMs ?? 60_000, 'recovery points', () =>
      this.#inDirectories((directory) => directory.writeRecoveryPoints()),
    )
    this.#every(initialMs, options.logStartIntervalMs ?? 60_000, 'log starts', () =>
      this.#inDirectories((directory) => directory.writeLogStarts()),
    )
    const highWatermarkMs = options.highWatermarkIntervalMs ?? 5_000
    this.#every(highWatermarkMs, highWatermarkMs, 'high watermarks', () =>
      this.#inDirectories((directory) => directory.writeHighWatermarks()),
    )
    const expiryMs = options.producerExpiryIntervalMs ?? 600_000
    this.#every(expiryMs, expiryMs, 'producers', () => {
      for (const log of this.#logs.values()) log.expireProducers()
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
      logs: () => this.#logs.values(),
      cleanedTo: (log) => this.#directoryOf(log)?.cleanedTo(keyOf(log)),
      onCleaned: (log, offset) => {
        const directory = this.#directoryOf(log)
        if (directory) this.#noteCleaned(directory, keyOf(log), offset)
      },
    })
    this.#cleaner.start()
  }

  #directoryOf(log: PartitionLog): LogDirectory | undefined {
    return this.#directories.find((directory) => directory.logs.get(log.name) === log)
  }

  #noteCleaned(directory: LogDirectory, key: string, offset: number | undefined): void {
    if (directory.cleanedTo(key) === offset) return
    this.#inDirectories((each) => {
      if (each === directory) each.writeCleaned(key, offset)
    })
  }

  #every(initialMs: number, intervalMs: number, name: string, run: () => void): void {
    const next = (delayMs: number) => {
      const job = this.#environment.time.after(delayMs, () => {
        run()
        if (!this.#isClosed) next(intervalMs)
      })
      this.#jobs.set(name, job)
    }
    next(initialMs)
  }

  /** Removes the segments of all logs that are past retention; answers how many. */
  retireAll(): number {
    let count = 0
    for (const log of this.#logs.values()) {
      try {
        count += log.retire()
      } catch (error) {
        if (diskErrorCode(error) === undefined) throw error
        this.#environment.logger.error(`Retention of ${log.name} failed: ${messageOf(error)}`)
      }
    }
    return count
  }

  #inDirectories(act: (directory: LogDirectory) => void): void {
    for (const directory of this.#directories) {
      if (directory.failure !== undefined) continue
      try {
        act(directory)
      } catch (error) {
        const code = diskErrorCode(error)
        if (code === undefined) throw error
        // A full disk may have room again later; anything else does not heal.
        if (code === 'ENOSPC' || code === 'EDQUOT') this.#environment.logger.error(messageOf(error))
        else this.#fail(directory, messageOf(error))
      }
    }
  }

  #fail(directory: LogDirectory, reason: string): void {
    directory.failure = reason
    this.#environment.logger.error(`Log directory ${directory.path} goes offline: ${reason}`)
    for (const log of directory.logs.values()) log.fail(`its directory failed: ${reason}`)
    this.#options.onDirectoryFailure?.(directory.path, reason)
  }

  /**
   * Writes and syncs everything, marks the shutdown as clean and unlocks the directories. `brokerEpoch` goes into the
   * mark, -1 for unknown.
   */
  async close(brokerEpoch = -1): Promise<void> {
    this.#stopJobs()
    await Promise.all([...this.#moves.values()].map(({ done }) => done))
    await this.#cleaner?.stop()
    for (const directory of this.#directories) {
      if (directory.failure !== undefined) continue
      const outcomes = await Promise.allSettled([...directory.logs.values()].map((log) => log.close()))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      this.#inDirectories((each) => {
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
    for (const directory of this.#directories) directory.letGo()
  }

  /** Lets go of everything without writing, as a crash would; for tests. */
  abandon(): void {
    this.#stopJobs()
    this.#cleaner?.abandon()
    for (const log of this.#logs.values()) log.closeFiles()
    for (const directory of this.#directories) directory.letGo()
  }

  #stopJobs(): void {
    this.#isClosed = true
    for (const job of this.#jobs.values()) job.cancel()
    this.#jobs.clear()
  }
}

const UNKNOWN_SPACE = { totalBytes: -1, usableBytes: -1 }

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
