import { copyLiteral, copyMatch } from './copy.ts'
import { corrupt, type RecordsError, tooLarge } from './errors.ts'
import {
  type FseTable,
  fseFromProbabilities,
  fseOfOneSymbol,
  type HuffmanTable,
  ReverseBits,
  readFseTable,
  readHuffmanStream,
  readHuffmanTable,
} from './zstd-entropy.ts'
import { MAX_BLOCK_SIZE, maxPlainSizeOf, nextFrame, readBlock, type ZstdBlock, type ZstdFrame } from './zstd-frame.ts'

// Zstandard (RFC 8878) in plain JavaScript: for Node versions whose zlib has none, where no native module fits, and
// for data whose size cannot be told to be small enough before it is decompressed.

/** Reads are up to 3 bytes wide at any byte of the input, so it is copied with this much after it. */
const PADDING = 8

const PLAIN_LITERAL_LENGTHS = 16
const PLAIN_MATCH_LENGTHS = 32
const LITERAL_LENGTHS = codes(
  PLAIN_LITERAL_LENGTHS,
  0,
  [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
)
const MATCH_LENGTHS = codes(
  PLAIN_MATCH_LENGTHS,
  3,
  [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
)
const MAX_OFFSET_CODE = 31

interface Codes {
  readonly bits: Uint8Array
  readonly baselines: Uint32Array
}

/** `plain` codes for consecutive lengths, then codes with extra bits, each starting where the one before it ends. */
function codes(plain: number, first: number, extraBits: number[]): Codes {
  const bits = new Uint8Array(plain + extraBits.length)
  const baselines = new Uint32Array(bits.length)
  let baseline = first
  for (let code = 0; code < bits.length; code++) {
    bits[code] = code < plain ? 0 : extraBits[code - plain]!
    baselines[code] = baseline
    baseline += 2 ** bits[code]!
  }
  return { bits, baselines }
}

/** The three tables in the order in which a block describes them. */
const TABLE_ORDER = ['literalLengths', 'offsets', 'matchLengths'] as const
type TableName = (typeof TABLE_ORDER)[number]
const MAX_LOG = { literalLengths: 9, offsets: 8, matchLengths: 9 }
const MAX_SYMBOL = { literalLengths: 35, offsets: MAX_OFFSET_CODE, matchLengths: 52 }
const DEFAULT_TABLES: Record<TableName, FseTable> = {
  literalLengths: fseFromProbabilities(
    [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1],
    6,
  ),
  offsets: fseFromProbabilities(
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
    5,
  ),
  matchLengths: fseFromProbabilities(
    [1, 4, 3, 2, 2, 2, 2, 2, 2, ...new Array<number>(37).fill(1), -1, -1, -1, -1, -1, -1, -1],
    6,
  ),
}

/** What the frames in `input` decompress to, at most `maxBytes`. Throws RecordsError `corrupt` or `tooLarge`. */
export function decodeZstd(input: Buffer, maxBytes: number): Buffer {
  if (input.length === 0) throw corrupt('no zstd frame')
  const output = Buffer.allocUnsafe(Math.min(maxPlainSizeOf(input), maxBytes))
  const padded = Buffer.alloc(input.length + PADDING)
  input.copy(padded)
  let at = 0
  for (let frame = nextFrame(input, 0); frame !== undefined; frame = nextFrame(input, frame.next)) {
    if (frame.contentSize !== undefined && frame.contentSize > output.length - at) throw overflow(output.length)
    at = new FrameDecoder(padded, output, at).decode(frame)
  }
  const plain = output.subarray(0, at)
  // Where much less came out than might have, do not keep the rest of the memory alive with it.
  return at < output.length / 2 ? Buffer.from(plain) : plain
}

function overflow(maxBytes: number): RecordsError {
  return tooLarge(`zstd data of more than ${maxBytes} bytes`)
}

interface Literals {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** The position in the input after them. */
  readonly next: number
}

class FrameDecoder {
  private readonly input: Buffer
  private readonly output: Buffer
  private readonly frameStart: number
  private at: number
  private readonly repeats = [1, 4, 8]
  private huffman: HuffmanTable | undefined
  private tables: Partial<Record<TableName, FseTable>> = {}
  private literalBuffer: Buffer | undefined

  constructor(input: Buffer, output: Buffer, at: number) {
    this.input = input
    this.output = output
    this.frameStart = at
    this.at = at
  }

  decode(frame: ZstdFrame): number {
    for (let at = frame.firstBlock; ; ) {
      const block = readBlock(this.input, at)
      const before = this.at
      this.decodeBlock(block)
      if (this.at - before > MAX_BLOCK_SIZE) throw corrupt('zstd block of more than 128 KB')
      at = block.next
      if (block.isLast) break
    }
    const size = this.at - this.frameStart
    if (frame.contentSize !== undefined && frame.contentSize !== size) throw corrupt('zstd frame of another length')
    return this.at
  }

  private decodeBlock({ type, start, size }: ZstdBlock): void {
    if (type === 'compressed') {
      this.compressedBlock(start, start + size)
      return
    }
    this.room(size)
    if (type === 'rle') this.output.fill(this.input[start]!, this.at, this.at + size)
    else this.input.copy(this.output, this.at, start, start + size)
    this.at += size
  }

  /** The output is as long as the frames can need, if the cap allows: so running out of it means the cap. */
  private room(bytes: number): void {
    if (bytes > this.output.length - this.at) throw overflow(this.output.length)
  }

  private compressedBlock(start: number, end: number): void {
    const literals = this.readLiterals(start, end)
    const { input } = this
    let at = literals.next
    if (at >= end) throw corrupt('zstd block without sequences')
    let count = input[at++]!
    if (count === 255) {
      count = input.readUInt16LE(at) + 0x7f00
      at += 2
    } else if (count >= 128) count = ((count - 128) << 8) | input[at++]!
    if (count === 0) {
      if (at !== end) throw corrupt('zstd block longer than its literals')
      this.copyLiterals(literals.bytes, literals.start, literals.end)
      return
    }
    const modes = input[at++]!
    if ((modes & 3) !== 0) throw corrupt('zstd sequence modes')
    TABLE_ORDER.forEach((name, i) => {
      at = this.readTable(name, (modes >>> (6 - 2 * i)) & 3, at, end)
    })
    if (at >= end) throw corrupt('zstd block without sequences')
    this.runSequences(count, new ReverseBits(input, at, end), literals)
  }

  private readTable(name: TableName, mode: number, at: number, end: number): number {
    if (mode === 0) this.tables[name] = DEFAULT_TABLES[name]
    else if (mode === 1) {
      const symbol = this.input[at]!
      if (at >= end || symbol > MAX_SYMBOL[name]) throw corrupt(`zstd code ${symbol}`)
      this.tables[name] = fseOfOneSymbol(symbol)
      return at + 1
    } else if (mode === 2) {
      const { table, next } = readFseTable(this.input, at, end, MAX_LOG[name], MAX_SYMBOL[name])
      this.tables[name] = table
      return next
    } else if (this.tables[name] === undefined) throw corrupt('zstd table repeated before the first')
    return at
  }

  private readLiterals(start: number, end: number): Literals {
    if (end - start < 2) throw corrupt('zstd block cut off')
    const { input } = this
    const type = input[start]! & 3
    const format = (input[start]! >>> 2) & 3
    if (type >= 2) return this.readCompressedLiterals(start, end, type === 3, format)
    const headerSize = format === 1 ? 2 : format === 3 ? 3 : 1
    const size = input.readUIntLE(start, headerSize) >>> (headerSize === 1 ? 3 : 4)
    const at = start + headerSize
    if (size > MAX_BLOCK_SIZE || at + (type === 0 ? size : 1) > end) throw corrupt(`zstd literals of ${size} bytes`)
    if (type === 0) return { bytes: input, start: at, end: at + size, next: at + size }
    const bytes = this.literalSpace(size).fill(input[at]!, 0, size)
    return { bytes, start: 0, end: size, next: at + 1 }
  }

  private readCompressedLiterals(start: number, end: number, repeats: boolean, format: number): Literals {
    const { input } = this
    const headerSize = format < 2 ? 3 : format + 2
    const width = format < 2 ? 10 : format === 2 ? 14 : 18
    if (start + headerSize > end) throw corrupt('zstd block cut off')
    const header = Math.floor(input.readUIntLE(start, headerSize) / 16)
    const size = header % 2 ** width
    const next = start + headerSize + Math.floor(header / 2 ** width)
    if (size > MAX_BLOCK_SIZE || next > end) throw corrupt(`zstd literals of ${size} bytes`)
    let at = start + headerSize
    if (!repeats) {
      const tree = readHuffmanTable(input, at, next)
      this.huffman = tree.table
      at = tree.next
    }
    const table = this.huffman
    if (table === undefined) throw corrupt('zstd tree repeated before the first')
    const bytes = this.literalSpace(size)
    if (format === 0) readHuffmanStream(table, input, at, next, bytes, 0, size)
    else this.readFourStreams(table, at, next, bytes, size)
    return { bytes, start: 0, end: size, next }
  }

  private readFourStreams(table: HuffmanTable, start: number, end: number, bytes: Buffer, size: number): void {
    const { input } = this
    const part = (size + 3) >> 2
    if (end - start < 6 || part * 3 > size) throw corrupt('zstd literal streams')
    let at = start + 6
    for (let i = 0; i < 4; i++) {
      const streamEnd = i < 3 ? at + input.readUInt16LE(start + 2 * i) : end
      if (streamEnd > end) throw corrupt('zstd literal streams')
      readHuffmanStream(table, input, at, streamEnd, bytes, i * part, i < 3 ? (i + 1) * part : size)
      at = streamEnd
    }
  }

  private literalSpace(size: number): Buffer {
    if (this.literalBuffer === undefined || this.literalBuffer.length < size) {
      this.literalBuffer = Buffer.allocUnsafe(size)
    }
    return this.literalBuffer
  }

  private copyLiterals(bytes: Uint8Array, from: number, to: number): void {
    const length = to - from
    this.room(length)
    copyLiteral(bytes, from, this.output, this.at, length)
    this.at += length
  }

  private runSequences(count: number, stream: ReverseBits, literals: Literals): void {
    const lengths = this.tables.literalLengths!
    const offsets = this.tables.offsets!
    const matches = this.tables.matchLengths!
    const blockLimit = this.at + MAX_BLOCK_SIZE
    let lengthState = stream.read(lengths.accuracyLog)
    let offsetState = stream.read(offsets.accuracyLog)
    let matchState = stream.read(matches.accuracyLog)
    let literal = literals.start
    for (let left = count; left > 0; left--) {
      const offsetCode = offsets.symbols[offsetState]!
      const matchCode = matches.symbols[matchState]!
      const lengthCode = lengths.symbols[lengthState]!
      const offsetValue = ((1 << offsetCode) | stream.read(offsetCode)) >>> 0
      // Short lengths, which are most, have no bits of their own.
      let match = MATCH_LENGTHS.baselines[matchCode]!
      if (matchCode >= PLAIN_MATCH_LENGTHS) match += stream.read(MATCH_LENGTHS.bits[matchCode]!)
      let length = LITERAL_LENGTHS.baselines[lengthCode]!
      if (lengthCode >= PLAIN_LITERAL_LENGTHS) length += stream.read(LITERAL_LENGTHS.bits[lengthCode]!)
      if (length > literals.end - literal) throw corrupt('zstd sequence beyond its literals')
      if (length + match > blockLimit - this.at) throw corrupt('zstd block of more than 128 KB')
      this.copyLiterals(literals.bytes, literal, literal + length)
      literal += length
      this.copyMatch(this.offsetOf(offsetValue, length), match)
      if (left === 1) break
      // The two come from one read: 9 bits each at most.
      const matchBits = matches.bits[matchState]!
      const both = stream.read(lengths.bits[lengthState]! + matchBits)
      lengthState = lengths.baselines[lengthState]! + (both >>> matchBits)
      matchState = matches.baselines[matchState]! + (both & ((1 << matchBits) - 1))
      offsetState = offsets.baselines[offsetState]! + stream.read(offsets.bits[offsetState]!)
    }
    if (stream.remaining !== 0) throw corrupt('zstd sequences that do not use up their bits')
    this.copyLiterals(literals.bytes, literal, literals.end)
  }

  private copyMatch(offset: number, length: number): void {
    if (offset > this.at - this.frameStart) throw corrupt('zstd match before the start')
    this.room(length)
    copyMatch(this.output, this.at, offset, length)
    this.at += length
  }

  /** Values 1 to 3 stand for the last offsets, shifted by one where no literals come before the match. */
  private offsetOf(value: number, literalLength: number): number {
    const { repeats } = this
    const index = value > 3 ? 3 : value - (literalLength === 0 ? 0 : 1)
    if (index === 0) return repeats[0]!
    const offset = value > 3 ? value - 3 : index === 3 ? repeats[0]! - 1 : repeats[index]!
    if (offset === 0) throw corrupt('zstd offset 0')
    if (index > 1) repeats[2] = repeats[1]!
    repeats[1] = repeats[0]!
    repeats[0] = offset
    return offset
  }
}
