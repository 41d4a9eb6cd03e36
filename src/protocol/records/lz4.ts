import { corrupt, tooLarge } from './errors.ts'
import { compressLz4Block, type Lz4Blocks, plainSizeOfBlock } from './lz4-block.ts'
import { xxhash32 } from './xxhash32.ts'

const MAGIC = 0x184d2204
const VERSION = 1
const BLOCK_64_KB = 4
const BLOCK_SIZE = 64 * 1024
const STORED_FLAG = 0x8000_0000
/** The level that means the fast compressor to Kafka's clients; every other one means the thorough compressor. */
const FAST_LEVEL = 9

/** How the one checksum byte of the frame header is made and checked. */
export interface Lz4FrameOptions {
  /** The level of Apache Kafka's `compression.lz4.level`, 1 to 17 [9]. */
  readonly level?: number
  /** Messages of magic 0 (KAFKA-3160): the checksum covers the magic, too, and is not checked. */
  readonly brokenHeaderChecksum?: boolean
}

/** Compresses as Java clients do: one frame of independent 64 KB blocks without checksums or content size. */
export function lz4Compress(blocks: Lz4Blocks, input: Buffer, options: Lz4FrameOptions = {}): Buffer {
  const level = options.level ?? FAST_LEVEL
  const parts: Buffer[] = [frameHeader(options.brokenHeaderChecksum ?? false)]
  for (let at = 0; at < input.length; at += BLOCK_SIZE) {
    const plain = input.subarray(at, at + BLOCK_SIZE)
    const packed = level === FAST_LEVEL ? blocks.compress(plain) : compressLz4Block(plain, 2 ** (level - 1))
    const isStored = packed.length >= plain.length
    const body = isStored ? plain : packed
    parts.push(uint32LE(isStored ? (body.length | STORED_FLAG) >>> 0 : body.length), body)
  }
  parts.push(uint32LE(0))
  return Buffer.concat(parts)
}

function frameHeader(broken: boolean): Buffer {
  const header = Buffer.alloc(7)
  header.writeUInt32LE(MAGIC)
  header[4] = (VERSION << 6) | (1 << 5)
  header[5] = BLOCK_64_KB << 4
  header[6] = (xxhash32(header, broken ? 0 : 4, 6) >>> 8) & 0xff
  return header
}

function uint32LE(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/**
 * Decompresses a frame, with whatever of content size, checksums and linked blocks its writer chose. The exact size is
 * found before memory is taken for it. What follows the frame is passed over, as Apache Kafka does. Throws RecordsError.
 */
export function lz4Decompress(
  blocks: Lz4Blocks,
  input: Buffer,
  maxBytes: number,
  options: Lz4FrameOptions = {},
): Buffer {
  const header = readFrameHeader(input, options.brokenHeaderChecksum ?? false)
  const output = Buffer.allocUnsafe(plainSizeOfFrame(input, header, maxBytes))
  let out = 0
  let at = header.end
  for (let field = input.readUInt32LE(at); field !== 0; field = input.readUInt32LE(at)) {
    const body = input.subarray(at + 4, at + 4 + sizeOf(field))
    const limit = Math.min(out + header.maxBlockSize, output.length)
    if (isStored(field)) out += body.copy(output, out)
    else out = expand(blocks, body, output, out, limit, header.isLinked ? 0 : out)
    at += 4 + body.length + header.blockTrailer
  }
  if (out !== output.length) throw corrupt('lz4 frame of another length than its sequences')
  if (header.hasContentChecksum) checkContent(input, at + 4, output)
  return output
}

function checkContent(input: Buffer, at: number, content: Buffer): void {
  if (input.length - at < 4) throw corrupt('lz4 content checksum cut off')
  if (input.readUInt32LE(at) !== xxhash32(content, 0, content.length)) throw corrupt('lz4 content checksum')
}

function expand(blocks: Lz4Blocks, body: Buffer, output: Buffer, from: number, limit: number, floor: number): number {
  try {
    return blocks.decompress(body, output, from, limit, floor)
  } catch (error) {
    throw corrupt(`lz4 block: ${(error as Error).message}`)
  }
}

interface FrameHeader {
  readonly isLinked: boolean
  /** The bytes of each block's checksum: 0 or 4. */
  readonly blockTrailer: number
  readonly hasContentChecksum: boolean
  readonly maxBlockSize: number
  readonly end: number
}

function readFrameHeader(input: Buffer, ignoreChecksum: boolean): FrameHeader {
  if (input.length < 7 || input.readUInt32LE(0) !== MAGIC) throw corrupt('not an lz4 frame')
  const flags = input[4]!
  const descriptor = input[5]!
  const sizeCode = (descriptor >>> 4) & 7
  if (flags >>> 6 !== VERSION) throw corrupt(`lz4 frame version ${flags >>> 6}`)
  // The lowest bits are reserved, and the announcement of a dictionary that nobody could have.
  if ((flags & 0x03) !== 0 || (descriptor & 0x8f) !== 0 || sizeCode < BLOCK_64_KB) throw corrupt('lz4 frame flags')
  const checksumAt = 6 + (flags & 0x08 ? 8 : 0)
  if (input.length <= checksumAt) throw corrupt('lz4 frame header cut off')
  if (!ignoreChecksum && input[checksumAt] !== ((xxhash32(input, 4, checksumAt) >>> 8) & 0xff)) {
    throw corrupt('lz4 frame header checksum')
  }
  return {
    isLinked: (flags & 0x20) === 0,
    blockTrailer: flags & 0x10 ? 4 : 0,
    hasContentChecksum: (flags & 0x04) !== 0,
    maxBlockSize: 2 ** (8 + 2 * sizeCode),
    end: checksumAt + 1,
  }
}

function sizeOf(field: number): number {
  return field & 0x7fff_ffff
}

function isStored(field: number): boolean {
  return field >= STORED_FLAG
}

/** Goes over the blocks of a frame to its end mark, checks their bounds and checksums, and adds up their plain sizes. */
function plainSizeOfFrame(input: Buffer, header: FrameHeader, maxBytes: number): number {
  let total = 0
  let at = header.end
  for (;;) {
    if (input.length - at < 4) throw corrupt('lz4 frame without an end')
    const field = input.readUInt32LE(at)
    if (field === 0) return total
    total += plainSizeOf(input, at + 4, field, header)
    if (total > maxBytes) throw tooLarge(`lz4 data of more than ${maxBytes} bytes`)
    at += 4 + sizeOf(field) + header.blockTrailer
  }
}

function plainSizeOf(input: Buffer, at: number, field: number, header: FrameHeader): number {
  const size = sizeOf(field)
  const end = at + size
  if (size > header.maxBlockSize || end + header.blockTrailer > input.length)
    throw corrupt(`lz4 block of ${size} bytes`)
  if (header.blockTrailer > 0 && input.readUInt32LE(end) !== xxhash32(input, at, end))
    throw corrupt('lz4 block checksum')
  const plainSize = isStored(field) ? size : plainSizeOfBlock(input.subarray(at, end))
  if (plainSize > header.maxBlockSize) throw corrupt(`lz4 block of ${plainSize} bytes, decompressed`)
  return plainSize
}
