import type { Partition } from './partition.ts'

/** Whoever copies the logs of leaders to the replicas of this broker that follow. */
export interface Followers {
  /** This broker follows the partition's leader now, in the partition's epoch. Called again on every change. */
  follow(partition: Partition): void
  /** This broker leads, nobody does, or the replica is gone. */
  stop(partition: Partition): void
}
