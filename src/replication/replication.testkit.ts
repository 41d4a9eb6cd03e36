import type { Time } from '../platform/time.ts'
import type { PartitionContext, PartitionState } from './partition.ts'

/** Of a broker 1 that is alone, unless told otherwise. */
export function partitionContext(time: Time, change: Partial<PartitionContext> = {}): PartitionContext {
  return {
    nodeId: 1,
    time,
    brokers: new Map(),
    isrChanges: { submit: () => {}, close: () => {} },
    maxLagMs: () => 30_000,
    mustVerifyTransactions: () => true,
    info: () => {},
    ...change,
  }
}

/** Partition 0 of the topic `topic`, led by broker 1, which has the only replica, in epoch 0. */
export function partitionState(change: Partial<PartitionState> = {}): PartitionState {
  return {
    topic: 'topic',
    topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    partition: 0,
    leader: 1,
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas: [1],
    isr: [1],
    leaderRecoveryState: 0,
    addingReplicas: [],
    removingReplicas: [],
    ...change,
  }
}
