import { describe, expect, test } from 'vitest'
import {
  recordsForCleanShutdown,
  recordsForControlledShutdown,
  recordsForFenced,
  recordsForLostDirectories,
  recordsForUncleanShutdown,
  recordsForUnfenced,
  recordsForUnregistered,
} from './broker-changes.ts'
import { apply, clusterOf, directoryOf } from './partitions.testkit.ts'

const OTHER_DIRECTORY = 'OOieC9GbRMy7po1nB9IrzQ'

describe('recordsForFenced (KIP-631)', () => {
  test('takes a broker out of sync and out of the lead, then says that it is fenced', () => {
    const context = clusterOf({ partitions: [{}, { replicas: [2, 1] }, { replicas: [2, 3] }] })
    const records = recordsForFenced(context, 1)
    expect(records.map(({ name }) => name)).toEqual(['PartitionChange', 'PartitionChange', 'BrokerRegistrationChange'])
    expect(apply(context, records)).toMatchObject({ leader: 2, leaderEpoch: 1, isr: [2, 3], elr: [] })
    // Fewer in sync is no reason for a new epoch of the leader that stays.
    expect(apply(context, [], 1)).toMatchObject({ leader: 2, leaderEpoch: 0, partitionEpoch: 1, isr: [2] })
    expect(apply(context, [], 2).partitionEpoch).toBe(0)
    expect(context.head.brokers.get(1)).toMatchObject({ fenced: true, epoch: 100 })
  })

  test('before metadata.version 3.6 the leader has a new epoch where fewer are in sync', () => {
    const context = clusterOf({ level: 11, elr: 0 })
    expect(apply(context, recordsForFenced(context, 3))).toMatchObject({ leader: 1, leaderEpoch: 1, isr: [1, 2] })
  })

  test('who was in sync below min.insync.replicas stays eligible, and who led last is remembered (KIP-966)', () => {
    const context = clusterOf({ minIsr: 2 })
    apply(context, recordsForFenced(context, 3))
    expect(apply(context, recordsForFenced(context, 2))).toMatchObject({ isr: [1], elr: [2], leader: 1 })
    const none = apply(context, recordsForFenced(context, 1))
    expect(none).toMatchObject({ isr: [], elr: [1, 2], lastKnownElr: [1], leader: -1, leaderEpoch: 1 })
  })

  test('names eligible leaders in the order in which Apache Kafka does', () => {
    const brokers = [1, 2, 16].map((id) => ({ id }))
    const context = clusterOf({ brokers, minIsr: 3, partitions: [{ replicas: [1, 2, 16] }] })
    apply(context, recordsForFenced(context, 1))
    expect(apply(context, recordsForFenced(context, 16)).elr).toEqual([16, 1])
  })

  test('without eligible leader replicas the last one in sync stays there', () => {
    const context = clusterOf({ elr: 0, partitions: [{ isr: [1] }] })
    const after = apply(context, recordsForFenced(context, 1))
    expect(after).toMatchObject({ isr: [1], elr: [], lastKnownElr: [], leader: -1 })
  })

  test('where unclean elections are allowed, one that is not in sync leads, and is to recover (KIP-704)', () => {
    const context = clusterOf({
      partitions: [{ isr: [1] }],
      topicConfigs: { 'unclean.leader.election.enable': 'true' },
    })
    const after = apply(context, recordsForFenced(context, 1))
    expect(after).toMatchObject({ isr: [2], elr: [], leader: 2, leaderRecoveryState: 1 })
  })

  test('the lead goes to nobody whose directory has failed (KIP-858)', () => {
    const context = clusterOf({ brokers: [{ id: 1 }, { id: 2, directories: [OTHER_DIRECTORY] }, { id: 3 }] })
    expect(apply(context, recordsForFenced(context, 1))).toMatchObject({ leader: 3, isr: [2, 3] })
  })
})

describe('recordsForUnfenced', () => {
  test('a broker leads again where it is in sync or eligible and nobody leads', () => {
    const brokers = [{ id: 1, fenced: true }, { id: 2 }, { id: 3, fenced: true }]
    const context = clusterOf({
      brokers,
      minIsr: 2,
      partitions: [
        { isr: [], elr: [1, 3], lastKnownElr: [3], leader: -1 },
        { isr: [2], elr: [1], leader: 2 },
        { isr: [], elr: [3], lastKnownElr: [3], leader: -1 },
      ],
    })
    const records = recordsForUnfenced(context, 1)
    expect(records[0]!.name).toBe('BrokerRegistrationChange')
    const after = apply(context, records)
    expect(after).toMatchObject({ leader: 1, isr: [1], elr: [3], lastKnownElr: [], leaderRecoveryState: 0 })
    expect(apply(context, [], 1)).toMatchObject({ leader: 2, partitionEpoch: 0 })
    expect(apply(context, [], 2)).toMatchObject({ leader: -1, partitionEpoch: 0 })
    expect(context.head.brokers.get(1)!.fenced).toBe(false)
  })

  test('the last that led may lead again when nobody is eligible, and is to recover', () => {
    const context = clusterOf({
      brokers: [{ id: 1, fenced: true }, { id: 2, fenced: true }, { id: 3 }],
      minIsr: 2,
      partitions: [{ isr: [], elr: [], lastKnownElr: [1], leader: -1 }],
    })
    const after = apply(context, recordsForUnfenced(context, 1))
    expect(after).toMatchObject({ leader: 1, isr: [1], lastKnownElr: [], leaderRecoveryState: 1 })
  })
})

describe('recordsForControlledShutdown', () => {
  test('says once that a broker shuts down, and gives its partitions to others', () => {
    const context = clusterOf({ partitions: [{}, { isr: [1] }], elr: 0 })
    const records = recordsForControlledShutdown(context, 1)
    expect(records.map(({ name, version }) => [name, version])).toEqual([
      ['BrokerRegistrationChange', 1],
      ['PartitionChange', 2],
      ['PartitionChange', 2],
    ])
    expect(apply(context, records)).toMatchObject({ leader: 2, isr: [2, 3] })
    expect(apply(context, [], 1)).toMatchObject({ leader: -1, isr: [1] })
    expect(context.head.brokers.get(1)).toMatchObject({ inControlledShutdown: true, fenced: false })
    expect(recordsForControlledShutdown(context, 1)).toEqual([])
  })
})

describe('a broker that registers again (KIP-966)', () => {
  test('is no eligible leader after an unclean shutdown', () => {
    const context = clusterOf({
      minIsr: 2,
      partitions: [
        { isr: [1], elr: [2], leader: 1 },
        { isr: [2], elr: [1], leader: 2 },
      ],
    })
    const after = apply(context, recordsForUncleanShutdown(context, 2))
    expect(after).toMatchObject({ isr: [1], elr: [], leader: 1 })
    expect(apply(context, [], 1)).toMatchObject({ isr: [1], elr: [], leader: 1, leaderEpoch: 1 })
  })

  test('stays eligible after a clean one', () => {
    const context = clusterOf({ minIsr: 2, partitions: [{ isr: [1, 2] }] })
    expect(apply(context, recordsForCleanShutdown(context, 2))).toMatchObject({ isr: [1], elr: [2] })
  })

  test('is only out of sync where eligible leader replicas are not kept', () => {
    const context = clusterOf({ elr: 0 })
    expect(apply(context, recordsForUncleanShutdown(context, 1))).toMatchObject({ isr: [2, 3], leader: 2 })
  })
})

test('what an unregistered broker led is led by another', () => {
  const context = clusterOf()
  expect(apply(context, recordsForUnregistered(context, 1))).toMatchObject({ isr: [2, 3], leader: 2 })
  expect(context.head.brokers.has(1)).toBe(false)
})

test('what lay in a directory that failed is led by another, and only that (KIP-858)', () => {
  const context = clusterOf({
    brokers: [{ id: 1, directories: [directoryOf(1), OTHER_DIRECTORY] }, { id: 2 }, { id: 3 }],
    partitions: [{}, { directories: [OTHER_DIRECTORY, directoryOf(2), directoryOf(3)] }],
  })
  const records = recordsForLostDirectories(context, 1, [directoryOf(1), directoryOf(9)])
  expect(apply(context, records)).toMatchObject({ leader: 2, isr: [2, 3] })
  expect(apply(context, [], 1)).toMatchObject({ leader: 1, partitionEpoch: 0 })
  expect(context.head.brokers.get(1)!.directories).toEqual([OTHER_DIRECTORY])
  expect(recordsForLostDirectories(context, 1, [directoryOf(1)])).toEqual([])
})
