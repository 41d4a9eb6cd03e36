import { diskErrorCode } from '../platform/disk.ts'
import { LogError } from './append-error.ts'
import { partitionKey } from './checkpoint.ts'
import type { CopyPace, LogCopy } from './log-copy.ts'
import type { LogDirectory } from './log-directory.ts'
import { messageOf } from './log-state.ts'
import { DELETE_SUFFIX, FUTURE_SUFFIX, type KnownState, type LogStore, STRAY_SUFFIX } from './log-store.ts'
import { removeMoveMark, writeMoveMark } from './move-mark.ts'
import type { PartitionLog } from './partition-log.ts'
import { readTopicId } from './topic-id-file.ts'
import type { LogConfig, LogDirInfo } from './types.ts'

interface Move {
  readonly target: LogDirectory
  readonly copy: LogCopy
  /** Where the copy is. */
  path: string
  /** Settled when nothing more happens. */
  done: Promise<void>
}

/** An unfinished copy that was there at the start. */
export interface FoundCopy {
  readonly topic: string
  readonly partition: number
  readonly directory: LogDirectory
  readonly path: string
  readonly state: KnownState
}

/**
 * Moves of logs between directories (KIP-113). A log is copied in the background while it is used; when the copy has
 * everything, it takes the log's place. The order of its last steps is such that a crash after any of them leaves either a
 * move that goes on at the next start, or two logs of which one is marked as the copy.
 */
export class LogMoves {
  readonly #store: LogStore
  /** Under way, by the name of the partition. */
  readonly #moves = new Map<string, Move>()
  readonly #found = new Map<string, FoundCopy>()
  #onMoved: (log: PartitionLog) => void = () => {}
  #pace: CopyPace | undefined

  constructor(store: LogStore) {
    this.#store = store
  }

  /** An unfinished copy is in a directory that is being loaded. */
  noteCopy(copy: FoundCopy): void {
    const key = partitionKey(copy.topic, copy.partition)
    if (this.#found.has(key)) {
      this.#store.environment.logger.warn(`${copy.path} is the second copy of ${key}, and is removed`)
      this.#store.removeNow(copy.path)
    } else this.#found.set(key, copy)
  }

  /**
   * Of a partition whose log is nowhere, the copy becomes the log where `isAssigned` says that the metadata has the
   * partition in that directory: it was complete before the other was lost. Throws what the disk throws.
   */
  adopt(
    isAssigned: (topicId: string, partition: number, directory: string) => boolean,
    configOf: (topic: string) => LogConfig,
  ): void {
    const { disk, logger } = this.#store.environment
    for (const [key, { topic, partition, directory, path, state }] of this.#found) {
      if (this.#store.logs.has(key) || !isAssigned(readTopicId(disk, path), partition, directory.path)) continue
      logger.warn(`${path} becomes the log of ${key}, which is nowhere else`)
      this.#found.delete(key)
      disk.rename(path, `${directory.path}/${key}`)
      disk.syncDirectory(directory.path)
      this.#store.list(directory, this.#store.open(directory, topic, partition, configOf(topic), state))
    }
  }

  /** Goes on with the moves that the last shutdown or crash interrupted. `onMoved` is told of the end of these and all others. */
  resume(onMoved: (log: PartitionLog) => void, pace?: CopyPace): void {
    this.#onMoved = onMoved
    this.#pace = pace
    const { disk } = this.#store.environment
    for (const [key, { topic, partition, directory, path }] of this.#found) {
      const log = this.#store.logs.get(key)
      const topicId = readTopicId(disk, path)
      if (!log || (topicId !== '' && topicId !== log.topicId)) {
        this.#setAside(path, this.#store.pathFor(directory, topic, partition, STRAY_SUFFIX))
      } else if (this.#store.directoryOf(log) === directory) this.#store.removeNow(path)
      // A log that is offline keeps its copy for a start at which it is not.
      else if (log.offline === undefined) this.#run(log, directory, path)
    }
    this.#found.clear()
  }

  #setAside(path: string, newPath: string): void {
    const { disk, logger } = this.#store.environment
    try {
      disk.rename(path, newPath)
      logger.warn(`${path} is of a partition that the metadata does not know; it is kept as ${newPath}`)
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error
      logger.warn(`${path} could not be renamed: ${messageOf(error)}`)
    }
  }

  /** Moves a log into another directory; a move that is under way elsewhere is off. */
  start(log: PartitionLog, target: LogDirectory): void {
    if (this.#moves.get(log.name)?.target === target) return
    this.callOff(log.name)
    if (this.#store.directoryOf(log) === target) return
    this.#run(log, target, this.#store.pathFor(target, log.topic, log.partition, FUTURE_SUFFIX))
  }

  /** The log of this name stays where it is, or goes for good. A crash must not bring the move back. */
  callOff(key: string): void {
    const move = this.#moves.get(key)
    if (move === undefined) return
    this.#moves.delete(key)
    const { disk, logger } = this.#store.environment
    const path = `${move.path.slice(0, -FUTURE_SUFFIX.length)}${DELETE_SUFFIX}`
    try {
      if (disk.exists(move.path)) disk.rename(move.path, path)
      move.path = path
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error
      logger.warn(`${move.path} could not be renamed: ${messageOf(error)}`)
    }
  }

  #run(log: PartitionLog, target: LogDirectory, path: string): void {
    const { logger } = this.#store.environment
    const mayGoOn = () => this.#moves.get(log.name) === move && !this.#store.isClosed
    const onComplete = () => {
      const moved = this.#complete(log, target, path)
      this.#moves.delete(log.name)
      this.#onMoved(moved)
      logger.info(`${log.name} is in ${target.path} now`)
    }
    const copy = log.copyTo(path, mayGoOn, onComplete, this.#pace)
    const move: Move = { target, copy, path, done: Promise.resolve() }
    this.#moves.set(log.name, move)
    const end = (why: string) => {
      // The next start goes on with it.
      if (this.#store.isClosed) return
      if (this.#moves.get(log.name) === move) this.#moves.delete(log.name)
      logger.warn(`${log.name} stays where it is: ${why}`)
      this.#store.removeNow(move.path)
    }
    move.done = copy.run().then(
      (isComplete) => {
        if (!isComplete) end('the move is off')
      },
      (error) => end(messageOf(error)),
    )
  }

  /** The copy takes the place of the log. As with Apache Kafka both are there under this name for a moment. */
  #complete(log: PartitionLog, target: LogDirectory, path: string): PartitionLog {
    const store = this.#store
    const source = store.directoryOf(log)!
    const moved = this.#rename(log, source, target, path)
    store.unlist(source, log)
    store.list(target, moved)
    try {
      store.removeLater(store.putAway(source, log, DELETE_SUFFIX), log.config.fileDeleteDelayMs)
      removeMoveMark(store.environment.disk, moved.directory)
    } catch (error) {
      if (!(error instanceof LogError) && diskErrorCode(error) === undefined) throw error
      // The next start finds both, and the mark.
      log.fail(`it was moved to ${target.path}`)
      store.fail(source, messageOf(error))
    }
    store.inDirectories((each) => {
      each.writeRecoveryPoints()
      each.writeLogStarts()
      each.writeHighWatermarks()
    })
    return moved
  }

  /** Gives the copy its final name and opens it; where that fails, everything is as it was. Throws what the disk throws. */
  #rename(log: PartitionLog, source: LogDirectory, target: LogDirectory, path: string): PartitionLog {
    const { disk } = this.#store.environment
    const { topic, partition, topicId, config, logEndOffset, logStartOffset, highWatermark, firstSegmentOffset } = log
    const cleanedTo = source.cleanedTo(log.name)
    const place = `${target.path}/${log.name}`
    // What the checkpoints do not say of a log at its first start, it has lost: deleted records come back, and gaps that
    // compaction made look like damage.
    const state = { recoveryPoint: logEndOffset, logStartOffset, highWatermark }
    target.arriving.set(log.name, { ...state, topic, partition, firstSegmentOffset })
    try {
      target.writeRecoveryPoints()
      target.writeLogStarts()
      target.writeHighWatermarks()
      if (cleanedTo !== undefined) target.writeCleaned(log.name, cleanedTo)
      writeMoveMark(disk, path, log.directory)
      disk.rename(path, place)
    } finally {
      target.arriving.delete(log.name)
    }
    try {
      disk.syncDirectory(target.path)
      const wasCompacted = cleanedTo !== undefined
      const opened = { ...state, topicId, cleanShutdown: true, wasCompacted }
      const moved = this.#store.open(target, topic, partition, config, opened)
      if (moved.offline === undefined) return moved
      moved.closeFiles()
      throw new LogError('KAFKA_STORAGE_ERROR', moved.offline)
    } catch (error) {
      disk.rename(place, path)
      throw error
    }
  }

  /** The copies that are being made in a directory. */
  describe(directory: LogDirectory): LogDirInfo['logs'] {
    return [...this.#moves].flatMap(([key, { target, copy }]) => {
      if (target !== directory) return []
      const { topic, partition, topicId, logEndOffset } = this.#store.logs.get(key)!
      const offsetLag = logEndOffset - copy.copiedTo
      return [{ topic, partition, topicId, sizeBytes: copy.sizeBytes, isFuture: true, offsetLag }]
    })
  }

  /** Resolves when no move does anything any more; the store must be closed. */
  async whenStill(): Promise<void> {
    await Promise.all([...this.#moves.values()].map(({ done }) => done))
  }
}
