import type { Time } from '../../platform/time.ts'
import { errors } from '../../protocol/errors.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import type { Raft } from './core/raft.ts'
import type { MetadataLog } from './metadata-log.ts'
import type { RecordReader } from './record-reader.ts'
import { type LeadershipListener, MetadataLogError, NotLeaderError } from './types.ts'

/** How much is read of the log at once to apply it. */
const APPLY_BYTES = 1024 * 1024

export interface CommitsContext<R> {
  readonly nodeId: number
  /** Of the log, to be named where it is damaged. */
  readonly directory: string
  readonly time: Time
  readonly log: Pick<MetadataLog, 'read'>
  readonly raft: Pick<Raft, 'role' | 'epoch' | 'epochStartOffset' | 'leaderId'>
  readonly reader: RecordReader<R>
  readonly listener: LeadershipListener<R>
}

interface PendingAppend<R> {
  readonly records: readonly R[]
  readonly lastOffset: number
  readonly resolve: (lastOffset: number) => void
  readonly reject: (error: Error) => void
}

/**
 * Hands what is committed to the listener, in order, and answers appends of this node, whose records it need not read again;
 * tells the listener who leads when it has what was committed before.
 */
export class Commits<R> {
  readonly #context: CommitsContext<R>
  /** What waits for being committed. */
  #appended: PendingAppend<R>[] = []
  #applied = 0
  #lastCommitMs = 0
  #toldLeader = { leaderId: -1, epoch: -1 }

  constructor(context: CommitsContext<R>) {
    this.#context = context
  }

  /** One past the last offset that the listener has. */
  get applied(): number {
    return this.#applied
  }

  /** When the last of that was appended, by the wall clock of whoever led then. */
  get lastCommitMs(): number {
    return this.#lastCommitMs
  }

  /** The listener has a snapshot up to there now. */
  restart(applied: number, lastCommitMs: number): void {
    this.#applied = applied
    this.#lastCommitMs = lastCommitMs
  }

  /** This node has appended it as leader. */
  expect(append: PendingAppend<R>): void {
    this.#appended.push(append)
  }

  /** Nothing of what this node has appended, and is not committed yet, ever will be as far as it can tell. */
  abort(error: Error): void {
    const pending = this.#appended
    this.#appended = []
    this.#context.listener.onAbort()
    for (const { reject } of pending) reject(error)
  }

  /** Throws MetadataLogError where the log ends before, and what the disk throws. */
  upTo(highWatermark: number): void {
    while (this.#applied < highWatermark) {
      const own = this.#appended[0]
      if (own !== undefined && own.lastOffset - own.records.length + 1 === this.#applied) this.#applyOwn(own)
      else this.#applyFromLog(highWatermark)
    }
    this.tellLeader()
  }

  #applyOwn(own: PendingAppend<R>): void {
    const { lastOffset, records, resolve } = own
    const { time, raft, listener } = this.#context
    const appendTimeMs = time.nowMs()
    this.#appended.shift()
    this.#applied = lastOffset + 1
    this.#lastCommitMs = appendTimeMs
    listener.onCommit(records, { lastOffset, epoch: raft.epoch, appendTimeMs })
    resolve(lastOffset)
  }

  /** Up to the next of this node's own appends, of which it has the records. */
  #applyFromLog(highWatermark: number): void {
    const { log, directory, reader, listener } = this.#context
    const own = this.#appended[0]
    const upTo = own === undefined ? highWatermark : Math.min(highWatermark, own.lastOffset - own.records.length + 1)
    const bytes = log.read(this.#applied, upTo, APPLY_BYTES)
    if (bytes.length === 0) throw new MetadataLogError(`${directory}: nothing at offset ${this.#applied}`)
    for (let at = 0; at < bytes.length; ) {
      const batch = new BatchView(bytes, at)
      const records = reader.recordsOf(batch)
      const { lastOffset, partitionLeaderEpoch: epoch, maxTimestamp: appendTimeMs } = batch
      this.#applied = batch.nextOffset
      this.#lastCommitMs = appendTimeMs
      listener.onCommit(records, { lastOffset, epoch, appendTimeMs })
      at = batch.end
    }
  }

  /** A new leader is told of itself when all that came before it has been applied. */
  tellLeader(): void {
    const { raft, nodeId, listener } = this.#context
    const { role, epoch, epochStartOffset } = raft
    const isLeader = role === 'leader'
    if (isLeader && this.#applied <= epochStartOffset!) return
    const leaderId = isLeader ? nodeId : raft.leaderId
    if (leaderId === this.#toldLeader.leaderId && epoch === this.#toldLeader.epoch) return
    const wasLeader = this.#toldLeader.leaderId === nodeId
    this.#toldLeader = { leaderId, epoch }
    if (wasLeader || (!isLeader && this.#appended.length > 0)) {
      this.abort(new NotLeaderError(errors.NOT_LEADER_OR_FOLLOWER.message))
    }
    listener.onLeaderChange(leaderId, epoch)
  }
}
