import { LogError } from './append-error.ts'
import type { LogState } from './log-state.ts'
import type { AbortedTransaction, FetchData, ReadOptions, ReadUpTo } from './types.ts'

const NO_RECORDS: readonly Buffer[] = []

export function lastStableOffsetOf(state: LogState): number {
  const unstable = state.producers.firstUnstableOffset
  if (unstable === undefined || unstable >= state.highWatermark) return state.highWatermark
  return Math.max(unstable, state.logStartOffset)
}

/** See `PartitionLogApi.read`. */
export function readLog(state: LogState, offset: number, options: ReadOptions): FetchData | Promise<FetchData> {
  state.checkOnline()
  if (offset < state.logStartOffset) {
    throw outOfRange(state, offset, `starting from offset: ${state.logStartOffset}.`)
  }
  if (offset > state.logEndOffset) throw outOfRange(state, offset, `upto ${state.logEndOffset}.`)
  const bound = boundOf(state, options.upTo)
  if (offset >= bound) {
    const data = { records: NO_RECORDS, sizeBytes: 0, nextOffset: offset, abortedTransactions: undefined }
    return finish(state, offset, data, options)
  }
  if (offset < state.tail.fromOffset) return readFromDisk(state, offset, bound, options)
  return finish(state, offset, state.tail.read(offset, bound, options.maxBytes, options.minOneBatch), options)
}

function outOfRange(state: LogState, offset: number, what: string): LogError {
  return new LogError(
    'OFFSET_OUT_OF_RANGE',
    `Received request for offset ${offset} for partition ${state.name}, but we only have log segments ${what}`,
  )
}

function boundOf(state: LogState, upTo: ReadUpTo): number {
  if (upTo === 'logEnd') return state.logEndOffset
  return upTo === 'highWatermark' ? state.highWatermark : lastStableOffsetOf(state)
}

function readFromDisk(
  state: LogState,
  offset: number,
  bound: number,
  options: ReadOptions,
): FetchData | Promise<FetchData> {
  const { truncations } = state
  const failed = (error: unknown): never => {
    throw state.refusalOf(error)
  }
  try {
    const found = state.reader.read(state.segments, offset, bound, options)
    if (!(found instanceof Promise)) return finish(state, offset, found, options)
    return found.then(
      // What was read may have been cut off meanwhile.
      (data) =>
        truncations === state.truncations ? finish(state, offset, data, options) : readLog(state, offset, options),
      (error) => (truncations === state.truncations ? failed(error) : readLog(state, offset, options)),
    )
  } catch (error) {
    return failed(error)
  }
}

function finish(state: LogState, offset: number, data: FetchData, options: ReadOptions): FetchData {
  if (options.upTo !== 'lastStable') return data
  return { ...data, abortedTransactions: abortedTransactions(state, offset, data.nextOffset) }
}

/** The transactions aborted that have records between the two offsets, the second exclusive. */
function abortedTransactions(state: LogState, offset: number, endOffset: number): AbortedTransaction[] {
  const found: AbortedTransaction[] = []
  if (endOffset <= offset) return found
  for (const segment of state.segments.from(offset)) {
    for (const { producerId, firstOffset, lastOffset, lastStableOffset } of segment.txnIndex.entries()) {
      if (lastOffset >= offset && firstOffset < endOffset) found.push({ producerId, firstOffset })
      if (lastStableOffset >= endOffset) return found
    }
  }
  return found
}
