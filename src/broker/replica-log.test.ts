import { beforeEach, describe, expect, test } from 'vitest'
import { CoordinatorError } from '../coordinator/coordinator-error.ts'
import { LogError } from '../log/append-error.ts'
import { openLog, type TestEnvironment, testEnvironment } from '../log/testkit.ts'
import { BatchView } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import { Partition, type PartitionState } from '../replication/partition.ts'
import { partitionContext, partitionState } from '../replication/replication.testkit.ts'
import { ReplicaLog } from './replica-log.ts'

let environment: TestEnvironment
let partition: Partition
let log: ReplicaLog

/** Led by broker 1 in epoch 4, with a replica on broker 2. */
function state(change: Partial<PartitionState> = {}): PartitionState {
  return partitionState({ leaderEpoch: 4, replicas: [1, 2], isr: [1, 2], ...change })
}

beforeEach(() => {
  environment = testEnvironment()
  partition = new Partition(partitionContext(environment.time), state(), openLog(environment), 2)
  log = new ReplicaLog({ get: (topic, index) => (topic === 't' && index === 0 ? partition : undefined) }, 't', 10)
})

function batch(value: string): Buffer {
  return buildBatch([{ timestamp: 0, key: null, value: Buffer.from(value) }])
}

/** Broker 2 has all before `offset`. */
function follow(offset: number): void {
  partition.fetchedBy({ brokerId: 2, brokerEpoch: -1, offset, logStartOffset: 0 })
}

function watch<T>(promise: Promise<T>) {
  const outcome: { value?: T; error?: string | undefined } = {}
  promise.then(
    (value) => {
      outcome.value = value
    },
    (error) => {
      outcome.error = error instanceof CoordinatorError || error instanceof LogError ? error.error.name : String(error)
    },
  )
  return outcome
}

async function load(): Promise<number[]> {
  const offsets: number[] = []
  for await (const chunk of log.read(0)) for (const bytes of chunk) offsets.push(new BatchView(bytes).baseOffset)
  return offsets
}

const settle = () => environment.time.advance(0)

describe('the log of a coordinator', () => {
  test('an append is over when all in sync have it', async () => {
    const append = watch(log.append(0, batch('a'), 4))
    await settle()
    expect(append).toEqual({})
    follow(1)
    await settle()
    expect(append).toEqual({ value: { baseOffset: 0 } })
  })

  test('who leads no more writes nothing, and neither does who led before', async () => {
    const old = watch(log.append(0, batch('a'), 3))
    partition.update(state({ leader: 2, leaderEpoch: 5, partitionEpoch: 1 }))
    const after = watch(log.append(0, batch('a'), 4))
    await settle()
    expect([old.error, after.error]).toEqual(['NOT_LEADER_OR_FOLLOWER', 'NOT_LEADER_OR_FOLLOWER'])
    expect(partition.log.logEndOffset).toBe(0)
  })

  test('with too few in sync nothing is written', async () => {
    partition.update(state({ isr: [1], partitionEpoch: 1 }))
    const append = watch(log.append(0, batch('a'), 4))
    await settle()
    expect(append.error).toBe('NOT_ENOUGH_REPLICAS')
    expect(partition.log.logEndOffset).toBe(0)
  })

  test('too few in sync after the append: it is neither done nor taken back', async () => {
    const append = watch(log.append(0, batch('a'), 4))
    await settle()
    partition.update(state({ isr: [1], partitionEpoch: 1 }))
    await environment.time.advance(60_000)
    expect(append).toEqual({})
    partition.update(state({ partitionEpoch: 2 }))
    follow(1)
    await settle()
    expect(append).toEqual({ value: { baseOffset: 0 } })
  })

  test('an append outlives a new epoch of the same leader', async () => {
    const append = watch(log.append(0, batch('a'), 4))
    await settle()
    partition.update(state({ leaderEpoch: 5, partitionEpoch: 1 }))
    follow(1)
    await settle()
    expect(append).toEqual({ value: { baseOffset: 0 } })
  })

  test('an append that is overtaken by another leader is not known to have failed', async () => {
    const append = watch(log.append(0, batch('a'), 4))
    await settle()
    partition.update(state({ leader: 2, leaderEpoch: 5, partitionEpoch: 1 }))
    await settle()
    expect(append.error).toBe('NOT_LEADER_OR_FOLLOWER')
  })

  test('a load ends when what it has read is committed', async () => {
    for (const value of ['a', 'b']) void log.append(0, batch(value), 4)
    await settle()
    follow(1)
    const loaded = watch(load())
    await settle()
    expect(loaded).toEqual({})
    follow(2)
    await settle()
    expect(loaded).toEqual({ value: [0, 1] })
  })

  test('a load ends early where somebody else leads', async () => {
    log.append(0, batch('a'), 4).catch(() => {})
    await settle()
    const loaded = watch(load())
    await settle()
    partition.update(state({ leader: 2, leaderEpoch: 5, partitionEpoch: 1 }))
    await settle()
    expect(loaded.error).toBe('NOT_LEADER_OR_FOLLOWER')
    const again = watch(load())
    await settle()
    expect(again.error).toBe('NOT_LEADER_OR_FOLLOWER')
  })

  test('alone, nobody is waited for', async () => {
    partition = new Partition(
      partitionContext(environment.time),
      partitionState(),
      openLog(environment, {}, { partition: 1, directory: '/data/t-1' }),
      1,
    )
    const append = watch(log.append(0, batch('a'), 0))
    await settle()
    expect(append).toEqual({ value: { baseOffset: 0 } })
    expect(await load()).toEqual([0])
  })
})
