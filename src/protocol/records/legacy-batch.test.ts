import { describe, expect, it } from 'vitest'
import { buildBatch } from './builder.ts'
import { decodeRecords } from './cursor.ts'
import { Codec } from './layout.ts'
import { batchesOfAnyFormatIn, firstOffsetOf, LegacyBatchView, modernBatch } from './legacy-batch.ts'
import { buildMessageSet, type LegacyMagic } from './message-set.ts'

const MAX_BYTES = 1_000_000

function records(...values: readonly string[]) {
  return values.map((value, index) => ({ timestamp: 1000 + index, key: Buffer.from('k'), value: Buffer.from(value) }))
}

describe('messages of magic 0 and 1 where batches are expected (KIP-98)', () => {
  it.each([0, 1] as const)('have what they have, and nothing else: magic %i', (magic: LegacyMagic) => {
    const set = buildMessageSet(records('a', 'b'), { magic, baseOffset: 7 })
    const [first, second] = [...batchesOfAnyFormatIn(set)].map(({ position }) => new LegacyBatchView(set, position))
    expect(first!.moveTo(set, 0)).toMatchObject({ magic, baseOffset: 7, lastOffset: 7, nextOffset: 8, position: 0 })
    expect(second!.moveTo(set, first!.end)).toMatchObject({
      ...{ baseOffset: 8, end: set.length, maxTimestamp: magic === 0 ? -1 : 1001 },
      ...{ partitionLeaderEpoch: -1, producerId: -1, hasProducerId: false, producerEpoch: -1, lastSequence: -1 },
      ...{ isTransactional: false, isControl: false, hasDeleteHorizon: false, deleteHorizonMs: -1, codecId: 0 },
    })
    expect(second!.isCrcValid()).toBe(true)
    set[set.length - 1]! ^= 1
    expect(second!.isCrcValid()).toBe(false)
  })

  it.each([
    [0, Codec.none],
    [0, Codec.gzip],
    [1, Codec.snappy],
    [1, Codec.lz4],
  ] as const)('become batches with the same offsets: magic %i, codec %i', (magic, codec) => {
    const given = records('a', 'b', 'c').map((record, index) => ({ ...record, offset: 20 + 3 * index }))
    const set = buildMessageSet(given, { magic, codec })
    const views = [...batchesOfAnyFormatIn(set)].length
    expect(views).toBe(codec === Codec.none ? 3 : 1)
    const found = []
    for (const batch of batchesOfAnyFormatIn(set)) {
      const modern = modernBatch(batch, MAX_BYTES)
      expect(modern).toMatchObject({ magic: 2, codecId: codec, baseOffset: firstOffsetOf(batch, MAX_BYTES) })
      expect(modern.lastOffset).toBe(batch.lastOffset)
      found.push(...decodeRecords(modern, MAX_BYTES))
    }
    expect(found.map(({ offset, timestamp, value }) => [offset, timestamp, value!.toString()])).toEqual(
      given.map(({ offset, timestamp, value }) => [offset, magic === 0 ? -1 : timestamp, value.toString()]),
    )
  })

  it('keep the time of the log where they have it', () => {
    const set = buildMessageSet(records('a', 'b'), { magic: 1, codec: Codec.gzip, logAppendTimeMs: 5000 })
    const [batch] = [...batchesOfAnyFormatIn(set)]
    const modern = modernBatch(batch!, MAX_BYTES)
    expect(modern).toMatchObject({ timestampType: 1, maxTimestamp: 5000 })
    expect(decodeRecords(modern, MAX_BYTES).map(({ timestamp }) => timestamp)).toEqual([5000, 5000])
  })

  it('may stand before batches', () => {
    const set = buildMessageSet(records('a'), { magic: 1, baseOffset: 0 })
    const both = Buffer.concat([set, buildBatch(records('b', 'c'), { baseOffset: 1 })])
    expect([...batchesOfAnyFormatIn(both)].map(({ magic }) => magic)).toEqual([1, 2])
    expect([...batchesOfAnyFormatIn(both.subarray(0, set.length + 10))]).toHaveLength(1)
  })
})
