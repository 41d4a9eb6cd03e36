import { describe, expect, it } from 'vitest'
import { BatchView } from '../protocol/records/batch.ts'
import { type BatchOptions, buildBatch } from '../protocol/records/builder.ts'
import { decodeRecords } from '../protocol/records/cursor.ts'
import { Codec, TimestampType } from '../protocol/records/layout.ts'
import { buildMessageSet } from '../protocol/records/message-set.ts'
import { AppendError } from './append-error.ts'
import { batchOf, CLIENT, marker, NEVER, openLog, readBatches, readValues, record, testEnvironment } from './testkit.ts'
import type { AppendOptions, LogConfig } from './types.ts'

const NOW = 1_700_000_000_000

async function refusal(
  bytes: Buffer | Buffer[],
  config: Partial<LogConfig> = {},
  options: Partial<AppendOptions> = {},
): Promise<AppendError> {
  const log = openLog(testEnvironment(), config)
  const error = await log.append([bytes].flat(), { ...CLIENT, ...options }).then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(AppendError)
  expect(log.logEndOffset).toBe(0)
  return error
}

function patched(bytes: Buffer, change: (batch: BatchView) => void): Buffer {
  const batch = new BatchView(bytes)
  change(batch)
  batch.updateCrc()
  return bytes
}

describe('refused batches', () => {
  const cases: [string, string, string, () => Promise<AppendError>][] = [
    [
      'a wrong CRC',
      'CORRUPT_MESSAGE',
      'Record is corrupt (stored crc = 1) in topic partition topic-0.',
      () => {
        const bytes = batchOf(['a'])
        bytes.writeUInt32BE(1, 17)
        return refusal(bytes)
      },
    ],
    [
      'a base offset other than 0',
      'INVALID_RECORD',
      'The baseOffset of the record batch in the append to topic-0 should be 0, but it is 5',
      () => refusal(batchOf(['a'], { baseOffset: 5 })),
    ],
    [
      'two batches',
      'INVALID_RECORD',
      'Compressed outer record has more than one batch',
      () => refusal([batchOf(['a']), batchOf(['b'])]),
    ],
    [
      'more than max.message.bytes',
      'MESSAGE_TOO_LARGE',
      'The record batch size in the append to topic-0 is 171 bytes which exceeds the maximum configured value of 100).',
      () => refusal(batchOf(['x'.repeat(100)]), { maxMessageBytes: 100 }),
    ],
    [
      'more than a segment',
      'RECORD_LIST_TOO_LARGE',
      'Message batch size is 171 bytes in append to partition topic-0, which exceeds the maximum configured segment size of 100.',
      () => refusal(batchOf(['x'.repeat(100)]), { segmentBytes: 100 }),
    ],
    [
      'a count that disagrees with the offsets',
      'INVALID_RECORD',
      'Inconsistent batch offset range [0, 0] and count of records 2 in topic partition topic-0',
      () => refusal(patched(batchOf(['a']), (batch) => batch.buffer.writeInt32BE(2, 57))),
    ],
    [
      'a count of zero',
      'INVALID_RECORD',
      'Invalid reported count for record batch: 0 in topic partition topic-0',
      () => refusal(patched(batchOf(['a']), (batch) => batch.buffer.writeInt32BE(0, 57))),
    ],
    [
      'a negative offset range',
      'INVALID_RECORD',
      'Batch has an invalid offset range: [0, -3] in topic partition topic-0',
      () => refusal(patched(batchOf(['a']), (batch) => batch.buffer.writeInt32BE(-3, 23))),
    ],
    [
      'a control batch of a client',
      'INVALID_RECORD',
      'Clients are not allowed to write control records in topic partition topic-0',
      () => refusal(marker('commit', 1, 0)),
    ],
    [
      'a producer id without a sequence',
      'INVALID_RECORD',
      'Invalid sequence number -1 in record batch with producerId 4 in topic partition topic-0',
      () => refusal(batchOf(['a'], { producerId: 4, producerEpoch: 0 })),
    ],
    [
      'an unknown codec',
      'UNKNOWN_SERVER_ERROR',
      'Unknown compression type id: 6',
      () => refusal(patched(batchOf(['a']), (batch) => batch.buffer.writeInt16BE(6, 21))),
    ],
  ]
  it.each(cases)('%s', async (_, name, message, run) => {
    const error = await run()
    expect(error.error.name).toBe(name)
    expect(error.message).toBe(message)
    expect(error.recordErrors).toEqual([])
  })

  it('name the records without a key on a compacted topic', async () => {
    const bytes = buildBatch([record('a'), record('b', { key: null }), record('c', { key: null })])
    const error = await refusal(bytes, { cleanupCompact: true })
    expect(error.error.name).toBe('INVALID_RECORD')
    const message = 'Compacted topic cannot accept message without key in topic partition topic-0'
    expect(error.recordErrors).toEqual([
      { batchIndex: 1, message },
      { batchIndex: 2, message },
    ])
    expect(error.message).toBe(
      `One or more records have been rejected due to 2 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex=1, message='${message}'), RecordError(batchIndex=2, message='${message}')]`,
    )
  })

  it('name the records that are too old or too new (KIP-937)', async () => {
    const bytes = buildBatch([record('a', { timestamp: NOW - 11 }), record('b'), record('c', { timestamp: NOW + 21 })])
    const error = await refusal(bytes, { timestampBeforeMaxMs: 10, timestampAfterMaxMs: 20 })
    expect(error.error.name).toBe('INVALID_TIMESTAMP')
    expect(error.message).toBe('One or more records have been rejected due to invalid timestamp')
    expect(error.recordErrors).toEqual([
      {
        batchIndex: 0,
        message: `Timestamp ${NOW - 11} of message with offset 0 is out of range. The timestamp should be within [${NOW - 10}, ${NOW + 20}]`,
      },
      {
        batchIndex: 2,
        message: `Timestamp ${NOW + 21} of message with offset 2 is out of range. The timestamp should be within [${NOW - 10}, ${NOW + 20}]`,
      },
    ])
  })

  it('may not claim a log append time', async () => {
    const error = await refusal(batchOf(['a'], { logAppendTimeMs: NOW }), { timestampType: 'LogAppendTime' })
    expect(error.error.name).toBe('INVALID_TIMESTAMP')
    expect(error.recordErrors[0]!.message).toBe(
      `Invalid timestamp type in message DefaultRecord(offset=0, timestamp=${NOW}, key=1 bytes, value=1 bytes). Producer should not set timestamp type to LogAppendTime.`,
    )
  })
})

describe('what is written', () => {
  async function written(bytes: Buffer, config: Partial<LogConfig> = {}): Promise<BatchView> {
    const log = openLog(testEnvironment(), config)
    await log.append([batchOf(['before'])], CLIENT)
    await log.append([bytes], { ...CLIENT, leaderEpoch: 3 })
    return (await readBatches(log, 1))[0]!
  }

  it('carries offset, epoch and the largest timestamp of its records', async () => {
    const bytes = patched(buildBatch([record('a', { timestamp: 5 }), record('b', { timestamp: 9 })]), (batch) => {
      batch.setMaxTimestamp(TimestampType.createTime, 7)
    })
    const batch = await written(bytes)
    expect(batch).toMatchObject({ baseOffset: 1, lastOffset: 2, partitionLeaderEpoch: 3, maxTimestamp: 9 })
    expect(batch.isCrcValid()).toBe(true)
  })

  it('carries the time of the append where the topic wants it', async () => {
    const batch = await written(batchOf(['a'], { codec: Codec.gzip }), { timestampType: 'LogAppendTime' })
    expect(batch).toMatchObject({ timestampType: TimestampType.logAppendTime, maxTimestamp: NOW })
    expect(batch.isCrcValid()).toBe(true)
  })

  const codecs = [Codec.none, Codec.gzip, Codec.snappy, Codec.lz4, Codec.zstd]
  it.each(codecs.flatMap((from) => codecs.map((to) => [from, to] as const)))(
    'is compressed as the topic wants it: codec %i to %i',
    async (from, to) => {
      const options: BatchOptions = { codec: from, producerId: 9, producerEpoch: 1, baseSequence: 4 }
      const batch = await written(batchOf(['a', 'b'], options), { compression: { codec: to, level: undefined } })
      expect(batch).toMatchObject({ codecId: to, baseOffset: 1, producerId: 9, producerEpoch: 1, baseSequence: 4 })
      expect(decodeRecords(batch, 1000).map(({ offset, value }) => [offset, String(value)])).toEqual([
        [1, 'a'],
        [2, 'b'],
      ])
    },
  )

  it.each([0, 1] as const)(
    'is a batch of magic 2, too, when a message set of magic %i came (KIP-98)',
    async (magic) => {
      for (const codec of [Codec.none, Codec.gzip]) {
        const log = openLog(testEnvironment())
        const legacy = [record('a'), record('b')].map((each, offset) => ({ ...each, offset }))
        await log.append([buildMessageSet(legacy, { magic, codec })], CLIENT)
        expect(await readValues(log)).toEqual([
          [0, 'a'],
          [1, 'b'],
        ])
        const [batch] = await readBatches(log)
        expect(batch).toMatchObject({ magic: 2, codecId: codec, maxTimestamp: magic === 0 ? -1 : NOW })
      }
    },
  )

  it('takes every timestamp by default', async () => {
    expect(
      (await written(buildBatch([record('a', { timestamp: 0 })]), { timestampBeforeMaxMs: NEVER })).maxTimestamp,
    ).toBe(0)
  })
})
