import { describe, expect, test } from 'vitest'
import type { PartitionImage } from '../metadata/types.ts'
import { type ErrorName, errorOfCode } from '../protocol/errors.ts'
import { alterPartition } from './alter-partition.ts'
import { apply, clusterOf, type TestCluster, TOPIC_ID } from './partitions.testkit.ts'
import type { DecisionContext } from './result.ts'

interface Ask {
  readonly isr: readonly number[]
  /** By broker id; the right one where left out. */
  readonly epochs?: Readonly<Record<number, number>>
  readonly leader?: number
  readonly leaderEpoch?: number
  readonly partitionEpoch?: number
  readonly recovery?: number
  readonly topicId?: string
  readonly partition?: number
  readonly version?: number
}

function ask(context: DecisionContext, asked: Ask) {
  const { isr, leader = 1, version = 3, epochs = {} } = asked
  const state = context.head.topics.partition('t', 0)!
  const partition = {
    partitionIndex: asked.partition ?? 0,
    leaderEpoch: asked.leaderEpoch ?? state.leaderEpoch,
    partitionEpoch: asked.partitionEpoch ?? state.partitionEpoch,
    leaderRecoveryState: asked.recovery ?? 0,
    newIsr: version < 3 ? [...isr] : [],
    newIsrWithEpochs: isr.map((id) => ({ brokerId: id, brokerEpoch: epochs[id] ?? id * 100 })),
  }
  const topics = [{ topicId: asked.topicId ?? TOPIC_ID, topicName: '', partitions: [partition] }]
  const { records, response } = alterPartition(
    context,
    { brokerId: leader, brokerEpoch: leader * 100, topics },
    version,
  )
  const answer = response.topics[0]!.partitions[0]!
  return { error: errorOfCode(answer.errorCode).name, answer, count: records.length, after: apply(context, records) }
}

/** Who is in sync as the cluster knows it. */
function refusal(cluster: TestCluster, asked: Ask): ErrorName {
  const { error, count } = ask(clusterOf(cluster), asked)
  expect(count).toBe(0)
  return error
}

const shrunk: Partial<PartitionImage> = { isr: [1], leaderEpoch: 5, partitionEpoch: 7 }

describe('alterPartition (KIP-497)', () => {
  test('makes fewer or more be in sync without a new epoch of the leader', () => {
    const context = clusterOf()
    const less = ask(context, { isr: [1, 3] })
    expect(less).toMatchObject({ error: 'NONE', after: { isr: [1, 3], leaderEpoch: 0, partitionEpoch: 1 } })
    const result = { leaderId: 1, leaderEpoch: 0, isr: [1, 3], partitionEpoch: 1, leaderRecoveryState: 0 }
    expect(less.answer).toEqual({ partitionIndex: 0, errorCode: 0, ...result })
    expect(ask(context, { isr: [1, 3, 2] }).after).toMatchObject({ isr: [1, 3, 2], leaderEpoch: 0, partitionEpoch: 2 })
  })

  test('what is so already is written nowhere', () => {
    const { error, count, answer } = ask(clusterOf({ partitions: [shrunk] }), { isr: [1] })
    expect({ error, count, partitionEpoch: answer.partitionEpoch }).toEqual({
      error: 'NONE',
      count: 0,
      partitionEpoch: 7,
    })
  })

  test('below min.insync.replicas, who falls behind stays eligible until enough are in sync (KIP-966)', () => {
    const context = clusterOf({ minIsr: 2 })
    expect(ask(context, { isr: [1] }).after).toMatchObject({ isr: [1], elr: [2, 3] })
    expect(ask(context, { isr: [1, 3] }).after).toMatchObject({ isr: [1, 3], elr: [] })
  })

  test.each<[string, ErrorName, Ask]>([
    ['an unknown topic', 'UNKNOWN_TOPIC_ID', { isr: [1], topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
    ['an unknown partition', 'UNKNOWN_TOPIC_OR_PARTITION', { isr: [1], partition: 9 }],
    ['a leader epoch from the future', 'NOT_CONTROLLER', { isr: [1, 2], leaderEpoch: 6 }],
    ['a partition epoch from the future', 'NOT_CONTROLLER', { isr: [1, 2], partitionEpoch: 8 }],
    ['an old leader epoch', 'FENCED_LEADER_EPOCH', { isr: [1, 2], leaderEpoch: 4 }],
    ['somebody who does not lead', 'INVALID_REQUEST', { isr: [1, 2], leader: 2 }],
    ['an old partition epoch', 'INVALID_UPDATE_VERSION', { isr: [1, 2], partitionEpoch: 6 }],
    ['brokers that are no replicas', 'INVALID_REQUEST', { isr: [1, 4] }],
    ['one broker twice', 'INVALID_REQUEST', { isr: [1, 2, 2] }],
    ['no leader', 'INVALID_REQUEST', { isr: [2, 3] }],
    ['nobody', 'INVALID_REQUEST', { isr: [] }],
    ['others in sync while it recovers', 'INVALID_REQUEST', { isr: [1, 2], recovery: 1 }],
    ['that it recovers again', 'INVALID_REQUEST', { isr: [1], recovery: 1 }],
    ['another life of a broker (KIP-903)', 'INELIGIBLE_REPLICA', { isr: [1, 2], epochs: { 2: 199 } }],
  ])('is refused with %s: %s', (_what, error, asked) => {
    expect(refusal({ partitions: [shrunk] }, asked)).toBe(error)
  })

  test.each([
    ['fenced', { id: 2, fenced: true }],
    ['about to shut down', { id: 2, inControlledShutdown: true }],
  ])('refuses a broker that is %s (KIP-841)', (_what, two) => {
    expect(refusal({ brokers: [{ id: 1 }, two, { id: 3 }], partitions: [shrunk] }, { isr: [1, 2] })).toBe(
      'INELIGIBLE_REPLICA',
    )
  })

  test('version 2 knows no epochs of brokers, and epoch -1 is any', () => {
    expect(ask(clusterOf({ partitions: [shrunk] }), { isr: [1, 2], version: 2 }).after.isr).toEqual([1, 2])
    expect(ask(clusterOf({ partitions: [shrunk] }), { isr: [1, 2], epochs: { 2: -1 } }).after.isr).toEqual([1, 2])
  })

  test('a leader has recovered once it says so (KIP-704)', () => {
    const context = clusterOf({ partitions: [{ isr: [1], leaderRecoveryState: 1 }] })
    expect(ask(context, { isr: [1], recovery: 1 })).toMatchObject({ error: 'NONE', count: 0 })
    const { after, answer } = ask(context, { isr: [1, 2] })
    expect(after).toMatchObject({ isr: [1, 2], leaderRecoveryState: 0, leaderEpoch: 0 })
    expect(answer.leaderRecoveryState).toBe(0)
    expect(() => ask(context, { isr: [1], recovery: 2 })).toThrow()
  })

  test('a broker of another epoch is not listened to', () => {
    const context = clusterOf()
    const request = { brokerId: 1, brokerEpoch: 99, topics: [] }
    expect(() => alterPartition(context, request, 3)).toThrow('Expected broker epoch 100, but got broker epoch 99')
    expect(() => alterPartition(context, { ...request, brokerId: 7 }, 3)).toThrow('No broker registration found')
  })
})

describe('alterPartition ends a move (KIP-455)', () => {
  const move = { replicas: [4, 1, 2], addingReplicas: [4], removingReplicas: [1, 2], isr: [1, 2] }
  const brokers = [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }]

  test('when all that come are in sync, and tells the leader that it is none any longer', () => {
    const context = clusterOf({ brokers, partitions: [{ ...move, leader: 1 }] })
    const { error, after } = ask(context, { isr: [1, 2, 4] })
    expect(error).toBe('NEW_LEADER_ELECTED')
    expect(after).toMatchObject({ replicas: [4], isr: [4], leader: 4, leaderEpoch: 1 })
    expect(after).toMatchObject({ addingReplicas: [], removingReplicas: [] })
    expect(after.directories).toHaveLength(1)
  })

  test('a leader that stays gets a new epoch, as those that go must hear of it', () => {
    const stays = { ...move, replicas: [1, 4, 2], removingReplicas: [2], leader: 1 }
    const context = clusterOf({ brokers, partitions: [stays] })
    const { error, after, answer } = ask(context, { isr: [1, 2, 4] })
    expect(error).toBe('NONE')
    expect(after).toMatchObject({ replicas: [1, 4], isr: [1, 4], leader: 1, leaderEpoch: 1 })
    expect(answer).toMatchObject({ leaderEpoch: 1, partitionEpoch: 1, isr: [1, 4] })
  })

  test('not before; where fewer shall stay, all that stay must be in sync', () => {
    const fewer = { replicas: [3, 4, 1, 2], addingReplicas: [4], removingReplicas: [1, 2], isr: [1, 2], leader: 1 }
    const context = clusterOf({ brokers, partitions: [fewer] })
    expect(ask(context, { isr: [1, 2, 4] }).after).toMatchObject({ replicas: [3, 4, 1, 2], isr: [1, 2, 4] })
    expect(ask(context, { isr: [1, 2, 3, 4] }).after).toMatchObject({ replicas: [3, 4], isr: [3, 4], leader: 3 })
  })
})
