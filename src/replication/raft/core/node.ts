import { errors, type KafkaError } from '../../../protocol/errors.ts'
import { BatchView } from '../../../protocol/records/batch.ts'
import { ZERO_UUID } from '../../../protocol/uuid.ts'
import { type ControlRecord, controlBatch } from '../batches.ts'
import type { VoterEndpoint } from '../types.ts'
import { leaderChangeRecord, replayControls, versionRecord, votersRecord } from './control-records.ts'
import { LeaderState } from './leader-state.ts'
import type { LogState } from './log-state.ts'
import { Peers } from './peers.ts'
import type { Follower, Leader, Nominee, Role } from './roles.ts'
import {
  type Effect,
  type Election,
  isSameReplica,
  type Leadership,
  type Peer,
  type RaftOptions,
  type RaftRequest,
  type RaftResponse,
  type ReplicaKey,
  type Token,
  type VoterNode,
} from './types.ts'
import type { VoterHistory, VoterSet } from './voters.ts'
import { Votes } from './votes.ts'

/** Something that cannot be if every node of the quorum keeps to the protocol: to go on could lose what is committed. */
export class RaftInvariantError extends Error {
  override readonly name = 'RaftInvariantError'
}

/** The state of one node of the quorum and the ways it changes; what is to be done about it collects in `effects`. */
export class RaftNode {
  readonly options: RaftOptions
  readonly log: LogState
  readonly history: VoterHistory
  readonly peers: Peers
  epoch = 0
  leaderId = -1
  leaderEndpoints: readonly VoterEndpoint[] = []
  voted: ReplicaKey | undefined
  role: Role = { name: 'unattached', electionAtMs: Number.POSITIVE_INFINITY }
  /** One past what is known to be committed; never goes back. */
  highWatermark = -1
  isStopping = false
  /** Nothing is fetched until then: what was fetched last could not be written. */
  fetchAgainAtMs: number | undefined
  effects: Effect[] = []
  /** Requests that were sent, by id. */
  readonly #sent = new Map<number, { readonly peer: Peer; readonly request: RaftRequest }>()
  /** Called when this node stops being the leader, before it becomes something else. */
  onLeadershipLost: () => void = () => {}

  constructor(options: RaftOptions, log: LogState, history: VoterHistory) {
    this.options = options
    this.log = log
    this.history = history
    this.peers = new Peers(options)
  }

  get self(): ReplicaKey {
    return this.options.self
  }

  get voters(): VoterSet {
    return this.history.voters
  }

  /**
   * Whether this node stands for elections. One that is no voter by its own log does so until that is committed: its log may
   * be the only one that is long enough (section 4.2.2 of Ongaro's thesis on Raft). Apache Kafka's waits for ever then.
   */
  get isVoter(): boolean {
    if (!this.options.canVote) return false
    if (this.voters.has(this.self)) return true
    const { votersOffset, previousVoters } = this.history
    return votersOffset !== undefined && votersOffset >= this.highWatermark && previousVoters.has(this.self)
  }

  get isOnlyVoter(): boolean {
    return this.options.canVote && this.voters.isOnly(this.self)
  }

  get leadership(): Leadership {
    return { epoch: this.epoch, leaderId: this.leaderId, leaderEndpoints: this.leaderEndpoints }
  }

  /** This node as a voter. */
  get selfAsVoter(): VoterNode {
    const { endpoints, kraftVersions } = this.options
    return { ...this.self, endpoints, kraftVersions }
  }

  get leaderState(): LeaderState | undefined {
    return this.role.name === 'leader' ? this.role.state : undefined
  }

  reply(token: Token, response: RaftResponse): void {
    this.effects.push({ type: 'reply', token, response })
  }

  /** Sends unless the peer has a request under way or is backing off; answers whether it did. */
  send(peer: Peer, request: RaftRequest, nowMs: number): boolean {
    if (!this.peers.isReady(peer, nowMs)) return false
    const requestId = this.peers.sent(peer, nowMs)
    // What was sent to this peer before is lost, or nobody waits for it.
    for (const [id, sent] of this.#sent) if (sent.peer.id === peer.id) this.#sent.delete(id)
    this.#sent.set(requestId, { peer, request })
    this.effects.push({ type: 'send', requestId, peer, request })
    return true
  }

  /** The request that an answer belongs to; undefined where nobody waits for it any more. */
  takeSent(requestId: number): { readonly peer: Peer; readonly request: RaftRequest } | undefined {
    const sent = this.#sent.get(requestId)
    this.#sent.delete(requestId)
    return sent !== undefined && this.peers.isExpected(sent.peer, requestId) ? sent : undefined
  }

  /** Where the leader is reached; undefined where it is not known. */
  leaderPeer(): Peer | undefined {
    const { listenerName } = this.options
    const endpoint = this.leaderEndpoints.find(({ name }) => name === listenerName)
    return endpoint && { id: this.leaderId, host: endpoint.host, port: endpoint.port }
  }

  endpointsOf(nodeId: number): readonly VoterEndpoint[] {
    return this.voters.get(nodeId)?.endpoints ?? []
  }

  #electionTimeoutMs(): number {
    const { electionTimeoutMs, random } = this.options
    return electionTimeoutMs + random(electionTimeoutMs)
  }

  #persist(): void {
    const { epoch, leaderId, voted } = this
    this.effects.push({ type: 'election', election: { epoch, leaderId, voted } })
  }

  /** `isDurable`: the change is of what must outlive a crash. */
  #become(role: Role, leaderId: number, endpoints: readonly VoterEndpoint[], isDurable: boolean): void {
    if (this.role.name === 'leader') this.onLeadershipLost()
    const isNews = leaderId !== this.leaderId || role.name === 'leader' || role.name === 'resigned'
    this.role = role
    this.leaderId = leaderId
    this.leaderEndpoints = endpoints
    if (isDurable) this.#persist()
    if (isNews) this.#announce()
    this.peers.forgetAll()
  }

  #announce(): void {
    const leaderId = this.role.name === 'resigned' ? -1 : this.leaderId
    this.effects.push({ type: 'leader', epoch: this.epoch, leaderId })
  }

  /** Takes up where the saved election left off. */
  start(saved: Election | undefined, nowMs: number): void {
    const { epoch, leaderId, voted } = saved ?? { epoch: 0, leaderId: -1, voted: undefined }
    this.epoch = Math.max(epoch, this.log.lastEpoch)
    const electionAtMs = nowMs + this.#electionTimeoutMs()
    if (epoch < this.log.lastEpoch) {
      this.#become({ name: 'unattached', electionAtMs }, -1, [], true)
    } else {
      this.voted = voted
      if (leaderId === this.self.id) {
        const unacknowledged = new Set(this.voters.ids.filter((id) => id !== this.self.id))
        this.#become(
          { name: 'resigned', electionAtMs, unacknowledged, successors: [] },
          this.self.id,
          this.options.endpoints,
          true,
        )
      } else if (voted !== undefined && isSameReplica(voted, this.self) && this.isVoter) {
        const votes = new Votes(this.voters, this.self.id)
        this.#become({ name: 'candidate', votes, electionAtMs }, -1, [], true)
      } else if (leaderId >= 0 && this.endpointsOf(leaderId).length > 0) {
        this.#become(this.#newFollower(nowMs), leaderId, this.endpointsOf(leaderId), true)
      } else this.#become({ name: 'unattached', electionAtMs }, leaderId, [], true)
    }
    this.#persist()
    if (this.role.name === 'candidate') this.#leadIfElected(this.role, nowMs)
    else if (this.isOnlyVoter) this.becomeProspective(nowMs)
  }

  /** The epoch is a higher one, or this is the end of an election that was lost. */
  becomeUnattached(epoch: number, leaderId: number, nowMs: number): void {
    const { role } = this
    const isRunning =
      role.name === 'unattached' ||
      role.name === 'candidate' ||
      role.name === 'resigned' ||
      (role.name === 'prospective' && !role.votes.isLost)
    // Whoever waits for an election goes on waiting: others could put it off for ever.
    const electionAtMs = isRunning ? role.electionAtMs : nowMs + this.#electionTimeoutMs()
    if (epoch !== this.epoch) this.voted = undefined
    this.epoch = epoch
    this.#become({ name: 'unattached', electionAtMs }, leaderId, [], true)
  }

  /** Votes for another in this epoch, in which this node has not voted. */
  vote(candidate: ReplicaKey, nowMs: number): void {
    this.voted = candidate
    const electionAtMs = nowMs + this.#electionTimeoutMs()
    this.role =
      this.role.name === 'prospective'
        ? { ...this.role, votes: new Votes(this.voters, this.self.id), electionAtMs }
        : { name: 'unattached', electionAtMs }
    this.#persist()
  }

  becomeProspective(nowMs: number): void {
    const role: Nominee = {
      name: 'prospective',
      votes: new Votes(this.voters, this.self.id),
      electionAtMs: nowMs + this.#electionTimeoutMs(),
    }
    // Its own leadership, once given up, is no reason to follow itself.
    const leaderId = this.leaderId === this.self.id ? -1 : this.leaderId
    this.#become(role, leaderId, leaderId < 0 ? [] : this.leaderEndpoints, false)
    if (role.votes.isWon) this.becomeCandidate(nowMs)
  }

  becomeCandidate(nowMs: number): void {
    this.epoch++
    this.voted = this.self
    const role: Nominee = {
      name: 'candidate',
      votes: new Votes(this.voters, this.self.id),
      electionAtMs: nowMs + this.#electionTimeoutMs(),
    }
    this.#become(role, -1, [], true)
    this.#leadIfElected(role, nowMs)
  }

  /** A vote has come in. */
  advance(nominee: Nominee, nowMs: number): void {
    if (nominee.name === 'candidate') this.#leadIfElected(nominee, nowMs)
    else if (nominee.votes.isWon) this.becomeCandidate(nowMs)
    else if (nominee.votes.isLost) this.endProspective(nowMs)
  }

  /** Nobody would vote for this node: back to what it was. */
  endProspective(nowMs: number): void {
    const { leaderId, leaderEndpoints } = this
    if (leaderId >= 0 && leaderEndpoints.length > 0) this.becomeFollower(this.epoch, leaderId, leaderEndpoints, nowMs)
    else this.becomeUnattached(this.epoch, leaderId, nowMs)
  }

  becomeFollower(epoch: number, leaderId: number, endpoints: readonly VoterEndpoint[], nowMs: number): void {
    if (epoch !== this.epoch) this.voted = undefined
    this.epoch = epoch
    this.#become(this.#newFollower(nowMs), leaderId, endpoints, true)
  }

  #newFollower(nowMs: number): Follower {
    const { fetchTimeoutMs } = this.options
    return {
      name: 'follower',
      fetchUntilMs: nowMs + fetchTimeoutMs,
      hasFetched: false,
      leaderHighWatermark: -1,
      snapshot: undefined,
      updateVoterAtMs: nowMs + fetchTimeoutMs,
      hasUpdatedLeader: false,
    }
  }

  #leadIfElected({ votes }: Nominee, nowMs: number): void {
    if (!votes.isWon) return
    const { voters, self } = this
    const state = new LeaderState({
      self,
      voters,
      granting: votes.granting,
      epochStartOffset: this.log.endOffset,
      fetchTimeoutMs: this.options.fetchTimeoutMs,
      nowMs,
    })
    if (this.history.kraftVersion === 0) state.volatileVoters = voters.updated(this.selfAsVoter, true)
    this.voted = undefined
    this.#become({ name: 'leader', state }, self.id, this.options.endpoints, true)
    this.appendControls([leaderChangeRecord(self.id, voters.ids, votes.granting), ...this.#votersAtStart()])
  }

  /** The voters go into the log when only a format command has named them, and when this node is reached elsewhere now. */
  #votersAtStart(): ControlRecord[] {
    const { history, voters } = this
    if (history.kraftVersion === 0 || history.votersOffset === undefined) return []
    if (history.votersOffset >= 0 && !voters.isOutdated(this.selfAsVoter)) return []
    return [versionRecord(history.kraftVersion), votersRecord(voters.updated(this.selfAsVoter) ?? voters)]
  }

  /** Only a leader appends. Answers the offset of the last record. */
  appendControls(records: readonly ControlRecord[]): number {
    const place = { baseOffset: this.log.endOffset, epoch: this.epoch, timestampMs: this.options.wallMs() }
    const batch = controlBatch(records, place)
    replayControls(new BatchView(batch), this.history)
    return this.append(batch, records.length)
  }

  append(batches: Buffer, recordCount: number): number {
    const nextOffset = this.log.endOffset + recordCount
    this.log.append(this.epoch, nextOffset)
    this.effects.push({ type: 'append', batches, nextOffset, epoch: this.epoch })
    return nextOffset - 1
  }

  /**
   * kraft.version 1: from here on the voters are those in the log. Answers whether all of them support it; with `isTrial`,
   * nothing is done.
   */
  upgrade(voters: VoterSet, isTrial: boolean): boolean {
    const isSupported = voters.nodes.every(({ directoryId, kraftVersions: { min, max } }) => {
      return directoryId !== ZERO_UUID && min <= 1 && max >= 1
    })
    if (isSupported && !isTrial) this.appendControls([versionRecord(1), votersRecord(voters)])
    return isSupported
  }

  becomeResigned({ state }: Leader, nowMs: number): void {
    const unacknowledged = new Set(this.voters.ids.filter((id) => id !== this.self.id))
    const electionAtMs = nowMs + this.#electionTimeoutMs()
    const successors = state.successors()
    const role: Role = { name: 'resigned', electionAtMs, unacknowledged, successors }
    this.#become(role, this.self.id, this.options.endpoints, false)
  }

  /** What is below `offset` is committed. */
  commit(offset: number): void {
    if (offset <= this.highWatermark) return
    if (offset > this.log.endOffset) throw new RaftInvariantError(`offset ${offset} is committed but not in the log`)
    this.highWatermark = offset
    this.effects.push({ type: 'commit', highWatermark: offset })
  }

  /** What was appended and is not on stable storage will not be: nobody has seen it. */
  dropUnwritten(): void {
    const { durableOffset } = this.log
    this.log.truncate(durableOffset)
    this.history.truncateFrom(durableOffset)
  }

  /** Cuts the log off. Throws RaftInvariantError for what is committed. */
  truncate(toOffset: number): void {
    if (toOffset < this.highWatermark) {
      throw new RaftInvariantError(
        `the log is to be cut off at ${toOffset}, but is committed up to ${this.highWatermark}`,
      )
    }
    this.log.truncate(toOffset)
    this.history.truncateFrom(toOffset)
    this.effects.push({ type: 'truncate', toOffset })
  }

  /** What is wrong with a request that only voters of this node's epoch send; undefined for nothing. */
  voterError(senderId: number, epoch: number): KafkaError | undefined {
    if (epoch < this.epoch) return errors.FENCED_LEADER_EPOCH
    return senderId < 0 ? errors.INVALID_REQUEST : undefined
  }

  /** What is wrong with a request that only the leader of its epoch answers; undefined for nothing. */
  leaderError(epoch: number): KafkaError | undefined {
    if (epoch < this.epoch) return errors.FENCED_LEADER_EPOCH
    if (epoch > this.epoch) return errors.UNKNOWN_LEADER_EPOCH
    if (this.role.name !== 'leader') return errors.NOT_LEADER_OR_FOLLOWER
    return this.isStopping ? errors.BROKER_NOT_AVAILABLE : undefined
  }

  hasClusterId(clusterId: string | null): boolean {
    return clusterId === null || clusterId === this.options.clusterId
  }

  /** Whether the sender takes this node for the replica that it is. */
  isAddressed(voter: ReplicaKey | undefined): boolean {
    return voter === undefined || (voter.id === this.self.id && matchesDirectory(voter, this.self))
  }
}

function matchesDirectory(said: ReplicaKey, own: ReplicaKey): boolean {
  return said.directoryId === ZERO_UUID || said.directoryId === own.directoryId
}
