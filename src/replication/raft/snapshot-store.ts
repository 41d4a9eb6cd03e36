import type { Platform } from '../../platform/platform.ts'
import type { BatchView } from '../../protocol/records/batch.ts'
import { versionRecord, votersRecord } from './core/control-records.ts'
import type { VoterHistory } from './core/voters.ts'
import type { MetadataLog } from './metadata-log.ts'
import {
  listSnapshots,
  PartialSnapshot,
  readSnapshot,
  SnapshotBuilder,
  snapshotPath,
  writeSnapshot,
} from './snapshot-file.ts'
import type { SnapshotId } from './types.ts'

export interface SnapshotStoreOptions {
  readonly platform: Platform
  /** That of the metadata log. */
  readonly directory: string
  /** metadata.max.retention.bytes, -1 for no limit */
  readonly retentionBytes: number
  /** metadata.max.retention.ms, -1 for no limit */
  readonly retentionMs: number
}

/** The snapshots of a metadata log: written, fetched from a leader, read, and removed when they are old. */
export class SnapshotStore {
  readonly #options: SnapshotStoreOptions
  #ids: SnapshotId[]
  #incoming: PartialSnapshot | undefined

  constructor(options: SnapshotStoreOptions) {
    this.#options = options
    this.#ids = listSnapshots(options.platform.disk, options.directory)
  }

  /** Oldest first. */
  get ids(): readonly SnapshotId[] {
    return this.#ids
  }

  get latest(): SnapshotId | undefined {
    return this.#ids.at(-1)
  }

  /** undefined where there is no such snapshot. */
  sizeOf(id: SnapshotId): number | undefined {
    return this.#options.platform.disk.stat(snapshotPath(this.#options.directory, id))?.sizeBytes
  }

  /** So many bytes of a snapshot, from a position on. */
  slice(id: SnapshotId, positionBytes: number, maxBytes: number): Buffer {
    const file = this.#options.platform.disk.open(snapshotPath(this.#options.directory, id), 'read')
    try {
      const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(maxBytes, file.sizeBytes() - positionBytes)))
      return bytes.subarray(0, file.readSync(bytes, positionBytes))
    } finally {
      file.close()
    }
  }

  /** Answers its lastContainedLogTimestamp. Throws MetadataLogError for one that is damaged. */
  read(id: SnapshotId, onControl: (batch: BatchView) => void, onData: (batch: BatchView) => void): number {
    const file = this.#options.platform.disk.open(snapshotPath(this.#options.directory, id), 'read')
    try {
      return readSnapshot(file, { onControl, onData })
    } finally {
      file.close()
    }
  }

  /**
   * Answers whether it is the latest: a later one may have been fetched meanwhile, and stays the only one. Rejects with the
   * disk's error; nothing is left of it then.
   */
  async write(
    id: SnapshotId,
    values: Iterable<Buffer>,
    lastTimestampMs: number,
    history: VoterHistory,
  ): Promise<boolean> {
    const { platform, directory } = this.#options
    const kraftVersion = history.kraftVersionAt(id.offset - 1)
    const controls =
      kraftVersion === 0 ? [] : [versionRecord(kraftVersion), votersRecord(history.votersAt(id.offset - 1))]
    const builder = new SnapshotBuilder(id.epoch, platform.time.nowMs(), lastTimestampMs, controls)
    for (const value of values) builder.append(value)
    await writeSnapshot(platform.disk, directory, id, builder.finish())
    const isLatest = id.offset > (this.latest?.offset ?? -1)
    if (isLatest) this.#ids.push(id)
    else platform.disk.remove(snapshotPath(directory, id))
    return isLatest
  }

  /**
   * Takes a piece of a snapshot that the leader has sent; the last one makes it a snapshot, in place of all others. Throws the
   * disk's error; nothing is left of the snapshot then.
   */
  receive(id: SnapshotId, positionBytes: number, bytes: Buffer, isLast: boolean): void {
    const { platform, directory } = this.#options
    if (positionBytes === 0) this.#discardIncoming()
    try {
      if (positionBytes === 0) this.#incoming = new PartialSnapshot(platform.disk, directory, id)
      this.#incoming!.write(bytes, positionBytes)
      if (!isLast) return
      this.#incoming!.finish()
    } catch (error) {
      this.#discardIncoming()
      throw error
    }
    this.#incoming = undefined
    for (const old of this.#ids) platform.disk.remove(snapshotPath(directory, old))
    this.#ids = [id]
  }

  #discardIncoming(): void {
    this.#incoming?.discard()
    this.#incoming = undefined
  }

  /** The oldest snapshot goes, with the log before the next one, while there is too much or the oldest is too old. */
  clean(log: MetadataLog): void {
    const { retentionBytes, retentionMs, platform, directory } = this.#options
    while (this.#ids.length > 1) {
      const sizeBytes = this.#ids.reduce((sum, id) => sum + (this.sizeOf(id) ?? 0), log.sizeBytes)
      const isTooMuch = retentionBytes >= 0 && sizeBytes > retentionBytes
      const isTooOld = retentionMs >= 0 && platform.time.nowMs() - this.#timestampOf(this.#ids[0]!) > retentionMs
      if (!isTooMuch && !isTooOld) return
      platform.disk.remove(snapshotPath(directory, this.#ids.shift()!))
      log.removeBefore(this.#ids[0]!.offset)
    }
  }

  #timestampOf(id: SnapshotId): number {
    return this.read(
      id,
      () => {},
      () => {},
    )
  }
}
