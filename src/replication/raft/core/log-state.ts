import type { SnapshotId } from '../types.ts'
import { compareEnds } from './types.ts'

export interface EpochStart {
  readonly epoch: number
  readonly offset: number
}

/** What became of asking whether a replica's log is the beginning of this one. */
export type Validity =
  | { readonly kind: 'valid' }
  | { readonly kind: 'diverging'; readonly end: SnapshotId }
  | { readonly kind: 'snapshot'; readonly snapshot: SnapshotId }

const VALID: Validity = { kind: 'valid' }

/** Where the metadata log begins and ends, which epoch wrote what, and which snapshots there are; not what is in them. */
export class LogState {
  #startOffset: number
  #endOffset: number
  #durableOffset: number
  #epochs: readonly EpochStart[]
  #snapshots: readonly SnapshotId[]

  /** A log as it was found at start: all of it is on stable storage. `epochs` and `snapshots` ascend. */
  constructor(startOffset: number, endOffset: number, epochs: readonly EpochStart[], snapshots: readonly SnapshotId[]) {
    this.#startOffset = startOffset
    this.#endOffset = endOffset
    this.#durableOffset = endOffset
    this.#epochs = epochs
    this.#snapshots = snapshots
  }

  get startOffset(): number {
    return this.#startOffset
  }

  /** One past the last record, written or being written. */
  get endOffset(): number {
    return this.#endOffset
  }

  /** One past the last record on stable storage. */
  get durableOffset(): number {
    return this.#durableOffset
  }

  /** The epoch of the last record, or of the snapshot where the log has none; 0 for neither. */
  get lastEpoch(): number {
    return this.#epochs.at(-1)?.epoch ?? this.latestSnapshot?.epoch ?? 0
  }

  get end(): SnapshotId {
    return { offset: this.#endOffset, epoch: this.lastEpoch }
  }

  get epochs(): readonly EpochStart[] {
    return this.#epochs
  }

  get latestSnapshot(): SnapshotId | undefined {
    return this.#snapshots.at(-1)
  }

  hasSnapshot({ offset, epoch }: SnapshotId): boolean {
    return this.#snapshots.some((known) => known.offset === offset && known.epoch === epoch)
  }

  /** Which epoch wrote the record at `offset`, or the snapshot that covers it. */
  epochOf(offset: number): number {
    const entry = this.#epochs.findLast((each) => each.offset <= offset)
    return entry?.epoch ?? this.#snapshots.findLast((snapshot) => snapshot.offset <= offset + 1)?.epoch ?? 0
  }

  append(epoch: number, nextOffset: number): void {
    if (epoch > (this.#epochs.at(-1)?.epoch ?? -1)) {
      this.#epochs = [...this.#epochs, { epoch, offset: this.#endOffset }]
    }
    this.#endOffset = nextOffset
  }

  /** What is on stable storage may have been cut off again meanwhile. */
  written(offset: number): void {
    this.#durableOffset = Math.max(this.#durableOffset, Math.min(offset, this.#endOffset))
  }

  truncate(toOffset: number): void {
    this.#endOffset = Math.min(this.#endOffset, toOffset)
    this.#durableOffset = Math.min(this.#durableOffset, toOffset)
    this.#epochs = this.#epochs.filter(({ offset }) => offset < toOffset)
  }

  /** The log goes on where a snapshot that was fetched ends. */
  restart(snapshot: SnapshotId): void {
    this.#startOffset = snapshot.offset
    this.#endOffset = snapshot.offset
    this.#durableOffset = snapshot.offset
    this.#epochs = []
    this.#snapshots = [snapshot]
  }

  addSnapshot(snapshot: SnapshotId): void {
    this.#snapshots = [...this.#snapshots, snapshot].sort(compareEnds)
  }

  /** Old snapshots are gone, and the log before `startOffset`. */
  cleaned(startOffset: number, snapshots: readonly SnapshotId[]): void {
    this.#startOffset = startOffset
    this.#snapshots = snapshots
    const first = this.#epochs.findLastIndex(({ offset }) => offset <= startOffset)
    if (first > 0) this.#epochs = this.#epochs.slice(first)
  }

  /** The last epoch up to `epoch` that wrote anything, and where it ends. */
  endOf(epoch: number): SnapshotId {
    const last = this.#epochs.at(-1)
    if (last === undefined || epoch >= last.epoch) return this.end
    const next = this.#epochs.findIndex((entry) => entry.epoch > epoch)
    const end = { offset: this.#epochs[next]!.offset, epoch: this.#epochs[next - 1]?.epoch ?? epoch }
    const earliest = this.#snapshots[0]
    // What is before the log was written by the epoch of the snapshot in its place, whichever was asked for.
    return earliest !== undefined && end.offset === earliest.offset && end.epoch === epoch ? earliest : end
  }

  /** Whether a log that ends at `offset`, its last record of `epoch`, is the beginning of this one. */
  validate(offset: number, epoch: number): Validity {
    if (this.#startOffset === 0 && offset === 0) return VALID
    const earliest = this.#snapshots[0]
    if (
      earliest !== undefined &&
      (offset < this.#startOffset ||
        (offset === this.#startOffset && epoch !== earliest.epoch) ||
        epoch < earliest.epoch)
    ) {
      return { kind: 'snapshot', snapshot: this.latestSnapshot! }
    }
    const end = this.endOf(epoch)
    return end.epoch !== epoch || end.offset < offset ? { kind: 'diverging', end } : VALID
  }

  /** Where to cut this log off, given where the leader says that it parts from its own. */
  truncationFor(diverging: SnapshotId): number {
    if (diverging.epoch === 0) return Math.min(diverging.offset, this.#endOffset)
    const end = this.endOf(diverging.epoch)
    return end.epoch === diverging.epoch ? Math.min(end.offset, diverging.offset) : end.offset
  }
}
