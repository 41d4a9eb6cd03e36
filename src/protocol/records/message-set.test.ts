import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BatchView, batchesIn } from './batch.ts'
import { buildBatch } from './builder.ts'
import { Compression } from './compression.ts'
import { ControlType, controlKey, endTxnMarkerValue, parseControlType, parseEndTxnMarkerValue } from './control.ts'
import { downConvert, upConvert } from './convert.ts'
import { decodeRecords } from './cursor.ts'
import { RecordsError } from './errors.ts'
import { Codec, TimestampType } from './layout.ts'
import { buildMessageSet, decodeMessageSet, type LegacyMagic, MessageView, messagesIn } from './message-set.ts'

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

const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array))
const record = fc.record({
  timestamp: fc.integer({ min: -1, max: 2 ** 45 }),
  key: fc.option(bytes),
  value: fc.option(bytes),
})
const records = fc.array(record, { minLength: 1, maxLength: 12 })
const magics = fc.constantFrom<LegacyMagic>(0, 1)
const codecs = fc.constantFrom(Codec.none, Codec.gzip, Codec.snappy, Codec.lz4)
const hello = { timestamp: 5, key: Buffer.from('k'), value: Buffer.from('hello') }

describe('message sets', () => {
  it('give back what was built, with absolute offsets', () => {
    fc.assert(
      fc.property(records, magics, codecs, fc.nat({ max: 2 ** 40 }), (input, magic, codec, baseOffset) => {
        const set = buildMessageSet(input, { magic, codec, baseOffset })
        for (const message of messagesIn(set)) message.ensureValid()
        const expected = input.map((one, i) => ({
          ...one,
          offset: baseOffset + i,
          timestamp: magic === 0 ? -1 : one.timestamp,
        }))
        // A compressed message at offset 0 is that of one record.
        expect(decodeMessageSet(set, MAX)).toEqual(expected)
      }),
    )
  })

  it('take the wrapper time where the log set it (KIP-32)', () => {
    const set = buildMessageSet([hello, hello], { magic: 1, codec: Codec.gzip, baseOffset: 10 })
    const wrapper = new MessageView(set)
    expect([wrapper.offset, wrapper.timestamp, wrapper.codec]).toEqual([11, 5, Codec.gzip])
    wrapper.setTimestamp(TimestampType.logAppendTime, 99)
    expect([wrapper.timestampType, wrapper.isCrcValid(), wrapper.codec]).toEqual([1, true, Codec.gzip])
    expect(decodeMessageSet(set, MAX).map((one) => one.timestamp)).toEqual([99, 99])
    expect(() => new MessageView(buildMessageSet([hello], { magic: 0 })).setTimestamp(0, 1)).toThrow(TypeError)
  })

  it('count from 0 where a producer left the wrapper offset 0 (KIP-31)', () => {
    const set = buildMessageSet([hello, hello, hello], { magic: 1, codec: Codec.lz4, baseOffset: 7 })
    new MessageView(set).setOffset(0)
    expect(decodeMessageSet(set, MAX).map((one) => one.offset)).toEqual([0, 1, 2])
    new MessageView(set).setOffset(1)
    expect(faultOf(() => decodeMessageSet(set, MAX))).toBe('invalid')
  })

  it('refuse what no client writes', () => {
    const nested = buildMessageSet([hello], { magic: 1, codec: Codec.gzip })
    const wrap = (value: Buffer | null, codec: Codec): Buffer => {
      const set = buildMessageSet([{ timestamp: 1, key: null, value }], { magic: 1 })
      set.writeInt8(codec, 17)
      return set
    }
    const gzip = (content: Buffer): Buffer => new Compression().compress(Codec.gzip, content)
    expect(faultOf(() => decodeMessageSet(wrap(null, Codec.gzip), MAX))).toBe('invalid')
    expect(faultOf(() => decodeMessageSet(wrap(Buffer.alloc(0), Codec.zstd), MAX))).toBe('invalid')
    expect(faultOf(() => decodeMessageSet(wrap(gzip(Buffer.alloc(0)), Codec.gzip), MAX))).toBe('invalid')
    expect(faultOf(() => decodeMessageSet(wrap(gzip(nested), Codec.gzip), MAX))).toBe('invalid')
    expect(faultOf(() => decodeMessageSet(wrap(gzip(buildMessageSet([hello], { magic: 0 })), Codec.gzip), MAX))).toBe(
      'invalid',
    )
    const damaged = buildMessageSet([hello], { magic: 1 })
    damaged[damaged.length - 1]! ^= 1
    expect(faultOf(() => decodeMessageSet(wrap(gzip(damaged), Codec.gzip), MAX))).toBe('corrupt')
    expect(
      faultOf(() =>
        decodeMessageSet(buildMessageSet([{ ...hello, value: Buffer.alloc(99) }], { magic: 0, codec: Codec.gzip }), 50),
      ),
    ).toBe('tooLarge')
  })

  it('never fail but by the typed error, whatever bytes change', () => {
    fc.assert(
      fc.property(
        records,
        magics,
        codecs,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (input, magic, codec, edits) => {
          const set = buildMessageSet(input, { magic, codec })
          for (const [at, value] of edits) set[at % set.length] = value
          faultOf(() => decodeMessageSet(set, MAX))
          faultOf(() => downConvert(set, { toMagic: 0, maxBytes: MAX }))
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('conversion', () => {
  it('keeps keys, values and timestamps from batch to messages and back', () => {
    fc.assert(
      fc.property(records, codecs, fc.nat({ max: 1000 }), (input, codec, baseOffset) => {
        const withHeaders = input.map((one) => ({ ...one, headers: [{ key: 'h', value: null }] }))
        const batch = buildBatch(withHeaders, { codec, baseOffset })
        const set = downConvert(batch, { toMagic: 1, maxBytes: MAX })
        const expected = input.map((one, i) => ({ ...one, offset: baseOffset + i }))
        expect(decodeMessageSet(set, MAX)).toEqual(expected)
        const again = new BatchView(upConvert(set, { codec, baseOffset }, MAX))
        expect(decodeRecords(again, MAX)).toEqual(expected.map((one) => ({ ...one, headers: [] })))
      }),
    )
  })

  it('drops timestamps on the way to magic 0, from either format', () => {
    fc.assert(
      fc.property(records, codecs, (input, codec) => {
        const batch = buildBatch(input, { codec, baseOffset: 3 })
        const straight = downConvert(batch, { toMagic: 0, maxBytes: MAX })
        const byWay = downConvert(downConvert(batch, { toMagic: 1, maxBytes: MAX }), { toMagic: 0, maxBytes: MAX })
        const expected = input.map((one, i) => ({ ...one, offset: 3 + i, timestamp: -1 }))
        expect(decodeMessageSet(straight, MAX)).toEqual(expected)
        expect(byWay.equals(straight)).toBe(true)
        expect(downConvert(straight, { toMagic: 1, maxBytes: MAX }).equals(straight)).toBe(true)
      }),
    )
  })

  it('leaves out control batches and what lies before the fetch offset', () => {
    const marker = buildBatch([{ timestamp: 1, key: controlKey(ControlType.commit), value: endTxnMarkerValue(3) }], {
      baseOffset: 0,
      producerId: 1,
      producerEpoch: 0,
      isTransactional: true,
      isControl: true,
    })
    const plain = buildBatch([hello, hello, hello], { baseOffset: 1 })
    const packed = buildBatch([hello, hello], { baseOffset: 4, codec: Codec.gzip })
    const log = Buffer.concat([marker, plain, packed, packed.subarray(0, 20)])
    const offsets = (firstOffset: number): number[] =>
      decodeMessageSet(downConvert(log, { toMagic: 1, firstOffset, maxBytes: MAX }), MAX).map((one) => one.offset)
    expect(offsets(0)).toEqual([1, 2, 3, 4, 5])
    expect(offsets(3)).toEqual([3, 4, 5])
    // Compressed records stay together: the client drops those it did not ask for.
    expect(offsets(5)).toEqual([4, 5])
  })

  it('keeps a log append time and refuses zstd', () => {
    const set = downConvert(buildBatch([hello], { codec: Codec.lz4, logAppendTimeMs: 42 }), {
      toMagic: 1,
      maxBytes: MAX,
    })
    expect(new MessageView(set).timestampType).toBe(TimestampType.logAppendTime)
    expect(decodeMessageSet(set, MAX)[0]!.timestamp).toBe(42)
    const zstd = buildBatch([hello], { codec: Codec.zstd })
    expect(faultOf(() => downConvert(zstd, { toMagic: 1, maxBytes: MAX }))).toBe('unsupportedCodec')
  })
})

describe('control records', () => {
  it('have a key of version and type, and markers the coordinator epoch', () => {
    expect(controlKey(ControlType.kraftVoters).toString('hex')).toBe('00000006')
    expect(endTxnMarkerValue(258).toString('hex')).toBe('000000000102')
    expect(parseControlType(Buffer.from('000700010099', 'hex'))).toBe(1)
    expect(parseEndTxnMarkerValue(endTxnMarkerValue(-2))).toBe(-2)
    expect(faultOf(() => parseControlType(Buffer.alloc(3)))).toBe('invalid')
    expect(faultOf(() => parseControlType(Buffer.from('ffff0000', 'hex')))).toBe('invalid')
    expect(faultOf(() => parseEndTxnMarkerValue(Buffer.alloc(5)))).toBe('invalid')
  })

  it('are told by their batch', () => {
    const built = buildBatch([{ timestamp: 1, key: controlKey(ControlType.leaderChange), value: Buffer.alloc(1) }], {
      isControl: true,
    })
    const [batch] = [...batchesIn(built)]
    expect(batch!.isControl).toBe(true)
    expect(parseControlType(decodeRecords(batch!, MAX)[0]!.key!)).toBe(ControlType.leaderChange)
  })
})
