import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildBatch } from '../protocol/records/builder.ts'
import { Codec } from '../protocol/records/layout.ts'
import { LogError } from './append-error.ts'
import { EpochCache } from './epoch-cache.ts'
import type { PartitionLog } from './partition-log.ts'
import {
  batchOf,
  CLIENT,
  NEVER,
  openLog,
  READ_ALL,
  readBatches,
  readValues,
  record,
  testEnvironment,
} from './testkit.ts'

const SMALL = { segmentBytes: 400, indexIntervalBytes: 100, timestampAfterMaxMs: NEVER, fileDeleteDelayMs: 10 }

describe('looking up timestamps', () => {
  it('finds the first record that is late enough, in any log', async () => {
    const batches = fc.array(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 4 }), {
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(batches, fc.boolean(), fc.nat(10), async (timestamps, reopen, start) => {
        const environment = testEnvironment()
        let log = openLog(environment, SMALL)
        for (const [i, each] of timestamps.entries()) {
          const records = each.map((timestamp) => record('x', { timestamp }))
          await log.append([buildBatch(records, { codec: i % 2 === 0 ? Codec.none : Codec.gzip })], CLIENT)
        }
        if (reopen) {
          await log.close()
          log = openLog(environment, SMALL, { cleanShutdown: true })
        }
        const all = timestamps.flat()
        log.advanceHighWatermark(all.length)
        const from = Math.min(start, all.length)
        log.advanceLogStart(from, 'the test')
        for (let timestamp = 0; timestamp <= 31; timestamp++) {
          const expected = all.findIndex((each, offset) => each >= timestamp && offset >= from)
          const found = log.offsetForTimestamp(timestamp)
          expect(found?.offset ?? -1).toBe(expected)
          if (found) expect(found).toMatchObject({ timestamp: all[expected], leaderEpoch: 0 })
        }
        const largest = Math.max(-1, ...all)
        expect(log.offsetFor('maxTimestamp')).toMatchObject({ timestamp: largest, offset: all.indexOf(largest) })
      }),
      { numRuns: 100 },
    )
  })

  it('knows a lone record of 1970 again after a restart', async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    await log.append([buildBatch([record('x', { timestamp: 0 })])], CLIENT)
    await log.close()
    const again = openLog(environment, {}, { cleanShutdown: true })
    expect(again.offsetFor('maxTimestamp')).toEqual({ timestamp: 0, offset: 0, leaderEpoch: 0 })
  })

  it('answers the ends of the log', async () => {
    const log = openLog(testEnvironment())
    await log.append([batchOf(['a', 'b'])], { ...CLIENT, leaderEpoch: 4 })
    expect(log.offsetFor('earliest')).toEqual({ timestamp: -1, offset: 0, leaderEpoch: 4 })
    expect(log.offsetFor('latest')).toEqual({ timestamp: -1, offset: 2, leaderEpoch: 4 })
    expect(log.offsetFor('latestTiered')).toEqual({ timestamp: -1, offset: -1, leaderEpoch: -1 })
  })
})

describe('leader epochs (KIP-101)', () => {
  async function withEpochs(): Promise<PartitionLog> {
    const log = openLog(testEnvironment())
    for (const leaderEpoch of [1, 1, 4, 6]) await log.append([batchOf(['a', 'b'])], { ...CLIENT, leaderEpoch })
    return log
  }

  it('end where the next one begins', async () => {
    const log = await withEpochs()
    expect(log.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, offset: 0 })
    expect(log.endOffsetForEpoch(1)).toEqual({ leaderEpoch: 1, offset: 4 })
    expect(log.endOffsetForEpoch(3)).toEqual({ leaderEpoch: 1, offset: 4 })
    expect(log.endOffsetForEpoch(5)).toEqual({ leaderEpoch: 4, offset: 6 })
    expect(log.endOffsetForEpoch(6)).toEqual({ leaderEpoch: 6, offset: 8 })
    expect(log.endOffsetForEpoch(7)).toBeUndefined()
    expect([0, 3, 4, 7].map((offset) => log.epochForOffset(offset))).toEqual([1, 1, 4, 6])
  })

  it('go with the records on either side', async () => {
    const log = await withEpochs()
    log.advanceHighWatermark(8)
    log.advanceLogStart(5, 'the test')
    expect(log.epochs).toEqual([
      { epoch: 4, startOffset: 5 },
      { epoch: 6, startOffset: 6 },
    ])
    await log.truncateTo(6)
    expect(log.epochs).toEqual([{ epoch: 4, startOffset: 5 }])
  })

  it('are in leader-epoch-checkpoint at once', async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    await log.append([batchOf(['a', 'b'])], CLIENT)
    await log.append([batchOf(['a'])], { ...CLIENT, leaderEpoch: 3 })
    expect(environment.disk.readFile(`${log.directory}/leader-epoch-checkpoint`).toString()).toBe('0\n2\n0 0\n3 2\n')
    const cache = new EpochCache(environment.disk, log.directory)
    expect(cache.load()).toBe(true)
    expect(cache.entries).toEqual(log.epochs)
  })

  it('are found again in the log when the file is damaged', async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    for (const leaderEpoch of [1, 2]) await log.append([batchOf(['a'])], { ...CLIENT, leaderEpoch })
    await log.close()
    environment.disk.replaceFile(`${log.directory}/leader-epoch-checkpoint`, Buffer.from('0\n2\n1 0\n'))
    expect(openLog(environment, {}, { cleanShutdown: true }).epochs).toEqual(log.epochs)
  })

  // Epoch 1 began at 3, with what compaction took: a follower that has more of epoch 0 may keep nothing that is not here.
  describe('of a log with gaps never end later than they did', () => {
    it.each([2, 5])(
      'where a segment of it is empty, and what is before offset %i is on stable storage',
      async (recoveryPoint) => {
        const { environment, log, path } = await compacted({ segmentBytes: 100, indexIntervalBytes: 0 })
        await log.close()
        for (const suffix of ['log', 'index', 'timeindex'])
          environment.disk.replaceFile(`${log.directory}/00000000000000000005.${suffix}`, Buffer.alloc(0))
        environment.disk.replaceFile(path, Buffer.from(EARLY))
        const again = openLog(environment, COMPACTED, { recoveryPoint })
        expect(again.segmentCount).toBe(4)
        expect(again.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, offset: 2 })
      },
    )

    const COMPACTED = { cleanupCompact: true, cleanupDelete: false }
    const FOLLOW = { origin: 'replication', leaderEpoch: 9 } as const
    const EARLY = '0\n1\n0 0\n'

    async function compacted(change: object) {
      const environment = testEnvironment()
      const log = openLog(environment, { ...COMPACTED, ...change })
      await log.append([batchOf(['a', 'b'], { partitionLeaderEpoch: 0 })], FOLLOW)
      await log.append([batchOf(['f'], { baseOffset: 7, partitionLeaderEpoch: 1 })], FOLLOW)
      await log.append([batchOf(['g'], { baseOffset: 8, partitionLeaderEpoch: 2 })], FOLLOW)
      return { environment, log, path: `${log.directory}/leader-epoch-checkpoint` }
    }

    it.each([
      ['is damaged', 'x', true],
      ['is damaged, after a crash', 'x', false],
      ['is out of date, after a crash', EARLY, false],
    ])('where the file %s', async (_, content, cleanShutdown) => {
      const { environment, log, path } = await compacted({})
      await log.close()
      environment.disk.replaceFile(path, Buffer.from(content))
      const again = openLog(environment, COMPACTED, { cleanShutdown })
      expect(again.epochs).toEqual([
        { epoch: 0, startOffset: 0 },
        { epoch: 1, startOffset: 2 },
        { epoch: 2, startOffset: 8 },
      ])
      expect(again.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, offset: 2 })
    })

    it.each([7, 8])(
      'where it is out of date, after a crash with what is before offset %i on stable storage',
      async (recoveryPoint) => {
        const { environment, log, path } = await compacted({ segmentBytes: 100, indexIntervalBytes: 0 })
        expect(log.segmentCount).toBe(3)
        await log.close()
        environment.disk.replaceFile(path, Buffer.from(EARLY))
        const again = openLog(environment, COMPACTED, { recoveryPoint })
        expect(again.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, offset: 2 })
        expect(again.endOffsetForEpoch(1)).toEqual({ leaderEpoch: 1, offset: 8 })
      },
    )
  })
})

describe('reading', () => {
  it('is refused outside the log, and empty at the bound', async () => {
    const log = openLog(testEnvironment())
    await log.append([batchOf(['a', 'b'])], CLIENT)
    const atEnd = await log.read(2, READ_ALL)
    expect(atEnd).toMatchObject({ sizeBytes: 0, nextOffset: 2 })
    expect((await log.read(0, { ...READ_ALL, upTo: 'highWatermark' })).sizeBytes).toBe(0)
    const refused = () => log.read(3, READ_ALL)
    expect(refused).toThrow(LogError)
    expect(refused).toThrow(
      'Received request for offset 3 for partition topic-0, but we only have log segments upto 2.',
    )
  })

  it.each([0, 2 ** 20])('gives whole batches within maxBytes (tail cache of %i bytes)', async (tailCacheBytes) => {
    const log = openLog(testEnvironment({ tailCacheBytes }))
    for (const values of [['a'], ['b', 'c'], ['d']]) await log.append([batchOf(values)], CLIENT)
    const sizes = (await readBatches(log)).map((batch) => batch.sizeBytes)
    const read = async (offset: number, maxBytes: number, minOneBatch: boolean) =>
      (await log.read(offset, { maxBytes, minOneBatch, upTo: 'logEnd' })).nextOffset
    expect(await read(0, sizes[0]! + sizes[1]!, false)).toBe(3)
    expect(await read(0, sizes[0]! + sizes[1]! - 1, false)).toBe(1)
    expect(await read(0, sizes[0]! - 1, false)).toBe(0)
    expect(await read(0, 1, true)).toBe(1)
    expect(await read(2, 1, true)).toBe(3)
    log.advanceHighWatermark(2)
    const data = await log.read(0, { ...READ_ALL, upTo: 'highWatermark' })
    expect(data.nextOffset).toBe(1)
  })
})

describe('retention', () => {
  async function threeSegments() {
    const environment = testEnvironment()
    const log = openLog(environment, { ...SMALL, segmentBytes: 100, retentionMs: -1 })
    for (const [i, value] of ['a', 'b', 'c'].entries()) {
      await log.append([buildBatch([record(value, { timestamp: environment.time.nowMs() + i })])], CLIENT)
    }
    expect(log.segmentCount).toBe(3)
    return { environment, log }
  }

  it('by size removes what is too much, but nothing past the high watermark', async () => {
    const { environment, log } = await threeSegments()
    log.updateConfig({ ...log.config, retentionBytes: log.sizeBytes - 1 })
    expect(log.retire()).toBe(0)
    log.updateConfig({ ...log.config, retentionBytes: log.sizeBytes / 3 })
    log.advanceHighWatermark(1)
    expect(log.retire()).toBe(1)
    log.advanceHighWatermark(3)
    expect(log.retire()).toBe(1)
    expect(log.logStartOffset).toBe(2)
    const names = () => environment.disk.list(log.directory).map((entry) => entry.name)
    expect(names()).toContain('00000000000000000000.log.deleted')
    await environment.time.advance(10)
    expect(names().filter((name) => name.endsWith('.deleted'))).toEqual([])
    expect(names()).not.toContain('00000000000000000001.log')
    expect(await readValues(log)).toEqual([[2, 'c']])
  })

  it('leaves nothing to do after the log is closed; the next start removes the files', async () => {
    const { environment, log } = await threeSegments()
    log.advanceHighWatermark(3)
    log.updateConfig({ ...log.config, retentionBytes: 0 })
    expect(log.retire()).toBe(3)
    await log.close()
    expect(environment.time.pendingTasks).toBe(0)
    const again = openLog(environment, SMALL, { cleanShutdown: true })
    expect(environment.disk.list(log.directory).filter(({ name }) => name.endsWith('.deleted'))).toEqual([])
    expect(again).toMatchObject({ logStartOffset: 3, logEndOffset: 3 })
  })

  it('by time takes the active segment, too', async () => {
    const { environment, log } = await threeSegments()
    log.updateConfig({ ...log.config, retentionMs: 100 })
    log.advanceHighWatermark(3)
    await environment.time.advance(102)
    expect(log.retire()).toBe(2)
    await environment.time.advance(1)
    expect(log.retire()).toBe(1)
    expect(log).toMatchObject({ logStartOffset: 3, logEndOffset: 3, segmentCount: 1 })
    expect((await log.append([batchOf(['d'])], CLIENT)).firstOffset).toBe(3)
  })

  it('of a compacted topic only removes what DeleteRecords gave up', async () => {
    const { log } = await threeSegments()
    log.updateConfig({ ...log.config, cleanupDelete: false, cleanupCompact: true, retentionBytes: 0, retentionMs: 0 })
    log.advanceHighWatermark(3)
    expect(log.retire()).toBe(0)
    log.advanceLogStart(1, 'the test')
    expect(log.retire()).toBe(1)
    expect(() => log.advanceLogStart(4, 'the test')).toThrow('larger than the high watermark 3')
  })
})

describe('rolling', () => {
  it('happens when segment.ms has passed between the first and the present batch', async () => {
    const log = openLog(testEnvironment(), { segmentMs: 1000, timestampAfterMaxMs: NEVER })
    const at = (timestamp: number) => log.append([buildBatch([record('x', { timestamp })])], CLIENT)
    await at(5000)
    await at(6000)
    expect(log.segmentCount).toBe(1)
    await at(6001)
    expect(log.segmentCount).toBe(2)
  })

  it('happens when an offset is too far from the base of the segment', async () => {
    const log = openLog(testEnvironment())
    const options = { leaderEpoch: 0, origin: 'replication' } as const
    await log.append([batchOf(['a'], { baseOffset: 0, partitionLeaderEpoch: 0 })], options)
    const far = 2 ** 31
    await log.append([batchOf(['b'], { baseOffset: far, partitionLeaderEpoch: 0 })], options)
    expect(log.segmentCount).toBe(2)
    expect(await readValues(log)).toEqual([
      [0, 'a'],
      [far, 'b'],
    ])
  })
})
