import { errors } from '../../../protocol/errors.ts'
import type { BatchView } from '../../../protocol/records/batch.ts'
import type { SnapshotId } from '../types.ts'
import { replayControls } from './control-records.ts'
import {
  announceLeadership,
  announceResignation,
  askForVotes,
  handleLeadership,
  onBeginQuorumEpochRequest,
  onEndQuorumEpochRequest,
  onVoteRequest,
  onVoteResponse,
} from './elections.ts'
import type { Progress } from './leader-state.ts'
import type { LogState } from './log-state.ts'
import { RaftNode } from './node.ts'
import {
  commitAsFollower,
  fetchFromAnybody,
  fetchFromBest,
  finishSnapshot,
  onFetchRequest,
  onFetchResponse,
  onFetchSnapshotRequest,
  onFetchSnapshotResponse,
} from './replication.ts'
import type { Follower, Leader } from './roles.ts'
import type {
  Effect,
  Election,
  FetchRequest,
  FetchResponse,
  RaftOptions,
  RaftRequest,
  RaftResponse,
  Token,
} from './types.ts'
import {
  finishChange,
  finishCommittedChange,
  joinVoters,
  onAddVoterRequest,
  onRemoveVoterRequest,
  onUpdateVoterRequest,
  onUpdateVoterResponse,
  onVersionsResponse,
  onVoterChangeResponse,
  UNANSWERED_VERSIONS,
  updateSelf,
} from './voter-changes.ts'
import type { VoterHistory } from './voters.ts'

interface WaitingFetch {
  readonly token: Token
  readonly request: FetchRequest
  readonly untilMs: number
  /** What was committed when it came. */
  readonly highWatermark: number
}

/** What a leader says of its quorum (DescribeQuorum). */
export interface QuorumDescription {
  readonly leaderId: number
  readonly epoch: number
  readonly highWatermark: number
  readonly voters: readonly Progress[]
  readonly observers: readonly Progress[]
}

/**
 * One node of a KRaft quorum, without any I/O: messages, written offsets and the time come in, and `takeEffects` says what
 * is to be done. Replicas pull (KIP-595): a leader learns what its followers have from their fetches. All times are of one
 * clock that never goes back, in milliseconds.
 */
export class Raft {
  readonly #node: RaftNode
  readonly #sizeOf: (snapshot: SnapshotId) => number | undefined
  #waiting: WaitingFetch[] = []

  /** `snapshotSizeOf`: in bytes; undefined where there is no such snapshot. */
  constructor(
    options: RaftOptions,
    log: LogState,
    history: VoterHistory,
    snapshotSizeOf: (snapshot: SnapshotId) => number | undefined,
  ) {
    this.#node = new RaftNode(options, log, history)
    this.#sizeOf = snapshotSizeOf
    this.#node.onLeadershipLost = () => this.#loseLeadership()
  }

  get role(): string {
    return this.#node.role.name
  }

  get epoch(): number {
    return this.#node.epoch
  }

  /** -1 for unknown. */
  get leaderId(): number {
    return this.#node.role.name === 'resigned' ? -1 : this.#node.leaderId
  }

  get leaderEndpoints(): RaftNode['leaderEndpoints'] {
    return this.#node.leaderEndpoints
  }

  /** One past what is known to be committed; -1 for unknown. */
  get highWatermark(): number {
    return this.#node.highWatermark
  }

  get log(): LogState {
    return this.#node.log
  }

  get history(): VoterHistory {
    return this.#node.history
  }

  /** Where the leader's epoch begins in its log; undefined for anybody else. */
  get epochStartOffset(): number | undefined {
    return this.#node.leaderState?.epochStartOffset
  }

  /** What there is to do since the last call; to do it may add to it. */
  takeEffects(): Effect[] {
    const { effects } = this.#node
    this.#node.effects = []
    return effects
  }

  start(saved: Election | undefined, nowMs: number): void {
    this.#node.start(saved, nowMs)
    this.tick(nowMs)
  }

  /** A request has come in; the answer will be an effect, at once or later. */
  receive(token: Token, request: RaftRequest, nowMs: number): void {
    const response = this.#answer(token, request, nowMs)
    if (response !== undefined) this.#node.reply(token, response)
    this.tick(nowMs)
  }

  #answer(token: Token, request: RaftRequest, nowMs: number): RaftResponse | undefined {
    const node = this.#node
    switch (request.type) {
      case 'vote':
        return onVoteRequest(node, request, nowMs)
      case 'beginQuorumEpoch':
        return onBeginQuorumEpochRequest(node, request, nowMs)
      case 'endQuorumEpoch':
        return onEndQuorumEpochRequest(node, request, nowMs)
      case 'fetch':
        return this.#answerFetch(token, request, nowMs)
      case 'fetchSnapshot':
        return onFetchSnapshotRequest(node, request, this.#sizeOf, nowMs)
      case 'addVoter':
        return onAddVoterRequest(node, token, request, nowMs)
      case 'removeVoter':
        return onRemoveVoterRequest(node, token, request, nowMs)
      case 'updateVoter':
        return onUpdateVoterRequest(node, request, nowMs)
      case 'versions':
        return { type: 'versions', error: errors.NONE, kraftVersions: node.options.kraftVersions }
    }
  }

  #answerFetch(token: Token, request: FetchRequest, nowMs: number): FetchResponse | undefined {
    const response = onFetchRequest(this.#node, request, nowMs, false)
    if (response === undefined) {
      const untilMs = nowMs + request.maxWaitMs
      this.#waiting.push({ token, request, untilMs, highWatermark: this.#node.highWatermark })
    }
    return response
  }

  /** The answer to a request that was sent; undefined where none came. */
  answered(requestId: number, response: RaftResponse | undefined, nowMs: number): void {
    const sent = this.#node.takeSent(requestId)
    if (sent === undefined) return
    // Whoever waits for the versions of a node that is to be a voter need not wait any longer.
    const answer = response ?? (sent.request.type === 'versions' ? UNANSWERED_VERSIONS : undefined)
    const isSound = answer?.type === sent.request.type && this.#take(sent.peer.id, answer, nowMs)
    if (isSound) this.#node.peers.succeeded(sent.peer, requestId)
    else this.#node.peers.failed(sent.peer, requestId, nowMs)
    this.tick(nowMs)
  }

  #take(peerId: number, response: RaftResponse, nowMs: number): boolean {
    const node = this.#node
    switch (response.type) {
      case 'vote':
        return onVoteResponse(node, peerId, response, nowMs)
      case 'beginQuorumEpoch':
        return handleLeadership(node, response, nowMs) ?? response.error === errors.NONE
      case 'endQuorumEpoch': {
        const handled = handleLeadership(node, response, nowMs)
        if (handled !== undefined || response.error !== errors.NONE) return handled ?? false
        if (node.role.name === 'resigned') node.role.unacknowledged.delete(peerId)
        return true
      }
      case 'fetch':
        return onFetchResponse(node, response, nowMs)
      case 'fetchSnapshot':
        return onFetchSnapshotResponse(node, response, nowMs)
      case 'updateVoter':
        return onUpdateVoterResponse(node, response, nowMs)
      case 'addVoter':
      case 'removeVoter':
        return onVoterChangeResponse(node, response, nowMs)
      case 'versions':
        return onVersionsResponse(node, peerId, response, nowMs)
    }
  }

  /** The log is on stable storage up to `endOffset`. */
  logWritten(endOffset: number, nowMs: number): void {
    this.#node.log.written(endOffset)
    const { role } = this.#node
    if (role.name === 'follower') commitAsFollower(this.#node, role)
    this.tick(nowMs)
  }

  /**
   * An append, and all after it, could not be written; the log ends at `log.durableOffset` again. A leader gives up where
   * another can lead, and where it was its first record: it could never know what is committed.
   */
  writeFailed(nowMs: number): void {
    const node = this.#node
    node.dropUnwritten()
    if (node.role.name === 'leader') {
      const { state } = node.role
      const change = state.change?.lastOffset
      const result = { error: errors.UNKNOWN_SERVER_ERROR, message: 'the metadata log cannot be written' }
      if (change !== undefined && change >= node.log.endOffset) finishChange(node, state, result)
      if (!node.isOnlyVoter || node.log.endOffset <= state.epochStartOffset) node.becomeResigned(node.role, nowMs)
    } else node.fetchAgainAtMs = nowMs + node.options.fetchTimeoutMs / 2
    this.tick(nowMs)
  }

  /**
   * Appends a batch of `recordCount` records, made for `log.endOffset` and `epoch`. Answers the offset of the last;
   * undefined where this node does not lead, and nothing was appended.
   */
  propose(batch: Buffer, recordCount: number): number | undefined {
    return this.#node.role.name === 'leader' ? this.#node.append(batch, recordCount) : undefined
  }

  /** Raises kraft.version to 1, if the voters all support it. Answers whether it did, or had been done before; or would. */
  upgradeKraftVersion(isTrial = false): boolean {
    const node = this.#node
    const voters = node.leaderState?.volatileVoters
    if (node.history.kraftVersion >= 1) return true
    if (voters === undefined) return false
    return node.upgrade(voters, isTrial)
  }

  /** Whether the snapshot is still wanted of which pieces are to be written. */
  isFetching({ offset, epoch }: SnapshotId): boolean {
    const { role } = this.#node
    const id = role.name === 'follower' ? role.snapshot?.id : undefined
    return id?.offset === offset && id.epoch === epoch
  }

  /** All of the snapshot that is being fetched is on stable storage. */
  snapshotWritten(nowMs: number): void {
    const { role } = this.#node
    if (role.name === 'follower') finishSnapshot(this.#node, role)
    this.tick(nowMs)
  }

  /** A piece of the snapshot that is being fetched could not be written, and nothing is left of it. */
  snapshotFailed(nowMs: number): void {
    const node = this.#node
    if (node.role.name === 'follower') node.role.snapshot = undefined
    node.fetchAgainAtMs = nowMs + node.options.fetchTimeoutMs / 2
    this.tick(nowMs)
  }

  /** A snapshot that was fetched has been read: this control batch is in it. */
  snapshotControls(batch: BatchView, snapshot: SnapshotId): void {
    replayControls(batch, this.#node.history, snapshot.offset - 1)
  }

  /** Gives the leadership up, if this node has it. */
  resign(nowMs: number): void {
    if (this.#node.role.name === 'leader') this.#node.becomeResigned(this.#node.role, nowMs)
    this.tick(nowMs)
  }

  /** From here on this node only helps others to go on without it. */
  stop(nowMs: number): void {
    this.#node.isStopping = true
    this.resign(nowMs)
  }

  /** Whether some voter may not know yet that this node leads no longer. */
  get isHandingOver(): boolean {
    const { role } = this.#node
    return role.name === 'resigned' && role.unacknowledged.size > 0
  }

  describe(nowMs: number): QuorumDescription | undefined {
    const state = this.#node.leaderState
    if (state === undefined) return undefined
    const { epoch, leaderId } = this.#node
    const { highWatermark, voters } = state
    return { leaderId, epoch, highWatermark, voters, observers: state.observers(nowMs) }
  }

  #loseLeadership(): void {
    const state = this.#node.leaderState
    if (state !== undefined) finishChange(this.#node, state, { error: errors.NOT_LEADER_OR_FOLLOWER, message: null })
  }

  /** Does what is due. To be called at `nextTickMs` at the latest. */
  tick(nowMs: number): void {
    const node = this.#node
    if (node.fetchAgainAtMs !== undefined && nowMs >= node.fetchAgainAtMs) node.fetchAgainAtMs = undefined
    for (let before: RaftNode['role'] | undefined; before !== node.role; ) {
      before = node.role
      this.#poll(nowMs)
    }
    this.#answerWaiting(nowMs)
    node.peers.expire(nowMs)
  }

  #poll(nowMs: number): void {
    const node = this.#node
    const { role } = node
    if (role.name === 'leader') this.#pollLeader(role, nowMs)
    else if (role.name === 'follower') this.#pollFollower(role, nowMs)
    else if (role.name === 'resigned') {
      announceResignation(node, nowMs)
      if (!node.isStopping && nowMs >= role.electionAtMs) node.becomeUnattached(node.epoch + 1, -1, nowMs)
    } else if (role.name === 'unattached') {
      if (node.isVoter && !node.isStopping && nowMs >= role.electionAtMs) node.becomeProspective(nowMs)
      else fetchFromAnybody(node, nowMs)
    } else if (node.isStopping || nowMs < role.electionAtMs) askForVotes(node, nowMs)
    else if (role.name === 'candidate') node.becomeProspective(nowMs)
    else node.endProspective(nowMs)
  }

  #pollLeader(role: Leader, nowMs: number): void {
    const node = this.#node
    const { state } = role
    if (state.updateSelf(node.log.durableOffset, node.voters)) node.commit(state.highWatermark)
    finishCommittedChange(node, state)
    // It led until those who do without it were committed.
    if (!node.isVoter || nowMs >= state.checkQuorumAtMs) {
      node.becomeResigned(role, nowMs)
      return
    }
    const { change } = state
    if (change !== undefined && nowMs >= change.deadlineMs) {
      finishChange(node, state, { error: errors.REQUEST_TIMED_OUT, message: null })
    }
    announceLeadership(node, nowMs)
  }

  #pollFollower(role: Follower, nowMs: number): void {
    const node = this.#node
    if (node.isStopping) return
    if (node.isVoter && nowMs >= role.fetchUntilMs) node.becomeProspective(nowMs)
    else if (node.isVoter ? !updateSelf(node, role, nowMs) : !joinVoters(node, role, nowMs)) {
      fetchFromBest(node, role, nowMs)
    }
  }

  /** Fetches that wait are answered when there is more, or more is committed, or their time is over. */
  #answerWaiting(nowMs: number): void {
    const { log, highWatermark, role } = this.#node
    const isDue = (fetch: WaitingFetch): boolean => {
      const hasRecords = log.durableOffset > fetch.request.fetchOffset
      return role.name !== 'leader' || hasRecords || highWatermark > fetch.highWatermark || nowMs >= fetch.untilMs
    }
    const due = this.#waiting.filter(isDue)
    if (due.length === 0) return
    this.#waiting = this.#waiting.filter((fetch) => !due.includes(fetch))
    for (const { token, request } of due) {
      const response = onFetchRequest(this.#node, request, nowMs, true)
      if (response !== undefined) this.#node.reply(token, response)
    }
  }

  /** When `tick` has something to do if nothing else happens before; Infinity for never. */
  get nextTickMs(): number {
    const next = Math.min(
      this.#deadlineMs(),
      this.#node.peers.nextMs(),
      this.#node.fetchAgainAtMs ?? Number.POSITIVE_INFINITY,
    )
    return this.#waiting.reduce((at, { untilMs }) => Math.min(at, untilMs), next)
  }

  #deadlineMs(): number {
    const node = this.#node
    const { role, isVoter, isStopping } = node
    if (role.name === 'leader') {
      const { checkQuorumAtMs, beginEpochAtMs, change } = role.state
      return Math.min(checkQuorumAtMs, beginEpochAtMs, change?.deadlineMs ?? Number.POSITIVE_INFINITY)
    }
    if (isStopping) return Number.POSITIVE_INFINITY
    if (role.name === 'follower') return isVoter ? role.fetchUntilMs : Number.POSITIVE_INFINITY
    return isVoter || role.name === 'resigned' ? role.electionAtMs : Number.POSITIVE_INFINITY
  }
}
