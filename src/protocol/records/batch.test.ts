import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BatchView, batchesIn, batchSizeAt, incrementSequence, validateClientBatch } from './batch.ts'
import { BatchBuilder, type BatchOptions, buildBatch, type RecordInput } from './builder.ts'
import { decodeRecords, RecordCursor, summarize } from './cursor.ts'
import { RecordsError } from './errors.ts'
import { Codec, TimestampType } from './layout.ts'

const MAX = 1 << 20

function faultOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof RecordsError) return error.fault
    throw error
  }
  return 'none'
}

const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array))
const recordInput: fc.Arbitrary<RecordInput> = fc.record({
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2 ** 52 })),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.record({ key: fc.string({ unit: 'grapheme' }), value: fc.option(bytes) }), { maxLength: 4 }),
})
const codecs = [Codec.none, Codec.gzip, Codec.snappy] as const

describe('BatchView', () => {
  it('reads every header field and writes them in place', () => {
    const built = buildBatch([{ timestamp: 1000, key: null, value: Buffer.from('v') }], {
      baseOffset: 7,
      partitionLeaderEpoch: 3,
      producerId: 2 ** 40 + 1,
      producerEpoch: 5,
      baseSequence: 0x7fff_ffff,
      isTransactional: true,
      lastOffset: 9,
    })
    const batch = new BatchView(built)
    expect(batch).toMatchObject({
      baseOffset: 7,
      lastOffset: 9,
      nextOffset: 10,
      magic: 2,
      codec: Codec.none,
      partitionLeaderEpoch: 3,
      producerId: 2 ** 40 + 1,
      hasProducerId: true,
      producerEpoch: 5,
      baseSequence: 0x7fff_ffff,
      lastSequence: 1,
      recordCount: 1,
      isTransactional: true,
      isControl: false,
      deleteHorizonMs: -1,
      baseTimestamp: 1000,
      maxTimestamp: 1000,
      timestampType: TimestampType.createTime,
      sizeBytes: built.length,
    })
    batch.setLastOffset(102)
    batch.setPartitionLeaderEpoch(4)
    expect([batch.baseOffset, batch.partitionLeaderEpoch, batch.isCrcValid()]).toEqual([100, 4, true])
    batch.setMaxTimestamp(TimestampType.logAppendTime, 5000)
    expect([batch.timestampType, batch.maxTimestamp, batch.isCrcValid()]).toEqual([1, 5000, true])
    expect(decodeRecords(batch, MAX)[0]).toMatchObject({ offset: 100, timestamp: 5000 })
    built[built.length - 1]! ^= 1
    expect(faultOf(() => batch.ensureValid())).toBe('corrupt')
  })

  it('counts sequences on from 0 after 2^31 - 1', () => {
    expect(incrementSequence(0x7fff_ffff, 1)).toBe(0)
    expect(incrementSequence(0x7fff_fffe, 1)).toBe(0x7fff_ffff)
    expect(incrementSequence(0x7fff_fff0, 0x20)).toBe(16)
  })
})

describe('batchSizeAt', () => {
  const one = buildBatch([{ timestamp: 0, key: null, value: null }])

  it('is 0 for every cut-off batch', () => {
    for (let end = 0; end < one.length; end++) expect(batchSizeAt(one, 0, end)).toBe(0)
    expect(batchSizeAt(one, 0, one.length)).toBe(one.length)
  })

  it('refuses sizes and magics that cannot be', () => {
    for (const size of [-1, 0, 13, 48]) {
      const broken = Buffer.from(one)
      broken.writeInt32BE(size, 8)
      expect(faultOf(() => batchSizeAt(broken, 0, broken.length))).toBe('corrupt')
    }
    for (const magic of [-1, 3, 127]) {
      const broken = Buffer.from(one)
      broken.writeInt8(magic, 16)
      expect(faultOf(() => batchSizeAt(broken, 0, broken.length))).toBe('corrupt')
    }
  })

  it('steps through batches and stops at a partial one', () => {
    const two = Buffer.concat([
      buildBatch([{ timestamp: 0, key: null, value: null }], { baseOffset: 5 }),
      one,
      one.subarray(0, 30),
    ])
    expect([...batchesIn(two)].length).toBe(2)
    expect(Array.from(batchesIn(two), (batch) => batch.baseOffset)).toEqual([5, 0])
  })
})

describe('build and walk', () => {
  it('gives back what was built, in every codec', () => {
    fc.assert(
      fc.property(
        fc.array(recordInput, { minLength: 1, maxLength: 20 }),
        fc.constantFrom(...codecs),
        fc.integer({ min: 0, max: 2 ** 50 }),
        (records, codec, baseOffset) => {
          const batch = new BatchView(buildBatch(records, { codec, baseOffset }))
          batch.ensureValid()
          validateClientBatch(batch)
          expect(decodeRecords(batch, MAX)).toEqual(records.map((record, i) => ({ ...record, offset: baseOffset + i })))
          const summary = summarize(new RecordCursor().open(batch, MAX))
          expect(summary.recordCount).toBe(records.length)
          expect(summary.maxTimestamp).toBe(batch.maxTimestamp)
          expect(summary.isSequential).toBe(true)
          expect(summary.nullKeys).toBe(records.filter((record) => record.key === null).length)
        },
      ),
    )
  })

  it('copies records from a cursor into another batch, dropping some', () => {
    const records = [0, 1, 2, 3].map((i) => ({
      timestamp: 1000 + i,
      key: Buffer.from([i]),
      value: i === 1 ? null : Buffer.alloc(i * 50, i),
      headers: [{ key: 'h', value: Buffer.from([i]) }],
    }))
    const cursor = new RecordCursor().open(new BatchView(buildBatch(records, { baseOffset: 10 })), MAX)
    const builder = new BatchBuilder({ baseOffset: 10, lastOffset: 13, deleteHorizonMs: 77 })
    while (cursor.next()) if (cursor.offset % 2 === 1) builder.appendFrom(cursor, cursor.offset)
    const batch = new BatchView(builder.build())
    expect(batch.deleteHorizonMs).toBe(77)
    expect([batch.baseOffset, batch.lastOffset, batch.maxTimestamp]).toEqual([10, 13, 1003])
    expect(decodeRecords(batch, MAX)).toEqual([
      { ...records[1], offset: 11 },
      { ...records[3], offset: 13 },
    ])
    expect(summarize(new RecordCursor().open(batch, MAX)).isSequential).toBe(false)
  })

  it('keeps a header whose records are gone', () => {
    const options: BatchOptions = {
      baseOffset: 4,
      lastOffset: 9,
      producerId: 1,
      producerEpoch: 0,
      baseSequence: 3,
      maxTimestamp: 55,
    }
    const batch = new BatchView(new BatchBuilder(options).build())
    expect(batch).toMatchObject({
      sizeBytes: 61,
      recordCount: 0,
      lastOffset: 9,
      baseTimestamp: -1,
      maxTimestamp: 55,
      lastSequence: 8,
    })
    expect(decodeRecords(batch, MAX)).toEqual([])
  })
})

describe('broken batches', () => {
  const records = [1, 2].map((i) => ({
    timestamp: i,
    key: Buffer.from('k'),
    value: Buffer.alloc(20),
    headers: [{ key: 'a', value: null }],
  }))

  function broken(edit: (bytes: Buffer) => void): () => unknown {
    const bytes = buildBatch(records)
    edit(bytes)
    return () => decodeRecords(new BatchView(bytes), MAX)
  }

  it('refuses a count that does not meet the end of the batch', () => {
    expect(faultOf(broken(() => {}))).toBe('none')
    expect(faultOf(broken((bytes) => bytes.writeInt32BE(1, 57)))).toBe('invalid')
    expect(faultOf(broken((bytes) => bytes.writeInt32BE(3, 57)))).toBe('invalid')
    expect(faultOf(broken((bytes) => bytes.writeInt32BE(-1, 57)))).toBe('invalid')
  })

  it('refuses a record whose length disagrees with its fields', () => {
    expect(faultOf(broken((bytes) => (bytes[61]! += 2)))).toBe('invalid')
    expect(faultOf(broken((bytes) => (bytes[61]! -= 2)))).toBe('invalid')
  })

  it('never fails but by the typed errors, whatever bytes change', () => {
    fc.assert(
      fc.property(
        fc.array(recordInput, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(...codecs),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        (input, codec, edits) => {
          const bytes = buildBatch(input, { codec })
          for (const [at, value] of edits) bytes[at % bytes.length] = value
          faultOf(() => {
            for (const batch of batchesIn(bytes)) {
              faultOf(() => batch.ensureValid())
              expect(decodeRecords(batch, MAX).length).toBe(batch.recordCount)
            }
          })
        },
      ),
      { numRuns: 2000 },
    )
  })
})
