import { describe, expect, test } from 'vitest'
import { errors } from '../protocol/errors.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import { ControlType, controlKey, endTxnMarkerValue } from '../protocol/records/control.ts'
import { Codec } from '../protocol/records/layout.ts'
import { buildMessageSet, decodeMessageSet, MessageView, messagesIn } from '../protocol/records/message-set.ts'
import type { FetchParams, FetchResult, FetchSpec, PartitionFinder } from '../replication/fetch-reader.ts'
import { asMessageSet } from './message-set-answer.ts'

const MB = 2 ** 20
const TIMESTAMP = 1_700_000_000_000

function batch(baseOffset: number, count: number, codec: Codec = Codec.none, valueBytes = 10): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({
    timestamp: TIMESTAMP + i,
    key: Buffer.from(`k${baseOffset + i}`),
    value: Buffer.alloc(valueBytes, i),
    headers: [{ key: 'h', value: Buffer.from('v') }],
  }))
  return buildBatch(records, { baseOffset, codec, partitionLeaderEpoch: 0 })
}

function marker(baseOffset: number): Buffer {
  const record = { timestamp: TIMESTAMP, key: controlKey(ControlType.commit), value: endTxnMarkerValue(0) }
  return buildBatch([record], { baseOffset, isControl: true, isTransactional: true, producerId: 1, producerEpoch: 0 })
}

const NOBODY: PartitionFinder = { get: () => undefined }
const PARAMS: FetchParams = {
  replicaId: -1,
  upTo: 'highWatermark',
  mustLead: true,
  minBytes: 1,
  maxBytes: MB,
  maxWaitMs: 0,
}

async function answer(
  records: readonly Buffer[],
  version: number,
  spec: Partial<FetchSpec> = {},
  partitions = NOBODY,
): Promise<FetchResult> {
  const result: FetchResult = {
    error: errors.NONE,
    highWatermark: 100,
    lastStableOffset: 100,
    logStartOffset: 0,
    logEndOffset: 100,
    preferredReadReplica: -1,
    divergingEpoch: undefined,
    abortedTransactions: null,
    records,
    sizeBytes: records.reduce((bytes, { length }) => bytes + length, 0),
  }
  const whole = { topic: 't', topicId: undefined, partition: 0, fetchOffset: 0, maxBytes: MB }
  return asMessageSet(
    result,
    { ...whole, currentLeaderEpoch: -1, lastFetchedEpoch: -1, ...spec },
    PARAMS,
    version,
    partitions,
  )
}

const offsetsOf = ({ records }: FetchResult) =>
  records.flatMap((set) => decodeMessageSet(set, MB).map(({ offset }) => offset))

describe('records for clients that know message sets only', () => {
  test.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
  ])('version %i has magic %i', async (version, magic) => {
    const { records, sizeBytes } = await answer([batch(5, 3)], version)
    expect(new MessageView(records[0]!).magic).toBe(magic)
    expect(sizeBytes).toBe(records[0]!.length)
    const decoded = decodeMessageSet(records[0]!, MB)
    expect(decoded.map(({ offset, key }) => [offset, key?.toString()])).toEqual([
      [5, 'k5'],
      [6, 'k6'],
      [7, 'k7'],
    ])
    expect(decoded[2]!.timestamp).toBe(magic === 0 ? -1 : TIMESTAMP + 2)
  })

  test('what is before the offset asked for is left out, but not out of a compressed message', async () => {
    expect(offsetsOf(await answer([batch(5, 3)], 2, { fetchOffset: 6 }))).toEqual([6, 7])
    expect(offsetsOf(await answer([batch(5, 3, Codec.gzip)], 2, { fetchOffset: 6 }))).toEqual([5, 6, 7])
  })

  test.each([0, 1, 2])('version %i gets no more bytes than it asked for, the last message in part', async (version) => {
    const { records, sizeBytes } = await answer([batch(0, 10, Codec.none, 100)], version, { maxBytes: 500 })
    expect(sizeBytes).toBe(500)
    expect(decodeMessageSet(records[0]!, MB).map(({ offset }) => offset)).toEqual([0, 1, 2])
  })

  test('version 2 gets the beginning of a message that is too large for it, version 3 all of it (KIP-74)', async () => {
    const records = [batch(0, 1, Codec.none, 1000), batch(1, 1)]
    const old = await answer(records, 2, { maxBytes: 100 })
    expect(old.sizeBytes).toBe(100)
    expect(decodeMessageSet(old.records[0]!, MB)).toEqual([])
    expect(offsetsOf(await answer(records.slice(0, 1), 3, { maxBytes: 100 }))).toEqual([0])
  })

  test('markers are not shown; where there is nothing else, what follows them is read', async () => {
    expect(offsetsOf(await answer([batch(0, 2), marker(2), batch(3, 1)], 2))).toEqual([0, 1, 3])
    const asked: number[] = []
    const read = (offset: number) => {
      asked.push(offset)
      const records = offset === 6 ? [marker(6)] : offset === 7 ? [batch(7, 1)] : []
      return { records, sizeBytes: records.length, nextOffset: offset + 1, abortedTransactions: undefined }
    }
    const partitions = { get: () => ({ read }) } as unknown as PartitionFinder
    expect(offsetsOf(await answer([marker(5)], 2, { fetchOffset: 5 }, partitions))).toEqual([7])
    expect(asked).toEqual([6, 7])
    expect((await answer([marker(5)], 2)).sizeBytes).toBe(0)
  })

  test('zstd cannot be shown (KIP-110), and damage is told', async () => {
    expect((await answer([batch(0, 1, Codec.zstd)], 2)).error).toBe(errors.UNSUPPORTED_COMPRESSION_TYPE)
    const damaged = batch(0, 1, Codec.gzip)
    damaged.fill(0xff, 61)
    expect((await answer([damaged], 2)).error).toBe(errors.CORRUPT_MESSAGE)
  })

  test.each([
    [0, [0, 0]],
    [2, [0, 1]],
  ])('what the log has of old formats is for version %i of magic %j', async (version, magics) => {
    const old = ([0, 1] as const).map((magic) => {
      const records = [{ timestamp: TIMESTAMP, key: null, value: Buffer.from('x') }]
      return buildMessageSet(records, { magic, codec: Codec.gzip, baseOffset: magic })
    })
    const result = await answer([Buffer.concat(old)], version)
    expect(offsetsOf(result)).toEqual([0, 1])
    const set = Buffer.concat(result.records)
    expect([...messagesIn(set)].length).toBe(2)
    const positions = [0, new MessageView(set).end]
    expect(positions.map((position) => new MessageView(set, position).magic)).toEqual(magics)
    expect(set.subarray(0, old[0]!.length).equals(old[0]!)).toBe(true)
  })
})
