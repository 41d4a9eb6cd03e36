import fc from 'fast-check'
import { expect, it } from 'vitest'
import { crc32, crc32c, loadJavaScriptCrc, loadNativeCrc } from './crc.ts'
import { readInt64, writeInt64 } from './int64.ts'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

const LONG_MAX = 2n ** 63n - 1n
const LONG_MIN = -(2n ** 63n)

it('int64: exact up to 2^53, the nearest double beyond, the ends of the range past it', () => {
  const buffer = Buffer.alloc(9)
  fc.assert(
    fc.property(fc.bigInt({ min: LONG_MIN, max: LONG_MAX }), (value) => {
      buffer.writeBigInt64BE(value, 1)
      expect(readInt64(buffer, 1)).toBe(Number(value))
    }),
  )
  fc.assert(
    fc.property(fc.double({ noNaN: true }).map(Math.trunc), (value) => {
      writeInt64(buffer, 1, value)
      const clamped = value >= 2 ** 63 ? LONG_MAX : value < -(2 ** 63) ? LONG_MIN : BigInt(value)
      expect(buffer.readBigInt64BE(1)).toBe(clamped)
    }),
  )
})

/** The definition: zigzag, then 7 bits a byte. */
function varlongBytes(value: bigint): number[] {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bytes: number[] = []
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return bytes
}

it('varint and varlong are written as defined, and their sizes told', () => {
  const buffer = Buffer.alloc(12)
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (value) => {
      const end = writeVarint(buffer, 1, value)
      expect([...buffer.subarray(1, end)]).toEqual(varlongBytes(BigInt.asIntN(32, BigInt(value))))
      expect(sizeOfVarint(value)).toBe(end - 1)
    }),
  )
  const near = fc.tuple(fc.nat({ max: 62 }), fc.constantFrom(-1, 0, 1)).map(([bit, by]) => 2 ** bit + by)
  const value = fc.oneof(
    near,
    near.map((positive) => -positive),
    fc.double({ noNaN: true }).map(Math.trunc),
  )
  fc.assert(
    fc.property(value, (number) => {
      const end = writeVarlong(buffer, 1, number)
      const clamped = number >= 2 ** 63 ? LONG_MAX : number < -(2 ** 63) ? LONG_MIN : BigInt(number)
      expect([...buffer.subarray(1, end)]).toEqual(varlongBytes(clamped))
      expect(sizeOfVarlong(number)).toBe(end - 1)
    }),
    { numRuns: 1000 },
  )
})

it('both CRCs are those of the reference, natively and in JavaScript, and continue from a seed', () => {
  const check = Buffer.from('xx123456789yy')
  expect(crc32(check, 2, 11)).toBe(0xcbf43926)
  expect(crc32c(check, 2, 11)).toBe(0xe3069283)
  const native = loadNativeCrc()
  const javaScript = loadJavaScriptCrc()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(2000), (array, cut) => {
      const buffer = Buffer.from(array)
      const middle = Math.min(cut, buffer.length)
      for (const name of ['crc32', 'crc32c'] as const) {
        const whole = native[name](buffer, 0, buffer.length)
        expect(javaScript[name](buffer, 0, buffer.length)).toBe(whole)
        for (const implementation of [native, javaScript]) {
          const first = implementation[name](buffer, 0, middle)
          expect(implementation[name](buffer, middle, buffer.length, first)).toBe(whole)
        }
      }
    }),
  )
})
