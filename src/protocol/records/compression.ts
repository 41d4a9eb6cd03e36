import { constants, gunzipSync, gzipSync } from 'node:zlib'
import { corrupt, tooLarge } from './errors.ts'
import { Codec } from './layout.ts'
import { javaScriptSnappy, loadNativeSnappy, type SnappyBlocks, snappyCompress, snappyDecompress } from './snappy.ts'

let snappy: SnappyBlocks | undefined
function snappyBlocks(): SnappyBlocks {
  if (snappy === undefined) {
    try {
      snappy = loadNativeSnappy()
    } catch {
      snappy = javaScriptSnappy
    }
  }
  return snappy
}

export function compress(codec: Codec, input: Buffer, level?: number): Buffer {
  if (codec === Codec.gzip) return gzipSync(input, { level: level ?? constants.Z_DEFAULT_COMPRESSION })
  if (codec === Codec.snappy) return snappyCompress(snappyBlocks(), input)
  throw new RangeError(`codec ${codec}`)
}

export function decompress(codec: Codec, input: Buffer, maxBytes: number): Buffer {
  if (codec === Codec.snappy) return snappyDecompress(snappyBlocks(), input, maxBytes)
  if (codec !== Codec.gzip) throw corrupt(`codec ${codec}`)
  try {
    return gunzipSync(input, { maxOutputLength: maxBytes })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('gzip')
    throw corrupt(`gzip: ${(error as Error).message}`)
  }
}
