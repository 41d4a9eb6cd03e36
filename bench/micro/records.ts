/**
 * Record batches in memory: checksum, walk, build and codecs, on about 1 MB of JSON-like records of 1 KB.
 *
 * `npx tsc -p tsconfig.bench.json && node build/bench/micro/records.js`. The best of several rounds, since the machine
 * may be shared; MB/s and GB/s of plain bytes.
 */
import { BatchView } from '../../src/protocol/records/batch.ts'
import { buildBatch } from '../../src/protocol/records/builder.ts'
import { Compression } from '../../src/protocol/records/compression.ts'
import { loadJavaScriptCrc, loadNativeCrc } from '../../src/protocol/records/crc.ts'
import { RecordCursor, summarize } from '../../src/protocol/records/cursor.ts'
import { Codec } from '../../src/protocol/records/layout.ts'

const RECORDS = 1000
const ROUNDS = 8
const ROUND_MS = 100

/** Words, numbers and identifiers; the same in every run. */
function jsonRecord(index: number): Buffer {
  let state = index + 1
  const next = (bound: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % bound
  }
  let text = `{"id":${index},"user":"user-${next(1000)}","ts":${1_700_000_000_000 + index * 37}`
  while (text.length < 970) text += `,{"sku":"SKU-${next(10_000)}","qty":${next(5)},"price":${next(100_000) / 100}}`
  return Buffer.from(`${text}]}`.padEnd(1000).slice(0, 1000))
}

/** Bytes per second of the best round. */
function best(bytes: number, action: () => unknown): number {
  let rate = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    let runs = 0
    while (performance.now() - start < ROUND_MS) {
      action()
      runs++
    }
    rate = Math.max(rate, (bytes * runs * 1000) / (performance.now() - start))
  }
  return rate
}

function report(name: string, rate: number): void {
  console.log(`${name.padEnd(24)} ${(rate / 1e9).toFixed(2).padStart(7)} GB/s`)
}

const records = Array.from({ length: RECORDS }, (_, i) => ({
  timestamp: 1_700_000_000_000 + i,
  key: Buffer.from(`key-${i}`),
  value: jsonRecord(i),
}))
const built = buildBatch(records)
const batch = new BatchView(built)
const cursor = new RecordCursor()
const size = built.length
for (const [name, crc] of [
  ['native', loadNativeCrc()],
  ['JavaScript', loadJavaScriptCrc()],
] as const) {
  report(
    `CRC-32C ${name}`,
    best(size, () => crc.crc32c(built, 21, size)),
  )
  report(
    `CRC-32 ${name}`,
    best(size, () => crc.crc32(built, 21, size)),
  )
}
report(
  'walk',
  best(size, () => summarize(cursor.open(batch, size))),
)
report(
  'check CRC and walk',
  best(size, () => {
    batch.ensureValid()
    summarize(cursor.open(batch, size))
  }),
)
report(
  'build',
  best(size, () => buildBatch(records)),
)

const plain = built.subarray(61)
for (const [name, compression] of [
  ['native', new Compression()],
  ['JavaScript', new Compression({ preferNative: false })],
] as const) {
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const packed = compression.compress(Codec[codec], plain)
    const foreign = new Compression().compress(Codec[codec], plain)
    const compressRate = best(plain.length, () => compression.compress(Codec[codec], plain))
    const decompressRate = best(plain.length, () => compression.decompress(Codec[codec], foreign, 4 * size))
    console.log(
      `${codec.padEnd(6)} ${name.padEnd(10)} ratio ${(plain.length / packed.length).toFixed(1).padStart(4)}` +
        ` compress ${(compressRate / 1e6).toFixed(0).padStart(6)} MB/s` +
        ` decompress ${(decompressRate / 1e6).toFixed(0).padStart(6)} MB/s`,
    )
  }
}
