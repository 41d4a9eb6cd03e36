import { describe, expect, test } from 'vitest'
import { type BatchOptions, buildBatch } from '../../protocol/records/builder.ts'
import { Codec } from '../../protocol/records/layout.ts'
import type { PartitionLog } from '../partition-log.ts'
import { CLIENT, DIRECTORY, marker, openLog, readBatches, type TestEnvironment, testEnvironment } from '../testkit.ts'
import type { AppendOptions, LogConfig } from '../types.ts'
import { CLEANING, lastValues, readCommitted } from './cleaner.testkit.ts'
import { CleaningAborted } from './pace.ts'

const NOW = 1_700_000_000_000
const DAY_MS = 86_400_000
/** Every batch makes a segment of its own, and none are merged. */
const COMPACT = { cleanupCompact: true, cleanupDelete: false, segmentBytes: 1 } as const
const COORDINATOR = { leaderEpoch: 0, origin: 'coordinator' } as const

type Entry = readonly [key: string | null, value: string | null]

function entries(records: readonly Entry[], options: BatchOptions = {}): Buffer {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text))
  return buildBatch(
    records.map(([key, value]) => ({ timestamp: NOW, key: bytes(key), value: bytes(value) })),
    options,
  )
}

async function filled(config: Partial<LogConfig> = {}, overrides: Partial<TestEnvironment> = {}) {
  const environment = testEnvironment(overrides)
  const log = openLog(environment, { ...COMPACT, ...config })
  const appendBatch = async (batch: Buffer, options: AppendOptions) => {
    const settings = log.config
    if (settings.segmentBytes === 1) log.updateConfig({ ...settings, segmentBytes: batch.length })
    await log.append([batch], options)
    log.updateConfig(settings)
    log.advanceHighWatermark(log.logEndOffset)
  }
  const append = (records: readonly Entry[], options?: BatchOptions, leaderEpoch: number = CLIENT.leaderEpoch) =>
    appendBatch(entries(records, options), { ...CLIENT, leaderEpoch })
  const mark = (type: 'commit' | 'abort', producerId: number) => appendBatch(marker(type, producerId, 0), COORDINATOR)
  return { environment, log, append, mark }
}

async function clean(log: PartitionLog, cleanedTo?: number): Promise<number> {
  return log.clean(log.cleanableRange(cleanedTo), CLEANING)
}

async function keysAndOffsets(log: PartitionLog) {
  return (await readCommitted(log)).map(({ offset, key, value }) => [offset, key, value])
}

describe('what stays', () => {
  test('the last record of each key, at its offset; the active segment as it is', async () => {
    const { log, append } = await filled()
    await append([
      ['a', '1'],
      ['b', '1'],
    ])
    await append([
      ['a', '2'],
      ['c', '1'],
    ])
    await append([['a', '3']])
    await append([['a', '4']])
    expect(await clean(log)).toBe(5)
    expect(await keysAndOffsets(log)).toEqual([
      [1, 'b', '1'],
      [3, 'c', '1'],
      [4, 'a', '3'],
      [5, 'a', '4'],
    ])
  })

  test.each([
    ['none', Codec.none],
    ['gzip', Codec.gzip],
    ['snappy', Codec.snappy],
    ['lz4', Codec.lz4],
    ['zstd', Codec.zstd],
  ])('a batch keeps its codec (%s), offsets, epoch and times', async (_, codec) => {
    const { log, append } = await filled()
    await append(
      [
        ['a', '1'],
        ['b', '1'],
        ['a', '2'],
      ],
      { codec },
    )
    await append([['z', '1']])
    await clean(log)
    const [batch] = await readBatches(log)
    expect(batch).toMatchObject({
      codecId: codec,
      baseOffset: 0,
      lastOffset: 2,
      recordCount: 2,
      partitionLeaderEpoch: 0,
    })
    expect(batch!.isCrcValid()).toBe(true)
    expect((await readCommitted(log)).map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
      [1, NOW],
      [2, NOW],
      [3, NOW],
    ])
  })

  test('a log append time stays the time of all records', async () => {
    const { log, append, environment } = await filled({ timestampType: 'LogAppendTime' })
    const appendedMs = environment.time.nowMs()
    await append([
      ['a', '1'],
      ['a', '2'],
    ])
    await append([['z', '1']])
    await environment.time.advance(1000)
    await clean(log)
    expect((await readCommitted(log)).map(({ timestamp }) => timestamp)).toEqual([appendedMs, appendedMs])
  })

  test('records without a key go', async () => {
    const { log, append } = await filled()
    // As they were written before the topic became a compacted one.
    log.updateConfig({ ...log.config, cleanupCompact: false })
    await append([
      [null, '1'],
      ['a', '1'],
    ])
    await append([['z', '1']])
    log.updateConfig({ ...log.config, cleanupCompact: true })
    await clean(log)
    expect(await keysAndOffsets(log)).toEqual([
      [1, 'a', '1'],
      [2, 'z', '1'],
    ])
  })

  test('the last batch that was compacted stays without records, so that the offsets go on', async () => {
    const { log, append, mark } = await filled()
    await append([['a', '1']])
    await append([['a', '2']], { producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true })
    await mark('abort', 1)
    await append([['b', '1']])
    expect(await clean(log)).toBe(3)
    const batches = await readBatches(log)
    expect(batches.map(({ baseOffset, nextOffset }) => [baseOffset, nextOffset])).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
    ])
    expect(batches[1]!.recordCount).toBe(0)
  })

  test('what is below the offset that was asked for is found in later segments', async () => {
    const { log, append } = await filled()
    for (let i = 0; i < 5; i++) await append([['a', String(i)]])
    await clean(log)
    const data = await log.read(1, { maxBytes: 1000, minOneBatch: true, upTo: 'logEnd' })
    expect(data.nextOffset).toBeGreaterThan(1)
    expect(data.sizeBytes).toBeGreaterThan(0)
  })
})

describe('tombstones (KIP-534)', () => {
  test('stay for delete.retention.ms after the compaction that first saw them', async () => {
    const { log, append, environment } = await filled({ deleteRetentionMs: DAY_MS })
    await append([['a', '1']])
    await append([['a', null]])
    await append([['b', '1']])
    const cleanedTo = await clean(log)
    expect(await keysAndOffsets(log)).toEqual([
      [1, 'a', undefined],
      [2, 'b', '1'],
    ])
    const [batch] = await readBatches(log)
    expect(batch!.deleteHorizonMs).toBe(environment.time.nowMs() + DAY_MS)

    await environment.time.advance(DAY_MS - 1)
    await append([['c', '1']])
    expect(await clean(log, cleanedTo)).toBe(3)
    expect((await keysAndOffsets(log))[0]).toEqual([1, 'a', undefined])

    await environment.time.advance(1)
    await append([['d', '1']])
    await clean(log, 3)
    expect(await keysAndOffsets(log)).toEqual([
      [2, 'b', '1'],
      [3, 'c', '1'],
      [4, 'd', '1'],
    ])
  })

  test('stay for ever where there is no end to delete.retention.ms', async () => {
    const { log, append, environment } = await filled({ deleteRetentionMs: Number.POSITIVE_INFINITY })
    await append([['a', null]])
    await append([['b', '1']])
    await clean(log)
    await environment.time.advance(1000 * DAY_MS)
    await append([['c', '1']])
    await clean(log)
    expect((await keysAndOffsets(log))[0]).toEqual([0, 'a', undefined])
  })
})

describe('transactions', () => {
  const IN_TXN = { producerId: 7, producerEpoch: 0, isTransactional: true } as const

  test('aborted records go and do not hide older ones; their marker follows when its time has come', async () => {
    const { log, append, mark, environment } = await filled()
    await append([['a', 'old']])
    await append([['a', 'aborted']], { ...IN_TXN, baseSequence: 0 })
    await mark('abort', 7)
    await append([['z', '1']], { ...IN_TXN, baseSequence: 1 })
    await mark('commit', 7)
    await append([['y', '1']])
    let cleanedTo = await clean(log)
    expect(lastValues(await readCommitted(log)).get('a')).toBe('old')
    expect((await readBatches(log)).filter(({ isControl }) => isControl)).toHaveLength(2)

    for (const [key, isGone] of [
      ['w', false],
      ['v', true],
    ] as const) {
      await environment.time.advance(DAY_MS + 1)
      await append([[key, '1']])
      cleanedTo = await clean(log, cleanedTo)
      const offsets = (await readBatches(log)).filter(({ isControl }) => isControl).map(({ baseOffset }) => baseOffset)
      // The first compaction removed the records, the second gives the marker its time, the third removes it.
      expect(offsets).toEqual(isGone ? [4] : [2, 4])
    }
  })

  test('nothing past the last stable offset is touched', async () => {
    const { log, append } = await filled()
    await append([['a', '1']])
    await append([['a', '2']])
    await append([['a', '3']], { ...IN_TXN, baseSequence: 0 })
    await append([['a', '4']])
    await append([['a', '5']])
    expect(log.lastStableOffset).toBe(2)
    expect(log.cleanableRange(undefined)).toMatchObject({ firstDirtyOffset: 0, firstUncleanableOffset: 2 })
    await clean(log)
    expect((await readBatches(log)).map(({ baseOffset }) => baseOffset)).toEqual([1, 2, 3, 4])
  })

  test('the last batch of a producer is kept for its sequence number', async () => {
    const { log, append, environment } = await filled()
    const idempotent = { producerId: 3, producerEpoch: 0 }
    await append([['a', '1']], { ...idempotent, baseSequence: 0 })
    await append([['a', '2']], { ...idempotent, baseSequence: 1 })
    await append([['a', '3']])
    await append([['a', '4']])
    await clean(log)
    const kept = (await readBatches(log)).filter(({ hasProducerId }) => hasProducerId)
    expect(kept.map(({ baseOffset, recordCount, lastSequence }) => [baseOffset, recordCount, lastSequence])).toEqual([
      [1, 0, 1],
    ])
    await log.close()
    for (const { name } of environment.disk.list(DIRECTORY)) {
      if (name.endsWith('.snapshot')) environment.disk.remove(`${DIRECTORY}/${name}`)
    }
    const again = openLog(environment, COMPACT, { wasCompacted: true })
    expect(again.activeProducers()).toMatchObject([{ producerId: 3, lastSequence: 1 }])
  })
})

describe('how much', () => {
  test('not what is younger than min.compaction.lag.ms', async () => {
    const { log, append, environment } = await filled({ minCompactionLagMs: 1000 })
    await append([['a', '1']])
    await append([['a', '2']])
    expect(log.cleanableRange(undefined).cleanableBytes).toBe(0)
    await environment.time.advance(1000)
    expect(log.cleanableRange(undefined).cleanableBytes).toBeGreaterThan(0)
  })

  test('what is older than max.compaction.lag.ms is overdue, and the active segment does not grow so old', async () => {
    const { log, append, environment } = await filled({ maxCompactionLagMs: 1000, segmentBytes: 2 ** 20 })
    await append([['a', '1']])
    await environment.time.advance(1001)
    expect(log.segmentCount).toBe(1)
    const late = buildBatch([{ timestamp: NOW + 1001, key: Buffer.from('a'), value: Buffer.from('2') }])
    await log.append([late], CLIENT)
    log.advanceHighWatermark(log.logEndOffset)
    expect(log.segmentCount).toBe(2)
    expect(log.cleanableRange(undefined).isOverdue).toBe(true)
    expect(log.cleanableRange(1).isOverdue).toBe(false)
  })

  test('as many keys as the map holds; the rest the next time', async () => {
    const { log, append } = await filled()
    for (let i = 0; i < 400; i += 10) {
      await append(Array.from({ length: 10 }, (_, k) => [`key${(i + k) % 200}`, '1']))
    }
    await append([['z', '1']])
    const options = { ...CLEANING, dedupeBufferBytes: 24 * 100 }
    const first = await log.clean(log.cleanableRange(undefined), options)
    expect(first).toBe(90)
    let cleanedTo = first
    for (let round = 0; cleanedTo < 400 && round < 20; round++) {
      cleanedTo = await log.clean(log.cleanableRange(cleanedTo), options)
    }
    expect(cleanedTo).toBe(400)
    expect((await readCommitted(log)).map(({ offset }) => offset)).toEqual([
      ...Array.from({ length: 200 }, (_, i) => 200 + i),
      400,
    ])
  })

  test('segments are merged up to segment.bytes', async () => {
    const { log, append } = await filled()
    for (let i = 0; i < 20; i++) await append([[`key${i}`, 'x'.repeat(100)]])
    expect(log.segmentCount).toBe(20)
    log.updateConfig({ ...log.config, segmentBytes: 1000 })
    await clean(log)
    expect(log.segmentCount).toBeLessThan(6)
    expect(await readCommitted(log)).toHaveLength(20)
  })

  test('a log that was cut below the checkpoint is dirty as a whole', async () => {
    const { log, append } = await filled()
    await append([['a', '1']])
    await append([['a', '2']])
    expect(log.cleanableRange(99).firstDirtyOffset).toBe(0)
  })
})

test('where epochs began is known after a power failure, also if what they began with is gone (KIP-101)', async () => {
  const { log, append, environment } = await filled({ cleanupCompact: false, cleanupDelete: true })
  for (const [index, leaderEpoch] of [0, 1, 2, 3].entries()) {
    await append([['a', String(index)]], undefined, leaderEpoch)
  }
  log.updateConfig({ ...log.config, ...COMPACT })
  const { epochs } = log
  await clean(log)
  expect((await keysAndOffsets(log)).map(([offset]) => offset)).toEqual([2, 3])
  const disk = environment.disk.onStableStorage()
  expect(openLog({ ...environment, disk }, COMPACT).epochs.slice(0, 3)).toEqual(epochs.slice(0, 3))
})

describe('what happens meanwhile', () => {
  test('a truncation ends the work, and nothing is left of it', async () => {
    const { log, append, environment } = await filled()
    for (let i = 0; i < 10; i++) await append([['a', String(i)]])
    const cleaning = clean(log)
    const truncating = log.truncateTo(5)
    await expect(cleaning).rejects.toThrow(CleaningAborted)
    await truncating
    expect((await readBatches(log)).map(({ baseOffset }) => baseOffset)).toEqual([0, 1, 2, 3, 4])
    expect(environment.disk.list(DIRECTORY).filter(({ name }) => name.endsWith('.cleaned'))).toEqual([])
  })

  test('retention waits for it', async () => {
    const { log, append } = await filled({ cleanupDelete: true, retentionBytes: 1 })
    for (let i = 0; i < 10; i++) await append([['a', String(i)]])
    const cleaning = clean(log)
    expect(log.retire()).toBe(0)
    await cleaning
    expect(log.retire()).toBeGreaterThan(0)
  })

  test('appends and reads go on', async () => {
    const { log, append } = await filled()
    for (let i = 0; i < 10; i++) await append([['a', String(i)]])
    const cleaning = clean(log)
    await append([['b', '1']])
    expect(await readCommitted(log)).not.toHaveLength(0)
    await cleaning
    expect(lastValues(await readCommitted(log))).toEqual(
      new Map([
        ['a', '9'],
        ['b', '1'],
      ]),
    )
  })

  test('what is still in memory for readers at the end is forgotten', async () => {
    const { log, append } = await filled({}, { tailCacheBytes: 2 ** 20 })
    for (let i = 0; i < 5; i++) await append([['a', String(i)]])
    await clean(log)
    expect((await readCommitted(log)).map(({ offset }) => offset)).toEqual([3, 4])
  })

  test('damage is told, and the log stays as it was', async () => {
    const { log, append, environment } = await filled()
    await append([
      ['a', '1'],
      ['b', '1'],
    ])
    await append([['a', '2']])
    await append([['a', '3']])
    const file = environment.disk.open(`${DIRECTORY}/00000000000000000000.log`, 'write')
    file.writeSync([Buffer.from('x')], 70)
    await expect(clean(log)).rejects.toThrow(/CRC|record/)
    expect(log.segmentCount).toBe(3)
    expect(log.offline).toBeUndefined()
  })
})
