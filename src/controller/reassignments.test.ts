import { describe, expect, test } from 'vitest'
import type { PartitionImage } from '../metadata/types.ts'
import { errorOfCode } from '../protocol/errors.ts'
import { apply, clusterOf, directoryOf, type TestCluster } from './partitions.testkit.ts'
import { alterReassignments, listReassignments } from './reassignments.ts'
import type { DecisionContext } from './result.ts'

const BROKERS = [1, 2, 3, 4, 5].map((id) => ({ id }))

function clusterWith(partition: Partial<PartitionImage>, more: TestCluster = {}): DecisionContext {
  return clusterOf({ brokers: BROKERS, partitions: [{ replicas: [1, 2], ...partition }], ...more })
}

function move(context: DecisionContext, replicas: number[] | null, allowReplicationFactorChange = true) {
  const topics = [{ name: 't', partitions: [{ partitionIndex: 0, replicas }] }]
  const { records, response } = alterReassignments(context, { timeoutMs: 0, allowReplicationFactorChange, topics })
  const { errorCode } = response.responses[0]!.partitions[0]!
  return { error: errorOfCode(errorCode).name, count: records.length, after: apply(context, records) }
}

const ongoing = (context: DecisionContext) => listReassignments(context.head, { timeoutMs: 0, topics: null }).topics

describe('a move (KIP-455)', () => {
  test('to another order is done at once; to the same order writes nothing', () => {
    const context = clusterWith({})
    expect(move(context, [1, 2])).toMatchObject({ error: 'NONE', count: 0 })
    const after = { replicas: [2, 1], addingReplicas: [], leader: 1, leaderEpoch: 0 }
    expect(move(context, [2, 1])).toMatchObject({ count: 1, after })
    expect(context.head.topics.partition('t', 0)!.directories).toEqual([directoryOf(2), directoryOf(1)])
  })

  test('to fewer is done at once where they are in sync, and one that stays leads', () => {
    const { after } = move(clusterWith({}), [2])
    expect(after).toMatchObject({ replicas: [2], isr: [2], leader: 2, removingReplicas: [], leaderEpoch: 1 })
    expect(after.directories).toEqual([directoryOf(2)])
    const behind = move(clusterWith({ isr: [1] }), [2]).after
    expect(behind).toMatchObject({ replicas: [2, 1], removingReplicas: [1], isr: [1], leader: 1 })
  })

  test('to another broker waits until that one is in sync, and is listed until it is called off', () => {
    const context = clusterWith({})
    const moved = { replicas: [1, 3, 2], addingReplicas: [3], removingReplicas: [2] }
    const { after } = move(context, [1, 3])
    expect(after).toMatchObject({ ...moved, isr: [1, 2], leader: 1, leaderEpoch: 0 })
    expect(after.directories).toEqual([directoryOf(1), directoryOf(3), directoryOf(2)])
    expect(ongoing(context)).toEqual([{ name: 't', partitions: [{ partitionIndex: 0, ...moved }] }])
    const back = { replicas: [1, 2], addingReplicas: [], removingReplicas: [], leaderEpoch: 1 }
    expect(move(context, null)).toMatchObject({ error: 'NONE', after: back })
    expect(ongoing(context)).toEqual([])
    expect(move(context, null).error).toBe('NO_REASSIGNMENT_IN_PROGRESS')
  })

  test('is replaced as a whole by another', () => {
    const context = clusterWith({})
    move(context, [1, 3])
    expect(move(context, [1, 4]).after).toMatchObject({
      replicas: [1, 4, 2, 3],
      addingReplicas: [4],
      removingReplicas: [2, 3],
    })
    // One that is still to come is still waited for, and one that was to go may stay after all.
    expect(move(context, [1, 2, 4]).after).toMatchObject({ addingReplicas: [4], removingReplicas: [3] })
    expect(move(context, [1, 2]).after).toMatchObject({ replicas: [1, 2], addingReplicas: [], removingReplicas: [] })
  })

  test('keeps the number of replicas where it must (KIP-860)', () => {
    expect(move(clusterWith({}), [1], false).error).toBe('INVALID_REPLICATION_FACTOR')
    const context = clusterWith({})
    expect(move(context, [3, 4], false).error).toBe('NONE')
    // Counted without those that go.
    expect(move(context, [3, 5], false).error).toBe('NONE')
    expect(move(context, [3, 4, 5], false).error).toBe('INVALID_REPLICATION_FACTOR')
  })

  test('names brokers that there are', () => {
    expect(move(clusterWith({}), [1, 9]).error).toBe('INVALID_REPLICA_ASSIGNMENT')
    expect(move(clusterWith({}), []).error).toBe('INVALID_REPLICA_ASSIGNMENT')
  })

  test('is not called off where only those that came are in sync, unless records may be lost', () => {
    const lost = { replicas: [3, 1, 2], addingReplicas: [3], removingReplicas: [1, 2], isr: [3], leader: 3 }
    expect(move(clusterWith(lost), null).error).toBe('INVALID_REPLICA_ASSIGNMENT')
    const topicConfigs = { 'unclean.leader.election.enable': 'true' }
    const { after } = move(clusterWith(lost, { topicConfigs }), null)
    expect(after).toMatchObject({ replicas: [1, 2], isr: [1], leader: 1, addingReplicas: [] })
  })
})
