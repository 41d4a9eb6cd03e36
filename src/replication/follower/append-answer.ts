import type { LogError } from '../../log/append-error.ts'
import type { AppendOptions, PartitionLogApi } from '../../log/types.ts'
import { BatchView, batchSizeAt } from '../../protocol/records/batch.ts'
import type { FollowedPartition } from './followed-partition.ts'

const view = new BatchView(Buffer.alloc(0))

/**
 * Appends what a leader answered: batches that follow on the log, the last perhaps cut off. Resolves when they are written;
 * answers how many bytes that were. Rejects with LogError.
 */
export async function appendAnswer(followed: FollowedPartition, records: Buffer): Promise<number> {
  const { log } = followed.partition
  const options: AppendOptions = { leaderEpoch: followed.leaderEpoch, origin: 'replication' }
  const baseOffset = straddledBase(log, records)
  if (baseOffset !== undefined) {
    const isStarted = await log.truncateFullyAndStartAt(baseOffset, () => followed.isCurrent)
    if (!isStarted) return 0
  }
  if (records.length <= log.config.segmentBytes) return (await log.append([records], options)).sizeBytes
  return appendPieces(followed, records, options)
}

/**
 * Records may be deleted up to the middle of a batch (KIP-107). A follower that begins there gets the whole batch, and
 * begins with it.
 */
function straddledBase({ logStartOffset, logEndOffset }: PartitionLogApi, records: Buffer): number | undefined {
  if (logStartOffset !== logEndOffset || batchSize(records, 0) === 0) return undefined
  const batch = view.moveTo(records, 0)
  if (batch.magic < 2) return undefined
  return batch.baseOffset < logEndOffset && batch.lastOffset >= logEndOffset ? batch.baseOffset : undefined
}

/** An append never spans segments, and those here may be smaller than what was fetched. */
async function appendPieces(followed: FollowedPartition, records: Buffer, options: AppendOptions): Promise<number> {
  let sizeBytes = 0
  for (let start = 0; start < records.length; ) {
    const { log } = followed.partition
    let end = start
    for (;;) {
      const size = batchSize(records, end)
      if (size === 0 || (end > start && end + size - start > log.config.segmentBytes)) break
      end += size
    }
    // What is cut off, or makes no sense, is the log's to judge.
    if (end === start) end = records.length
    if (!followed.isCurrent) return sizeBytes
    // One after the other: what comes after a piece that was refused must not go in without it.
    const info = await log.append([records.subarray(start, end)], options)
    if (info.sizeBytes < end - start) return sizeBytes + info.sizeBytes
    sizeBytes += info.sizeBytes
    start = end
  }
  return sizeBytes
}

/** 0 where there is none, or none that makes sense. */
function batchSize(records: Buffer, position: number): number {
  try {
    return batchSizeAt(records, position, records.length)
  } catch {
    return 0
  }
}

/**
 * Brings the log back to where it may be the leader's, which says that its `leaderEpoch` ends at `endOffset`, and that it
 * has no epoch between that and the last one here (KIP-101, KIP-279). Answers false when it was not to be done any more. Rejects
 * with LogError.
 */
export function truncateToEpoch(
  followed: FollowedPartition,
  { epoch, endOffset }: { readonly epoch: number; readonly endOffset: number },
): Promise<boolean> {
  const { log } = followed.partition
  const own = log.endOffsetForEpoch(epoch)
  // Where the leader's epoch is not known here, what came after the one before it cannot be the leader's, and the next
  // answer says where that ended.
  const isKnown = own === undefined || own.leaderEpoch === epoch
  const bound = isKnown ? Math.min(endOffset, log.logEndOffset) : log.logEndOffset
  return log.truncateTo(own === undefined ? bound : Math.min(own.offset, bound), () => followed.isCurrent)
}

/** Whether it is the log itself that failed, and not what was to be put in it. */
export function isStorageError(error: LogError): boolean {
  return error.error.name === 'KAFKA_STORAGE_ERROR'
}
