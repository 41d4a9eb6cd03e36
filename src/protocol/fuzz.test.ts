import { expect, test } from 'vitest'
import { allMessages } from './all-messages.testkit.ts'
import { apis } from './api-keys.ts'
import { codecOf } from './codec.ts'
import { decodeRequestHeader, encodeRequest } from './frames.ts'
import { randomMessage, SeededRandom } from './random-message.testkit.ts'
import type { Message } from './schema.ts'
import { DecodeError, Reader, Writer } from './wire.ts'

const SEED = 20_260_101
const MUTANTS_PER_MESSAGE = 150

/** Bytes that lengths and counts are most likely to be wrong with. */
const NASTY_BYTES = [0x00, 0x01, 0x7f, 0x80, 0xff]

function encoded(message: Message, version: number, seed: number): Buffer {
  const writer = new Writer()
  codecOf(message, version).write(writer, randomMessage(message, version, seed))
  return writer.finishOne()
}

function mutate(original: Buffer, random: SeededRandom): Buffer {
  const bytes = Buffer.from(original)
  if (bytes.length === 0) return Buffer.from([random.below(256)])
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(bytes.length)
    bytes[at] = random.chance(2) ? random.pick(NASTY_BYTES) : random.below(256)
  }
  if (random.chance(4)) return bytes.subarray(0, random.below(bytes.length))
  if (random.chance(6)) return Buffer.concat([bytes, bytes.subarray(random.below(bytes.length))])
  return bytes
}

/** Elements of all arrays in a decoded value: what a hostile count would blow up. */
function countElements(value: unknown): number {
  if (Buffer.isBuffer(value) || typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) return value.length + value.reduce<number>((sum, inner) => sum + countElements(inner), 0)
  return Object.values(value).reduce<number>((sum, inner) => sum + countElements(inner), 0)
}

test('a mutated message is decoded or refused, never worse, and never grows beyond its bytes', () => {
  const random = new SeededRandom(SEED)
  let decoded = 0
  let refused = 0
  for (const message of allMessages) {
    const { low, high } = message.versions
    for (let i = 0; i < MUTANTS_PER_MESSAGE; i++) {
      const version = low + random.below(high - low + 1)
      const bytes = mutate(encoded(message, version, i), random)
      try {
        const value = codecOf(message, version).read(new Reader(bytes))
        // Record data is an array of one slice, which needs a byte of length like any element.
        expect(countElements(value), `${message.name} v${version}`).toBeLessThanOrEqual(bytes.length)
        decoded++
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error
        refused++
      }
    }
  }
  expect(Math.min(decoded, refused)).toBeGreaterThan(1000)
})

test('a frame of random bytes is a request or a DecodeError', () => {
  const random = new SeededRandom(SEED)
  for (let i = 0; i < 20_000; i++) {
    const frame = Buffer.from(Array.from({ length: random.below(64) }, () => random.below(256)))
    if (frame.length > 3) frame.writeInt16BE(random.below(95), 0)
    if (frame.length > 3) frame.writeInt16BE(random.below(15), 2)
    try {
      const { api, apiVersion, reader } = decodeRequestHeader(frame)
      if (apiVersion <= api.versions.high) codecOf(api.request, Math.max(apiVersion, api.versions.low)).read(reader)
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError)
    }
  }
})

test('a header full of tiny tagged fields is refused, not collected (KIP-482)', () => {
  const header = Buffer.from('0012 0003 00000001 0000'.replaceAll(' ', ''), 'hex')
  const count = 1_000_000
  const writer = new Writer()
  writer.raw(header)
  writer.uvarint(count)
  const frame = Buffer.concat([writer.finishOne(), Buffer.alloc(2 * count, 0)])
  expect(() => decodeRequestHeader(frame)).toThrow(DecodeError)
})

test('a large frame of the smallest elements is refused before they are made', () => {
  const [prefix] = encodeRequest(apis.OffsetCommit, 9, { correlationId: 1, clientId: 'c' }, { groupId: 'g' })
  // The array of topics is the last thing before the tags: an empty one, to be replaced by one of three-byte topics.
  const start = prefix!.subarray(4, -2)
  const topics = 12_000_000
  const writer = new Writer()
  writer.raw(start)
  writer.compactArrayCount(topics)
  const elements = Buffer.alloc(3 * topics)
  for (let i = 0; i < elements.length; i += 3) elements.writeUInt16BE(0x0101, i)
  const { reader } = decodeRequestHeader(Buffer.concat([writer.finishOne(), elements, Buffer.alloc(1)]))
  expect(() => codecOf(apis.OffsetCommit.request, 9).read(reader)).toThrow('exceeds what the frame may hold')
})

test('an honest fetch of a hundred thousand partitions is not refused', () => {
  const partitions = Array.from({ length: 100_000 }, (_, partition) => ({ partition, fetchOffset: 2 ** 40 }))
  const chunks = encodeRequest(apis.Fetch, 18, { correlationId: 1, clientId: 'c' }, { topics: [{ partitions }] })
  const { reader } = decodeRequestHeader(Buffer.concat(chunks).subarray(4))
  expect(codecOf(apis.Fetch.request, 18).read(reader).topics[0]?.partitions.length).toBe(100_000)
})
