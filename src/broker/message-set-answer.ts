import { LogError } from '../log/append-error.ts'
import { errors } from '../protocol/errors.ts'
import { batchSizeAt } from '../protocol/records/batch.ts'
import { downConvert } from '../protocol/records/convert.ts'
import { RecordsError } from '../protocol/records/errors.ts'
import { batchesOfAnyFormatIn } from '../protocol/records/legacy-batch.ts'
import type { FetchParams, FetchResult, FetchSpec, PartitionFinder } from '../replication/fetch-reader.ts'

/** Fetch versions from this one on know record batches. */
export const BATCHES_FROM = 4
/** The first version that has magic 1, with timestamps (KIP-32). */
const MAGIC_1_FROM = 2
/** The first version in which an answer may be larger than was asked for, so that a large batch gets through (KIP-74). */
const SOFT_LIMITS_FROM = 3

const MAX_INFLATED_BYTES = 64 * 1024 * 1024
const NO_RECORDS: readonly Buffer[] = []

/** Whether this version has every partition answered with as much as fits, be it part of a message. */
export function hasHardLimits(version: number): boolean {
  return version < SOFT_LIMITS_FROM
}

/**
 * The same records as message sets, for a client that knows nothing else; a message that is cut off at the end tells it
 * that there is more. Where there is nothing but control batches, which it cannot see, what follows them is read.
 */
export async function asMessageSet(
  result: FetchResult,
  spec: FetchSpec,
  params: FetchParams,
  version: number,
  partitions: PartitionFinder,
): Promise<FetchResult> {
  let { records } = result
  try {
    while (records.length > 0) {
      const set = convert(records, spec, version)
      if (set.length > 0) return { ...result, records: [set], sizeBytes: set.length }
      const data = await partitions
        .get(spec.topic, spec.partition)
        ?.read(nextOffsetOf(records), spec.maxBytes, true, params.upTo)
      records = data?.records ?? NO_RECORDS
    }
    return { ...result, records: NO_RECORDS, sizeBytes: 0 }
  } catch (error) {
    return refused(result, error)
  }
}

function refused(result: FetchResult, error: unknown): FetchResult {
  const empty = { ...result, records: NO_RECORDS, sizeBytes: 0, highWatermark: -1 }
  if (error instanceof LogError) return { ...empty, error: error.error }
  if (!(error instanceof RecordsError)) throw error
  const isCodec = error.fault === 'unsupportedCodec'
  return { ...empty, error: isCodec ? errors.UNSUPPORTED_COMPRESSION_TYPE : errors.CORRUPT_MESSAGE }
}

/** No more than may be answered, but for version 3 at least one message. */
function convert(records: readonly Buffer[], { fetchOffset, maxBytes }: FetchSpec, version: number): Buffer {
  const sourceBytes = records.reduce((bytes, { length }) => bytes + length, 0)
  const limitBytes = hasHardLimits(version) ? maxBytes : Math.max(maxBytes, sourceBytes)
  const options = {
    toMagic: version < MAGIC_1_FROM ? 0 : 1,
    firstOffset: fetchOffset,
    maxBytes: MAX_INFLATED_BYTES,
  } as const
  const pieces: Buffer[] = []
  let bytes = 0
  for (const batch of batchesIn(records)) {
    const piece = downConvert(batch, options)
    pieces.push(piece)
    bytes += piece.length
    if (bytes > limitBytes) break
  }
  const set = Buffer.concat(pieces, bytes)
  if (bytes <= limitBytes) return set
  const firstBytes = hasHardLimits(version) ? 0 : batchSizeAt(set, 0, set.length)
  return set.subarray(0, Math.max(firstBytes, limitBytes))
}

function* batchesIn(records: readonly Buffer[]): Generator<Buffer> {
  for (const buffer of records) {
    for (let at = 0; at < buffer.length; ) {
      const end = at + batchSizeAt(buffer, at, buffer.length)
      if (end === at) return
      yield buffer.subarray(at, end)
      at = end
    }
  }
}

function nextOffsetOf(records: readonly Buffer[]): number {
  const last = records[records.length - 1]!
  let nextOffset = 0
  for (const batch of batchesOfAnyFormatIn(last)) nextOffset = batch.nextOffset
  return nextOffset
}
