import type { Disk, DiskEntry } from '../platform/disk.ts'
import { NO_LEADER_EPOCH } from '../protocol/records/layout.ts'
import { parseCheckpoint, renderCheckpoint } from './checkpoint.ts'
import { readIfThere, replaceUnsynced } from './files.ts'
import type { OffsetAndEpoch } from './types.ts'

export interface EpochEntry {
  readonly epoch: number
  /** The first offset written under the epoch. */
  readonly startOffset: number
}

const FILE_NAME = 'leader-epoch-checkpoint'

/**
 * Which leader epoch began at which offset, ascending in both (KIP-101). Kept in `leader-epoch-checkpoint`: lines
 * "0", the count, and "epoch offset" for each.
 */
export class EpochCache {
  #entries: EpochEntry[] = []
  readonly #disk: Disk
  #path: string
  #mustSync = false
  /** Whether this process has had the file synced. */
  #isSynced = false
  /** What the file holds, as far as this process read or wrote it. */
  #saved: readonly EpochEntry[] | undefined

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.#path = `${directory}/${FILE_NAME}`
  }

  /** Reads the file. False when there is one that makes no sense; the cache is then empty. */
  load(): boolean {
    const bytes = readIfThere(this.#disk, this.#path)
    if (!bytes) return true
    const lines = parseCheckpoint(bytes, 2)
    if (!lines) return false
    for (const [epoch, startOffset] of lines) this.#put({ epoch: Number(epoch), startOffset: Number(startOffset) })
    this.#saved = this.#entries
    return true
  }

  /** As `load`, of a directory that holds these. Without a file, there is none to write as long as there are no epochs. */
  loadAmong(entries: readonly DiskEntry[]): boolean {
    if (entries.some(({ name }) => name === FILE_NAME)) return this.load()
    this.#saved = this.#entries
    return true
  }

  moveTo(directory: string): void {
    this.#path = `${directory}/${FILE_NAME}`
  }

  get entries(): readonly EpochEntry[] {
    return this.#entries
  }

  get latest(): EpochEntry | undefined {
    return this.#entries[this.#entries.length - 1]
  }

  get earliest(): EpochEntry | undefined {
    return this.#entries[0]
  }

  /** Notes that `epoch` wrote at `startOffset`. Answers whether that was news, which is then in the file, too. */
  assign(epoch: number, startOffset: number): boolean {
    if (!this.#put({ epoch, startOffset })) return false
    this.save()
    return true
  }

  /** From now on the file is synced when it is written: for a log from which it could not be made anew in full. */
  syncFromNowOn(): void {
    this.#mustSync = true
  }

  /** Has what the file says on stable storage, also from now on. */
  sync(): void {
    this.syncFromNowOn()
    if (this.#isSynced) return
    this.#saved = undefined
    this.save()
  }

  /** Whether the file may say something else. */
  get isUnsaved(): boolean {
    return this.#saved !== this.#entries
  }

  /** As `assign`, without writing the file. */
  assignInMemory(epoch: number, startOffset: number): boolean {
    return this.#put({ epoch, startOffset })
  }

  /** Takes entries back that were assigned and came to nothing, without writing the file. */
  restoreInMemory(entries: readonly EpochEntry[]): void {
    this.#entries = [...entries]
  }

  #put(entry: EpochEntry): boolean {
    const latest = this.latest
    if (latest && latest.epoch === entry.epoch && entry.startOffset >= latest.startOffset) return false
    // A new array: those handed out for `restore` stay as they are.
    const kept = this.#entries.filter((old) => old.epoch < entry.epoch && old.startOffset < entry.startOffset)
    kept.push(entry)
    this.#entries = kept
    return true
  }

  /** Where `epoch`, or the last one known below it, ends; undefined when `epoch` is past all that are known. */
  endOffsetFor(epoch: number, logEndOffset: number): OffsetAndEpoch | undefined {
    const latest = this.latest
    if (!latest || epoch === NO_LEADER_EPOCH || epoch > latest.epoch) return undefined
    if (epoch === latest.epoch) return { leaderEpoch: epoch, offset: logEndOffset }
    const next = this.#entries.findIndex((entry) => entry.epoch > epoch)
    const floor = this.#entries[next - 1]
    return { leaderEpoch: floor ? floor.epoch : epoch, offset: this.#entries[next]!.startOffset }
  }

  epochForOffset(offset: number): number | undefined {
    let found: number | undefined
    for (const entry of this.#entries) {
      if (entry.startOffset > offset) break
      found = entry.epoch
    }
    return found
  }

  /** Drops what begins at or past `offset`. */
  truncateFromEnd(offset: number): void {
    this.truncateFromEndInMemory(offset)
    this.save()
  }

  /**
   * As `truncateFromEnd`, without writing the file. For a start: the epoch of a log without records begins at its end,
   * is dropped and comes back when the log is led again; a file for each log would cost more than the rest of the start.
   */
  truncateFromEndInMemory(offset: number): void {
    this.#entries = this.#entries.filter((entry) => entry.startOffset < offset)
  }

  /** The log now starts at `offset`: the epoch in force there begins there, earlier ones go. */
  truncateFromStart(offset: number): void {
    const inForce = this.#entries.filter((entry) => entry.startOffset <= offset).pop()
    if (!inForce) return
    const later = this.#entries.filter((entry) => entry.startOffset > offset)
    this.#become([{ epoch: inForce.epoch, startOffset: offset }, ...later])
  }

  clear(): void {
    this.#become([])
  }

  #become(entries: EpochEntry[]): void {
    const first = entries[0]
    if (entries.length === this.#entries.length && first?.startOffset === this.#entries[0]?.startOffset) return
    this.#entries = entries
    this.save()
  }

  /** Writes the file, unless it says the same already. */
  save(): void {
    if (this.#saved && sameEntries(this.#saved, this.#entries)) {
      this.#saved = this.#entries
      return
    }
    const bytes = renderCheckpoint(this.#entries.map((entry) => `${entry.epoch} ${entry.startOffset}`))
    if (this.#mustSync) this.#disk.replaceFile(this.#path, bytes)
    else replaceUnsynced(this.#disk, this.#path, bytes)
    this.#saved = this.#entries
    this.#isSynced = this.#mustSync
  }
}

function sameEntries(a: readonly EpochEntry[], b: readonly EpochEntry[]): boolean {
  if (a.length !== b.length) return false
  return a.every((entry, index) => entry.epoch === b[index]!.epoch && entry.startOffset === b[index]!.startOffset)
}
