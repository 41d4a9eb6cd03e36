import type { Partition } from '../partition.ts'
import type { Asked } from './fetch-session.ts'

/**
 * `starting`: what was appended to it as a leader may still be on its way to the disk. `fetching`. `delayed`: after an
 * error, for a while. `throttled`: until the rate is below its limit. `failed`: until the next leader epoch. `stopped`: it is not
 * followed any more, or by another object.
 */
export type FollowedStatus = 'starting' | 'fetching' | 'delayed' | 'throttled' | 'failed' | 'stopped'

/** A partition that is followed, within one epoch of its leader. */
export class FollowedPartition {
  readonly partition: Partition
  readonly leaderEpoch: number
  status: FollowedStatus = 'starting'
  /** By how many offsets the log is behind the leader's high watermark; undefined until the first answer. */
  lag: number | undefined
  /** Errors in a row. */
  failures = 0
  /** While `delayed`. */
  dueMs = 0

  constructor(partition: Partition) {
    this.partition = partition
    this.leaderEpoch = partition.leaderEpoch
  }

  /** Whether it is to be fetched now. */
  get isReady(): boolean {
    return this.status === 'fetching'
  }

  /** Whether what was asked in this epoch may still be carried out. To be asked again after every pause. */
  get isCurrent(): boolean {
    const { status, partition, leaderEpoch } = this
    return status !== 'stopped' && status !== 'failed' && partition.leaderEpoch === leaderEpoch && !partition.isLeader
  }

  /** What there is to ask of the leader. */
  wanted(): Asked {
    const { log } = this.partition
    return {
      offset: log.logEndOffset,
      logStartOffset: log.logStartOffset,
      leaderEpoch: this.leaderEpoch,
      lastFetchedEpoch: log.latestEpoch ?? -1,
    }
  }

  toString(): string {
    return this.partition.toString()
  }
}
