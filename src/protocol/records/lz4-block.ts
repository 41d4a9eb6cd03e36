import { createRequire } from 'node:module'
import { copyLiteral, copyMatch } from './copy.ts'
import { corrupt } from './errors.ts'

const require = createRequire(import.meta.url)

/** Raw LZ4 blocks: what frames are made of. */
export interface Lz4Blocks {
  compress(input: Buffer): Buffer
  /**
   * Decompresses a block to `from` in `output`, at most up to `limit`, and returns the position after it. Matches may
   * reach back to `floor`: linked blocks find their history there. Throws on bad input.
   */
  decompress(input: Buffer, output: Buffer, from: number, limit: number, floor: number): number
}

interface NativeLz4 {
  compressSync(input: Uint8Array): Buffer
  uncompressSync(input: Uint8Array, dictionary?: Uint8Array): Buffer
}

const MIN_MATCH = 4
const MAX_OFFSET = 0xffff
/** The format wants the last 5 bytes as literals and no match to start in the last 12. */
const END_LITERALS = 5
const MATCH_START_LIMIT = 12

/** The prebuilt native module, whose blocks carry their plain size in front. Throws when there is no binary. */
export function loadNativeLz4(): Lz4Blocks {
  const native = require('lz4-napi') as NativeLz4
  return {
    compress: (input) => native.compressSync(input).subarray(4),
    decompress: (input, output, from, limit, floor) => {
      const sized = Buffer.allocUnsafe(4 + input.length)
      sized.writeUInt32LE(limit - from)
      input.copy(sized, 4)
      const history = output.subarray(Math.max(floor, from - MAX_OFFSET), from)
      const plain = history.length === 0 ? native.uncompressSync(sized) : native.uncompressSync(sized, history)
      return from + plain.copy(output, from)
    },
  }
}

/** Plain JavaScript, for platforms without a prebuilt binary. */
export const javaScriptLz4: Lz4Blocks = { compress: (input) => compressLz4Block(input, 1), decompress: expandBlock }

/** What a block decompresses to, told from its sequences alone, before any memory is taken. Throws RecordsError. */
export function plainSizeOfBlock(input: Buffer): number {
  let at = 0
  let size = 0
  for (;;) {
    const token = input[at++]
    if (token === undefined) throw corrupt('lz4 block cut off')
    let literals = token >>> 4
    if (literals === 15) {
      const end = endOfLength(input, at)
      literals += lengthBetween(input, at, end)
      at = end
    }
    at += literals
    size += literals
    if (at === input.length) return size
    at += 2
    if (at > input.length) throw corrupt('lz4 block cut off')
    let match = (token & 15) + MIN_MATCH
    if (match === 15 + MIN_MATCH) {
      const end = endOfLength(input, at)
      match += lengthBetween(input, at, end)
      at = end
    }
    size += match
  }
}

/** The position after a length that goes on while its bytes are 255. */
function endOfLength(input: Buffer, start: number): number {
  let at = start
  while (input[at] === 255) at++
  return at + 1
}

function lengthBetween(input: Buffer, start: number, end: number): number {
  const last = input[end - 1]
  if (last === undefined) throw corrupt('lz4 length cut off')
  return (end - 1 - start) * 255 + last
}

function expandBlock(input: Buffer, output: Buffer, from: number, limit: number, floor: number): number {
  let at = 0
  let out = from
  for (;;) {
    const token = input[at++]
    if (token === undefined) throw corrupt('lz4 block cut off')
    let literals = token >>> 4
    if (literals === 15) {
      const end = endOfLength(input, at)
      literals += lengthBetween(input, at, end)
      at = end
    }
    if (literals > input.length - at || literals > limit - out) throw corrupt('lz4 literals out of bounds')
    copyLiteral(input, at, output, out, literals)
    at += literals
    out += literals
    if (at === input.length) return out
    if (input.length - at < 2) throw corrupt('lz4 block cut off')
    const offset = input[at]! | (input[at + 1]! << 8)
    at += 2
    let match = (token & 15) + MIN_MATCH
    if (match === 15 + MIN_MATCH) {
      const end = endOfLength(input, at)
      match += lengthBetween(input, at, end)
      at = end
    }
    if (offset === 0 || offset > out - floor || match > limit - out) throw corrupt('lz4 match out of bounds')
    copyMatch(output, out, offset, match)
    out += match
  }
}

const HASH_BITS = 14

/**
 * Compresses a block of at most 64 KB. `attempts` is how many earlier places with the same hash are compared for the
 * longest match: 1 is fast, more is smaller and slower.
 */
export function compressLz4Block(input: Buffer, attempts: number): Buffer {
  const output = Buffer.allocUnsafe(16 + input.length + Math.ceil(input.length / 255))
  const heads = new Int32Array(1 << HASH_BITS).fill(-1)
  const chain = attempts > 1 ? new Int32Array(input.length) : undefined
  const lastStart = input.length - MATCH_START_LIMIT
  const matchLimit = input.length - END_LITERALS
  let literalStart = 0
  let out = 0
  let at = 0
  while (at <= lastStart) {
    const slot = hashAt(input, at)
    const head = heads[slot]!
    if (chain !== undefined) chain[at] = head
    heads[slot] = at
    const { length, offset } = longestMatch(input, at, head, chain, attempts, matchLimit)
    if (length < MIN_MATCH) {
      at += attempts > 1 ? 1 : 1 + ((at - literalStart) >>> 6)
      continue
    }
    out = writeSequence(input, literalStart, at, output, out, offset, length)
    if (chain !== undefined) enterPositions(input, at + 1, Math.min(at + length, lastStart + 1), heads, chain)
    at += length
    literalStart = at
  }
  out = writeLastLiterals(input, literalStart, output, out)
  return output.subarray(0, out)
}

function hashAt(input: Buffer, at: number): number {
  return Math.imul(input.readInt32LE(at), 0x9e3779b1) >>> (32 - HASH_BITS)
}

function enterPositions(input: Buffer, from: number, to: number, heads: Int32Array, chain: Int32Array): void {
  for (let at = from; at < to; at++) {
    const slot = hashAt(input, at)
    chain[at] = heads[slot]!
    heads[slot] = at
  }
}

function longestMatch(
  input: Buffer,
  at: number,
  head: number,
  chain: Int32Array | undefined,
  attempts: number,
  matchLimit: number,
): { length: number; offset: number } {
  let best = 0
  let offset = 0
  let candidate = head
  for (let left = attempts; left > 0 && candidate >= 0 && at - candidate <= MAX_OFFSET; left--) {
    if (input[candidate + best] === input[at + best]) {
      let length = 0
      while (at + length < matchLimit && input[candidate + length] === input[at + length]) length++
      if (length > best) {
        best = length
        offset = at - candidate
      }
    }
    candidate = chain === undefined ? -1 : chain[candidate]!
  }
  return { length: best, offset }
}

function writeSequence(
  input: Buffer,
  from: number,
  to: number,
  output: Buffer,
  at: number,
  offset: number,
  length: number,
): number {
  const literals = to - from
  const match = length - MIN_MATCH
  let out = at + 1
  output[at] = (Math.min(literals, 15) << 4) | Math.min(match, 15)
  if (literals >= 15) out = writeLength(output, out, literals - 15)
  out += input.copy(output, out, from, to)
  output[out++] = offset & 0xff
  output[out++] = offset >>> 8
  return match >= 15 ? writeLength(output, out, match - 15) : out
}

function writeLastLiterals(input: Buffer, from: number, output: Buffer, at: number): number {
  const literals = input.length - from
  let out = at + 1
  output[at] = Math.min(literals, 15) << 4
  if (literals >= 15) out = writeLength(output, out, literals - 15)
  return out + input.copy(output, out, from, input.length)
}

function writeLength(output: Buffer, at: number, length: number): number {
  let out = at
  let rest = length
  for (; rest >= 255; rest -= 255) output[out++] = 255
  output[out++] = rest
  return out
}
