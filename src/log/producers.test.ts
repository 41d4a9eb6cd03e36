import { describe, expect, it } from 'vitest'
import { buildBatch } from '../protocol/records/builder.ts'
import { AppendError } from './append-error.ts'
import type { PartitionLog } from './partition-log.ts'
import { decodeSnapshot, encodeSnapshot } from './producer-snapshot.ts'
import { batchOf, CLIENT, DIRECTORY, marker, openLog, READ_ALL, record, testEnvironment } from './testkit.ts'
import type { AppendInfo, AppendOptions } from './types.ts'

const COORDINATOR: AppendOptions = { leaderEpoch: 0, origin: 'coordinator' }
const MAX_SEQUENCE = 0x7fff_ffff

function send(log: PartitionLog, baseSequence: number, count = 1, producerEpoch = 0): Promise<AppendInfo> {
  const values = Array.from({ length: count }, (_, i) => `${baseSequence + i}`)
  return log.append([batchOf(values, { producerId: 1, producerEpoch, baseSequence })], CLIENT)
}

function begin(log: PartitionLog, producerId: number, sequence: number, options: AppendOptions = CLIENT) {
  const batch = { producerId, producerEpoch: 0, baseSequence: sequence, isTransactional: true }
  return log.append([batchOf(['x'], batch)], options)
}

function isOpen(log: PartitionLog, producerId: number): boolean {
  return (log.producer(producerId)?.currentTxnStartOffset ?? -1) >= 0
}

async function errorOf(promise: Promise<unknown>): Promise<[string, string]> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(AppendError)
  return [error.error.name, error.message]
}

describe('idempotent producers (KIP-98)', () => {
  it('get the first answer again for any of their last five batches', async () => {
    const log = openLog(testEnvironment())
    for (let i = 0; i < 6; i++) await send(log, i * 2, 2)
    for (let i = 1; i < 6; i++) {
      expect(await send(log, i * 2, 2)).toMatchObject({ duplicate: true, firstOffset: i * 2, lastOffset: i * 2 + 1 })
    }
    expect(log.logEndOffset).toBe(12)
    expect(await errorOf(send(log, 0, 2))).toEqual([
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      'Out of order sequence number for producer 1 at offset 12 in partition topic-0: 0 (incoming seq. number), 11 (current end sequence number)',
    ])
  })

  it('may not leave a gap, not even behind a batch that is still on its way', async () => {
    const log = openLog(testEnvironment())
    const first = send(log, 0)
    const third = errorOf(send(log, 2))
    const second = send(log, 1)
    expect((await third)[0]).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect((await first).firstOffset).toBe(0)
    expect((await second).firstOffset).toBe(1)
  })

  it('hear of a repeated batch only when the first is written, or that it failed', async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    environment.disk.fault = (operation) => (operation === 'write' ? 'EIO' : undefined)
    const first = errorOf(send(log, 0))
    const repeated = errorOf(send(log, 0))
    expect((await first)[0]).toBe('KAFKA_STORAGE_ERROR')
    expect((await repeated)[0]).toBe('KAFKA_STORAGE_ERROR')
    environment.disk.fault = () => undefined
    expect(await send(log, 0)).toMatchObject({ duplicate: false, firstOffset: 0 })
  })

  it('go on at 0 after sequence 2^31 - 1', async () => {
    const log = openLog(testEnvironment())
    await send(log, MAX_SEQUENCE - 1)
    await send(log, MAX_SEQUENCE, 3)
    expect(await send(log, MAX_SEQUENCE, 3)).toMatchObject({ duplicate: true, firstOffset: 1, lastOffset: 3 })
    expect((await send(log, 2)).firstOffset).toBe(4)
  })

  it('are fenced by a newer epoch, which begins at sequence 0', async () => {
    const log = openLog(testEnvironment())
    await send(log, 0, 1, 1)
    expect(await errorOf(send(log, 0, 1, 0))).toEqual([
      'INVALID_PRODUCER_EPOCH',
      'Epoch of producer 1 at offset 1 in topic-0 is 0, which is < the last seen epoch 1 (TV-1)',
    ])
    expect((await errorOf(send(log, 3, 1, 2)))[0]).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect((await send(log, 0, 1, 2)).firstOffset).toBe(1)
  })

  it('are forgotten after producer.id.expiration.ms', async () => {
    const environment = testEnvironment({ producerIdExpirationMs: 1000 })
    const log = openLog(environment)
    await send(log, 0)
    await environment.time.advance(999)
    log.expireProducers()
    expect(log.activeProducers()).toHaveLength(1)
    await environment.time.advance(1)
    log.expireProducers()
    expect(log.activeProducers()).toEqual([])
    expect((await send(log, 40)).firstOffset).toBe(1)
  })

  it('are known again after a restart', async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    await send(log, 0)
    await send(log, 1)
    await log.close()
    const again = openLog(environment, {}, { cleanShutdown: true })
    expect(await send(again, 1)).toMatchObject({ duplicate: true, firstOffset: 1 })
    expect((await send(again, 2)).firstOffset).toBe(2)
  })

  it.each([
    ['in one segment', {}],
    ['in several segments', { segmentBytes: 200 }],
  ])('have their last five batches known after a kill, %s', async (_where, config) => {
    const environment = testEnvironment()
    const log = openLog(environment, config)
    for (let i = 0; i < 6; i++) await send(log, i)
    log.closeFiles()
    for (let kill = 0; kill < 2; kill++) {
      const again = openLog(environment, config)
      for (let i = 1; i < 6; i++) expect(await send(again, i)).toMatchObject({ duplicate: true, firstOffset: i })
      expect((await errorOf(send(again, 0)))[0]).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
      again.closeFiles()
    }
  })

  it('are forgotten by a start after a kill when they have been silent for producer.id.expiration.ms', async () => {
    const environment = testEnvironment({ producerIdExpirationMs: 1000 })
    const log = openLog(environment)
    await send(log, 0)
    log.closeFiles()
    const { time } = environment
    await time.advance(log.activeProducers()[0]!.lastTimestamp - time.nowMs() + 1000)
    expect(openLog(environment).activeProducers()).toEqual([])
  })
})

describe('transactions', () => {
  it('hold the last stable offset back until their marker is below the high watermark', async () => {
    const log = openLog(testEnvironment())
    await log.append([batchOf(['plain'])], CLIENT)
    await begin(log, 1, 0)
    await begin(log, 2, 0)
    log.advanceHighWatermark(3)
    expect(log.lastStableOffset).toBe(1)
    expect(isOpen(log, 1)).toBe(true)
    await log.append([marker('commit', 1, 0)], COORDINATOR)
    expect(isOpen(log, 1)).toBe(false)
    expect(log.lastStableOffset).toBe(1)
    log.advanceHighWatermark(4)
    expect(log.lastStableOffset).toBe(2)
    await log.append([marker('abort', 2, 0)], COORDINATOR)
    log.advanceHighWatermark(5)
    expect(log.lastStableOffset).toBe(5)
    const data = await log.read(0, { ...READ_ALL, upTo: 'lastStable' })
    expect(data.abortedTransactions).toEqual([{ producerId: 2, firstOffset: 2 }])
  })

  it('that were aborted are still known after a crash and after a clean restart', async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    await begin(log, 1, 0)
    await log.append([marker('abort', 1, 0)], COORDINATOR)
    await begin(log, 1, 1)
    log.closeFiles()
    const readStable = { ...READ_ALL, upTo: 'lastStable' } as const
    for (const cleanShutdown of [false, true]) {
      const again = openLog(environment, {}, { cleanShutdown, highWatermark: 3 })
      expect((await again.read(0, readStable)).abortedTransactions).toEqual([{ producerId: 1, firstOffset: 0 }])
      expect(again.lastStableOffset).toBe(2)
      await again.close()
    }
    expect(environment.disk.readFile(`${DIRECTORY}/00000000000000000000.txnindex`)).toHaveLength(34)
  })

  it('are taken back with the write that failed', async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    await begin(log, 1, 0)
    environment.disk.fault = (operation) => (operation === 'write' ? 'EIO' : undefined)
    const failed = [log.append([marker('abort', 1, 0)], COORDINATOR), begin(log, 2, 0)]
    for (const outcome of await Promise.allSettled(failed)) expect(outcome.status).toBe('rejected')
    environment.disk.fault = () => undefined
    expect([isOpen(log, 1), isOpen(log, 2)]).toEqual([true, false])
    log.advanceHighWatermark(1)
    expect(log.lastStableOffset).toBe(0)
    await log.append([marker('commit', 1, 0)], COORDINATOR)
    log.advanceHighWatermark(2)
    expect(log.lastStableOffset).toBe(2)
  })

  it('begin only with leave of the coordinator (KIP-890)', async () => {
    const log = openLog(testEnvironment())
    expect(await errorOf(begin(log, 1, 0, { ...CLIENT, isTransactionVerified: () => false }))).toEqual([
      'INVALID_TXN_STATE',
      'Record was not part of an ongoing transaction',
    ])
    await begin(log, 1, 0, { ...CLIENT, isTransactionVerified: () => true })
    await begin(log, 1, 1, { ...CLIENT, isTransactionVerified: () => false })
    expect((await errorOf(send(log, 2)))[0]).toBe('INVALID_TXN_STATE')
  })

  it('do not begin above the lowest sequence that asked, nor above 0 where ends have epochs (KIP-890)', async () => {
    const opening = (lowestSequence: number, bumpsEpochs: boolean) => ({
      ...CLIENT,
      openingTransaction: () => ({ lowestSequence, bumpsEpochs }),
    })
    const log = openLog(testEnvironment())
    const OUT_OF_ORDER = 'OUT_OF_ORDER_SEQUENCE_NUMBER'
    expect((await errorOf(begin(log, 1, 4, opening(3, false))))[0]).toBe(OUT_OF_ORDER)
    await begin(log, 1, 3, opening(3, false))
    expect((await errorOf(begin(log, 2, 3, opening(3, true))))[0]).toBe(OUT_OF_ORDER)
    await begin(log, 2, 0, opening(0, true))
  })

  it('are not ended by an old coordinator or, in version 2, twice by one epoch (KIP-1228)', async () => {
    const log = openLog(testEnvironment())
    await begin(log, 1, 0)
    await log.append([marker('commit', 1, 0, 5)], COORDINATOR)
    expect((await errorOf(log.append([marker('commit', 1, 0, 4)], COORDINATOR)))[0]).toBe(
      'TRANSACTION_COORDINATOR_FENCED',
    )
    await begin(log, 1, 1)
    const twice = log.append([marker('commit', 1, 0, 5)], { ...COORDINATOR, transactionVersion: 2 })
    expect((await errorOf(twice))[0]).toBe('INVALID_PRODUCER_EPOCH')
    await log.append([marker('commit', 1, 1, 5)], { ...COORDINATOR, transactionVersion: 2 })
    await log.append([marker('commit', 1, 1, 5)], { ...COORDINATOR, transactionVersion: 2 })
  })
})

describe('the snapshot file', () => {
  it('gives back what went in, but for all batches except the last', async () => {
    const log = openLog(testEnvironment())
    const bytes = buildBatch([record('a'), record('b')], { producerId: 2 ** 40, producerEpoch: 3, baseSequence: 6 })
    await log.append([bytes], CLIENT)
    const entry = {
      epoch: 3,
      coordinatorEpoch: 2,
      lastTimestamp: 11,
      txnFirstOffset: 5,
      batches: [{ lastSequence: 7, lastOffset: 9, offsetDelta: 1, timestamp: 11 }],
    }
    const snapshot = encodeSnapshot(new Map([[2 ** 40, entry]]))
    expect(snapshot).toHaveLength(56)
    expect(decodeSnapshot(snapshot)).toEqual(new Map([[2 ** 40, entry]]))
  })

  it('is refused when a single bit is wrong', () => {
    const snapshot = encodeSnapshot(new Map())
    for (let bit = 0; bit < snapshot.length * 8; bit++) {
      const spoilt = Buffer.from(snapshot)
      spoilt[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeSnapshot(spoilt)).toBeUndefined()
    }
  })
})
