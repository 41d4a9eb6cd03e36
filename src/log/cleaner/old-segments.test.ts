import { describe, expect, it } from 'vitest'
import { BatchView, batchesIn } from '../../protocol/records/batch.ts'
import { decodeRecords } from '../../protocol/records/cursor.ts'
import { Codec } from '../../protocol/records/layout.ts'
import { buildMessageSet, type LegacyMagic } from '../../protocol/records/message-set.ts'
import { DIRECTORY, openLog, READ_ALL, testEnvironment } from '../testkit.ts'
import { CLEANING } from './cleaner.testkit.ts'

const TIME = 1_700_000_000_000

function message(magic: LegacyMagic, codec: Codec, offset: number, ...entries: readonly [string, string | null][]) {
  const records = entries.map(([key, value], index) => ({
    ...{ offset: offset + index, timestamp: TIME + offset + index },
    ...{ key: Buffer.from(key), value: value === null ? null : Buffer.from(value) },
  }))
  return buildMessageSet(records, { magic, codec })
}

/** Three segments, of which the first two are compacted; with deletion of tombstones after `deleteRetentionMs`. */
async function compact(deleteRetentionMs: number) {
  const environment = testEnvironment()
  environment.disk.makeDirectory(DIRECTORY)
  const put = (base: number, ...messages: readonly Buffer[]) =>
    environment.disk.replaceFile(`${DIRECTORY}/${String(base).padStart(20, '0')}.log`, Buffer.concat(messages))
  put(
    0,
    message(0, Codec.none, 0, ['a', '0'], ['b', '1']),
    message(0, Codec.gzip, 2, ['c', '2'], ['a', '3'], ['d', '4']),
  )
  put(5, message(1, Codec.snappy, 5, ['a', '5'], ['e', '6'], ['b', null]), message(1, Codec.none, 8, ['f', '8']))
  put(9, message(1, Codec.none, 9, ['g', '9']))
  const log = openLog(environment, { cleanupCompact: true, cleanupDelete: false, deleteRetentionMs })
  log.advanceHighWatermark(10)
  const range = log.cleanableRange(undefined)
  expect(await log.clean(range, CLEANING)).toBe(9)
  const batches: { base: number; codec: number; records: unknown[]; horizon: number }[] = []
  const data = await log.read(0, READ_ALL)
  for (const batch of batchesIn(Buffer.concat(data.records), 0, data.sizeBytes)) {
    const records = decodeRecords(new BatchView(batch.buffer, batch.position), 1_000_000)
    batches.push({
      base: batch.baseOffset,
      codec: batch.codecId,
      records: records.map(({ offset, key, value, timestamp }) => [
        ...[offset, String(key), value === null ? null : String(value), timestamp],
      ]),
      horizon: batch.deleteHorizonMs,
    })
  }
  return { log, batches, nowMs: environment.time.nowMs() }
}

describe('compaction of message formats 0 and 1', () => {
  it('makes batches of what stays, as Apache Kafka does', async () => {
    const { log, batches, nowMs } = await compact(1_000_000)
    const plain = { codec: Codec.none, horizon: -1 }
    expect(batches).toEqual([
      {
        ...{ base: 2, codec: Codec.gzip, horizon: -1 },
        records: [
          [2, 'c', '2', -1],
          [4, 'd', '4', -1],
        ],
      },
      {
        ...{ base: 5, codec: Codec.snappy, horizon: nowMs + 1_000_000 },
        records: [
          [5, 'a', '5', TIME + 5],
          [6, 'e', '6', TIME + 6],
          [7, 'b', null, TIME + 7],
        ],
      },
      { ...plain, base: 8, records: [[8, 'f', '8', TIME + 8]] },
    ])
    expect(log.logEndOffset).toBe(10)
  })
})
