import type { Disk, DiskEntry } from '../platform/disk.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import type { Time } from '../platform/time.ts'
import type { ReadBuffers } from './read-buffers.ts'
import type { TailBudget } from './tail-cache.ts'
import type { LogConfig } from './types.ts'

/** What all logs of a broker share. */
export interface LogEnvironment {
  readonly disk: Disk
  readonly time: Time
  readonly random: Random
  readonly logger: Logger
  /** producer.id.expiration.ms */
  readonly producerIdExpirationMs: number
  /** The newest bytes of each log that are kept in memory for readers at its end; 0 for none. */
  readonly tailCacheBytes: number
  readonly tailBudget: TailBudget
  readonly readBuffers: ReadBuffers
}

export interface PartitionLogOptions {
  readonly topic: string
  readonly partition: number
  /** The directory of the partition; made if missing. */
  readonly directory: string
  /** What is in the directory, where that is known: it is there then. */
  readonly entries?: readonly DiskEntry[]
  readonly config: LogConfig
  /** Written into `partition.metadata` of a log that has none. */
  readonly topicId?: string
  /** From recovery-point-offset-checkpoint. [0] */
  readonly recoveryPoint?: number
  /** From log-start-offset-checkpoint. [0] */
  readonly logStartOffset?: number
  /** From replication-offset-checkpoint. [the log start] */
  readonly highWatermark?: number
  /** Whether the last shutdown was clean, so that nothing needs to be scanned. [false] */
  readonly cleanShutdown?: boolean
  /** Whether the log was ever compacted, by cleaner-offset-checkpoint. [false] */
  readonly wasCompacted?: boolean
  /** Told after a truncation, which may have moved the recovery point and the log start back. */
  readonly onTruncated?: () => void
  /** Told when an I/O error put the log offline. */
  readonly onOffline?: (log: { readonly directory: string }, reason: string) => void
}
