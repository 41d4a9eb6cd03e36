import type { Disk, DiskEntry } from '../platform/disk.ts'
import type { Logger } from '../platform/logger.ts'
import type { BatchView } from '../protocol/records/batch.ts'
import { NO_LEADER_EPOCH } from '../protocol/records/layout.ts'
import { BlockReader } from './block-reader.ts'
import { DamageError } from './damage-error.ts'
import type { EpochCache, EpochEntry } from './epoch-cache.ts'
import {
  CLEANED_SUFFIX,
  DELETED_SUFFIX,
  INDEX_SUFFIX,
  LOG_SUFFIX,
  leadingOffset,
  offsetOfName,
  offsetPath,
  SEGMENT_SUFFIXES,
  SWAP_SUFFIX,
  TIME_INDEX_SUFFIX,
} from './files.ts'
import { type ProducerState, REPLAY } from './producer-state.ts'
import { Segment } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import type { Snapshots } from './snapshots.ts'
import type { LogConfig } from './types.ts'

export interface LoadContext {
  readonly disk: Disk
  readonly logger: Logger
  readonly directory: string
  /** What is in it; undefined where that is not known. */
  readonly entries: readonly DiskEntry[] | undefined
  readonly config: LogConfig
  readonly nowMs: number
  readonly producerIdExpirationMs: number
  /** Whether the last shutdown was clean: then nothing is scanned. */
  readonly cleanShutdown: boolean
  readonly recoveryPoint: number
  readonly logStartOffset: number
  /** Whether the log is, or ever was, compacted. */
  readonly isCompacted: boolean
  readonly epochs: EpochCache
  readonly producers: ProducerState
  readonly snapshots: Snapshots
}

export interface LoadedLog {
  readonly segments: SegmentList
  readonly logStartOffset: number
  readonly recoveryPoint: number
  readonly nextOffset: number
}

/** Opens what is in a log's directory. Throws DamageError when something below the recovery point is damaged. */
export function loadLog(context: LoadContext): LoadedLog {
  const { directory, disk } = context
  const entries = finishInterruptedSwaps(context, context.entries ?? disk.list(directory))
  context.snapshots.load(entries)
  if (context.isCompacted) context.epochs.syncFromNowOn()
  const epochsAreSound = context.epochs.loadAmong(entries)
  const savedEpochs = context.epochs.entries
  const segments = openSegments(context, entries)
  const recovered = context.cleanShutdown ? undefined : recoverTail(context, segments)
  let nextOffset = segments.count === 0 ? -1 : segments.active.readNextOffset()
  checkEnd(context, segments, nextOffset)
  if (nextOffset < context.logStartOffset) {
    dropAll(context, segments, nextOffset)
    context.producers.clear()
    segments.push(Segment.create(disk, directory, context.logStartOffset, { nowMs: context.nowMs, rollJitterMs: 0 }))
    nextOffset = context.logStartOffset
  }
  const logStartOffset = Math.max(context.logStartOffset, segments.first.baseOffset)
  if (!epochsAreSound || recovered?.isMissingEpochs) rebuildEpochs(context, segments, savedEpochs)
  context.epochs.truncateFromEndInMemory(nextOffset)
  context.epochs.truncateFromStart(context.logStartOffset)
  context.snapshots.removeAbove(nextOffset)
  context.snapshots.removeStray(segments.all.map((segment) => segment.baseOffset))
  if (!recovered?.isReplayed) loadProducers(context, segments, logStartOffset, nextOffset)
  const recoveryPoint = context.cleanShutdown ? nextOffset : Math.min(context.recoveryPoint, nextOffset)
  return { segments, logStartOffset, recoveryPoint, nextOffset }
}

/**
 * Compaction writes `.cleaned` files, renames them to `.swap` when they are complete, removes the old segments and
 * renames once more. Whatever it was interrupted in is undone or completed here. Answers what is in the directory then.
 */
function finishInterruptedSwaps(context: LoadContext, entries: readonly DiskEntry[]): readonly DiskEntry[] {
  const { disk, directory } = context
  const names = entries.filter((entry) => !entry.isDirectory).map((entry) => entry.name)
  const isTemporary = (name: string) =>
    [DELETED_SUFFIX, CLEANED_SUFFIX, SWAP_SUFFIX, '.tmp'].some((s) => name.endsWith(s))
  if (!names.some(isTemporary)) return entries
  const remove = (name: string) => disk.remove(`${directory}/${name}`)
  // Snapshots of the metadata log that are on their way out belong to the metadata log.
  const isStray = (name: string) =>
    (name.endsWith(DELETED_SUFFIX) && !name.endsWith('.checkpoint.deleted')) || name.endsWith('.tmp')
  const cleaned = names.filter((name) => name.endsWith(CLEANED_SUFFIX))
  const firstCleaned = Math.min(...cleaned.map((name) => leadingOffset(name) ?? Number.POSITIVE_INFINITY))
  const swaps = names.filter((name) => name.endsWith(SWAP_SUFFIX))
  const invalid = swaps.filter((name) => (leadingOffset(name) ?? 0) >= firstCleaned)
  const valid = swaps.filter((name) => !invalid.includes(name))
  for (const name of [...names.filter(isStray), ...invalid, ...cleaned]) remove(name)
  completeSwaps(context, names, valid)
  return disk.list(directory)
}

function completeSwaps(context: LoadContext, names: readonly string[], swaps: readonly string[]): void {
  const { disk, directory, logger } = context
  let from = Number.POSITIVE_INFINITY
  let to = Number.NEGATIVE_INFINITY
  for (const name of swaps) {
    const baseOffset = offsetOfName(name, LOG_SUFFIX + SWAP_SUFFIX)
    if (baseOffset === undefined) continue
    from = Math.min(from, baseOffset)
    to = Math.max(to, endOfLogFile(disk, `${directory}/${name}`, baseOffset))
  }
  for (const name of names) {
    const offset = leadingOffset(name)
    const isSegmentFile = SEGMENT_SUFFIXES.some((suffix) => name.endsWith(suffix)) || name.endsWith('.snapshot')
    if (isSegmentFile && offset !== undefined && offset >= from && offset < to) disk.remove(`${directory}/${name}`)
  }
  for (const name of swaps) {
    logger.info(`Completing the interrupted swap of ${directory}/${name}`)
    disk.rename(`${directory}/${name}`, `${directory}/${name.slice(0, -SWAP_SUFFIX.length)}`)
  }
}

function endOfLogFile(disk: Disk, path: string, baseOffset: number): number {
  const file = disk.open(path, 'read')
  try {
    let next = baseOffset
    const blocks = new BlockReader(file, 0, file.sizeBytes())
    while (blocks.next()) next = blocks.batch.nextOffset
    return next
  } finally {
    file.close()
  }
}

function openSegments(context: LoadContext, entries: readonly DiskEntry[]): SegmentList {
  const { disk, directory, nowMs, logger } = context
  const names = new Set(entries.map((entry) => entry.name))
  const segments = new SegmentList()
  for (const { name } of entries) {
    const baseOffset = offsetOfName(name, LOG_SUFFIX)
    if (baseOffset === undefined) {
      removeOrphan(context, names, name)
      continue
    }
    const stat = disk.stat(`${directory}/${name}`)!
    const segment = new Segment(disk, directory, baseOffset, {
      sizeBytes: stat.sizeBytes,
      nowMs,
      modifiedMs: stat.modifiedMs,
    })
    segments.push(segment)
    if (!names.has(nameOf(baseOffset, TIME_INDEX_SUFFIX))) segment.timeIndex.reset()
  }
  // Those past the recovery point get new indexes anyway.
  const unflushed = context.cleanShutdown ? [] : segments.from(context.recoveryPoint)
  for (const segment of segments.all) {
    if (names.has(nameOf(segment.baseOffset, INDEX_SUFFIX)) || unflushed.includes(segment)) continue
    logger.warn(`${segment.path} has no offset index; it is made anew`)
    loadProducers(context, segments, context.logStartOffset, segment.baseOffset)
    const { damage } = recoverSegment(context, segment, nothingBefore(segment))
    if (damage) throw damage
    segment.finish()
  }
  return segments
}

function nameOf(offset: number, suffix: string): string {
  return offsetPath('', offset, suffix).slice(1)
}

function removeOrphan(context: LoadContext, names: ReadonlySet<string>, name: string): void {
  for (const suffix of SEGMENT_SUFFIXES) {
    const offset = offsetOfName(name, suffix)
    if (offset === undefined || names.has(nameOf(offset, LOG_SUFFIX))) continue
    context.logger.warn(`Removing ${context.directory}/${name}, whose log file is gone`)
    context.disk.remove(`${context.directory}/${name}`)
  }
}

/** The last of the batches that were looked at. */
interface BatchBefore {
  /** Where it ends, or, before the first, where that may begin. */
  readonly endOffset: number
  /** The highest of their epochs, -1 for unknown. */
  readonly lastEpoch: number
  /** Whether the epoch of the first of them was saved; undefined as long as there is none. */
  readonly isSaved: boolean | undefined
}

function nothingBefore(first: Segment | undefined): BatchBefore {
  return { endOffset: first?.baseOffset ?? 0, lastEpoch: NO_LEADER_EPOCH, isSaved: undefined }
}

interface Recovered {
  /** Whether the producers are as at the end of the log. */
  readonly isReplayed: boolean
  /** Whether epochs were not saved that began before what was looked at. */
  readonly isMissingEpochs: boolean
}

/**
 * After a crash: checks the segments past the recovery point and keeps the longest sound prefix. The producers are as at its
 * end then, if there was anything to check. That is more than their snapshot holds, which has no room for a batch before the
 * last: a producer that had several on their way when the broker was killed, and sends them again, is not misunderstood.
 */
function recoverTail(context: LoadContext, segments: SegmentList): Recovered {
  const { logger, producers, recoveryPoint } = context
  // Compaction leaves gaps between segments, and segments with nothing in them.
  if (!context.isCompacted) checkSequence(segments, recoveryPoint)
  const unflushed = segments.from(recoveryPoint)
  const [first] = unflushed
  let end: number | undefined
  let before = nothingBefore(first)
  for (const segment of unflushed) {
    if (end !== undefined && segment.baseOffset > end && !context.isCompacted) {
      // The machine lost power, and a file that was written later reached the disk before the end of this one.
      logger.warn(`${segment.path} begins past the end of the log; cutting the log off at offset ${end}`)
      for (const later of segments.removeAbove(segment.baseOffset - 1)) later.remove()
      break
    }
    logger.info(`Recovering ${segment.path}`)
    if (end === undefined) loadProducers(context, segments, context.logStartOffset, segment.baseOffset)
    const { damage, nextOffset, last } = recoverSegment(context, segment, before)
    before = last
    if (damage && nextOffset < recoveryPoint) throw damage
    if (damage) {
      logger.warn(`${damage.message}; cutting the log off at offset ${nextOffset}`)
      segment.cutToWritten()
      // What was given up must not come back with the next crash.
      segment.file.syncNow()
      for (const later of segments.removeAbove(segment.baseOffset)) later.remove()
    }
    if (!isUnused(segments, producers)) {
      segment.finish()
      if (nextOffset > (context.snapshots.latest ?? -1)) context.snapshots.write(nextOffset, producers.producers)
    }
    end = nextOffset
    if (damage) break
  }
  context.epochs.save()
  producers.expire(context.nowMs, context.producerIdExpirationMs)
  // An epoch with which they begin may have begun before them.
  const isWhole =
    first === segments.first || (!context.isCompacted && first !== undefined && first.baseOffset >= recoveryPoint)
  return { isReplayed: end !== undefined, isMissingEpochs: before.isSaved === false && !isWhole }
}

/** Nothing has been written yet: files for it can wait. Of thousands of logs they would cost more than the rest of the start. */
function isUnused(segments: SegmentList, { producers }: ProducerState): boolean {
  return segments.count === 1 && segments.active.sizeBytes === 0 && producers.size === 0
}

/** Checks a segment and makes its indexes anew; epochs and producers, which are as `before` it, follow what it holds. */
function recoverSegment(
  context: LoadContext,
  segment: Segment,
  before: BatchBefore,
): { damage: DamageError | undefined; nextOffset: number; last: BatchBefore } {
  const { producers, epochs, config } = context
  let nextOffset = segment.baseOffset
  let { endOffset, lastEpoch, isSaved } = before
  const damage = segment.recover(config.indexIntervalBytes, (batch, positionBytes) => {
    const { partitionLeaderEpoch, baseOffset } = batch
    // What was truncated, and came back behind what was appended since.
    if (partitionLeaderEpoch >= 0 && partitionLeaderEpoch < lastEpoch && baseOffset >= context.recoveryPoint) {
      const what = `epoch ${partitionLeaderEpoch} after epoch ${lastEpoch}`
      throw new DamageError(segment.path, positionBytes, what)
    }
    const wasKnown = followEpoch(epochs, batch, endOffset)
    isSaved ??= wasKnown
    lastEpoch = Math.max(lastEpoch, partitionLeaderEpoch)
    endOffset = nextOffset = batch.nextOffset
    replay(producers, segment, batch, true)
  })
  producers.settle(producers.mark)
  return { damage, nextOffset, last: { endOffset, lastEpoch, isSaved } }
}

/**
 * The epochs that were saved may be of records that a power failure took, in whose place others are now: a follower would
 * take its log for its leader's. What is in the log counts. Between `endOffset`, where the batch before this one ends, and this
 * one, compaction may have left a gap, and an epoch that was not saved may have begun anywhere in it: it is taken to have begun
 * before all of it. A follower then copies more than it needs to; otherwise it could keep what is not in this log.
 * Answers whether they said the same before.
 */
function followEpoch(epochs: EpochCache, batch: BatchView, endOffset: number): boolean {
  const { partitionLeaderEpoch: epoch, baseOffset } = batch
  if (epoch < 0 || epochs.epochForOffset(baseOffset) === epoch) return true
  epochs.truncateFromEndInMemory(endOffset)
  if (epochs.epochForOffset(baseOffset) !== epoch) epochs.assignInMemory(epoch, endOffset)
  return false
}

/** A segment below the recovery point that is empty, though another follows, has lost what it held. */
function checkSequence(segments: SegmentList, recoveryPoint: number): void {
  const all = segments.all
  for (let i = 0; i + 1 < all.length; i++) {
    const segment = all[i]!
    const next = all[i + 1]!.baseOffset
    // One that is empty because the next batch was too far away for it has lost nothing.
    if (segment.sizeBytes === 0 && next <= recoveryPoint && segment.canHold(next)) {
      throw new DamageError(segment.path, 0, 'the file is empty, though a later segment was flushed')
    }
  }
}

/** What is below the recovery point was on stable storage; a log that ends before it has lost acknowledged records. */
function checkEnd({ directory, recoveryPoint }: LoadContext, segments: SegmentList, nextOffset: number): void {
  if (nextOffset >= recoveryPoint || recoveryPoint === 0) return
  const [path, sizeBytes] = segments.count === 0 ? [directory, 0] : [segments.active.path, segments.active.sizeBytes]
  const what = `the log ends at offset ${Math.max(0, nextOffset)}, though it was flushed up to ${recoveryPoint}`
  throw new DamageError(path, sizeBytes, what)
}

/** The log ends below where it is said to start: its files were taken away. */
function dropAll(context: LoadContext, segments: SegmentList, nextOffset: number): void {
  if (segments.count === 0) return
  context.logger.warn(
    `Removing all segments of ${context.directory}: they end at ${nextOffset}, below the log start ${context.logStartOffset}`,
  )
  for (const segment of segments.removeFirst(segments.count)) segment.remove()
  context.epochs.clear()
  context.snapshots.removeAll()
}

/** From `saved`, those that were in the file, none where it is damaged, and from all of the log. */
function rebuildEpochs(context: LoadContext, segments: SegmentList, saved: readonly EpochEntry[]): void {
  const { epochs, directory, logger } = context
  logger.warn(`leader-epoch-checkpoint of ${directory} is damaged or out of date; it is made anew from the log`)
  epochs.restoreInMemory(saved)
  let endOffset = segments.first.baseOffset
  for (const segment of segments.all) {
    const blocks = new BlockReader(segment.file, 0, segment.sizeBytes)
    while (blocks.next()) {
      followEpoch(epochs, blocks.batch, endOffset)
      endOffset = blocks.batch.nextOffset
    }
    if (segment !== segments.active) segment.release()
  }
  epochs.save()
}

type ProducerContext = Pick<LoadContext, 'producers' | 'snapshots' | 'nowMs' | 'producerIdExpirationMs'>

/** The producer state just before `endOffset`: the newest snapshot, and what the log says since. */
export function loadProducers(
  context: ProducerContext,
  segments: SegmentList,
  logStartOffset: number,
  endOffset: number,
): void {
  const { producers } = context
  producers.clear()
  const snapshot = context.snapshots.newest(endOffset, logStartOffset)
  if (snapshot) producers.restore(snapshot.producers, context.nowMs, context.producerIdExpirationMs)
  const fromOffset = snapshot?.offset ?? logStartOffset
  if (fromOffset >= endOffset) return
  for (const segment of segments.from(fromOffset)) {
    if (segment.baseOffset >= endOffset) break
    const from = segment.baseOffset >= fromOffset ? 0 : segment.positionOf(fromOffset)
    const blocks = new BlockReader(segment.file, from, segment.sizeBytes, { wholeBatches: true })
    while (blocks.next() && blocks.batch.baseOffset < endOffset) replay(producers, segment, blocks.batch, false)
    if (segment !== segments.active) segment.release()
  }
  producers.settle(producers.mark)
}

function replay(producers: ProducerState, segment: Segment, batch: BatchView, rebuildsIndex: boolean): void {
  if (!batch.hasProducerId) return
  const aborted = producers.apply(batch, REPLAY)
  if (aborted && rebuildsIndex) segment.txnIndex.append(aborted)
}
