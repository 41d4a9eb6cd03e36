import { BatchView } from '../../../protocol/records/batch.ts'
import { controlBatch, dataBatch } from '../batches.ts'
import type { SnapshotId } from '../types.ts'
import { replayControls, versionRecord, votersRecord } from './control-records.ts'
import { LogState } from './log-state.ts'
import { Raft } from './raft.ts'
import type { Effect, Election, Peer, RaftOptions, RaftResponse, VoterNode } from './types.ts'
import { VoterHistory, VoterSet } from './voters.ts'

const LISTENER = 'CONTROLLER'
const KRAFT_VERSIONS = { min: 0, max: 1 }

/** Of a node that votes, and what it waits for: as by default. */
export const VOTER = {
  clusterId: '4L6g3nShT-eMCtK--X86sw',
  listenerName: LISTENER,
  kraftVersions: KRAFT_VERSIONS,
  canVote: true,
  autoJoins: false,
  electionTimeoutMs: 1000,
  electionBackoffMaxMs: 1000,
  fetchTimeoutMs: 2000,
  requestTimeoutMs: 2000,
  retryBackoffMs: 20,
  fetchMaxWaitMs: 500,
}

/** Whole numbers that follow from the seed (mulberry32). */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

interface StoredBatch {
  readonly baseOffset: number
  readonly nextOffset: number
  readonly epoch: number
  readonly bytes: Buffer
}

interface StoredSnapshot {
  readonly id: SnapshotId
  readonly bytes: Buffer
}

/** What survives a crash. */
class Disk {
  election: Election | undefined
  startOffset = 0
  batches: StoredBatch[] = []
  snapshots: StoredSnapshot[] = []

  get endOffset(): number {
    return this.batches.at(-1)?.nextOffset ?? this.startOffset
  }

  /** What is in the log before `offset`, a line a batch. */
  contentUpTo(offset: number): string[] {
    return this.batches.filter(({ nextOffset }) => nextOffset <= offset).map(lineOf)
  }

  loadState(): { log: LogState; history: VoterHistory } {
    const history = new VoterHistory(new VoterSet([]))
    const latest = this.snapshots.at(-1)
    if (latest !== undefined) replayControls(new BatchView(latest.bytes), history, latest.id.offset - 1)
    const epochs: { epoch: number; offset: number }[] = []
    for (const { bytes, epoch, baseOffset } of this.batches) {
      const view = new BatchView(bytes)
      if (view.isControl) replayControls(view, history)
      if (epoch > (epochs.at(-1)?.epoch ?? -1)) epochs.push({ epoch, offset: baseOffset })
    }
    const ids = this.snapshots.map(({ id }) => id)
    return { log: new LogState(this.startOffset, this.endOffset, epochs, ids), history }
  }
}

function lineOf({ baseOffset, epoch, bytes }: StoredBatch): string {
  return `${baseOffset} ${epoch} ${bytes.toString('base64')}`
}

interface Event {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

interface Faults {
  /** Of a hundred messages, how many are lost. */
  lossPercent: number
  maxDelayMs: number
  maxWriteMs: number
}

type Reply = (response: RaftResponse | undefined) => void

/** One node with its disk, which outlives it. */
export class SimulatedNode {
  readonly id: number
  readonly directoryId: string
  readonly disk = new Disk()
  raft: Raft | undefined
  /** Counts lives: what a crash interrupted is not carried on by the next. */
  life = 0
  readonly replies = new Map<number, Reply>()
  /** Writes are done one after the other: when the last of them will be. */
  writtenAtMs = 0
  incoming = new Map<number, { snapshot: SnapshotId; bytes: Buffer[] }>()

  constructor(id: number) {
    this.id = id
    this.directoryId = Buffer.alloc(16, id).toString('base64url')
  }

  get asVoter(): VoterNode {
    const endpoints = [{ name: LISTENER, host: `host-${this.id}`, port: 9000 + this.id }]
    return { id: this.id, directoryId: this.directoryId, endpoints, kraftVersions: KRAFT_VERSIONS }
  }
}

/**
 * A quorum in one process: a network that delays, drops and parts, disks of which a crash takes what is not written yet,
 * and a clock of its own. After every event it checks what must always hold.
 */
export class SimulatedQuorum {
  nowMs = 0
  readonly random: (below: number) => number
  readonly nodes: SimulatedNode[]
  readonly faults: Faults = { lossPercent: 0, maxDelayMs: 5, maxWriteMs: 5 }
  /** Pairs that cannot talk: "1 2" for what 1 sends to 2. */
  readonly cut = new Set<string>()
  readonly trace: string[] = []
  #events: Event[] = []
  #order = 0
  #token = 0
  /** What is committed, by offset where its batch begins. */
  readonly committed = new Map<number, string>()
  committedEnd = 0
  readonly #leaders = new Map<number, number>()
  readonly #votes = new Map<string, number>()

  /** The first `voterCount` of `nodeCount` nodes are voters; the others observe. */
  constructor(seed: number, nodeCount: number, voterCount: number) {
    this.random = seededRandom(seed)
    this.nodes = Array.from({ length: nodeCount }, (_, index) => new SimulatedNode(index + 1))
    const voters = new VoterSet(this.nodes.slice(0, voterCount).map((node) => node.asVoter))
    const records = [versionRecord(1), votersRecord(voters)]
    const bytes = controlBatch(records, { baseOffset: 0, epoch: 0, timestampMs: 0 })
    for (const node of this.nodes) node.disk.snapshots.push({ id: { offset: 0, epoch: 0 }, bytes })
  }

  start(node: SimulatedNode): void {
    const { log, history } = node.disk.loadState()
    node.life++
    node.raft = new Raft(this.#optionsOf(node), log, history, ({ offset, epoch }) => {
      return node.disk.snapshots.find(({ id }) => id.offset === offset && id.epoch === epoch)?.bytes.length
    })
    this.trace.push(`${this.nowMs} start ${node.id}`)
    node.raft.start(node.disk.election, this.nowMs)
    this.#carryOut(node)
  }

  #optionsOf(node: SimulatedNode): RaftOptions {
    return {
      ...VOTER,
      self: { id: node.id, directoryId: node.directoryId },
      endpoints: node.asVoter.endpoints,
      bootstrapPeers: this.nodes.map(({ id }) => ({ id: -1 - id, host: `host-${id}`, port: 9000 + id })),
      fetchMaxBytes: 1024,
      fetchSnapshotMaxBytes: 100,
      random: this.random,
      wallMs: () => this.nowMs,
    }
  }

  /** Takes with it what was not written yet. */
  crash(node: SimulatedNode): void {
    this.trace.push(`${this.nowMs} crash ${node.id}`)
    node.raft = undefined
    node.life++
    node.replies.clear()
    node.incoming.clear()
  }

  get leader(): SimulatedNode | undefined {
    const leaders = this.nodes.filter(({ raft }) => raft?.role === 'leader')
    return leaders.sort((a, b) => b.raft!.epoch - a.raft!.epoch)[0]
  }

  /** Hands a record to a node that believes that it leads. Answers whether it took it. */
  propose(node: SimulatedNode, value: string): boolean {
    const { raft } = node
    if (raft?.role !== 'leader') return false
    const place = { baseOffset: raft.log.endOffset, epoch: raft.epoch, timestampMs: this.nowMs }
    raft.propose(dataBatch([Buffer.from(value)], place), 1)
    this.#carryOut(node)
    return true
  }

  /** Asks a node for a change of voters; the answer goes to the trace. */
  changeVoters(node: SimulatedNode, type: 'addVoter' | 'removeVoter', changed: SimulatedNode): void {
    const voter = { id: changed.id, directoryId: changed.directoryId }
    const { endpoints } = changed.asVoter
    const token = this.#newToken(node, (response) => {
      this.trace.push(
        `${this.nowMs} ${type} ${changed.id}: ${response && 'error' in response ? response.error.name : '-'}`,
      )
    })
    const request =
      type === 'addVoter'
        ? { type, clusterId: null, voter, endpoints, ackWhenCommitted: true }
        : { type, clusterId: null, voter }
    node.raft?.receive(token, request, this.nowMs)
    this.#carryOut(node)
  }

  /** The committed state as a snapshot; the log before it goes. */
  snapshot(node: SimulatedNode): void {
    const { raft, disk } = node
    if (raft === undefined || raft.highWatermark <= disk.startOffset) return
    const kept = disk.batches.filter(({ baseOffset }) => baseOffset >= raft.highWatermark)
    const last = disk.batches.filter(({ nextOffset }) => nextOffset <= raft.highWatermark).at(-1)
    if (last?.nextOffset !== raft.highWatermark) return
    const id = { offset: last.nextOffset, epoch: last.epoch }
    const records = [versionRecord(1), votersRecord(raft.history.votersAt(id.offset - 1))]
    const bytes = controlBatch(records, { baseOffset: 0, epoch: id.epoch, timestampMs: 0 })
    disk.snapshots = [{ id, bytes }]
    disk.batches = kept
    disk.startOffset = id.offset
    raft.log.addSnapshot(id)
    raft.log.cleaned(id.offset, [id])
    raft.history.forgetBefore(id.offset)
    this.trace.push(`${this.nowMs} snapshot ${node.id} ${id.offset}`)
  }

  after(delayMs: number, run: () => void): void {
    this.#events.push({ atMs: this.nowMs + delayMs, order: this.#order++, run })
  }

  run(untilMs: number): void {
    for (;;) {
      const tickAtMs = Math.max(this.nowMs, Math.min(...this.nodes.map(({ raft }) => raft?.nextTickMs ?? Infinity)))
      this.#events.sort((a, b) => a.atMs - b.atMs || a.order - b.order)
      const event = this.#events[0]
      const atMs = Math.min(event?.atMs ?? Infinity, tickAtMs)
      if (atMs > untilMs) break
      this.nowMs = atMs
      if (event !== undefined && event.atMs <= tickAtMs) {
        this.#events.shift()
        event.run()
      } else this.#tickDue()
      this.#check()
    }
    this.nowMs = untilMs
  }

  #tickDue(): void {
    for (const node of this.nodes) {
      if (node.raft === undefined || node.raft.nextTickMs > this.nowMs) continue
      node.raft.tick(this.nowMs)
      this.#carryOut(node)
      // Whatever was due is done now: else time would stand still.
      if (node.raft.nextTickMs <= this.nowMs) throw new Error(`node ${node.id} is due for ever as ${node.raft.role}`)
    }
  }

  #newToken(node: SimulatedNode, reply: Reply): number {
    const token = ++this.#token
    node.replies.set(token, reply)
    return token
  }

  #carryOut(node: SimulatedNode): void {
    for (;;) {
      const effects = node.raft?.takeEffects() ?? []
      if (effects.length === 0) return
      for (const effect of effects) this.#carryOutOne(node, effect)
    }
  }

  #carryOutOne(node: SimulatedNode, effect: Effect): void {
    const { disk } = node
    switch (effect.type) {
      case 'election':
        this.#checkVote(node, effect.election)
        disk.election = effect.election
        break
      case 'append':
        this.#write(node, effect.batches, effect.nextOffset)
        break
      case 'truncate':
        disk.batches = disk.batches.filter(({ nextOffset }) => nextOffset <= effect.toOffset)
        break
      case 'snapshotBytes': {
        if (!node.raft!.isFetching(effect.snapshot)) break
        const incoming = node.incoming.get(effect.snapshot.offset) ?? { snapshot: effect.snapshot, bytes: [] }
        if (effect.positionBytes === 0) incoming.bytes = []
        incoming.bytes.push(effect.bytes)
        node.incoming.set(effect.snapshot.offset, incoming)
        if (this.random(20) === 0) node.raft!.snapshotFailed(this.nowMs)
        else if (effect.isLast) node.raft!.snapshotWritten(this.nowMs)
        break
      }
      case 'restart': {
        const bytes = Buffer.concat(node.incoming.get(effect.snapshot.offset)!.bytes)
        disk.snapshots = [{ id: effect.snapshot, bytes }]
        disk.batches = []
        disk.startOffset = effect.snapshot.offset
        node.raft!.snapshotControls(new BatchView(bytes), effect.snapshot)
        break
      }
      case 'send':
        this.#send(node, effect)
        break
      case 'reply': {
        const reply = node.replies.get(effect.token)
        node.replies.delete(effect.token)
        reply?.(this.#filled(node, effect.response))
        break
      }
      case 'commit':
        this.#commit(node, effect.highWatermark)
        break
      case 'leader':
        this.trace.push(`${this.nowMs} ${node.id}: leader of ${effect.epoch} is ${effect.leaderId}`)
    }
  }

  #write(node: SimulatedNode, bytes: Buffer, nextOffset: number): void {
    const { life } = node
    node.writtenAtMs = Math.max(node.writtenAtMs, this.nowMs + this.random(this.faults.maxWriteMs + 1))
    this.after(node.writtenAtMs - this.nowMs, () => {
      if (node.life !== life) return
      for (let at = 0; at < bytes.length; ) {
        const view = new BatchView(bytes, at)
        const { baseOffset, nextOffset: next, partitionLeaderEpoch: epoch, end } = view
        if (baseOffset !== node.disk.endOffset) throw new Error(`node ${node.id} writes ${baseOffset} out of order`)
        node.disk.batches.push({ baseOffset, nextOffset: next, epoch, bytes: bytes.subarray(at, end) })
        at = end
      }
      node.raft!.logWritten(nextOffset, this.nowMs)
      this.#carryOut(node)
    })
  }

  #filled(node: SimulatedNode, response: RaftResponse): RaftResponse {
    if (response.type === 'fetch' && response.read !== undefined) {
      const { offset, upTo, maxBytes } = response.read
      const chosen: Buffer[] = []
      let sizeBytes = 0
      for (const { baseOffset, nextOffset, bytes } of node.disk.batches) {
        if (baseOffset < offset) continue
        if (nextOffset > upTo || (chosen.length > 0 && sizeBytes + bytes.length > maxBytes)) break
        chosen.push(bytes)
        sizeBytes += bytes.length
      }
      return { ...response, records: Buffer.concat(chosen) }
    }
    if (response.type === 'fetchSnapshot' && response.read !== undefined) {
      const { positionBytes, maxBytes } = response.read
      const file = node.disk.snapshots.find(({ id }) => id.offset === response.snapshot.offset)!
      return { ...response, bytes: file.bytes.subarray(positionBytes, positionBytes + maxBytes) }
    }
    return response
  }

  #nodeAt({ port }: Peer): SimulatedNode {
    return this.nodes[port - 9001]!
  }

  #isLost(from: SimulatedNode, to: SimulatedNode): boolean {
    return this.cut.has(`${from.id} ${to.id}`) || this.random(100) < this.faults.lossPercent
  }

  #send(from: SimulatedNode, effect: Extract<Effect, { type: 'send' }>): void {
    const to = this.#nodeAt(effect.peer)
    const { life } = from
    const answer = (response: RaftResponse | undefined): void => {
      if (this.#isLost(to, from)) return
      this.after(this.random(this.faults.maxDelayMs + 1), () => {
        if (from.life !== life) return
        from.raft!.answered(effect.requestId, response, this.nowMs)
        this.#carryOut(from)
      })
    }
    if (this.#isLost(from, to)) return
    this.after(this.random(this.faults.maxDelayMs + 1), () => {
      if (to.raft === undefined) {
        answer(undefined)
        return
      }
      const token = this.#newToken(to, answer)
      to.raft.receive(token, effect.request, this.nowMs)
      this.#carryOut(to)
    })
  }

  /** One vote an epoch, and it is on the disk before anybody hears of it. */
  #checkVote(node: SimulatedNode, { epoch, voted }: Election): void {
    const before = node.disk.election
    if (before !== undefined && epoch < before.epoch) throw new Error(`node ${node.id} goes back to epoch ${epoch}`)
    if (voted === undefined) return
    const name = `${node.id} ${epoch}`
    const earlier = this.#votes.get(name)
    if (earlier !== undefined && earlier !== voted.id) throw new Error(`node ${node.id} votes twice in epoch ${epoch}`)
    this.#votes.set(name, voted.id)
  }

  /** What is committed is the same everywhere, for ever. */
  #commit(node: SimulatedNode, highWatermark: number): void {
    if (highWatermark > node.disk.endOffset) throw new Error(`node ${node.id} has not written what is committed`)
    for (const batch of node.disk.batches) {
      if (batch.nextOffset > highWatermark) break
      const known = this.committed.get(batch.baseOffset)
      const line = lineOf(batch)
      if (known !== undefined && known !== line) {
        throw new Error(`node ${node.id}: two batches are committed at offset ${batch.baseOffset}`)
      }
      this.committed.set(batch.baseOffset, line)
    }
    if (highWatermark > this.committedEnd) this.committedEnd = highWatermark
  }

  #check(): void {
    for (const { id, raft, disk } of this.nodes) {
      if (raft === undefined) continue
      if (raft.role === 'leader') {
        const known = this.#leaders.get(raft.epoch)
        if (known !== undefined && known !== id) throw new Error(`${known} and ${id} lead epoch ${raft.epoch}`)
        this.#leaders.set(raft.epoch, id)
      }
      if (raft.log.durableOffset !== disk.endOffset) throw new Error(`node ${id} is wrong about what is written`)
    }
  }
}
