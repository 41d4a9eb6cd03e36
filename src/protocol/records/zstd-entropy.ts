import { corrupt } from './errors.ts'

/** Bits read from the end of a byte range towards its start, as the entropy-coded streams of Zstandard are written. */
export class ReverseBits {
  private readonly bytes: Buffer
  private readonly startBit: number
  /** The bit after the next one to be read. */
  private bit: number

  /** `bytes` must go on for at least 8 bytes after `end`: reads are a word wide. The last set bit marks the end. */
  constructor(bytes: Buffer, start: number, end: number) {
    const last = end > start ? bytes[end - 1]! : 0
    if (last === 0) throw corrupt('zstd bit stream without an end mark')
    this.bytes = bytes
    this.startBit = start * 8
    this.bit = end * 8 - 8 + highestBit(last)
  }

  get remaining(): number {
    return this.bit - this.startBit
  }

  /** The next `count` bits, 0 to 31. */
  read(count: number): number {
    this.bit -= count
    if (this.bit < this.startBit) throw corrupt('zstd bit stream too short')
    if (count <= 25) return this.word(this.bit) & ((1 << count) - 1)
    const low = this.word(this.bit) & 0xffff
    return ((this.word(this.bit + 16) & ((1 << (count - 16)) - 1)) << 16) | low
  }

  /** As `read` for at most 11 bits, but with zeros for bits before the start, and nothing consumed. */
  peekPadded(count: number): number {
    const at = this.bit - count
    if (at >= this.startBit) return this.word(at) & ((1 << count) - 1)
    const missing = this.startBit - at
    return missing >= count ? 0 : (this.word(this.startBit) << missing) & ((1 << count) - 1)
  }

  /** The next 22 bits, two of the longest Huffman codes. There must be as many. */
  peek22(): number {
    return this.word(this.bit - 22) & 0x3f_ffff
  }

  /** Consumes bits; `remaining` may become negative. */
  skip(count: number): void {
    this.bit -= count
  }

  private word(bit: number): number {
    const bytes = this.bytes
    const at = bit >>> 3
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> (bit & 7)
  }
}

export function highestBit(value: number): number {
  return 31 - Math.clz32(value)
}

/** A decoding table of finite state entropy: what each state stands for, and how the next one is found. */
export interface FseTable {
  readonly accuracyLog: number
  readonly symbols: Uint8Array
  readonly bits: Uint8Array
  readonly baselines: Uint16Array
}

/** The table in which every state stands for one symbol and no bits are read. */
export function fseOfOneSymbol(symbol: number): FseTable {
  return { accuracyLog: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), baselines: new Uint16Array(1) }
}

/** Makes the table from the symbols' probabilities, of which -1 means less than one. They add up to 2^accuracyLog. */
export function fseFromProbabilities(probabilities: ArrayLike<number>, accuracyLog: number): FseTable {
  const size = 1 << accuracyLog
  const symbols = new Uint8Array(size)
  const bits = new Uint8Array(size)
  const baselines = new Uint16Array(size)
  const next = new Uint16Array(probabilities.length)
  let high = size
  for (let symbol = 0; symbol < probabilities.length; symbol++) {
    next[symbol] = Math.max(probabilities[symbol]!, 1)
    if (probabilities[symbol] === -1) symbols[--high] = symbol
  }
  const step = (size >> 1) + (size >> 3) + 3
  let at = 0
  for (let symbol = 0; symbol < probabilities.length; symbol++) {
    for (let i = 0; i < probabilities[symbol]!; i++) {
      symbols[at] = symbol
      do at = (at + step) & (size - 1)
      while (at >= high && high > 0)
    }
  }
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state]!
    const order = next[symbol]!
    next[symbol] = order + 1
    const width = accuracyLog - highestBit(order)
    bits[state] = width
    baselines[state] = (order << width) - size
  }
  return { accuracyLog, symbols, bits, baselines }
}

/** Reads a table's description at `start`; `next` is the position after it. */
export function readFseTable(
  bytes: Buffer,
  start: number,
  end: number,
  maxLog: number,
  maxSymbol: number,
): { table: FseTable; next: number } {
  if (start >= end) throw corrupt('zstd table cut off')
  const accuracyLog = (bytes[start]! & 15) + 5
  if (accuracyLog > maxLog) throw corrupt(`zstd table of accuracy ${accuracyLog}`)
  const probabilities: number[] = []
  let bit = start * 8 + 4
  let left = 1 << accuracyLog
  while (left > 0) {
    if (bit > end * 8) throw corrupt('zstd table cut off')
    const width = highestBit(left + 1) + 1
    const mask = (1 << (width - 1)) - 1
    const short = (1 << width) - 1 - (left + 1)
    let value = forwardBits(bytes, bit, width)
    if ((value & mask) < short) {
      value &= mask
      bit += width - 1
    } else {
      if (value > mask) value -= short
      bit += width
    }
    const probability = value - 1
    left -= Math.abs(probability)
    probabilities.push(probability)
    if (probability !== 0) continue
    let repeat = 3
    while (repeat === 3 && probabilities.length <= maxSymbol) {
      repeat = forwardBits(bytes, bit, 2)
      bit += 2
      for (let i = 0; i < repeat; i++) probabilities.push(0)
    }
  }
  const next = (bit + 7) >>> 3
  if (left < 0 || next > end || probabilities.length > maxSymbol + 1) throw corrupt('zstd table that does not add up')
  return { table: fseFromProbabilities(probabilities, accuracyLog), next }
}

function forwardBits(bytes: Buffer, bit: number, count: number): number {
  const at = bit >>> 3
  return ((bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)) >>> (bit & 7)) & ((1 << count) - 1)
}

/** A decoding table of the literals' Huffman code: indexed by the next `maxBits` bits. */
export interface HuffmanTable {
  readonly maxBits: number
  readonly symbols: Uint8Array
  readonly bits: Uint8Array
}

const MAX_HUFFMAN_BITS = 11
const MAX_WEIGHTS = 255
const WEIGHT_ACCURACY_LOG = 6

/** Reads a Huffman tree's description at `start`; `next` is the position after it. */
export function readHuffmanTable(bytes: Buffer, start: number, end: number): { table: HuffmanTable; next: number } {
  if (start >= end) throw corrupt('zstd tree cut off')
  const header = bytes[start]!
  const isDirect = header >= 128
  const next = start + 1 + (isDirect ? (header - 126) >> 1 : header)
  if (next > end) throw corrupt('zstd tree cut off')
  const weights = isDirect ? directWeights(bytes, start + 1, header - 127) : fseWeights(bytes, start + 1, next)
  return { table: huffmanFromWeights(weights), next }
}

function directWeights(bytes: Buffer, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) =>
    i % 2 === 0 ? bytes[at + (i >> 1)]! >>> 4 : bytes[at + (i >> 1)]! & 15,
  )
}

/** Two states take turns until the bits run out; the other one then gives the last weight. */
function fseWeights(bytes: Buffer, start: number, end: number): number[] {
  const { table, next } = readFseTable(bytes, start, end, WEIGHT_ACCURACY_LOG, MAX_WEIGHTS)
  const stream = new ReverseBits(bytes, next, end)
  const weights: number[] = []
  let state = stream.read(table.accuracyLog)
  let other = stream.read(table.accuracyLog)
  for (;;) {
    weights.push(table.symbols[state]!)
    if (weights.length >= MAX_WEIGHTS) throw corrupt('zstd tree of too many symbols')
    const width = table.bits[state]!
    if (width > stream.remaining) break
    state = table.baselines[state]! + stream.read(width)
    const turn = state
    state = other
    other = turn
  }
  weights.push(table.symbols[other]!)
  return weights
}

/** The last weight is left out: it is what is missing to a full tree. */
function huffmanFromWeights(weights: number[]): HuffmanTable {
  let sum = 0
  for (const weight of weights) {
    if (weight > MAX_HUFFMAN_BITS) throw corrupt(`zstd tree weight ${weight}`)
    if (weight > 0) sum += 1 << (weight - 1)
  }
  if (sum === 0) throw corrupt('zstd tree without symbols')
  const maxBits = highestBit(sum) + 1
  const missing = (1 << maxBits) - sum
  if (maxBits > MAX_HUFFMAN_BITS || (missing & (missing - 1)) !== 0) throw corrupt('zstd tree that does not add up')
  weights.push(highestBit(missing) + 1)
  const symbols = new Uint8Array(1 << maxBits)
  const bits = new Uint8Array(1 << maxBits)
  let at = 0
  for (let weight = 1; weight <= maxBits; weight++) {
    for (let symbol = 0; symbol < weights.length; symbol++) {
      if (weights[symbol] !== weight) continue
      const end = at + (1 << (weight - 1))
      symbols.fill(symbol, at, end)
      bits.fill(maxBits + 1 - weight, at, end)
      at = end
    }
  }
  return { maxBits, symbols, bits }
}

/** Decodes one stream of literals in `bytes[start, end)` to exactly fill `output[from, to)`. */
export function readHuffmanStream(
  table: HuffmanTable,
  bytes: Buffer,
  start: number,
  end: number,
  output: Uint8Array,
  from: number,
  to: number,
): void {
  const stream = new ReverseBits(bytes, start, end)
  const { maxBits, symbols, bits } = table
  const mask = (1 << maxBits) - 1
  let at = from
  while (to - at >= 2 && stream.remaining >= 22) {
    const word = stream.peek22()
    const first = (word >>> (22 - maxBits)) & mask
    const width = bits[first]!
    const second = (word >>> (22 - maxBits - width)) & mask
    output[at++] = symbols[first]!
    output[at++] = symbols[second]!
    stream.skip(width + bits[second]!)
  }
  for (; at < to; at++) {
    const index = stream.peekPadded(maxBits)
    output[at] = symbols[index]!
    stream.skip(bits[index]!)
    if (stream.remaining < 0) throw corrupt('zstd literals too short')
  }
  if (stream.remaining !== 0) throw corrupt('zstd literals too long')
}
