import type { Scheduled } from '../../platform/time.ts'
import type { Raft } from './core/raft.ts'
import type { MetadataLog } from './metadata-log.ts'
import type { QuorumNodeOptions } from './quorum-options.ts'
import { RecordReader } from './record-reader.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import type { QuorumListener, RecordSerde, SnapshotId } from './types.ts'

export interface SnapshotContext<R> {
  readonly options: QuorumNodeOptions
  readonly store: SnapshotStore
  readonly log: MetadataLog
  readonly raft: Raft
  readonly serde: RecordSerde<R>
  readonly listener: QuorumListener<R>
  /** How much the listener has, and when the last of it was appended. */
  readonly applied: () => { readonly offset: number; readonly timestampMs: number }
}

/** Writes snapshots of what is committed when they are due, and hands those that are there to the listener. */
export class Snapshots<R> {
  readonly #context: SnapshotContext<R>
  readonly #reader: RecordReader<R>
  #newBytes = 0
  #writing: Promise<void> | undefined
  #timer: Scheduled | undefined
  #isStopped = false

  constructor(context: SnapshotContext<R>) {
    this.#context = context
    this.#reader = new RecordReader(context.serde)
  }

  /** Hands the state in a snapshot to the listener; answers when the last of it was appended. `isNew`: it was just fetched. */
  load(id: SnapshotId, isNew: boolean): number {
    const { store, raft, listener } = this.#context
    const lastOffset = id.offset - 1
    listener.onSnapshotLoad(id)
    const timestampMs = store.read(
      id,
      (batch) => {
        if (isNew) raft.snapshotControls(batch, id)
      },
      (batch) => {
        const records = this.#reader.recordsOf(batch)
        listener.onCommit(records, { lastOffset, epoch: id.epoch, appendTimeMs: batch.maxTimestamp })
      },
    )
    listener.onSnapshotEnd()
    return timestampMs
  }

  /** So many bytes were written to the log. */
  logGrew(sizeBytes: number): void {
    this.#newBytes += sizeBytes
  }

  /** Something was committed: begins a snapshot where there are enough new records, or sees to it that their age counts. */
  writeIfDue(): void {
    const { snapshotMaxNewRecordBytes, snapshotMaxIntervalMs, platform } = this.#context.options
    if (this.#newBytes >= snapshotMaxNewRecordBytes) {
      this.#begin()
    } else if (snapshotMaxIntervalMs > 0 && this.#timer === undefined) {
      this.#timer = platform.time.after(snapshotMaxIntervalMs, () => {
        this.#timer = undefined
        this.#begin()
      })
    }
  }

  #begin(): void {
    if (this.#writing !== undefined || this.#isStopped) return
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** Writes the committed state and removes what retention no longer keeps. A failure is only logged. */
  async #write(): Promise<void> {
    const { options, store, log, raft, serde, listener, applied } = this.#context
    const { offset, timestampMs } = applied()
    const id = { offset, epoch: raft.log.epochOf(offset - 1) }
    const records = listener.snapshotRecords()
    if (records === undefined || offset <= (store.latest?.offset ?? 0)) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#newBytes = 0
    const values = Array.from(records, (record) => serde.encode(record))
    try {
      if (!(await store.write(id, values, timestampMs, raft.history))) return
      raft.log.addSnapshot(id)
      store.clean(log)
      raft.log.cleaned(log.startOffset, store.ids)
      raft.history.forgetBefore(store.ids[0]!.offset)
    } catch (error) {
      options.logger.error(`metadata snapshot at offset ${offset} was not written: ${(error as Error).message}`)
    }
  }

  /** Begins no more. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** Resolves when none is being written. */
  async settled(): Promise<void> {
    await this.#writing
  }
}
