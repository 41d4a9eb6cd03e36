import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeUuid, encodeUuidInto, ZERO_UUID } from './uuid.ts'

const ids = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes))

test('reads and writes ids as base64url', () => {
  fc.assert(
    fc.property(ids, (bytes) => {
      const text = decodeUuid(bytes, 0)
      expect(text).toBe(bytes.toString('base64url'))
      const back = Buffer.alloc(18)
      encodeUuidInto(text, back, 1)
      expect(back.subarray(1, 17)).toEqual(bytes)
    }),
  )
})

test('ids that share a slot of the cache do not get mixed up', () => {
  const a = Buffer.from('00000001000000000000000000000000', 'hex')
  const b = Buffer.from('00000000000000010000000000000000', 'hex')
  for (const bytes of [a, b, a, b]) expect(decodeUuid(bytes, 0)).toBe(bytes.toString('base64url'))
})

test('the zero id is zeros', () => {
  const bytes = Buffer.alloc(16, 0xff)
  encodeUuidInto(ZERO_UUID, bytes, 0)
  expect(bytes).toEqual(Buffer.alloc(16))
  expect(decodeUuid(bytes, 0)).toBe(ZERO_UUID)
})

test.each(['', 'AAAA', 'AAAAAAAAAAAAAAAAAAAAAAA', 'AAAAAAAAAAAAAAAAAAAAA=', 'AAAAAAAAAAAAAAAAAAAAAé'])(
  '%j is not an id',
  (text) => {
    expect(() => encodeUuidInto(text, Buffer.alloc(16), 0)).toThrow(RangeError)
  },
)
