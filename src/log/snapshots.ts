import type { Disk, DiskEntry } from '../platform/disk.ts'
import { DELETED_SUFFIX, offsetOfName, offsetPath, readIfThere, replaceUnsynced, SNAPSHOT_SUFFIX } from './files.ts'
import type { ProducerEntry } from './producer-entry.ts'
import { decodeSnapshot, encodeSnapshot } from './producer-snapshot.ts'

/** The producer snapshots of a log: the state before the offset in the file's name. */
export class Snapshots {
  readonly #disk: Disk
  #directory: string
  /** Ascending. */
  #offsets: number[] = []

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.#directory = directory
  }

  moveTo(directory: string): void {
    this.#directory = directory
  }

  /** Takes stock of the files in the directory. */
  load(entries: readonly DiskEntry[]): void {
    const offsets = entries.map((entry) => offsetOfName(entry.name, SNAPSHOT_SUFFIX))
    this.#offsets = offsets.filter((offset) => offset !== undefined).sort((a, b) => a - b)
  }

  get offsets(): readonly number[] {
    return this.#offsets
  }

  get latest(): number | undefined {
    return this.#offsets[this.#offsets.length - 1]
  }

  write(offset: number, producers: ReadonlyMap<number, ProducerEntry>): void {
    this.writeEncoded(offset, encodeSnapshot(producers))
  }

  /** As `write`, of a state that has moved on since it was encoded. */
  writeEncoded(offset: number, snapshot: Buffer): void {
    replaceUnsynced(this.#disk, this.#path(offset), snapshot)
    if (!this.#offsets.includes(offset)) this.#offsets = [...this.#offsets, offset].sort((a, b) => a - b)
  }

  /** The newest sound snapshot at or before `offset` and not before `from`; damaged ones are removed. */
  newest(offset: number, from: number): { offset: number; producers: ReadonlyMap<number, ProducerEntry> } | undefined {
    for (let i = this.#offsets.length - 1; i >= 0; i--) {
      const candidate = this.#offsets[i]!
      if (candidate > offset) continue
      if (candidate < from) return undefined
      const bytes = readIfThere(this.#disk, this.#path(candidate))
      const producers = bytes && decodeSnapshot(bytes)
      if (producers) return { offset: candidate, producers }
      this.remove(candidate)
    }
    return undefined
  }

  remove(offset: number): void {
    this.#disk.remove(this.#path(offset))
    this.#offsets = this.#offsets.filter((other) => other !== offset)
  }

  /** Removes those past `offset`. */
  removeAbove(offset: number): void {
    for (const other of this.#offsets) if (other > offset) this.remove(other)
  }

  removeAll(): void {
    for (const offset of this.#offsets) this.remove(offset)
  }

  /** Removes those that belong to no segment, except the one that a shutdown left past the last segment's base. */
  removeStray(baseOffsets: readonly number[]): void {
    const last = baseOffsets[baseOffsets.length - 1] ?? 0
    const keep = new Set(baseOffsets)
    const newest = this.latest
    for (const offset of this.#offsets) {
      if (!keep.has(offset) && (offset !== newest || offset < last)) this.remove(offset)
    }
  }

  /** Renames a snapshot to `.deleted` and answers its path; undefined when there is none. */
  markDeleted(offset: number): string | undefined {
    if (!this.#offsets.includes(offset)) return undefined
    const path = this.#path(offset)
    this.#offsets = this.#offsets.filter((other) => other !== offset)
    if (!this.#disk.exists(path)) return undefined
    this.#disk.rename(path, path + DELETED_SUFFIX)
    return path + DELETED_SUFFIX
  }

  #path(offset: number): string {
    return offsetPath(this.#directory, offset, SNAPSHOT_SUFFIX)
  }
}
