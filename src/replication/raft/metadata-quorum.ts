import type { Scheduled } from '../../platform/time.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { controlBatch, dataBatch, MAX_BATCH_BYTES, MAX_UNCOMPRESSED_BYTES } from './batches.ts'
import { ControlState } from './control-state.ts'
import { leaderChangeRecord } from './core/control-records.ts'
import { MetadataLog } from './metadata-log.ts'
import { readQuorumState, writeQuorumState } from './quorum-state.ts'
import { listSnapshots, readSnapshot, SnapshotBuilder, snapshotPath, writeSnapshot } from './snapshot-file.ts'
import {
  MetadataLogError,
  type QuorumListener,
  type QuorumOptions,
  type RecordSerde,
  type SnapshotId,
  type Voter,
} from './types.ts'

interface PendingAppend<R> {
  readonly records: readonly R[]
  readonly values: readonly Buffer[]
  readonly sizeBytes: number
  readonly lastOffset: number
  readonly resolve: (lastOffset: number) => void
  readonly reject: (error: Error) => void
}

/** Room for a batch's header and the framing of its records. */
const BATCH_ROOM_BYTES = 64 * 1024
const RECORD_ROOM_BYTES = 24

/** The directory of the metadata log below a log directory. */
const LOG_DIRECTORY = '__cluster_metadata-0'

/**
 * The metadata log of a quorum in which this node is the only voter: what is on its disk is committed. Appends that come
 * while a write is under way leave together in the next one, as one batch.
 */
export class MetadataQuorum<R = unknown> {
  readonly nodeId: number
  readonly #options: QuorumOptions
  readonly #directory: string
  readonly #serde: RecordSerde<R>
  readonly #listener: QuorumListener<R>
  readonly #log: MetadataLog
  readonly #control = new ControlState()
  #snapshots: SnapshotId[]
  #epoch = 0
  #highWatermark = 0
  /** The offset that the next record handed to `append` takes, if nothing fails. */
  #nextOffset = 0
  #queue: PendingAppend<R>[] = []
  #draining: Promise<void> | undefined
  #lastCommitMs = 0
  #bytesSinceSnapshot = 0
  #snapshotting: Promise<void> | undefined
  #snapshotTimer: Scheduled | undefined
  #closed = false

  private constructor(options: QuorumOptions, serde: RecordSerde<R>, listener: QuorumListener<R>) {
    const { disk } = options.platform
    this.nodeId = options.nodeId
    this.#options = options
    this.#directory = `${options.directory}/${LOG_DIRECTORY}`
    this.#serde = serde
    this.#listener = listener
    this.#log = MetadataLog.open({ ...options, disk, directory: this.#directory })
    this.#snapshots = listSnapshots(disk, this.#directory)
  }

  /**
   * Loads snapshot and log into the listener and begins a new epoch as its leader. Rejects with MetadataLogError where
   * the directory is damaged or belongs to a quorum of several.
   */
  static async open<R>(
    options: QuorumOptions,
    serde: RecordSerde<R>,
    listener: QuorumListener<R>,
  ): Promise<MetadataQuorum<R>> {
    const quorum = new MetadataQuorum(options, serde, listener)
    quorum.#load()
    quorum.#checkVoters()
    await quorum.#beginEpoch()
    return quorum
  }

  get leaderId(): number {
    return this.nodeId
  }

  get leaderEpoch(): number {
    return this.#epoch
  }

  /** One past the last committed offset. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  get logStartOffset(): number {
    return this.#log.startOffset
  }

  get nextOffset(): number {
    return this.#nextOffset
  }

  /** Finalized kraft.version: 0 static voters, 1 voters in the log. */
  get kraftVersion(): number {
    return this.#control.kraftVersion
  }

  /** The newest snapshot; undefined before the first. */
  get latestSnapshot(): SnapshotId | undefined {
    return this.#snapshots.at(-1)
  }

  /** This node, alone. The directory id is all zeros with static voters, as in Apache Kafka. */
  voter(): Voter {
    const voter = this.#control.voters?.[0]
    if (voter !== undefined) return voter
    return { id: this.nodeId, directoryId: ZERO_UUID, endpoints: this.#options.controllerEndpoints }
  }

  /**
   * Appends records as one unit. Resolves with the offset of the last one when they are on stable storage and the
   * listener has them; rejects with MetadataLogError when they could not be written, and then none of those appended
   * after them is written either. Throws RangeError for more than fits one batch.
   */
  append(records: readonly R[]): Promise<number> {
    if (this.#closed) return Promise.reject(new MetadataLogError('the metadata log is closed'))
    if (records.length === 0) return Promise.resolve(this.#nextOffset - 1)
    const values = records.map((record) => this.#serde.encode(record))
    const sizeBytes = values.reduce((sum, value) => sum + value.length + RECORD_ROOM_BYTES, 0)
    if (sizeBytes > MAX_BATCH_BYTES - BATCH_ROOM_BYTES) {
      throw new RangeError(`${records.length} metadata records of ${sizeBytes} bytes do not fit one batch`)
    }
    this.#nextOffset += records.length
    const lastOffset = this.#nextOffset - 1
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, values, sizeBytes, lastOffset, resolve, reject })
      this.#draining ??= this.#drain()
    })
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#takeGroup()
      const timestampMs = this.#options.platform.time.nowMs()
      const values = group.flatMap((pending) => pending.values)
      try {
        await this.#write(dataBatch(values, this.#place(timestampMs)), values.length, timestampMs)
      } catch (error) {
        this.#abort([...group, ...this.#queue], error as Error)
        continue
      }
      for (const { records, lastOffset, resolve } of group) {
        this.#listener.onCommit(records, { lastOffset, epoch: this.#epoch, appendTimeMs: timestampMs })
        resolve(lastOffset)
      }
      this.#snapshotIfDue()
    }
    this.#draining = undefined
  }

  #takeGroup(): PendingAppend<R>[] {
    let sizeBytes = 0
    let count = 0
    for (const pending of this.#queue) {
      if (count > 0 && sizeBytes + pending.sizeBytes > MAX_BATCH_BYTES - BATCH_ROOM_BYTES) break
      sizeBytes += pending.sizeBytes
      count++
    }
    return this.#queue.splice(0, count)
  }

  #place(timestampMs: number): { baseOffset: number; epoch: number; timestampMs: number } {
    return { baseOffset: this.#log.endOffset, epoch: this.#epoch, timestampMs }
  }

  async #write(batch: Buffer, recordCount: number, timestampMs: number): Promise<void> {
    const nextOffset = this.#log.endOffset + recordCount
    await this.#log.append(batch, { nextOffset, epoch: this.#epoch, timestampMs })
    this.#highWatermark = nextOffset
    this.#lastCommitMs = timestampMs
    this.#bytesSinceSnapshot += batch.length
  }

  #abort(pending: readonly PendingAppend<R>[], error: Error): void {
    this.#queue = []
    this.#nextOffset = this.#log.endOffset
    this.#options.logger.error(`metadata: ${error.message}`)
    this.#listener.onAbort()
    for (const { reject } of pending) reject(error)
  }

  #load(): void {
    const snapshot = this.latestSnapshot
    if (this.#log.startOffset > (snapshot?.offset ?? 0)) {
      throw new MetadataLogError(
        `${this.#directory}: the log starts at offset ${this.#log.startOffset} and no snapshot covers what was before`,
      )
    }
    let position = snapshot?.offset ?? 0
    if (snapshot !== undefined) this.#loadSnapshot(snapshot)
    const cursor = new RecordCursor()
    this.#log.load(position, (batch) => {
      position = batch.nextOffset
      this.#lastCommitMs = batch.maxTimestamp
      this.#bytesSinceSnapshot += batch.sizeBytes
      const records: R[] = []
      if (batch.isControl) this.#control.replay(batch)
      else {
        cursor.open(batch, MAX_UNCOMPRESSED_BYTES)
        while (cursor.next()) records.push(this.#serde.decode(cursor.value() ?? Buffer.alloc(0)))
      }
      const { lastOffset, partitionLeaderEpoch, maxTimestamp } = batch
      this.#listener.onCommit(records, { lastOffset, epoch: partitionLeaderEpoch, appendTimeMs: maxTimestamp })
    })
    // A snapshot fetched from another leader may be ahead of the log.
    if (snapshot !== undefined && this.#log.endOffset < snapshot.offset) {
      this.#log.restartAt(snapshot.offset, snapshot.epoch)
    }
    this.#checkEnd()
    this.#highWatermark = this.#log.endOffset
    this.#nextOffset = this.#log.endOffset
  }

  /** Starting on metadata that is not all there would be to forget topics that were acknowledged. */
  #checkEnd(): void {
    const { endOffset } = this.#log
    const epochStart = this.#log.lastEpochStart()
    if (endOffset < epochStart) {
      throw new MetadataLogError(
        `${this.#directory}: the log ends at offset ${endOffset}, but an epoch began at ${epochStart}: records are lost`,
      )
    }
    if (endOffset > 0) return
    const { platform, directory } = this.#options
    const partition = platform.disk.list(directory).find(({ name, isDirectory }) => {
      return isDirectory && name !== LOG_DIRECTORY && /-\d+$/.test(name)
    })
    if (partition === undefined) return
    throw new MetadataLogError(
      `${this.#directory}: the log is empty, though there are partitions such as ${partition.name}: its records are lost`,
    )
  }

  #loadSnapshot(snapshot: SnapshotId): void {
    const file = this.#options.platform.disk.open(snapshotPath(this.#directory, snapshot), 'read')
    const lastOffset = snapshot.offset - 1
    const cursor = new RecordCursor()
    this.#listener.onSnapshotLoad(snapshot)
    try {
      this.#lastCommitMs = readSnapshot(file, {
        onControl: (batch) => this.#control.replay(batch, lastOffset),
        onData: (batch) => {
          const records: R[] = []
          cursor.open(batch, MAX_UNCOMPRESSED_BYTES)
          while (cursor.next()) records.push(this.#serde.decode(cursor.value() ?? Buffer.alloc(0)))
          const appendTimeMs = batch.maxTimestamp
          this.#listener.onCommit(records, { lastOffset, epoch: snapshot.epoch, appendTimeMs })
        },
      })
    } finally {
      file.close()
    }
  }

  #checkVoters(): void {
    const { nodeId, directoryId, staticVoterIds } = this.#options
    const voters = this.#control.voters
    const ids = voters?.map(({ id }) => id) ?? staticVoterIds
    if (ids.length === 0) {
      throw new MetadataLogError(
        `${this.#directory} names no voters: set controller.quorum.voters, or format the directory with --standalone`,
      )
    }
    if (ids.length > 1 || ids[0] !== nodeId) {
      throw new MetadataLogError(
        `${this.#directory} belongs to a quorum of nodes ${ids.join(', ')}; this node, ${nodeId}, must be its only voter`,
      )
    }
    const voter = voters?.[0]
    if (voter !== undefined && voter.directoryId !== directoryId) {
      throw new MetadataLogError(
        `${this.#directory}: the voter is directory ${voter.directoryId}, but meta.properties says ${directoryId}`,
      )
    }
  }

  async #beginEpoch(): Promise<void> {
    const { platform, nodeId } = this.#options
    const state = readQuorumState(platform.disk, this.#directory)
    this.#epoch = Math.max(state?.leaderEpoch ?? 0, this.#log.lastEpoch, this.latestSnapshot?.epoch ?? 0) + 1
    const elected = { leaderId: nodeId, leaderEpoch: this.#epoch, votedId: -1, votedDirectoryId: ZERO_UUID }
    writeQuorumState(platform.disk, this.#directory, elected, this.kraftVersion, this.#options.staticVoterIds)
    this.#log.noteEpoch(this.#epoch, this.#log.endOffset)
    const records = [leaderChangeRecord(nodeId, [nodeId], [nodeId]), ...this.#voterUpdate()]
    const timestampMs = platform.time.nowMs()
    await this.#write(controlBatch(records, this.#place(timestampMs)), records.length, timestampMs)
    this.#nextOffset = this.#log.endOffset
    const lastOffset = this.#nextOffset - 1
    this.#listener.onCommit([], { lastOffset, epoch: this.#epoch, appendTimeMs: timestampMs })
  }

  /** The voters go into the log when only a format command has named them, and when this node's listeners changed. */
  #voterUpdate() {
    const control = this.#control
    const voter = control.voters?.[0]
    if (control.kraftVersion === 0 || voter === undefined) return []
    const { controllerEndpoints } = this.#options
    const hasMoved =
      controllerEndpoints.length > 0 && JSON.stringify(voter.endpoints) !== JSON.stringify(controllerEndpoints)
    if (control.votersOffset >= 0 && !hasMoved) return []
    if (hasMoved) control.voters = [{ ...voter, endpoints: controllerEndpoints }]
    control.votersOffset = this.#log.endOffset
    return control.records()
  }

  #snapshotIfDue(): void {
    const { snapshotMaxNewRecordBytes, snapshotMaxIntervalMs, platform } = this.#options
    if (this.#bytesSinceSnapshot >= snapshotMaxNewRecordBytes) {
      this.#startSnapshot()
    } else if (snapshotMaxIntervalMs > 0 && this.#snapshotTimer === undefined) {
      this.#snapshotTimer = platform.time.after(snapshotMaxIntervalMs, () => {
        this.#snapshotTimer = undefined
        this.#startSnapshot()
      })
    }
  }

  #startSnapshot(): void {
    if (this.#snapshotting !== undefined || this.#closed) return
    this.#snapshotting = this.snapshot().finally(() => {
      this.#snapshotting = undefined
    })
  }

  /** Writes the committed state as a snapshot and removes what retention no longer keeps. A failure is only logged. */
  async snapshot(): Promise<void> {
    const { platform, logger } = this.#options
    const id = { offset: this.#highWatermark, epoch: this.#epoch }
    const records = this.#listener.snapshotRecords()
    if (records === undefined || this.latestSnapshot?.offset === id.offset) return
    this.#snapshotTimer?.cancel()
    this.#snapshotTimer = undefined
    this.#bytesSinceSnapshot = 0
    const controls = this.#control.records()
    const builder = new SnapshotBuilder(id.epoch, platform.time.nowMs(), this.#lastCommitMs, controls)
    for (const record of records) builder.append(this.#serde.encode(record))
    try {
      await writeSnapshot(platform.disk, this.#directory, id, builder.finish())
      this.#snapshots.push(id)
      this.#clean()
    } catch (error) {
      logger.error(`metadata snapshot at offset ${id.offset} was not written: ${(error as Error).message}`)
    }
  }

  /** The oldest snapshot goes, with the log before the next one, while there is too much or the oldest is too old. */
  #clean(): void {
    const { retentionBytes, retentionMs, platform } = this.#options
    const { disk, time } = platform
    while (this.#snapshots.length > 1) {
      const sizes = this.#snapshots.map((id) => disk.stat(snapshotPath(this.#directory, id))?.sizeBytes ?? 0)
      const sizeBytes = sizes.reduce((sum, size) => sum + size, this.#log.sizeBytes)
      const isTooMuch = retentionBytes >= 0 && sizeBytes > retentionBytes
      const isTooOld = retentionMs >= 0 && time.nowMs() - this.#timestampOf(this.#snapshots[0]!) > retentionMs
      if (!isTooMuch && !isTooOld) return
      disk.remove(snapshotPath(this.#directory, this.#snapshots.shift()!))
      this.#log.removeBefore(this.#snapshots[0]!.offset)
    }
  }

  #timestampOf(id: SnapshotId): number {
    const file = this.#options.platform.disk.open(snapshotPath(this.#directory, id), 'read')
    try {
      return readSnapshot(file, { onControl: () => {}, onData: () => {} })
    } finally {
      file.close()
    }
  }

  /** Waits for what is under way; appends that come later are refused. */
  async close(): Promise<void> {
    this.#closed = true
    this.#snapshotTimer?.cancel()
    await this.#draining
    await this.#snapshotting
    this.#log.close()
  }
}
