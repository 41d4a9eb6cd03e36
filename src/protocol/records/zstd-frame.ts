import { corrupt } from './errors.ts'
import { readInt64 } from './int64.ts'

/** No block decompresses to more. */
export const MAX_BLOCK_SIZE = 128 * 1024

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const BLOCK_TYPES = ['raw', 'rle', 'compressed'] as const

export interface ZstdBlock {
  readonly type: (typeof BLOCK_TYPES)[number]
  readonly start: number
  /** Bytes in the input, except for an rle block: how often its one byte is repeated. */
  readonly size: number
  /** The position after the block. */
  readonly next: number
  readonly isLast: boolean
}

export interface ZstdFrame {
  readonly firstBlock: number
  /** As the header claims, where it does. */
  readonly contentSize: number | undefined
  /** What the blocks can decompress to at most. */
  readonly maxPlainSize: number
  /** The position after the frame. */
  readonly next: number
}

/** The first data frame at or after `start`, told from headers alone; undefined at the end. Throws RecordsError. */
export function nextFrame(input: Buffer, start: number): ZstdFrame | undefined {
  let at = start
  while (at < input.length) {
    if (input.length - at < 8) throw corrupt('zstd frame cut off')
    const magic = input.readUInt32LE(at)
    if (magic === FRAME_MAGIC) return readFrame(input, at + 4)
    if ((magic & 0xffff_fff0) >>> 0 !== SKIPPABLE_MAGIC) throw corrupt('not a zstd frame')
    at += 8 + input.readUInt32LE(at + 4)
  }
  if (at > input.length) throw corrupt('zstd frame cut off')
  return undefined
}

/** Whether `input` is one data frame from its first byte to its last. */
export function isOneFrame(input: Buffer): boolean {
  return input.readUInt32LE(0) === FRAME_MAGIC && nextFrame(input, 0)?.next === input.length
}

/** What all frames of `input` can decompress to at most, told from their headers alone. Throws RecordsError `corrupt`. */
export function maxPlainSizeOf(input: Buffer): number {
  let total = 0
  for (let frame = nextFrame(input, 0); frame !== undefined; frame = nextFrame(input, frame.next)) {
    total += frame.maxPlainSize
  }
  return total
}

function readFrame(input: Buffer, start: number): ZstdFrame {
  const flags = input[start]!
  if ((flags & 0x08) !== 0) throw corrupt('zstd frame flags')
  const isSingleSegment = (flags & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][flags & 3]!
  const sizeCode = flags >>> 6
  const sizeBytes = sizeCode === 0 ? (isSingleSegment ? 1 : 0) : 2 ** sizeCode
  const dictionaryAt = start + (isSingleSegment ? 1 : 2)
  const sizeAt = dictionaryAt + dictionaryBytes
  const firstBlock = sizeAt + sizeBytes
  if (firstBlock > input.length) throw corrupt('zstd frame cut off')
  if (dictionaryBytes > 0 && input.readUIntLE(dictionaryAt, dictionaryBytes) !== 0) throw corrupt('zstd dictionary')
  const contentSize = readContentSize(input, sizeAt, sizeBytes)
  const { maxSize, end } = measureBlocks(input, firstBlock)
  const next = end + (flags & 0x04 ? 4 : 0)
  if (next > input.length) throw corrupt('zstd frame cut off')
  if (contentSize !== undefined && contentSize > maxSize) throw corrupt(`zstd frame claims ${contentSize} bytes`)
  return { firstBlock, contentSize, maxPlainSize: contentSize ?? maxSize, next }
}

function readContentSize(input: Buffer, at: number, bytes: number): number | undefined {
  if (bytes === 0) return undefined
  if (bytes === 8) return readInt64(Buffer.from(input.subarray(at, at + 8)).swap64(), 0)
  return input.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0)
}

function measureBlocks(input: Buffer, start: number): { maxSize: number; end: number } {
  let maxSize = 0
  let at = start
  for (;;) {
    const block = readBlock(input, at)
    maxSize += block.type === 'compressed' ? MAX_BLOCK_SIZE : block.size
    at = block.next
    if (block.isLast) return { maxSize, end: at }
  }
}

/** The block whose header is at `at`. Throws RecordsError. */
export function readBlock(input: Buffer, at: number): ZstdBlock {
  if (input.length - at < 3) throw corrupt('zstd frame cut off')
  const header = input.readUIntLE(at, 3)
  const type = BLOCK_TYPES[(header >>> 1) & 3]
  const size = header >>> 3
  if (type === undefined || size > MAX_BLOCK_SIZE) throw corrupt('zstd block header')
  const start = at + 3
  const next = start + (type === 'rle' ? 1 : size)
  if (next > input.length) throw corrupt('zstd frame cut off')
  return { type, start, size, next, isLast: (header & 1) === 1 }
}
