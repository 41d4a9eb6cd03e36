import type { BrokerConfig } from '../config/broker-config.ts'
import { StartupError } from '../config/startup-error.ts'
import { resolveTopicConfig } from '../config/topic-config.ts'
import type { CleanerSettings } from '../log/cleaner/log-cleaner.ts'
import { LogManager, type LogManagerOptions } from '../log/log-manager.ts'
import type { ReadBuffers } from '../log/read-buffers.ts'
import { TailBudget } from '../log/tail-cache.ts'
import { type DirectoryFailures, type LoadedDirectories, openDirectories } from '../metadata/format/format.ts'
import { takeDirectory } from '../metadata/format/take-directory.ts'
import { type DirectoryLock, diskErrorCode } from '../platform/disk.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import { logConfigOf } from './log-config.ts'

/** The newest bytes of one partition that are kept in memory, and of all of them together. */
const TAIL_CACHE_BYTES = 8 * 1024 * 1024
const TAIL_BUDGET_BYTES = 64 * 1024 * 1024

/** The directories of a node, locked, checked and loaded. */
export interface Storage {
  readonly clusterId: string
  /** directory.id of the metadata log's directory. */
  readonly metadataDirectoryId: string
  /** directory.id of every log directory that has one, by its path. */
  readonly directoryIds: ReadonlyMap<string, string>
  readonly logs: LogManager
  /** Lets go of directories that hold no partitions; the others go with `logs`. */
  release(): void
}

/** Who hears of it when a directory, or a single log, goes offline. */
type StorageFailures = Pick<LogManagerOptions, 'onDirectoryFailure' | 'onLogFailure'>

/**
 * Locks the directories, finds out whose they are (formatting them where that may be), and loads the partitions. Throws
 * StartupError, and then has touched nothing. A log directory whose disk fails is offline from the beginning. `failures` are
 * told of what goes offline later.
 */
export function openStorage(
  config: BrokerConfig,
  platform: Platform,
  logger: Logger,
  readBuffers: ReadBuffers,
  failures: StorageFailures,
): Storage {
  const locks = new Map<string, DirectoryLock>()
  const release = () => {
    for (const lock of locks.values()) lock.release()
    locks.clear()
  }
  const unusable: DirectoryFailures = new Map()
  try {
    for (const directory of config.allDirs) {
      const lock = lockDirectory(platform, config, directory, locks.keys(), unusable)
      if (lock !== undefined) locks.set(directory, lock)
    }
    const loaded = openDirectories(platform, config, undefined, unusable)
    const logs = openLogs(config, platform, logger, readBuffers, { locks, unusable, ...failures })
    for (const directory of config.logDirs) if (!unusable.has(directory)) locks.delete(directory)
    refuseWithoutMetadata(config, logs)
    return { ...idsOf(config, loaded), logs, release }
  } catch (error) {
    release()
    throw asStartupError(error)
  }
}

/** What the disk of the metadata log does to other files it will do to that. Throws StartupError. */
function refuseWithoutMetadata({ metadataLogDir }: BrokerConfig, logs: LogManager): void {
  if (!logs.failedDirectories().includes(metadataLogDir)) return
  logs.abandon()
  throw new StartupError(`${metadataLogDir}, where the metadata log is, cannot be used`)
}

/** undefined where it fails, and the node can do without it. */
function lockDirectory(
  { disk }: Platform,
  { metadataLogDir }: BrokerConfig,
  directory: string,
  taken: Iterable<string>,
  unusable: DirectoryFailures,
): DirectoryLock | undefined {
  try {
    return takeDirectory(disk, directory, taken)
  } catch (error) {
    if (diskErrorCode(error) === undefined || directory === metadataLogDir) throw error
    unusable.set(directory, (error as Error).message)
    return undefined
  }
}

function asStartupError(error: unknown): unknown {
  const code = diskErrorCode(error)
  return code === undefined ? error : new StartupError(`The data directory cannot be used: ${(error as Error).message}`)
}

function idsOf(config: BrokerConfig, { clusterId, directoryIds }: LoadedDirectories) {
  const ids = new Map<string, string>()
  for (const directory of config.logDirs) {
    const id = directoryIds.get(directory)
    if (id !== undefined) ids.set(directory, id)
  }
  const metadataDirectoryId = directoryIds.get(config.metadataLogDir)
  if (metadataDirectoryId === undefined) throw new StartupError(`${config.metadataLogDir} has no directory.id`)
  return { clusterId, metadataDirectoryId, directoryIds: ids }
}

function openLogs(
  config: BrokerConfig,
  platform: Platform,
  logger: Logger,
  readBuffers: ReadBuffers,
  found: StorageFailures & Pick<LogManagerOptions, 'locks' | 'unusable'>,
): LogManager {
  const defaults = logConfigOf(resolveTopicConfig(new Map(), config))
  return LogManager.open({
    environment: {
      disk: platform.disk,
      time: platform.time,
      random: platform.random,
      logger,
      producerIdExpirationMs: config.get('producer.id.expiration.ms'),
      tailCacheBytes: TAIL_CACHE_BYTES,
      tailBudget: new TailBudget(TAIL_BUDGET_BYTES),
      readBuffers,
    },
    directories: config.logDirs,
    isCordoned: (directory) => config.cordonedLogDirs.includes(directory),
    ...found,
    // The topics' own settings follow with the metadata.
    configOf: () => defaults,
    initialTaskDelayMs: config.get('log.initial.task.delay.ms'),
    retentionCheckIntervalMs: config.get('log.retention.check.interval.ms'),
    recoveryPointIntervalMs: config.get('log.flush.offset.checkpoint.interval.ms'),
    logStartIntervalMs: config.get('log.flush.start.offset.checkpoint.interval.ms'),
    highWatermarkIntervalMs: config.get('replica.high.watermark.checkpoint.interval.ms'),
    producerExpiryIntervalMs: config.get('producer.id.expiration.check.interval.ms'),
    ...(config.get('log.cleaner.enable') ? { cleaner: () => cleanerSettings(config) } : {}),
  })
}

function cleanerSettings(config: BrokerConfig): CleanerSettings {
  return {
    backoffMs: config.get('log.cleaner.backoff.ms'),
    dedupeBufferBytes: config.get('log.cleaner.dedupe.buffer.size'),
    loadFactor: config.get('log.cleaner.io.buffer.load.factor'),
    ioBufferBytes: config.get('log.cleaner.io.buffer.size'),
    maxBytesPerSecond: config.get('log.cleaner.io.max.bytes.per.second'),
  }
}
