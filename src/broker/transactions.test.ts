import { expect, test } from 'vitest'
import { encodeKey, encodeValue } from '../coordinator/coordinator-record.ts'
import { newTransaction } from '../coordinator/transactions/transaction.ts'
import { transactionRecord } from '../coordinator/transactions/transaction-records.ts'
import { LogError } from '../log/append-error.ts'
import { batchOf } from '../log/testkit.ts'
import { errors } from '../protocol/errors.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import { TransactionHarness } from './transactions.testkit.ts'

const OK = errors.NONE.code
const MAX_EPOCH = 0x7fff

test('commit and abort, as clients of transaction.version 2 do it: every end has an epoch of its own (KIP-890)', async () => {
  const harness = await TransactionHarness.started()
  let producer = await harness.init('id')
  expect(producer).toMatchObject({ errorCode: OK, producerEpoch: 0 })
  for (const [value, commit] of [
    ['a', true],
    ['b', false],
    ['c', true],
  ] as const) {
    expect(await harness.done(harness.produce('id', producer, 0, 0, [value], 'add'))).toBe(errors.NONE)
    expect(await harness.state('id')).toBe('Ongoing')
    const ended = await harness.done(harness.coordinator.endTransaction('id', producer, commit, 2))
    expect(ended).toEqual({ producerId: producer.producerId, producerEpoch: producer.producerEpoch + 1 })
    // The answer got lost, and the request comes again.
    expect(await harness.done(harness.coordinator.endTransaction('id', producer, commit, 2))).toEqual(ended)
    producer = { ...producer, producerEpoch: ended.producerEpoch! }
  }
  expect(await harness.committed(0)).toEqual(['a', 'c'])
  expect(harness.logs[0]!.lastStableOffset).toBe(harness.logs[0]!.logEndOffset)
})

test('a marker that cannot be written is tried again; until then nothing behind it can be read', async () => {
  const harness = await TransactionHarness.started()
  const producer = await harness.init('id')
  await harness.done(harness.produce('id', producer, 0, 0, ['a'], 'add'))
  harness.markerFailures.push(errors.NOT_LEADER_OR_FOLLOWER, errors.KAFKA_STORAGE_ERROR)
  await harness.done(harness.coordinator.endTransaction('id', producer, true, 2))
  expect([await harness.state('id'), await harness.committed(0)]).toEqual(['PrepareCommit', []])
  await harness.pass(250)
  expect([await harness.state('id'), await harness.committed(0)]).toEqual(['CompleteCommit', ['a']])
})

test.each([true, false])('what was decided before a crash is done after it (commit: %s)', async (commit) => {
  const harness = await TransactionHarness.started()
  const producer = await harness.init('id')
  await harness.done(harness.produce('id', producer, 1, 0, ['a'], 'add'))
  harness.markerFailures.push(errors.NOT_LEADER_OR_FOLLOWER)
  await harness.done(harness.coordinator.endTransaction('id', producer, commit, 2))
  await harness.crash()
  await harness.settle()
  expect(await harness.state('id')).toBe(commit ? 'CompleteCommit' : 'CompleteAbort')
  expect(await harness.committed(1)).toEqual(commit ? ['a'] : [])
})

test('who coordinates again after somebody else has begins anew with the markers, under the epoch of now', async () => {
  const harness = await TransactionHarness.started()
  const producer = await harness.init('id')
  await harness.done(harness.produce('id', producer, 0, 0, ['a'], 'add'))
  harness.markerFailures.push(errors.NOT_LEADER_OR_FOLLOWER)
  await harness.done(harness.coordinator.endTransaction('id', producer, true, 2))
  expect(harness.markerEpochs).toEqual([0])
  harness.coordinator.onResignation(0, 1)
  await harness.done(harness.coordinator.onElection(0, 2))
  await harness.settle()
  expect(harness.markerEpochs).toEqual([0, 2])
  expect(await harness.state('id')).toBe('CompleteCommit')
  // What was begun before comes to its end without doing anything more.
  await harness.pass(1000)
  expect(harness.markerEpochs).toEqual([0, 2])
  expect(await harness.committed(0)).toEqual(['a'])
})

test('a decision that cannot be written is none', async () => {
  const harness = await TransactionHarness.started()
  const producer = await harness.init('id')
  await harness.done(harness.produce('id', producer, 0, 0, ['a'], 'add'))
  harness.log.failures.push(new LogError('NOT_ENOUGH_REPLICAS', 'alone'))
  const refused = await harness.done(harness.coordinator.endTransaction('id', producer, true, 2))
  expect(refused.errorCode).toBe(errors.COORDINATOR_NOT_AVAILABLE.code)
  expect([await harness.state('id'), await harness.committed(0)]).toEqual(['Ongoing', []])
})

test('an id that nobody used for transactional.id.expiration.ms is forgotten, also by the log', async () => {
  const harness = await TransactionHarness.started()
  const first = await harness.init('old')
  await harness.init('used')
  await harness.pass(3_300_000)
  expect(await harness.state('old')).toBe('Empty')
  const used = await harness.init('used')
  harness.log.failures.push(new LogError('NOT_ENOUGH_REPLICAS', 'alone'))
  await harness.pass(600_000)
  expect(await harness.state('old'), 'what cannot be written has not happened').toBe('Empty')
  await harness.pass(600_000)
  expect(await harness.done(harness.coordinator.describe('old'))).toMatchObject({
    errorCode: errors.TRANSACTIONAL_ID_NOT_FOUND.code,
  })
  expect(await harness.state('used')).toBe('Empty')
  await harness.crash()
  expect([await harness.state('old'), await harness.state('used')]).toEqual(['', 'Empty'])
  const ended = await harness.done(harness.coordinator.endTransaction('old', first, true, 2))
  expect(ended.errorCode).toBe(errors.INVALID_PRODUCER_ID_MAPPING.code)
  const anew = await harness.init('old')
  expect(anew.producerEpoch).toBe(0)
  expect([first.producerId, used.producerId]).not.toContain(anew.producerId)
})

test.each([0, 2])(
  'a transaction that takes too long is aborted, its producer fenced (transaction.version %i)',
  async (level) => {
    const harness = await TransactionHarness.started()
    harness.transactionVersion = level
    const producer = await harness.init('id', 5000)
    await harness.done(harness.produce('id', producer, 0, 0, ['a'], 'add'))
    await harness.pass(4000)
    expect(await harness.state('id')).toBe('Ongoing')
    await harness.pass(3000)
    expect([await harness.state('id'), await harness.committed(0)]).toEqual(['CompleteAbort', []])
    const late = await harness.done(harness.produce('id', producer, 0, 1, ['b'], 'add'))
    expect(late).toBe(errors.INVALID_PRODUCER_EPOCH)
    const ended = await harness.done(harness.coordinator.endTransaction('id', producer, true, 0))
    expect(ended.errorCode).toBe(errors.PRODUCER_FENCED.code)
  },
)

test('a new producer has the transaction of the old one aborted first', async () => {
  const harness = await TransactionHarness.started()
  const old = await harness.init('id')
  await harness.done(harness.produce('id', old, 0, 0, ['a'], 'add'))
  expect((await harness.init('id')).errorCode).toBe(errors.CONCURRENT_TRANSACTIONS.code)
  const fresh = await harness.init('id')
  expect(fresh).toEqual({ errorCode: OK, producerId: old.producerId, producerEpoch: old.producerEpoch + 2 })
  expect(await harness.committed(0)).toEqual([])
})

test('epochs that are used up are followed by a new producer id', async () => {
  const harness = await TransactionHarness.started()
  const { producerId: first } = await harness.init('id')
  // The way to the last epoch is long.
  await rewrite(harness, first, MAX_EPOCH - 1)
  const producer = { producerId: first, producerEpoch: MAX_EPOCH - 1 }
  expect(await harness.done(harness.produce('id', producer, 0, 0, ['a'], 'add'))).toBe(errors.NONE)
  const ended = await harness.done(harness.coordinator.endTransaction('id', producer, true, 2))
  expect(ended.producerEpoch).toBe(0)
  expect(ended.producerId).not.toBe(first)
  await harness.settle()
  expect(await harness.done(harness.coordinator.endTransaction('id', producer, true, 2))).toEqual(ended)
  expect(await harness.committed(0)).toEqual(['a'])
  const next = { producerId: ended.producerId!, producerEpoch: 0 }
  expect(await harness.done(harness.produce('id', next, 0, 0, ['b'], 'add'))).toBe(errors.NONE)
})

/** Puts a transactional id at rest into the log, as if it had got that far. */
async function rewrite(harness: TransactionHarness, producerId: number, producerEpoch: number): Promise<void> {
  const nowMs = harness.environment.time.nowMs()
  const record = transactionRecord({ ...newTransaction('id', producerId, nowMs), producerEpoch, timeoutMs: 60_000 }, 2)
  await harness.log.append(0, buildBatch([{ timestamp: nowMs, key: encodeKey(record), value: encodeValue(record) }]))
  await harness.crash()
}

test('older clients add partitions by themselves, and write nowhere else', async () => {
  const harness = await TransactionHarness.started()
  const producer = await harness.init('id')
  const write = (partition: number, support: 'verify' | 'verifyAbortable') =>
    harness.done(harness.produce('id', producer, partition, 0, ['a'], support))
  expect(await write(0, 'verify')).toBe(errors.INVALID_TXN_STATE)
  expect(await write(0, 'verifyAbortable')).toBe(errors.TRANSACTION_ABORTABLE)
  expect(await harness.done(harness.add('id', producer, 0))).toBe(errors.NONE)
  expect(await write(0, 'verify')).toBe(errors.NONE)
  expect(await write(1, 'verify')).toBe(errors.INVALID_TXN_STATE)
  const foreign = { ...producer, producerId: 1 }
  expect(await harness.done(harness.produce('id', foreign, 1, 0, ['a'], 'verify'))).toBe(
    errors.INVALID_PRODUCER_ID_MAPPING,
  )
})

test('a word of the coordinator counts for nothing once a marker has come between (KIP-890)', async () => {
  const harness = await TransactionHarness.started()
  const producer = await harness.init('id')
  await harness.done(harness.add('id', producer, 0))
  const append = { producerId: producer.producerId, producerEpoch: producer.producerEpoch, baseSequence: 0 }
  const verified = await harness.done(
    Promise.resolve(harness.verifier.verify(harness.partitions[0]!, 'id', append, 'verify')),
  )
  if (!('producerId' in verified)) throw new Error(verified.name)
  await harness.done(harness.coordinator.endTransaction('id', producer, false, 0))
  await harness.settle()
  const late = harness.partitions[0]!.append(
    [batchOf(['a'], { ...append, isTransactional: true })],
    -1,
    'client',
    verified,
  )
  await expect(harness.done(late)).rejects.toMatchObject({ error: errors.INVALID_TXN_STATE })
  expect(harness.logs[0]!.lastStableOffset).toBe(harness.logs[0]!.logEndOffset)
})

test('batches that wait for one word are written in their order', async () => {
  const harness = await TransactionHarness.started()
  const producer = await harness.init('id')
  const writes = [0, 1, 2].map((sequence) => harness.produce('id', producer, 0, sequence, [`${sequence}`], 'add'))
  expect(await harness.done(Promise.all(writes))).toEqual([errors.NONE, errors.NONE, errors.NONE])
  await harness.done(harness.coordinator.endTransaction('id', producer, true, 2))
  await harness.settle()
  expect(await harness.committed(0)).toEqual(['0', '1', '2'])
})

test('what is refused does not make room for what comes after it', async () => {
  const harness = await TransactionHarness.started()
  const producer = await harness.init('id')
  const next = { ...producer, producerEpoch: producer.producerEpoch + 1 }
  await harness.done(harness.produce('id', producer, 0, 0, ['a'], 'add'))
  // Of an epoch that the coordinator does not know yet: its sequence is the first to come, until something is written.
  expect(await harness.done(harness.produce('id', next, 0, 0, ['b'], 'add'))).toBe(errors.INVALID_PRODUCER_EPOCH)
  for (const value of ['c', 'd']) {
    const later = harness.produce('id', producer, 0, 1, [value], 'add')
    expect(await harness.done(later)).toBe(errors.OUT_OF_ORDER_SEQUENCE_NUMBER)
  }
})

test('ids that nobody uses are forgotten, also after a reload; those in use are not', async () => {
  const harness = await TransactionHarness.started()
  await harness.init('idle')
  const producer = await harness.init('busy', 60_000)
  await harness.pass(3_500_000)
  await harness.done(harness.produce('busy', producer, 0, 0, ['a'], 'add'))
  await harness.pass(700_000)
  await harness.crash()
  expect([await harness.state('idle'), await harness.state('busy')]).toEqual(['', 'CompleteAbort'])
})
