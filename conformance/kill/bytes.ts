import { crc32c } from '@node-rs/crc32'

/*
 * The few requests that the ledger needs, written by hand in their last version without tagged fields. Nothing of the
 * broker's own protocol code is used, so that a mistake in it cannot hide itself.
 */

export class Writer {
  private readonly parts: Buffer[] = []

  int8(value: number): this {
    return this.fixed(1, (buffer) => buffer.writeInt8(value))
  }

  int16(value: number): this {
    return this.fixed(2, (buffer) => buffer.writeInt16BE(value))
  }

  int32(value: number): this {
    return this.fixed(4, (buffer) => buffer.writeInt32BE(value))
  }

  int64(value: number): this {
    return this.fixed(8, (buffer) => buffer.writeBigInt64BE(BigInt(value)))
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const bytes = Buffer.from(value)
    this.int16(bytes.length).parts.push(bytes)
    return this
  }

  bytes(value: Buffer): this {
    this.int32(value.length).parts.push(value)
    return this
  }

  raw(value: Uint8Array): this {
    this.parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
    return this
  }

  varint(value: number): this {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    while (rest > 0x7f) {
      this.parts.push(Buffer.from([(rest & 0x7f) | 0x80]))
      rest >>>= 7
    }
    this.parts.push(Buffer.from([rest]))
    return this
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length)
    for (const item of items) write(item)
    return this
  }

  end(): Buffer {
    return Buffer.concat(this.parts)
  }

  private fixed(size: number, write: (buffer: Buffer) => void): this {
    const buffer = Buffer.allocUnsafe(size)
    write(buffer)
    this.parts.push(buffer)
    return this
  }
}

export class Reader {
  private position = 0
  private readonly buffer: Buffer

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  get remaining(): number {
    return this.buffer.length - this.position
  }

  int8(): number {
    return this.buffer.readInt8(this.take(1))
  }

  int16(): number {
    return this.buffer.readInt16BE(this.take(2))
  }

  int32(): number {
    return this.buffer.readInt32BE(this.take(4))
  }

  int64(): number {
    return Number(this.buffer.readBigInt64BE(this.take(8)))
  }

  string(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.raw(length).toString()
  }

  bytes(): Buffer {
    const length = this.int32()
    return length < 0 ? Buffer.alloc(0) : this.raw(length)
  }

  raw(length: number): Buffer {
    const from = this.take(length)
    return this.buffer.subarray(from, from + length)
  }

  varint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer.readUInt8(this.take(1))
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read)
  }

  private take(length: number): number {
    if (length < 0 || length > this.remaining) throw new Error(`${length} bytes wanted, ${this.remaining} left`)
    const from = this.position
    this.position += length
    return from
  }
}

export interface Batch {
  producerId: number
  producerEpoch: number
  baseSequence: number
  values: Buffer[]
}

const crcStart = 21
const noTimestampType = 0

/** A record batch of format 2 without compression; its base offset is left to the broker. */
export function encodeBatch(batch: Batch, timestampMs: number): Buffer {
  const after = new Writer().int16(noTimestampType).int32(batch.values.length - 1)
  after.int64(timestampMs).int64(timestampMs).int64(batch.producerId).int16(batch.producerEpoch)
  after.int32(batch.baseSequence).int32(batch.values.length)
  for (const [delta, value] of batch.values.entries()) {
    // attributes, timestamp delta, offset delta, no key, value, no headers
    const record = new Writer()
      .int8(0)
      .varint(0)
      .varint(delta)
      .varint(-1)
      .varint(value.length)
      .raw(value)
      .varint(0)
      .end()
    after.varint(record.length).raw(record)
  }
  const crced = after.end()
  const leaderEpoch = -1
  const magic = 2
  const head = new Writer()
    .int64(0)
    .int32(crced.length + 9)
    .int32(leaderEpoch)
    .int8(magic)
  return head
    .raw(Buffer.from(Uint32Array.of(crc32c(crced)).buffer).swap32())
    .raw(crced)
    .end()
}

export interface StoredBatch extends Batch {
  baseOffset: number
}

/** The whole batches in `records`; a batch cut off at the end is left out, any other flaw is an error. */
export function decodeBatches(records: Buffer): StoredBatch[] {
  const batches: StoredBatch[] = []
  let rest = records
  while (rest.length >= 12) {
    const size = 12 + rest.readInt32BE(8)
    if (rest.length < size) break
    batches.push(decodeBatch(rest.subarray(0, size)))
    rest = rest.subarray(size)
  }
  return batches
}

function decodeBatch(bytes: Buffer): StoredBatch {
  const reader = new Reader(bytes)
  const baseOffset = reader.int64()
  reader.raw(8)
  const magic = reader.int8()
  const crc = reader.int32() >>> 0
  if (magic !== 2) throw new Error(`batch at ${baseOffset}: magic ${magic}`)
  if (crc !== crc32c(bytes.subarray(crcStart))) throw new Error(`batch at ${baseOffset}: wrong CRC`)
  reader.raw(2 + 4 + 8 + 8)
  const producerId = reader.int64()
  const producerEpoch = reader.int16()
  const baseSequence = reader.int32()
  const values = reader.list(() => {
    const length = reader.varint()
    const record = new Reader(reader.raw(length))
    record.raw(1)
    record.varint()
    record.varint()
    // No key has the length -1.
    record.raw(Math.max(0, record.varint()))
    return record.raw(record.varint())
  })
  return { baseOffset, producerId, producerEpoch, baseSequence, values }
}
