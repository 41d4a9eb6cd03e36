import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DecodeError, INT64_MAX, INT64_MIN, Reader, Writer } from './wire.ts'

function written(write: (writer: Writer) => void): Buffer {
  const writer = new Writer(1)
  write(writer)
  return writer.finishOne()
}

function reader(hex: string): Reader {
  return new Reader(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

/** A type whose written form reads back as the same value and takes all the bytes. */
function roundTrips<T>(values: fc.Arbitrary<T>, write: (w: Writer, value: T) => void, read: (r: Reader) => T) {
  fc.assert(
    fc.property(values, (value) => {
      const from = new Reader(written((writer) => write(writer, value)))
      expect(read(from)).toEqual(value)
      expect(from.remaining).toBe(0)
    }),
  )
}

const safe = fc.maxSafeInteger()
const buffers: fc.Arbitrary<Buffer> = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes))

describe('integers', () => {
  test('round trip', () => {
    roundTrips(
      fc.integer({ min: -128, max: 127 }),
      (w, v) => w.int8(v),
      (r) => r.int8(),
    )
    roundTrips(
      fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
      (w, v) => w.int16(v),
      (r) => r.int16(),
    )
    roundTrips(
      fc.integer({ min: 0, max: 2 ** 16 - 1 }),
      (w, v) => w.uint16(v),
      (r) => r.uint16(),
    )
    roundTrips(
      fc.integer(),
      (w, v) => w.int32(v),
      (r) => r.int32(),
    )
    roundTrips(
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      (w, v) => w.uint32(v),
      (r) => r.uint32(),
    )
    roundTrips(
      safe,
      (w, v) => w.int64(v),
      (r) => r.int64(),
    )
    roundTrips(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      (w, v) => w.int64big(v),
      (r) => r.int64big(),
    )
    roundTrips(
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      (w, v) => w.uvarint(v),
      (r) => r.uvarint(),
    )
    roundTrips(
      fc.integer(),
      (w, v) => w.varint(v),
      (r) => r.varint(),
    )
    roundTrips(
      safe,
      (w, v) => w.varlong(v),
      (r) => r.varlong(),
    )
    roundTrips(
      fc.double({ noNaN: true }),
      (w, v) => w.float64(v),
      (r) => r.float64(),
    )
  })

  test('int64 agrees with the 64-bit integers of the platform', () => {
    fc.assert(
      fc.property(safe, (value) => {
        const bytes = written((writer) => writer.int64(value))
        expect(bytes.readBigInt64BE()).toBe(BigInt(value))
      }),
    )
  })

  test.each([
    [INT64_MAX, '7fffffffffffffff'],
    [2 ** 64, '7fffffffffffffff'],
    [INT64_MIN, '8000000000000000'],
    [-(2 ** 64), '8000000000000000'],
    [-1, 'ffffffffffffffff'],
    [2 ** 53, '0020000000000000'],
    [-0.5, 'ffffffffffffffff'],
  ])('int64 %d is written as %s', (value, hex) => {
    expect(written((writer) => writer.int64(value)).toString('hex')).toBe(hex)
  })

  test('the extremes of int64 survive bytes -> number -> bytes', () => {
    for (const hex of ['7fffffffffffffff', '8000000000000000']) {
      const value = reader(hex).int64()
      expect(written((writer) => writer.int64(value)).toString('hex')).toBe(hex)
    }
    expect(reader('7fffffffffffffff').int64()).toBe(INT64_MAX)
    expect(reader('8000000000000000').int64()).toBe(INT64_MIN)
  })

  test.each([
    [INT64_MAX, 'feffffffffffffffff01'],
    [INT64_MIN, 'ffffffffffffffffff01'],
    [0x40000000, '8080808008'],
    [-0x40000001, '8180808008'],
  ])('varlong %d is %s both ways', (value, hex) => {
    expect(written((writer) => writer.varlong(value)).toString('hex')).toBe(hex)
    expect(reader(hex).varlong()).toBe(value)
  })

  test('a varint that does not end is refused', () => {
    expect(() => reader('ffffffffffffff').uvarint()).toThrow(DecodeError)
    expect(() => reader('80').uvarint()).toThrow(DecodeError)
    expect(() => reader('ff'.repeat(12)).varlong()).toThrow(DecodeError)
  })
})

describe('strings and bytes', () => {
  test('round trip in every form', () => {
    const text = fc.string({ unit: 'binary', maxLength: 200 })
    roundTrips(
      text,
      (w, v) => w.string(v),
      (r) => r.string(),
    )
    roundTrips(
      text,
      (w, v) => w.compactString(v),
      (r) => r.compactString(),
    )
    roundTrips(
      fc.option(text),
      (w, v) => w.stringOrNull(v),
      (r) => r.stringOrNull(),
    )
    roundTrips(
      fc.option(text),
      (w, v) => w.compactStringOrNull(v),
      (r) => r.compactStringOrNull(),
    )
    roundTrips(
      buffers,
      (w, v) => w.bytes(v),
      (r) => r.bytes(),
    )
    roundTrips(
      buffers,
      (w, v) => w.compactBytes(v),
      (r) => r.compactBytes(),
    )
    roundTrips(
      fc.option(buffers),
      (w, v) => w.bytesOrNull(v),
      (r) => r.bytesOrNull(),
    )
    roundTrips(
      fc.option(buffers),
      (w, v) => w.compactBytesOrNull(v),
      (r) => r.compactBytesOrNull(),
    )
  })

  test('lengths are those of KIP-482: plus one, with 0 for null', () => {
    expect(written((w) => w.compactStringOrNull(null)).toString('hex')).toBe('00')
    expect(written((w) => w.compactString('')).toString('hex')).toBe('01')
    expect(written((w) => w.compactString('é')).toString('hex')).toBe('03c3a9')
    expect(written((w) => w.stringOrNull(null)).toString('hex')).toBe('ffff')
    expect(written((w) => w.string('é')).toString('hex')).toBe('0002c3a9')
  })

  test('null where it is not allowed, and lengths past the end, are refused', () => {
    expect(() => reader('ffff').string()).toThrow(DecodeError)
    expect(() => reader('00').compactString()).toThrow(DecodeError)
    expect(() => reader('ffffffff').bytes()).toThrow(DecodeError)
    expect(() => reader('00').compactRecords()).toThrow(DecodeError)
    expect(() => reader('0005 6161').string()).toThrow(DecodeError)
    expect(() => reader('7fffffff 00').bytes()).toThrow(DecodeError)
    expect(() => reader('ffffffff0f 00').compactBytes()).toThrow(DecodeError)
  })

  test('any negative length means null where null is allowed, as in Java', () => {
    expect(reader('fffe').stringOrNull()).toBeNull()
    expect(reader('fffffffe').bytesOrNull()).toBeNull()
    expect(reader('fffffffe').arrayCount(1, 0)).toBe(-1)
  })

  test('a string has at most 32767 bytes, also in the compact form', () => {
    const longest = 'x'.repeat(32767)
    roundTrips(
      fc.constant(longest),
      (w, v) => w.compactString(v),
      (r) => r.compactString(),
    )
    expect(() => written((w) => w.compactString(`${longest}x`))).toThrow(RangeError)
    expect(() => written((w) => w.string('é'.repeat(16384)))).toThrow(RangeError)
    const bytes = Buffer.alloc(40000, 0x61)
    bytes.set(Buffer.from('818002', 'hex'))
    expect(() => new Reader(bytes).compactString()).toThrow(DecodeError)
  })

  test('bytes are a slice of the frame, not a copy', () => {
    const frame = Buffer.from('00000002aabb', 'hex')
    const slice = new Reader(frame).bytes()
    frame[4] = 0xcc
    expect(slice.toString('hex')).toBe('ccbb')
  })
})

describe('bounds', () => {
  test('every read past the end is a DecodeError and claims nothing', () => {
    const reads: ((r: Reader) => unknown)[] = [
      (r) => r.bool(),
      (r) => r.int16(),
      (r) => r.int32(),
      (r) => r.int64(),
      (r) => r.int64big(),
      (r) => r.float64(),
      (r) => r.uuid(),
      (r) => r.uvarint(),
      (r) => r.skipTags(),
      (r) => r.raw(1),
    ]
    for (const read of reads) expect(() => read(new Reader(Buffer.alloc(0)))).toThrow(DecodeError)
  })

  test('an array must fit in what is left of the frame', () => {
    expect(reader('00000002 0000').arrayCount(1, 0)).toBe(2)
    expect(() => reader('00000002 0000').arrayCount(2, 0)).toThrow(DecodeError)
    expect(() => reader('7fffffff').arrayCount(1, 0)).toThrow(DecodeError)
    expect(() => reader('ffffffff0f').compactArrayCount(1, 0)).toThrow(DecodeError)
  })

  test('arrays may not weigh more in all than the budget', () => {
    const bytes = Buffer.from('0302020000', 'hex')
    expect(new Reader(bytes, 0, 30).compactArrayCount(1, 10)).toBe(2)
    expect(() => new Reader(bytes, 0, 19).compactArrayCount(1, 10)).toThrow(DecodeError)
    const both = new Reader(bytes, 0, 25)
    both.compactArrayCount(1, 10)
    expect(() => both.compactArrayCount(1, 10)).toThrow(DecodeError)
  })

  test('tagged fields are skipped, and their number is capped (KIP-482)', () => {
    const some = reader('02 05 02 aabb 07 00 ee')
    some.skipTags()
    expect(some.remaining).toBe(1)
    const many = written((writer) => {
      writer.uvarint(100_000)
      for (let i = 0; i < 100_000; i++) writer.raw(Buffer.from([9, 0]))
    })
    expect(() => new Reader(many).skipTags()).toThrow(DecodeError)
    expect(() => reader('01 05 7f 00').skipTags()).toThrow(DecodeError)
  })
})

describe('the writer', () => {
  test('passes large payloads on by reference and copies small ones', () => {
    const large = Buffer.alloc(1024, 1)
    const small = Buffer.alloc(1023, 2)
    const writer = new Writer()
    writer.int32(7)
    writer.records([small, large])
    writer.int8(9)
    const chunks = writer.finish()
    expect(chunks.length).toBe(3)
    expect(chunks[1]).toBe(large)
    expect(Buffer.concat(chunks)).toEqual(
      Buffer.concat([Buffer.from('00000007000007ff', 'hex'), small, large, Buffer.from([9])]),
    )
  })

  test('a tagged field of any size gets its size in front, with payloads inside', () => {
    for (const size of [0, 1, 126, 127, 128, 5000, 20000]) {
      const payload = Buffer.alloc(size, 3)
      const bytes = written((writer) => {
        writer.int8(1)
        const outer = writer.openTag(4)
        writer.int8(2)
        const inner = writer.openTag(5)
        writer.raw(payload)
        writer.closeTag(inner)
        writer.closeTag(outer)
        writer.int8(6)
      })
      const from = new Reader(bytes)
      expect([from.int8(), from.uvarint()]).toEqual([1, 4])
      const outerEnd = from.tagEnd()
      expect([from.int8(), from.uvarint()]).toEqual([2, 5])
      const innerEnd = from.tagEnd()
      expect(innerEnd - from.pos).toBe(size)
      expect(from.raw(size)).toEqual(payload)
      expect(from.pos).toBe(outerEnd)
      expect([from.int8(), from.remaining]).toEqual([6, 0])
    }
  })

  test('counts what it has written', () => {
    const writer = new Writer()
    writer.int64(1)
    writer.raw(Buffer.alloc(4096))
    writer.bool(true)
    expect(writer.sizeBytes).toBe(8 + 4096 + 1)
    expect(Buffer.concat(writer.finish()).length).toBe(8 + 4096 + 1)
  })
})
