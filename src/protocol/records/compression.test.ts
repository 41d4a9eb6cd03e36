import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Compression, isLevelOf, LEVELS } from './compression.ts'
import { RecordsError } from './errors.ts'
import { Codec } from './layout.ts'
import { javaScriptLz4, loadNativeLz4 } from './lz4-block.ts'
import { javaScriptSnappy, loadNativeSnappy } from './snappy.ts'
import { xxhash32 } from './xxhash32.ts'
import { loadNativeZstd, type ZstdImplementation, zlibZstd } from './zstd.ts'
import { decodeZstd } from './zstd-decoder.ts'

const CAP = 4 << 20
const native = new Compression()
const javaScript = new Compression({ preferNative: false })
const implementations = [
  ['native', native],
  ['JavaScript', javaScript],
] as const
const compressed = [
  ['gzip', Codec.gzip],
  ['snappy', Codec.snappy],
  ['lz4', Codec.lz4],
  ['zstd', Codec.zstd],
] as const

function faultOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof RecordsError) return error.fault
    throw error
  }
  return 'none'
}

/** Text with much repetition at all distances, deterministic. */
function jsonLike(bytes: number, seed = 1): Buffer {
  let state = seed
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state >>> 8
  }
  const parts: string[] = []
  for (let length = 0; length < bytes; ) {
    const part = `{"id":${next()},"user":"user-${next() % 97}","tags":["a${next() % 7}","b"],"price":${next() % 1000}}`
    parts.push(part)
    length += part.length
  }
  return Buffer.from(parts.join('')).subarray(0, bytes)
}

function noise(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  let state = 7
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    buffer[i] = state >>> 24
  }
  return buffer
}

const plain = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }).map((array) => Buffer.from(array)),
  fc.tuple(fc.integer({ min: 0, max: 300_000 }), fc.nat()).map(([size, seed]) => jsonLike(size, seed)),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 200_000 }))
    .map(([unit, size]) => Buffer.alloc(size, unit)),
)

describe.each(compressed)('%s', (_, codec) => {
  describe.each(implementations)('in %s', (_name, implementation) => {
    it('gives back what it was given', () => {
      fc.assert(
        fc.property(plain, (input) => {
          const packed = implementation.compress(codec, input)
          expect(implementation.decompress(codec, packed, input.length).equals(input)).toBe(true)
        }),
        { numRuns: 60 },
      )
    })

    it('reads what the other implementation writes', () => {
      const other = implementation === native ? javaScript : native
      for (const input of [jsonLike(1_000_000), noise(200_000), Buffer.alloc(500_000), Buffer.from('x')]) {
        const packed = other.compress(codec, input)
        expect(implementation.decompress(codec, packed, CAP).equals(input)).toBe(true)
      }
    })

    it('stops at the cap', () => {
      for (const input of [jsonLike(100_000), Buffer.alloc(100_000), noise(100_000)]) {
        const packed = native.compress(codec, input)
        expect(faultOf(() => implementation.decompress(codec, packed, 99_999))).toBe('tooLarge')
        expect(faultOf(() => implementation.decompress(codec, packed, 100_000))).toBe('none')
      }
    })

    it('fails by the typed error alone on cut-off and altered input', () => {
      const input = jsonLike(6000)
      const packed = native.compress(codec, input)
      for (let end = 0; end < packed.length; end += 1 + (end >> 4)) {
        if (codec !== Codec.snappy)
          expect(faultOf(() => implementation.decompress(codec, packed.subarray(0, end), CAP))).toBe('corrupt')
        else faultOf(() => implementation.decompress(codec, packed.subarray(0, end), CAP))
      }
      fc.assert(
        fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), (edits) => {
          const broken = Buffer.from(packed)
          for (const [at, value] of edits) broken[at % broken.length] = value
          faultOf(() => {
            const output = implementation.decompress(codec, broken, 50_000)
            expect(output.length).toBeLessThanOrEqual(50_000)
          })
        }),
        { numRuns: 1500 },
      )
    })
  })
})

describe('levels', () => {
  it('are those of Apache Kafka', () => {
    expect([-1, 0, 1, 9, 10].map((level) => isLevelOf(Codec.gzip, level))).toEqual([true, false, true, true, false])
    expect([0, 1, 17, 18].map((level) => isLevelOf(Codec.lz4, level))).toEqual([false, true, true, false])
    expect([-131073, -131072, 22, 23].map((level) => isLevelOf(Codec.zstd, level))).toEqual([false, true, true, false])
    expect(() => native.compress(Codec.lz4, Buffer.alloc(1), 18)).toThrow(RangeError)
  })

  it('trade size for time', () => {
    const input = jsonLike(100_000)
    const sizeAt = (codec: Codec, level: number): number => {
      const packed = native.compress(codec, input, level)
      expect(javaScript.decompress(codec, packed, CAP).equals(input)).toBe(true)
      return packed.length
    }
    expect(sizeAt(Codec.gzip, 9)).toBeLessThan(sizeAt(Codec.gzip, 1))
    expect(sizeAt(Codec.lz4, 12)).toBeLessThan(sizeAt(Codec.lz4, LEVELS.lz4.default))
    expect(sizeAt(Codec.zstd, 19)).toBeLessThan(sizeAt(Codec.zstd, -100))
    expect(sizeAt(Codec.zstd, -131072)).toBeGreaterThan(0)
    expect(sizeAt(Codec.zstd, 22)).toBeGreaterThan(0)
  })
})

describe('snappy framing', () => {
  const input = jsonLike(100_000)

  it.each([
    ['native', loadNativeSnappy(), native],
    ['JavaScript', javaScriptSnappy, javaScript],
  ] as const)('reads a raw block, which librdkafka sends (%s)', (_, blocks, implementation) => {
    const packed = blocks.compress(input)
    expect(implementation.decompress(Codec.snappy, packed, input.length).equals(input)).toBe(true)
    expect(faultOf(() => implementation.decompress(Codec.snappy, packed, input.length - 1))).toBe('tooLarge')
  })

  it('writes the framing of the Java client in blocks of 32 KB', () => {
    const packed = native.compress(Codec.snappy, input)
    expect(packed.subarray(0, 16).toString('hex')).toBe('82534e41505059000000000100000001')
    let blocks = 0
    for (let at = 16; at < packed.length; at += 4 + packed.readInt32BE(at)) blocks++
    expect(blocks).toBe(4)
  })

  it('reads streams put one after the other', () => {
    const twice = Buffer.concat([native.compress(Codec.snappy, input), native.compress(Codec.snappy, input)])
    expect(native.decompress(Codec.snappy, twice, CAP).length).toBe(2 * input.length)
  })

  it('does not believe a block that claims more than it can hold', () => {
    const claims = Buffer.from([0xff, 0xff, 0xff, 0x7f, 0, 0x41])
    expect(faultOf(() => native.decompress(Codec.snappy, claims, 2 ** 31 - 1))).toBe('corrupt')
  })
})

describe('lz4 frames', () => {
  const input = jsonLike(300_000)

  it('are those of the Java client', () => {
    const packed = native.compress(Codec.lz4, input)
    // Magic, version 1 with independent blocks, 64 KB, the checksum of the two.
    expect(packed.subarray(0, 7).toString('hex')).toBe('04224d186040' + '82')
    expect(packed.readUInt32LE(packed.length - 4)).toBe(0)
  })

  it('have the broken header checksum in messages of magic 0 (KAFKA-3160)', () => {
    const packed = native.compress(Codec.lz4, input, undefined, { brokenHeaderChecksum: true })
    expect(faultOf(() => native.decompress(Codec.lz4, packed, CAP))).toBe('corrupt')
    expect(native.decompress(Codec.lz4, packed, CAP, { brokenHeaderChecksum: true }).equals(input)).toBe(true)
  })

  it('may have content size, checksums and linked blocks', () => {
    for (const [name, blocks] of [
      ['native', loadNativeLz4()],
      ['JavaScript', javaScriptLz4],
    ] as const) {
      const implementation = name === 'native' ? native : javaScript
      const first = blocks.compress(input.subarray(0, 60_000))
      // A block of one match, which reaches back into the block before it, and five literals.
      const linked = Buffer.from([0x0f, 0x00, 0x10, 0x20, 0x50, 0x61, 0x62, 0x63, 0x64, 0x65])
      const match = input.subarray(60_000 - 0x1000, 60_000 - 0x1000 + 4 + 15 + 0x20)
      const content = Buffer.concat([input.subarray(0, 60_000), match, Buffer.from('abcde')])
      const frame = frameOf([first, linked], content, 0x40 | 0x10 | 0x08 | 0x04)
      expect(implementation.decompress(Codec.lz4, frame, CAP).equals(content)).toBe(true)
      for (const at of [20, frame.length - 1, frame.length - 10]) {
        const broken = Buffer.from(frame)
        broken[at]! ^= 1
        expect(faultOf(() => implementation.decompress(Codec.lz4, broken, CAP))).toBe('corrupt')
      }
      // The same blocks without the leave to be linked.
      expect(faultOf(() => implementation.decompress(Codec.lz4, frameOf([first, linked], content, 0x60), CAP))).toBe(
        'corrupt',
      )
    }
  })

  function frameOf(blocks: Buffer[], content: Buffer, flags: number): Buffer {
    const uint32 = (value: number): Buffer => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32LE(value)
      return bytes
    }
    const size = flags & 0x08 ? Buffer.concat([uint32(content.length), uint32(0)]) : Buffer.alloc(0)
    const descriptor = Buffer.concat([Buffer.from([flags, 0x40]), size])
    const parts = [
      uint32(0x184d2204),
      descriptor,
      Buffer.from([(xxhash32(descriptor, 0, descriptor.length) >>> 8) & 0xff]),
    ]
    for (const block of blocks) {
      parts.push(uint32(block.length), block)
      if (flags & 0x10) parts.push(uint32(xxhash32(block, 0, block.length)))
    }
    parts.push(uint32(0))
    if (flags & 0x04) parts.push(uint32(xxhash32(content, 0, content.length)))
    return Buffer.concat(parts)
  }
})

describe('xxhash32', () => {
  it('is that of the reference', () => {
    const hash = (text: string): number => xxhash32(Buffer.from(text), 0, Buffer.byteLength(text))
    expect(hash('')).toBe(0x02cc5d05)
    expect(hash('a')).toBe(0x550d7456)
    expect(hash('abc')).toBe(0x32d153ff)
    expect(hash('Nobody inspects the spammish repetition')).toBe(0xe2293b2f)
  })
})

describe('zstd', () => {
  it('is decoded in JavaScript as by the library, at every level', () => {
    const encoders = [loadNativeZstd(), zlibZstd()].filter((encoder) => encoder !== undefined)
    const inputs = [
      jsonLike(300_000),
      noise(5000),
      Buffer.alloc(400_000, 'ab'),
      jsonLike(100),
      Buffer.concat([noise(70_000), jsonLike(70_000)]),
    ]
    const check = (encoder: ZstdImplementation, level: number, input: Buffer): void => {
      const packed = encoder.compress(input, level)
      expect(decodeZstd(packed, CAP).equals(input)).toBe(true)
      expect(encoder.decompress(packed, CAP).equals(input)).toBe(true)
    }
    for (const encoder of encoders) {
      for (const level of [-131072, -50, -1, 1, 2, 3, 4, 5, 7, 9])
        for (const input of inputs) check(encoder, level, input)
      for (const level of [12, 15, 18, 19, 22]) check(encoder, level, jsonLike(150_000))
    }
  })

  it('reads several frames and passes over skippable ones', () => {
    const frame = native.compress(Codec.zstd, Buffer.from('one'))
    const skippable = Buffer.from('502a4d1803000000616263', 'hex')
    for (const implementation of [native, javaScript]) {
      const packed = Buffer.concat([skippable, frame, skippable, frame])
      expect(implementation.decompress(Codec.zstd, packed, CAP).toString()).toBe('oneone')
    }
  })

  it('takes no memory for a bomb', () => {
    // A frame of 2000 blocks, 4 bytes each, that repeat one byte 128 K times: 262 MB.
    const block = Buffer.from([0x02, 0x00, 0x10, 0x41])
    const last = Buffer.from([0x03, 0x00, 0x10, 0x41])
    const bomb = Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]),
      ...new Array<Buffer>(1999).fill(block),
      last,
    ])
    const before = process.memoryUsage().arrayBuffers
    for (const implementation of [native, javaScript]) {
      expect(faultOf(() => implementation.decompress(Codec.zstd, bomb, CAP))).toBe('tooLarge')
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * CAP)
  })
})
