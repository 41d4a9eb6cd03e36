import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameDecoder, FrameError } from './frame-decoder.ts'

function framed(body: Uint8Array): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

function drain(decoder: FrameDecoder): Buffer[] {
  const frames: Buffer[] = []
  for (;;) {
    const frame = decoder.next()
    if (frame === undefined) return frames
    frames.push(frame)
  }
}

describe('FrameDecoder', () => {
  it('gives the same frames however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1 }),
        (bodies, cuts) => {
          const stream = Buffer.concat(bodies.map(framed))
          const decoder = new FrameDecoder(40)
          const frames: Buffer[] = []
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const end = Math.min(stream.length, at + cuts[turn % cuts.length]!)
            decoder.push(stream.subarray(at, end))
            frames.push(...drain(decoder))
            at = end
          }
          expect(frames.map((frame) => [...frame])).toEqual(bodies.map((body) => [...body]))
          expect(decoder.bufferedBytes).toBe(0)
        },
      ),
    )
  })

  it('gives the same frames when it says where the bytes go', () => {
    const sizes = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 400_000 }))
    fc.assert(
      fc.property(
        fc.array(sizes, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1 }),
        (frameSizes, cuts) => {
          const bodies = frameSizes.map((size, index) => Buffer.alloc(size, index + 1))
          const stream = Buffer.concat(bodies.map(framed))
          const decoder = new FrameDecoder(400_000)
          const frames: Buffer[] = []
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const room = decoder.room()
            expect(room.length).toBeGreaterThan(0)
            const copied = stream.copy(room, 0, at, Math.min(stream.length, at + cuts[turn % cuts.length]!))
            decoder.push(room.subarray(0, copied))
            frames.push(...drain(decoder))
            at += copied
          }
          expect(frames.map((frame, index) => frame.equals(bodies[index]!))).toEqual(bodies.map(() => true))
          expect(decoder.bufferedBytes).toBe(0)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('offers no more room than is in proportion to what came, whatever size is declared', () => {
    const decoder = new FrameDecoder(2 ** 30)
    const room = decoder.room()
    room.writeInt32BE(2 ** 30)
    decoder.push(room.subarray(0, 4))
    expect(decoder.next()).toBeUndefined()
    let came = 0
    for (let read = 0; read < 20; read++) {
      const next = decoder.room()
      expect(next.length).toBeLessThanOrEqual(Math.max(64 * 1024, 4 * came))
      decoder.push(next)
      came += next.length
      decoder.next()
      if (came > 10 * 1024 * 1024) break
    }
    expect(came).toBeGreaterThan(10 * 1024 * 1024)
  })

  it('slices a frame that came in several reads, if they lie side by side', () => {
    const decoder = new FrameDecoder(1000)
    const frame = framed(Buffer.from('abcdef'))
    const room = decoder.room()
    frame.copy(room, 0, 0, 7)
    decoder.push(room.subarray(0, 7))
    expect(decoder.next()).toBeUndefined()
    const rest = decoder.room()
    frame.copy(rest, 0, 7)
    decoder.push(rest.subarray(0, 3))
    expect(decoder.next()!.buffer).toBe(room.buffer)
  })

  it('does not copy a frame that lies within one chunk', () => {
    const chunk = Buffer.concat([framed(Buffer.from('one')), framed(Buffer.from('two'))])
    const decoder = new FrameDecoder(100)
    decoder.push(chunk)
    chunk[4] = 'O'.charCodeAt(0)
    expect(drain(decoder).map(String)).toEqual(['One', 'two'])
  })

  it('holds no more than came, whatever size is declared', () => {
    const decoder = new FrameDecoder(2 ** 30)
    decoder.push(Buffer.from([0x3f, 0xff, 0xff, 0xff, 1, 2, 3]))
    expect(decoder.next()).toBeUndefined()
    expect(decoder.bufferedBytes).toBe(7)
  })

  it.each([
    ['negative', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['one above the limit', Buffer.from([0, 0, 0, 101])],
  ])('refuses a size that is %s', (_, bytes) => {
    const decoder = new FrameDecoder(100)
    decoder.push(bytes)
    expect(() => decoder.next()).toThrow(FrameError)
  })

  it('takes a frame of exactly the limit', () => {
    const decoder = new FrameDecoder(100)
    decoder.push(framed(Buffer.alloc(100)))
    expect(decoder.next()).toHaveLength(100)
  })
})
