import { createRequire } from 'node:module'
import { corrupt, tooLarge } from './errors.ts'
import { Codec } from './layout.ts'
import { type Lz4FrameOptions, lz4Compress, lz4Decompress } from './lz4.ts'
import { javaScriptLz4, type Lz4Blocks, loadNativeLz4 } from './lz4-block.ts'
import { javaScriptSnappy, loadNativeSnappy, type SnappyBlocks, snappyCompress, snappyDecompress } from './snappy.ts'
import { javaScriptZstd, loadNativeZstd, type ZstdImplementation, zlibZstd } from './zstd.ts'

// A start takes longer for every module that it loads and does not use.
const require = createRequire(import.meta.url)
const zlib = () => require('node:zlib') as typeof import('node:zlib')

/** The levels that Apache Kafka allows. `none` and snappy have none. */
export const LEVELS = {
  gzip: { min: 1, max: 9, default: -1 },
  lz4: { min: 1, max: 17, default: 9 },
  zstd: { min: -131072, max: 22, default: 3 },
} as const

/** Whether `level` is one that Apache Kafka allows for the codec. */
export function isLevelOf(codec: Codec, level: number): boolean {
  const levels = levelsOf(codec)
  if (levels === undefined || !Number.isInteger(level)) return false
  return (level >= levels.min && level <= levels.max) || level === levels.default
}

function levelsOf(codec: Codec): { min: number; max: number; default: number } | undefined {
  if (codec === Codec.gzip) return LEVELS.gzip
  if (codec === Codec.lz4) return LEVELS.lz4
  return codec === Codec.zstd ? LEVELS.zstd : undefined
}

/** Deflate makes no more than this of a byte. */
const GZIP_MAX_EXPANSION = 1032
const GZIP_MIN_CHUNK = 1024

/** The codecs of record data, each loaded on first use: a broker that meets no zstd spends nothing on it. */
export class Compression {
  private readonly preferNative: boolean
  private snappyBlocks: SnappyBlocks | undefined
  private lz4Blocks: Lz4Blocks | undefined
  private zstd: ZstdImplementation | undefined

  /** `preferNative` false takes plain JavaScript where there is a choice, as platforms without binaries do. */
  constructor({ preferNative = true }: { preferNative?: boolean } = {}) {
    this.preferNative = preferNative
  }

  /**
   * Compresses as Apache Kafka's Java code does: the same framing, levels and default levels.
   * Throws RangeError for a level that the codec does not have.
   */
  compress(codec: Codec, input: Buffer, level?: number, options: Lz4FrameOptions = {}): Buffer {
    if (level !== undefined && levelsOf(codec) !== undefined && !isLevelOf(codec, level)) {
      throw new RangeError(`level ${level} of codec ${codec}`)
    }
    switch (codec) {
      case Codec.none:
        return input
      case Codec.gzip:
        return zlib().gzipSync(input, { level: level ?? zlib().constants.Z_DEFAULT_COMPRESSION })
      case Codec.snappy:
        return snappyCompress(this.loadSnappy(), input)
      case Codec.lz4:
        return lz4Compress(this.loadLz4(), input, { ...options, level: level ?? LEVELS.lz4.default })
      case Codec.zstd:
        return this.loadZstd().compress(input, level ?? LEVELS.zstd.default)
    }
  }

  /**
   * Decompresses into at most `maxBytes` and never takes more memory than that for the result, whatever the input
   * claims. Throws RecordsError: `tooLarge` for more, `corrupt` for broken input.
   */
  decompress(codec: Codec, input: Buffer, maxBytes: number, options: Lz4FrameOptions = {}): Buffer {
    switch (codec) {
      case Codec.none:
        if (input.length > maxBytes) throw tooLarge(`${input.length} bytes, at most ${maxBytes} are allowed`)
        return input
      case Codec.gzip:
        return gunzip(input, maxBytes)
      case Codec.snappy:
        return snappyDecompress(this.loadSnappy(), input, maxBytes)
      case Codec.lz4:
        return lz4Decompress(this.loadLz4(), input, maxBytes, options)
      case Codec.zstd:
        return this.loadZstd().decompress(input, maxBytes)
    }
  }

  private loadSnappy(): SnappyBlocks {
    this.snappyBlocks ??= this.choose(loadNativeSnappy, javaScriptSnappy)
    return this.snappyBlocks
  }

  private loadLz4(): Lz4Blocks {
    this.lz4Blocks ??= this.choose(loadNativeLz4, javaScriptLz4)
    return this.lz4Blocks
  }

  private loadZstd(): ZstdImplementation {
    this.zstd ??= this.choose(() => zlibZstd() ?? loadNativeZstd(), javaScriptZstd)
    return this.zstd
  }

  private choose<T>(loadNative: () => T, javaScript: T): T {
    if (!this.preferNative) return javaScript
    try {
      return loadNative()
    } catch {
      return javaScript
    }
  }
}

function gunzip(input: Buffer, maxBytes: number): Buffer {
  // The trailer tells the size modulo 2^32: a hint that saves gathering chunks, no more. One byte over, since a chunk that
  // is filled exactly makes zlib take another.
  const hint = input.length >= 4 ? input.readUInt32LE(input.length - 4) : 0
  const chunkSize = Math.max(Math.min(hint + 1, maxBytes + 1, input.length * GZIP_MAX_EXPANSION), GZIP_MIN_CHUNK)
  try {
    return zlib().gunzipSync(input, { maxOutputLength: Math.max(maxBytes, 1), chunkSize })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(`gzip data of more than ${maxBytes} bytes`)
    }
    throw corrupt(`gzip: ${(error as Error).message}`)
  }
}

/** The one that is used where no other is given. */
export const sharedCompression = new Compression()

/** See `Compression.compress`. */
export function compress(codec: Codec, input: Buffer, level?: number): Buffer {
  return sharedCompression.compress(codec, input, level)
}

/** See `Compression.decompress`. */
export function decompress(codec: Codec, input: Buffer, maxBytes: number): Buffer {
  return sharedCompression.decompress(codec, input, maxBytes)
}
