import { crc32c } from '../protocol/records/crc.ts'
import { readInt64, writeInt64 } from '../protocol/records/int64.ts'
import { NO_BATCHES, type ProducerEntry } from './producer-entry.ts'

const VERSION = 1
const CRC_AT = 2
const CRC_FROM = 6
const HEADER_BYTES = 10
const ENTRY_BYTES = 46

/** The producers of a log as a `.snapshot` file: int16 version, uint32 CRC-32C of the rest, array of entries. */
export function encodeSnapshot(producers: ReadonlyMap<number, ProducerEntry>): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + producers.size * ENTRY_BYTES)
  bytes.writeInt16BE(VERSION, 0)
  bytes.writeInt32BE(producers.size, CRC_FROM)
  let at = HEADER_BYTES
  for (const [producerId, entry] of producers) {
    const last = entry.batches[entry.batches.length - 1]
    writeInt64(bytes, at, producerId)
    bytes.writeInt16BE(entry.epoch, at + 8)
    bytes.writeInt32BE(last ? last.lastSequence : -1, at + 10)
    writeInt64(bytes, at + 14, last ? last.lastOffset : -1)
    bytes.writeInt32BE(last ? last.offsetDelta : 0, at + 22)
    writeInt64(bytes, at + 26, entry.lastTimestamp)
    bytes.writeInt32BE(entry.coordinatorEpoch, at + 34)
    writeInt64(bytes, at + 38, entry.txnFirstOffset)
    at += ENTRY_BYTES
  }
  bytes.writeUInt32BE(crc32c(bytes, CRC_FROM, bytes.length), CRC_AT)
  return bytes
}

/** undefined for a file that is damaged or of another version. */
export function decodeSnapshot(bytes: Buffer): Map<number, ProducerEntry> | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readInt16BE(0) !== VERSION) return undefined
  if (bytes.readUInt32BE(CRC_AT) !== crc32c(bytes, CRC_FROM, bytes.length)) return undefined
  const count = bytes.readInt32BE(CRC_FROM)
  if (bytes.length !== HEADER_BYTES + count * ENTRY_BYTES) return undefined
  const producers = new Map<number, ProducerEntry>()
  for (let at = HEADER_BYTES; at < bytes.length; at += ENTRY_BYTES) {
    const lastOffset = readInt64(bytes, at + 14)
    const timestamp = readInt64(bytes, at + 26)
    const lastBatch = {
      lastSequence: bytes.readInt32BE(at + 10),
      lastOffset,
      offsetDelta: bytes.readInt32BE(at + 22),
      timestamp,
    }
    producers.set(readInt64(bytes, at), {
      epoch: bytes.readInt16BE(at + 8),
      coordinatorEpoch: bytes.readInt32BE(at + 34),
      lastTimestamp: timestamp,
      txnFirstOffset: readInt64(bytes, at + 38),
      batches: lastOffset >= 0 ? [lastBatch] : NO_BATCHES,
    })
  }
  return producers
}
