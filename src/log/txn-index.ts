import type { Disk } from '../platform/disk.ts'
import { readInt64, writeInt64 } from '../protocol/records/int64.ts'
import { readIfThere } from './files.ts'

const ENTRY_BYTES = 34

/** A transaction that was aborted: its records lie between the two offsets, the second being its marker's. */
export interface AbortedTxn {
  readonly producerId: number
  readonly firstOffset: number
  readonly lastOffset: number
  /** The last stable offset once it was aborted. */
  readonly lastStableOffset: number
}

/**
 * The transactions aborted by markers in one segment, in the order of the markers. There is a file only when there are
 * any. An entry: int16 version 0, int64 producer id, first offset, last offset, last stable offset.
 */
export class TxnIndex {
  path: string
  readonly #disk: Disk
  #entries: AbortedTxn[] | undefined
  /** Entries that the file has already. */
  #written = 0

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.path = path
  }

  entries(): readonly AbortedTxn[] {
    return this.#load()
  }

  /** Takes an entry; `writeOut` brings it to the file. */
  append(entry: AbortedTxn): void {
    this.#load().push(entry)
  }

  /** Brings the file up to date, without syncing it. There is no file without entries. */
  writeOut(): void {
    const entries = this.#entries
    if (!entries || entries.length === this.#written) return
    const bytes = Buffer.alloc((entries.length - this.#written) * ENTRY_BYTES)
    entries.slice(this.#written).forEach((entry, i) => {
      const at = i * ENTRY_BYTES
      writeInt64(bytes, at + 2, entry.producerId)
      writeInt64(bytes, at + 10, entry.firstOffset)
      writeInt64(bytes, at + 18, entry.lastOffset)
      writeInt64(bytes, at + 26, entry.lastStableOffset)
    })
    const file = this.#disk.open(this.path, 'create')
    try {
      file.writeSync([bytes], this.#written * ENTRY_BYTES)
    } finally {
      file.close()
    }
    this.#written = entries.length
  }

  /** Keeps the transactions that ended below `offset`. */
  truncateTo(offset: number): void {
    const entries = this.#load()
    const kept = entries.findIndex((entry) => entry.lastOffset >= offset)
    if (kept < 0) return
    this.#entries = entries.slice(0, kept)
    this.#written = Math.min(this.#written, kept)
    const file = this.#disk.open(this.path, 'create')
    try {
      file.truncate(kept * ENTRY_BYTES)
    } finally {
      file.close()
    }
  }

  /** Forgets everything, and the file. */
  reset(): void {
    this.#entries = []
    this.#written = 0
    this.#disk.remove(this.path)
  }

  /** As `reset`, for a file that does not exist. */
  startEmpty(): void {
    this.#entries = []
  }

  /** Frees the memory of a file that is up to date; otherwise does nothing. */
  release(): void {
    if (this.#entries?.length === this.#written) this.#entries = undefined
  }

  #load(): AbortedTxn[] {
    if (this.#entries) return this.#entries
    const bytes = readIfThere(this.#disk, this.path)
    const entries: AbortedTxn[] = []
    const end = bytes ? bytes.length - (bytes.length % ENTRY_BYTES) : 0
    for (let at = 0; at < end; at += ENTRY_BYTES) {
      entries.push({
        producerId: readInt64(bytes!, at + 2),
        firstOffset: readInt64(bytes!, at + 10),
        lastOffset: readInt64(bytes!, at + 18),
        lastStableOffset: readInt64(bytes!, at + 26),
      })
    }
    this.#entries = entries
    this.#written = entries.length
    return entries
  }
}
