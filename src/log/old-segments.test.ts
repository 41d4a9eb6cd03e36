import { describe, expect, it } from 'vitest'
import { decodeRecords } from '../protocol/records/cursor.ts'
import { Codec } from '../protocol/records/layout.ts'
import { batchesOfAnyFormatIn, modernBatch } from '../protocol/records/legacy-batch.ts'
import { buildMessageSet } from '../protocol/records/message-set.ts'
import type { PartitionLog } from './partition-log.ts'
import { batchOf, CLIENT, DIRECTORY, openLog, READ_ALL, type TestEnvironment, testEnvironment } from './testkit.ts'

const RECORDS_EACH = 10

/** Segments as releases before 0.11 left them: magic, codec and the time of their records. */
const OLD_SEGMENTS = [
  { magic: 0, codec: Codec.none },
  { magic: 0, codec: Codec.gzip },
  { magic: 1, codec: Codec.none },
  { magic: 1, codec: Codec.snappy },
] as const

/** Shortly before the time of the test kit's records. */
const TIME = 1_699_999_990_000
const END = OLD_SEGMENTS.length * RECORDS_EACH

function offsetsOf(segment: number): number[] {
  return Array.from({ length: RECORDS_EACH }, (_, index) => segment * RECORDS_EACH + index)
}

function valueAt(offset: number): string {
  return `value-${offset}-${'x'.repeat(400)}`
}

/** Compressed, five records in each message. */
function messageSet(index: number): Buffer {
  const { magic, codec } = OLD_SEGMENTS[index]!
  const records = offsetsOf(index).map((offset) => ({
    ...{ offset, timestamp: TIME + offset, key: Buffer.from(`key-${offset % 3}`), value: Buffer.from(valueAt(offset)) },
  }))
  return Buffer.concat([
    buildMessageSet(records.slice(0, 5), { magic, codec }),
    buildMessageSet(records.slice(5), { magic, codec }),
  ])
}

function pathOf(segment: number, suffix: string): string {
  return `${DIRECTORY}/${String(segment * RECORDS_EACH).padStart(20, '0')}${suffix}`
}

function oldDirectory(): TestEnvironment {
  const environment = testEnvironment()
  environment.disk.makeDirectory(DIRECTORY)
  for (const index of OLD_SEGMENTS.keys()) environment.disk.replaceFile(pathOf(index, '.log'), messageSet(index))
  return environment
}

/** Offset and value of all records that a reader with small answers is given. */
async function readAll(log: PartitionLog, maxBytes = 1500): Promise<[number, string][]> {
  const found: [number, string][] = []
  for (let offset = log.logStartOffset; offset < log.logEndOffset; ) {
    const data = await log.read(offset, { ...READ_ALL, maxBytes })
    if (data.sizeBytes === 0) break
    for (const buffer of data.records) {
      for (const batch of batchesOfAnyFormatIn(buffer)) {
        for (const record of decodeRecords(modernBatch(batch, 1_000_000), 1_000_000)) {
          if (record.offset >= offset) found.push([record.offset, record.value!.toString()])
        }
      }
    }
    offset = data.nextOffset
  }
  return found
}

const EXPECTED = Array.from({ length: END }, (_, offset): [number, string] => [offset, valueAt(offset)])

describe('segments of message formats 0 and 1, left by an older release', () => {
  it.each([true, false])('are loaded, indexed and read (clean shutdown: %s)', async (cleanShutdown) => {
    const environment = oldDirectory()
    const log = openLog(environment, { indexIntervalBytes: 100 }, { cleanShutdown })
    expect(log).toMatchObject({ logStartOffset: 0, logEndOffset: END, offline: undefined, segmentCount: 4 })
    expect(await readAll(log)).toEqual(EXPECTED)
    expect(environment.disk.readFile(pathOf(0, '.index')).length).toBeGreaterThan(0)
    log.closeFiles()
  })

  it('go on with batches, in the same segment', async () => {
    const environment = oldDirectory()
    const log = openLog(environment)
    const info = await log.append([batchOf(['new'])], CLIENT)
    expect([info.firstOffset, log.segmentCount]).toEqual([END, 4])
    await log.close()
    const again = openLog(environment, {}, { cleanShutdown: true })
    expect(await readAll(again)).toEqual([...EXPECTED, [END, 'new']])
    expect(again.epochs).toEqual([{ epoch: 0, startOffset: END }])
    again.closeFiles()
  })

  it('are served as they are', async () => {
    const log = openLog(oldDirectory())
    for (const index of OLD_SEGMENTS.keys()) {
      const data = await log.read(index * RECORDS_EACH, READ_ALL)
      expect(Buffer.concat(data.records).equals(messageSet(index))).toBe(true)
    }
  })

  it('have times from format 1 on', () => {
    const log = openLog(oldDirectory(), { indexIntervalBytes: 100 })
    // Nobody knows from when the records of format 0 are; their files are of 1970.
    expect(log.offsetForTimestamp(0)).toBeUndefined()
    expect(log.offsetForTimestamp(1)).toEqual({ timestamp: TIME + 20, offset: 20, leaderEpoch: -1 })
    expect(log.offsetForTimestamp(TIME + 27)).toEqual({ timestamp: TIME + 27, offset: 27, leaderEpoch: -1 })
    expect(log.offsetForTimestamp(TIME + 33)).toEqual({ timestamp: TIME + 33, offset: 33, leaderEpoch: -1 })
    expect(log.offsetForTimestamp(TIME + END)).toBeUndefined()
    expect(log.offsetFor('maxTimestamp')).toEqual({ timestamp: TIME + 39, offset: 39, leaderEpoch: -1 })
    expect(log.offsetFor('earliest')).toEqual({ timestamp: -1, offset: 0, leaderEpoch: -1 })
  })

  it('are cut off where they are damaged, above the recovery point', async () => {
    const environment = oldDirectory()
    const set = messageSet(2)
    set[set.length - 1]! ^= 1
    environment.disk.replaceFile(pathOf(2, '.log'), set)
    const log = openLog(environment, {}, { recoveryPoint: 20 })
    expect(log).toMatchObject({ logEndOffset: 29, offline: undefined })
    expect(await readAll(log)).toEqual(EXPECTED.slice(0, 29))
    log.closeFiles()
    environment.disk.replaceFile(pathOf(0, '.log'), messageSet(0).subarray(0, 500))
    environment.disk.remove(pathOf(0, '.index'))
    expect(openLog(environment, {}, { recoveryPoint: 20 }).offline).toMatch(/is cut off$/)
  })

  it('can be truncated, at the beginning of a message', async () => {
    const log = openLog(oldDirectory())
    await log.truncateTo(33)
    expect(log.logEndOffset).toBe(33)
    expect(await readAll(log)).toEqual(EXPECTED.slice(0, 30))
  })

  it('are deleted when they are old, by their times or those of their files', async () => {
    const environment = oldDirectory()
    // The virtual disk's files are of 1970.
    const log = openLog(environment, { retentionMs: environment.time.nowMs() - TIME + 1000 })
    log.advanceHighWatermark(END)
    expect(log.retire()).toBe(2)
    expect(await readAll(log)).toEqual(EXPECTED.slice(20))
  })
})

it('segments of old releases are replicated as they are', async () => {
  const leader = openLog(oldDirectory(), {}, { recoveryPoint: END })
  await leader.append([batchOf(['new'])], CLIENT)
  const follower = openLog(testEnvironment({ tailCacheBytes: 100_000 }), { segmentBytes: 3000 })
  while (follower.logEndOffset < leader.logEndOffset) {
    const { records } = await leader.read(follower.logEndOffset, { ...READ_ALL, maxBytes: 2500 })
    await follower.append(
      records.map((each) => Buffer.from(each)),
      { origin: 'replication', leaderEpoch: 3 },
    )
  }
  expect(follower.segmentCount).toBeGreaterThan(2)
  expect(follower.epochs).toEqual([{ epoch: 0, startOffset: END }])
  const expected = await readAll(leader)
  expect(expected).toHaveLength(END + 1)
  expect(await readAll(follower)).toEqual(expected)
})

it('a message of an old release that is cut short or spoilt is not replicated', async () => {
  const follower = openLog(testEnvironment())
  const set = messageSet(2)
  set[set.length - 1]! ^= 1
  await expect(follower.append([set], { origin: 'replication', leaderEpoch: 3 })).rejects.toMatchObject({
    error: { name: 'CORRUPT_MESSAGE' },
  })
  expect(follower.logEndOffset).toBe(0)
})
