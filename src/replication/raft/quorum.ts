import { diskErrorCode } from '../../platform/disk.ts'
import type { Scheduled } from '../../platform/time.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { dataBatch, MAX_BATCH_BYTES } from './batches.ts'
import { Commits } from './commits.ts'
import type { LogState } from './core/log-state.ts'
import { type QuorumDescription, Raft } from './core/raft.ts'
import type { Effect, Peer, RaftRequest, RaftResponse, ReplicaKey } from './core/types.ts'
import type { VoterHistory, VoterSet } from './core/voters.ts'
import { LOG_DIRECTORY, loadLog } from './load.ts'
import { LogWriter } from './log-writer.ts'
import type { MetadataLog } from './metadata-log.ts'
import { PeerWatch } from './peer-watch.ts'
import type { QuorumNodeOptions } from './quorum-options.ts'
import { readQuorumState, writeQuorumState } from './quorum-state.ts'
import { RecordReader } from './record-reader.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import { Snapshots } from './snapshots.ts'
import {
  type LeadershipListener,
  MetadataLogError,
  NotLeaderError,
  type RecordSerde,
  type SnapshotId,
} from './types.ts'

type Election = Extract<Effect, { type: 'election' }>['election']

/** Room for a batch's header and the framing of its records. */
const BATCH_ROOM_BYTES = 64 * 1024
const RECORD_ROOM_BYTES = 24
/** How soon something that is expected is looked for again. */
const SOON_MS = 10
/** How soon it is tried again to save what this node may not forget. */
const SAVE_AGAIN_MS = 1000

/**
 * One node's part in the metadata quorum: carries out what the core (`core/raft.ts`) decides, on disk and network, and
 * hands what is committed to the listener, in order.
 */
export class Quorum<R = unknown> {
  readonly #options: QuorumNodeOptions
  readonly #directory: string
  readonly #serde: RecordSerde<R>
  readonly #log: MetadataLog
  readonly #writer: LogWriter
  readonly #store: SnapshotStore
  readonly #snapshots: Snapshots<R>
  readonly #commits: Commits<R>
  readonly #raft: Raft
  readonly #watch: PeerWatch
  readonly #replies = new Map<number, (response: RaftResponse) => void>()
  #token = 0
  #timer: Scheduled | undefined
  /** The last write failed, which has been told. */
  #isFailing = false
  #closed = false
  #isRunning = false
  /** The log cannot be read, or cut off: only another start can tell what it has, and nothing is carried out any more. */
  #isBroken = false
  /** What is to be done, in order. */
  readonly #due: Effect[] = []
  #isUnsaved = false

  private constructor(options: QuorumNodeOptions, serde: RecordSerde<R>, listener: LeadershipListener<R>) {
    const { platform, appendLingerMs: lingerMs } = options
    this.#options = options
    this.#directory = `${options.directory}/${LOG_DIRECTORY}`
    this.#serde = serde
    const { log, store, state, history } = loadLog(options)
    this.#log = log
    this.#writer = new LogWriter({
      log,
      time: platform.time,
      lingerMs,
      onWritten: (nextOffset, sizeBytes) => this.#written(nextOffset, sizeBytes),
      onFailed: (error) => this.#fail(error),
    })
    this.#store = store
    this.#raft = this.#makeRaft(state, history)
    this.#watch = new PeerWatch(options, this.#nowMs())
    const parts = { log, raft: this.#raft, listener }
    const { nodeId } = options
    this.#commits = new Commits({
      ...parts,
      nodeId,
      directory: this.#directory,
      time: platform.time,
      reader: new RecordReader(serde),
    })
    const applied = () => ({ offset: this.#commits.applied, timestampMs: this.#commits.lastCommitMs })
    this.#snapshots = new Snapshots({ ...parts, options, store, serde, applied })
  }

  #makeRaft(log: LogState, history: VoterHistory): Raft {
    const { platform, nodeId, directoryId } = this.#options
    const self: ReplicaKey = { id: nodeId, directoryId }
    const options = { ...this.#options, self, wallMs: () => platform.time.nowMs() }
    const random = (below: number) => platform.random.below(below)
    return new Raft({ ...options, random }, log, history, (id) => this.#store.sizeOf(id))
  }

  /**
   * Loads snapshot and log, hands the snapshot to the listener, and takes part from then on. Throws MetadataLogError where
   * the directory is damaged, or that of another voter.
   */
  static open<R>(options: QuorumNodeOptions, serde: RecordSerde<R>, listener: LeadershipListener<R>): Quorum<R> {
    const quorum = new Quorum(options, serde, listener)
    const { latest } = quorum.#store
    if (latest !== undefined) quorum.#loadSnapshot(latest, false)
    const state = readQuorumState(options.platform.disk, quorum.#directory)
    const saved = state && {
      epoch: state.leaderEpoch,
      leaderId: state.leaderId,
      voted: state.votedId < 0 ? undefined : { id: state.votedId, directoryId: state.votedDirectoryId },
    }
    quorum.#raft.start(saved, quorum.#nowMs())
    quorum.#run()
    return quorum
  }

  #nowMs(): number {
    return this.#options.platform.time.monotonicMs()
  }

  /** -1 for unknown. */
  get leaderId(): number {
    return this.#raft.leaderId
  }

  get leaderEpoch(): number {
    return this.#raft.epoch
  }

  /** What the operator has to put right before this node is in the quorum; undefined for nothing. */
  get misfit(): string | undefined {
    return this.#watch.misfit
  }

  /** Where the leader is reached; undefined where that is not known. */
  get leader(): Peer | undefined {
    const { leaderId, leaderEndpoints } = this.#raft
    const endpoint = leaderEndpoints.find(({ name }) => name === this.#options.listenerName)
    return leaderId < 0 || endpoint === undefined
      ? undefined
      : { id: leaderId, host: endpoint.host, port: endpoint.port }
  }

  /** Whether nothing can be written at present: a disk is full, say. */
  get isFailing(): boolean {
    return this.#isFailing
  }

  /** One past the last committed offset; -1 for unknown. */
  get highWatermark(): number {
    return this.#raft.highWatermark
  }

  get logStartOffset(): number {
    return this.#log.startOffset
  }

  /** The offset that the next record handed to `append` takes. */
  get nextOffset(): number {
    return this.#raft.log.endOffset
  }

  get logEndOffset(): number {
    return this.#raft.log.durableOffset
  }

  /** Finalized kraft.version: 0 static voters, 1 voters in the log. */
  get kraftVersion(): number {
    return this.#raft.history.kraftVersion
  }

  /** Raises it to 1, where all voters support that (KIP-853). Answers whether they do; with `isTrial`, nothing is done. */
  upgradeKraftVersion(isTrial: boolean): boolean {
    const isSupported = this.#raft.upgradeKraftVersion(isTrial)
    this.#run()
    return isSupported
  }

  get voters(): VoterSet {
    return this.#raft.history.voters
  }

  /** Whether this node's last try to reach a voter has shown that its process is not there. */
  isRefusedBy(voterId: number): boolean {
    const { channel, listenerName } = this.#options
    const peer = this.voters.peer(voterId, listenerName)
    return peer !== undefined && channel.isRefusedBy(peer)
  }

  get latestSnapshot(): SnapshotId | undefined {
    return this.#store.latest
  }

  /** What a leader knows of the others; undefined for anybody else. Times are of the monotonic clock. */
  describe(): QuorumDescription | undefined {
    return this.#raft.describe(this.#nowMs())
  }

  /** The answer to a request of another node of the quorum. */
  receive(request: RaftRequest): Promise<RaftResponse> {
    return new Promise((resolve) => {
      const token = ++this.#token
      this.#replies.set(token, resolve)
      this.#raft.receive(token, request, this.#nowMs())
      this.#run()
    })
  }

  /**
   * Appends records as one unit. Resolves with the offset of the last one when they are committed and the listener has
   * them; rejects with NotLeaderError or MetadataLogError. Throws RangeError for more than fits one batch.
   */
  append(records: readonly R[]): Promise<number> {
    if (this.#closed) return Promise.reject(new MetadataLogError('the metadata log is closed'))
    if (records.length === 0) return Promise.resolve(this.#commits.applied - 1)
    const values = records.map((record) => this.#serde.encode(record))
    const sizeBytes = values.reduce((sum, value) => sum + value.length + RECORD_ROOM_BYTES, 0)
    if (sizeBytes > MAX_BATCH_BYTES - BATCH_ROOM_BYTES) {
      throw new RangeError(`${records.length} metadata records of ${sizeBytes} bytes do not fit one batch`)
    }
    const baseOffset = this.#raft.log.endOffset
    const place = { baseOffset, epoch: this.#raft.epoch, timestampMs: this.#options.platform.time.nowMs() }
    const lastOffset = this.#raft.propose(dataBatch(values, place), values.length)
    if (lastOffset === undefined) return Promise.reject(new NotLeaderError('this node does not lead the quorum'))
    return new Promise((resolve, reject) => {
      this.#commits.expect({ records, lastOffset, resolve, reject })
      this.#run()
    })
  }

  /** Gives the leadership of `epoch` up, if this node has it. */
  resign(epoch: number): void {
    if (epoch !== this.#raft.epoch) return
    this.#raft.resign(this.#nowMs())
    this.#run()
  }

  /**
   * Gives the leadership up, if this node has it and is not alone; resolves when the other voters know, after `timeoutMs` at
   * most. Without being told they would wait for their fetch timeout before one of them stands for election.
   */
  async handOver(timeoutMs: number): Promise<void> {
    const { time } = this.#options.platform
    const endMs = time.monotonicMs() + timeoutMs
    if (this.voters.nodes.length > 1) this.resign(this.leaderEpoch)
    while (!this.#closed && this.#raft.isHandingOver && time.monotonicMs() < endMs) {
      await new Promise<void>((resolve) => time.after(SOON_MS, resolve))
    }
  }

  /** Carries out what there is to do, and comes back when there will be more. */
  #run(): void {
    if (this.#isRunning || this.#isBroken || this.#closed) return
    this.#isRunning = true
    const isDone = this.#tryAll()
    this.#watch.look(this.#raft.role === 'leader', this.#nowMs())
    this.#isRunning = false
    this.#timer?.cancel()
    if (this.#isBroken) return
    if (!isDone) {
      this.#timer = this.#options.platform.time.after(SAVE_AGAIN_MS, () => this.#run())
      return
    }
    const { nextTickMs } = this.#raft
    if (nextTickMs === Number.POSITIVE_INFINITY) return
    this.#timer = this.#options.platform.time.after(Math.max(0, nextTickMs - this.#nowMs()), () => {
      this.#raft.tick(this.#nowMs())
      this.#run()
    })
  }

  /** Answers whether all is done that was to be done. */
  #tryAll(): boolean {
    try {
      return this.#carryOutAll()
    } catch (error) {
      if (diskErrorCode(error) === undefined && !(error instanceof MetadataLogError)) throw error
      const { onBroken } = this.#options
      if (onBroken === undefined) throw error
      this.#isBroken = true
      onBroken(error instanceof MetadataLogError ? error.message : `it cannot be read: ${(error as Error).message}`)
      return false
    }
  }

  /** In order. Answers false where an epoch or a vote cannot be saved now: what is to follow that waits. */
  #carryOutAll(): boolean {
    for (;;) {
      this.#due.push(...this.#raft.takeEffects())
      if (this.#due.length === 0) return true
      for (let effect = this.#due[0]; effect !== undefined; effect = this.#due[0]) {
        if (effect.type === 'election' && !this.#save(effect.election)) return false
        this.#due.shift()
        if (effect.type !== 'election') this.#carryOut(effect)
      }
    }
  }

  /** Answers whether it is on stable storage. */
  #save({ epoch: leaderEpoch, leaderId, voted }: Election): boolean {
    const { platform, logger } = this.#options
    const state = { leaderId, leaderEpoch, votedId: voted?.id ?? -1, votedDirectoryId: voted?.directoryId ?? ZERO_UUID }
    try {
      writeQuorumState(platform.disk, this.#directory, state, this.kraftVersion, this.#raft.history.voters.ids)
      this.#isUnsaved = false
      return true
    } catch (error) {
      const code = diskErrorCode(error)
      if (code === undefined) throw error
      if (!this.#isUnsaved)
        logger.error(`quorum-state cannot be written (${code}): this node takes no part in its quorum`)
      this.#isUnsaved = true
      return false
    }
  }

  #carryOut(effect: Exclude<Effect, { type: 'election' }>): void {
    switch (effect.type) {
      case 'append':
        this.#writer.write(effect, this.#raft.role === 'leader' && !new BatchView(effect.batches).isControl)
        return
      case 'truncate':
        this.#log.truncate(effect.toOffset)
        return
      case 'snapshotBytes':
        this.#receive(effect)
        return
      case 'restart':
        this.#log.restartAt(effect.snapshot.offset)
        this.#loadSnapshot(effect.snapshot, true)
        return
      case 'send':
        this.#send(effect)
        return
      case 'reply': {
        const reply = this.#replies.get(effect.token)
        this.#replies.delete(effect.token)
        reply?.(this.#filled(effect.response))
        return
      }
      case 'commit':
        this.#commits.upTo(effect.highWatermark)
        this.#snapshots.writeIfDue()
        return
      case 'leader':
        this.#commits.tellLeader()
    }
  }

  #loadSnapshot(id: SnapshotId, isNew: boolean): void {
    this.#commits.restart(id.offset, this.#snapshots.load(id, isNew))
  }

  #receive({ snapshot, positionBytes, bytes, isLast }: Extract<Effect, { type: 'snapshotBytes' }>): void {
    if (!this.#raft.isFetching(snapshot)) return
    try {
      this.#store.receive(snapshot, positionBytes, bytes, isLast)
    } catch (error) {
      const code = diskErrorCode(error)
      if (code === undefined) throw error
      const message = `the metadata snapshot at offset ${snapshot.offset} cannot be kept (${code})`
      if (!this.#isFailing) this.#options.logger.error(`${message}: this node is behind its leader`)
      this.#isFailing = true
      this.#raft.snapshotFailed(this.#nowMs())
      return
    }
    if (!isLast) return
    this.#isFailing = false
    this.#raft.snapshotWritten(this.#nowMs())
  }

  #written(nextOffset: number, sizeBytes: number): void {
    this.#isFailing = false
    this.#snapshots.logGrew(sizeBytes)
    this.#raft.logWritten(nextOffset, this.#nowMs())
    this.#run()
  }

  /** Nothing of what was being appended will be there. */
  #fail(error: MetadataLogError): void {
    if (!this.#isFailing) this.#options.logger.error(`metadata: ${error.message}`)
    this.#isFailing = true
    if (this.#log.failure !== undefined) this.#options.onBroken?.(this.#log.failure)
    this.#raft.writeFailed(this.#nowMs())
    this.#commits.abort(error)
    this.#run()
  }

  #send({ peer, request, requestId }: Extract<Effect, { type: 'send' }>): void {
    void this.#options.channel.send(peer, request).then((response) => {
      if (this.#closed) return
      const nowMs = this.#nowMs()
      this.#watch.answered(peer, request, response, this.#raft.epoch, nowMs)
      this.#raft.answered(requestId, response, nowMs)
      this.#run()
    })
  }

  #filled(response: RaftResponse): RaftResponse {
    if (response.type === 'fetch' && response.read !== undefined) {
      const { offset, upTo, maxBytes } = response.read
      return { ...response, records: offset < upTo ? this.#log.read(offset, upTo, maxBytes) : Buffer.alloc(0) }
    }
    if (response.type === 'fetchSnapshot' && response.read !== undefined) {
      const { positionBytes, maxBytes } = response.read
      return { ...response, bytes: this.#store.slice(response.snapshot, positionBytes, maxBytes) }
    }
    return response
  }

  /** Ends as a crash would: nothing more is written or sent. */
  abandon(): void {
    this.#closed = true
    this.#options.channel.close()
    this.#timer?.cancel()
    this.#writer.stop()
    this.#snapshots.stop()
  }

  /** Hands the leadership over, if this node has it, waits for what is under way, and takes no part any more. */
  async close(): Promise<void> {
    this.#raft.stop(this.#nowMs())
    this.#run()
    this.#closed = true
    this.#options.channel.close()
    this.#timer?.cancel()
    this.#snapshots.stop()
    await this.#writer.settled()
    await this.#snapshots.settled()
    this.#commits.abort(new MetadataLogError('the metadata log is closed'))
    this.#log.close()
  }
}
