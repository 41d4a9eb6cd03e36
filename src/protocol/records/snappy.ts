import { createRequire } from 'node:module'
import { copyLiteral, copyMatch } from './copy.ts'
import { corrupt, tooLarge } from './errors.ts'

const require = createRequire(import.meta.url)

/** Raw snappy blocks: what the framing around them is made of. */
export interface SnappyBlocks {
  compress(input: Buffer): Buffer
  /** Decompresses a block into `output`, exactly filling it. Throws on bad input. */
  decompress(input: Buffer, output: Buffer): void
}

interface NativeSnappy {
  compressSync(input: Uint8Array, options: { copyOutputData: true }): Buffer
  uncompressSync(input: Uint8Array, options: { asBuffer: true; copyOutputData: true }): Buffer
}

/** The prebuilt native module. Throws when there is no binary for this platform. */
export function loadNativeSnappy(): SnappyBlocks {
  const native = require('snappy') as NativeSnappy
  // Without this it hands out memory of its own with a finalizer, which takes 10 times as long as a copy.
  const copyOutputData = true
  return {
    compress: (input) => native.compressSync(input, { copyOutputData }),
    decompress: (input, output) => {
      const plain = native.uncompressSync(input, { asBuffer: true, copyOutputData })
      if (plain.length !== output.length) throw corrupt('snappy block of another length than it says')
      plain.copy(output)
    },
  }
}

// The framing of snappy-java ("xerial"): magic, version and compatible version, then length-prefixed blocks.
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])])
const XERIAL_BLOCK_SIZE = 32 * 1024

/** No element of a snappy block yields more than 64 bytes for 3, so a larger claim is a lie. */
const MAX_EXPANSION = 22

/** Compresses as Java clients do: xerial framing, blocks of 32 KB. */
export function snappyCompress(blocks: SnappyBlocks, input: Buffer): Buffer {
  const parts: Buffer[] = [XERIAL_HEADER]
  for (let at = 0; at < input.length; at += XERIAL_BLOCK_SIZE) {
    const block = blocks.compress(input.subarray(at, at + XERIAL_BLOCK_SIZE))
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

/** Decompresses xerial framing or one raw block, told apart by the magic. Throws RecordsError. */
export function snappyDecompress(blocks: SnappyBlocks, input: Buffer, maxBytes: number): Buffer {
  let total = 0
  eachBlock(input, (block) => {
    total += claimedSize(block)
    if (total > maxBytes) throw tooLarge(`snappy data of more than ${maxBytes} bytes`)
  })
  const output = Buffer.allocUnsafe(total)
  let at = 0
  eachBlock(input, (block) => {
    const end = at + claimedSize(block)
    decompressBlock(blocks, block, output.subarray(at, end))
    at = end
  })
  return output
}

function decompressBlock(blocks: SnappyBlocks, block: Buffer, output: Buffer): void {
  try {
    blocks.decompress(block, output)
  } catch (error) {
    throw corrupt(`snappy block: ${(error as Error).message}`)
  }
}

function isXerial(input: Buffer, at: number): boolean {
  if (input.length - at < XERIAL_HEADER.length) return false
  return input.compare(XERIAL_MAGIC, 0, XERIAL_MAGIC.length, at, at + XERIAL_MAGIC.length) === 0
}

/** Calls back with the blocks of the stream. A header may come again between them: streams can be concatenated. */
function eachBlock(input: Buffer, onBlock: (block: Buffer) => void): void {
  if (!isXerial(input, 0)) {
    onBlock(input)
    return
  }
  let at = 0
  while (at < input.length) {
    if (isXerial(input, at)) {
      at += XERIAL_HEADER.length
      continue
    }
    if (input.length - at < 4) throw corrupt('snappy stream ends inside a block length')
    const length = input.readInt32BE(at)
    at += 4
    if (length <= 0 || length > input.length - at) throw corrupt(`snappy block of ${length} bytes`)
    onBlock(input.subarray(at, at + length))
    at += length
  }
}

/** What a block says it grows to. */
function claimedSize(block: Buffer): number {
  const { value, next } = preamble(block)
  if (value > (block.length - next) * MAX_EXPANSION) throw corrupt(`snappy block claims ${value} bytes`)
  return value
}

function preamble(block: Buffer): { value: number; next: number } {
  let value = 0
  for (let i = 0; i < 5; i++) {
    const byte = block[i]
    if (byte === undefined) break
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value, next: i + 1 }
  }
  throw corrupt('snappy block without a length')
}

/** Plain JavaScript, for platforms without a prebuilt binary. */
export const javaScriptSnappy: SnappyBlocks = { compress: compressBlock, decompress: expandBlock }

/** Longer literals have 1 to 4 bytes for their length. */
const MAX_SHORT_LITERAL = 60

function expandBlock(input: Buffer, output: Buffer): void {
  const end = input.length
  const limit = output.length
  let at = preamble(input).next
  let out = 0
  while (at < end) {
    const tag = input[at++]!
    const kind = tag & 3
    let length = (tag >>> 2) + 1
    if (kind === 0) {
      if (length > MAX_SHORT_LITERAL) {
        const bytes = length - MAX_SHORT_LITERAL
        if (bytes > end - at) throw corrupt('literal length cut off')
        length = input.readUIntLE(at, bytes) + 1
        at += bytes
      }
      if (length > end - at || length > limit - out) throw corrupt('literal out of bounds')
      copyLiteral(input, at, output, out, length)
      at += length
      out += length
      continue
    }
    let offset: number
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4
      offset = ((tag & 0xe0) << 3) | input[at++]!
    } else {
      offset = input[at]! | (input[at + 1]! << 8)
      if (kind === 3) offset += (input[at + 2]! | (input[at + 3]! << 8)) * 0x1_0000
      at += kind === 2 ? 2 : 4
    }
    if (at > end) throw corrupt('copy cut off')
    if (offset === 0 || offset > out || length > limit - out) throw corrupt('copy out of bounds')
    copyMatch(output, out, offset, length)
    out += length
  }
  if (out !== limit) throw corrupt('block of another length than it says')
}

const HASH_BITS = 14
const HASH_MULTIPLIER = 0x1e35a7bd
/** The copies written here reach back 16 bits. */
const MAX_COPY_OFFSET = 0xffff

function compressBlock(input: Buffer): Buffer {
  const output = Buffer.allocUnsafe(32 + input.length + Math.ceil(input.length / 6))
  let out = writePreamble(output, input.length)
  const table = new Int32Array(1 << HASH_BITS).fill(-1)
  const lastStart = input.length - 4
  let literalStart = 0
  let at = 0
  while (at <= lastStart) {
    const word = input.readUInt32LE(at)
    const slot = Math.imul(word, HASH_MULTIPLIER) >>> (32 - HASH_BITS)
    const candidate = table[slot]!
    table[slot] = at
    if (candidate < 0 || at - candidate > MAX_COPY_OFFSET || input.readUInt32LE(candidate) !== word) {
      // The longer nothing matches, the wider the steps: incompressible data passes quickly.
      at += 1 + ((at - literalStart) >>> 5)
      continue
    }
    out = writeLiteral(input, literalStart, at, output, out)
    let length = 4
    while (at + length < input.length && input[at + length] === input[candidate + length]) length++
    out = writeCopies(output, out, at - candidate, length)
    at += length
    literalStart = at
  }
  out = writeLiteral(input, literalStart, input.length, output, out)
  return output.subarray(0, out)
}

function writePreamble(output: Buffer, length: number): number {
  let rest = length
  let out = 0
  while (rest >= 0x80) {
    output[out++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  output[out++] = rest
  return out
}

function writeLiteral(input: Buffer, from: number, to: number, output: Buffer, at: number): number {
  const length = to - from
  if (length === 0) return at
  let out = at
  if (length <= MAX_SHORT_LITERAL) output[out++] = (length - 1) << 2
  else {
    const bytes = length <= 0x100 ? 1 : length <= 0x1_0000 ? 2 : length <= 0x100_0000 ? 3 : 4
    output[out++] = (MAX_SHORT_LITERAL - 1 + bytes) << 2
    out = output.writeUIntLE(length - 1, out, bytes)
  }
  return out + input.copy(output, out, from, to)
}

function writeCopies(output: Buffer, at: number, offset: number, length: number): number {
  let out = at
  for (let rest = length; rest > 0; ) {
    // A rest of 65 to 67 would leave less than the 4 bytes that are worth a copy.
    const step = rest >= 68 ? 64 : rest > 64 ? 60 : rest
    output[out++] = ((step - 1) << 2) | 2
    out = output.writeUInt16LE(offset, out)
    rest -= step
  }
  return out
}
