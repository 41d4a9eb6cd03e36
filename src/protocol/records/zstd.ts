import { createRequire } from 'node:module'
import { corrupt, tooLarge } from './errors.ts'
import { decodeZstd } from './zstd-decoder.ts'
import { isOneFrame, MAX_BLOCK_SIZE, maxPlainSizeOf } from './zstd-frame.ts'

const require = createRequire(import.meta.url)

export interface ZstdImplementation {
  compress(input: Buffer, level: number): Buffer
  /** Throws RecordsError `corrupt` or `tooLarge`. */
  decompress(input: Buffer, maxBytes: number): Buffer
}

/** What node:zlib has since Node 22.15; the types in use are those of Node 20. */
interface ZlibWithZstd {
  zstdCompressSync(input: Uint8Array, options: { params: Record<number, number> }): Buffer
  zstdDecompressSync(input: Uint8Array, options: { maxOutputLength: number; chunkSize: number }): Buffer
  constants: { ZSTD_c_compressionLevel: number }
}

interface NativeZstd {
  Encoder: new (level: number) => { encodeSync(input: Uint8Array): Buffer }
  Decoder: new () => { decodeSync(input: Uint8Array): Buffer }
}

const MIN_CHUNK = 64
const MAX_CHUNK = 16 << 20

/** Node's own, or undefined where this Node has none. */
export function zlibZstd(): ZstdImplementation | undefined {
  const node = require('node:zlib') as Partial<ZlibWithZstd> & Pick<ZlibWithZstd, 'constants'>
  const { zstdCompressSync, zstdDecompressSync, constants } = node
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return undefined
  return {
    compress: (input, level) => zstdCompressSync(input, { params: { [constants.ZSTD_c_compressionLevel]: level } }),
    decompress: (input, maxBytes) => {
      const bound = Math.min(maxPlainSizeOf(input), maxBytes)
      // It stops after the first frame, even where that only is to be skipped.
      if (bound === 0 || !isOneFrame(input)) return decodeZstd(input, maxBytes)
      const chunkSize = Math.min(Math.max(bound + 1, MIN_CHUNK), MAX_CHUNK)
      return orRecordsError(() => zstdDecompressSync(input, { maxOutputLength: maxBytes, chunkSize }))
    },
  }
}

/**
 * The prebuilt native module. It cannot be told where to stop, so it only gets data whose headers bound it within the
 * cap; the rest is decoded in JavaScript. Throws when there is no binary for this platform.
 */
export function loadNativeZstd(): ZstdImplementation {
  const native = require('@toondepauw/node-zstd') as NativeZstd
  return {
    compress: (input, level) => new native.Encoder(level).encodeSync(input),
    decompress: (input, maxBytes) => {
      if (maxPlainSizeOf(input) > maxBytes) return decodeZstd(input, maxBytes)
      return orRecordsError(() => new native.Decoder().decodeSync(input))
    },
  }
}

function orRecordsError(action: () => Buffer): Buffer {
  try {
    return action()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('zstd data over the limit')
    throw corrupt(`zstd: ${(error as Error).message}`)
  }
}

/** Plain JavaScript. Its frames are valid, but only hold the input as it is: nothing becomes smaller. */
export const javaScriptZstd: ZstdImplementation = { compress: storeZstd, decompress: decodeZstd }

/** A frame without content size and with a window of 128 KB, as its raw blocks. */
const STORED_HEADER = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38])

function storeZstd(input: Buffer): Buffer {
  const parts: Buffer[] = [STORED_HEADER]
  let at = 0
  do {
    const block = input.subarray(at, at + MAX_BLOCK_SIZE)
    at += block.length
    const header = Buffer.allocUnsafe(3)
    header.writeUIntLE((block.length << 3) | (at === input.length ? 1 : 0), 0, 3)
    parts.push(header, block)
  } while (at < input.length)
  return Buffer.concat(parts)
}
