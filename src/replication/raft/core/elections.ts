import { errors, type KafkaError } from '../../../protocol/errors.ts'
import type { RaftNode } from './node.ts'
import type { Follower } from './roles.ts'
import {
  type BeginQuorumEpochRequest,
  compareEnds,
  type EndQuorumEpochRequest,
  type Leadership,
  matchesReplica,
  type QuorumEpochResponse,
  type ReplicaKey,
  type VoteRequest,
  type VoteResponse,
} from './types.ts'

/** What is said to a node of another cluster. */
export const OTHER_CLUSTER = {
  error: errors.INCONSISTENT_CLUSTER_ID,
  isTopLevel: true,
  epoch: -1,
  leaderId: -1,
  leaderEndpoints: [],
} as const

/** Vote: whether the sender may lead the epoch. */
export function onVoteRequest(node: RaftNode, request: VoteRequest, nowMs: number): VoteResponse {
  const { epoch, candidate, lastEpoch, lastOffset, isPreVote } = request
  if (!node.hasClusterId(request.clusterId)) return { type: 'vote', isGranted: false, ...OTHER_CLUSTER }
  // A candidate has begun a new epoch, in which nothing is written yet.
  const isIllegalEpoch = isPreVote ? lastEpoch > epoch : lastEpoch >= epoch
  const isIllegal = lastOffset < 0 || lastEpoch < 0 || isIllegalEpoch || candidate.id === node.self.id
  const error = isIllegal ? errors.INVALID_REQUEST : node.voterError(candidate.id, epoch)
  if (error !== undefined) return answerVote(node, error)
  if (epoch > node.epoch) node.becomeUnattached(epoch, -1, nowMs)
  if (!node.isAddressed(request.voter)) return answerVote(node, errors.INVALID_VOTER_KEY)
  const isUpToDate = compareEnds({ offset: lastOffset, epoch: lastEpoch }, node.log.end) >= 0
  const isGranted = isPreVote ? grantsPreVote(node, isUpToDate) : grantsVote(node, candidate, isUpToDate)
  if (isGranted && !isPreVote && node.voted === undefined) node.vote(candidate, nowMs)
  return answerVote(node, errors.NONE, isGranted)
}

function answerVote(node: RaftNode, error: KafkaError, isGranted = false): VoteResponse {
  return { type: 'vote', error, isGranted, ...node.leadership }
}

/** Whoever hears of its leader does not help to depose it. */
function grantsPreVote({ role }: RaftNode, isUpToDate: boolean): boolean {
  if (role.name === 'leader' || (role.name === 'follower' && role.hasFetched)) return false
  return isUpToDate
}

function grantsVote({ role, voted, leaderId }: RaftNode, candidate: ReplicaKey, isUpToDate: boolean): boolean {
  if (role.name !== 'unattached' && role.name !== 'prospective') return false
  if (voted !== undefined) return matchesReplica(voted, candidate)
  return leaderId < 0 && isUpToDate
}

/** BeginQuorumEpoch: the sender leads the epoch. */
export function onBeginQuorumEpochRequest(
  node: RaftNode,
  request: BeginQuorumEpochRequest,
  nowMs: number,
): QuorumEpochResponse {
  const type = 'beginQuorumEpoch'
  if (!node.hasClusterId(request.clusterId)) return { type, ...OTHER_CLUSTER }
  const error = node.voterError(request.leaderId, request.epoch) ?? followSender(node, request, nowMs)
  if (error !== undefined) return { type, error, ...node.leadership }
  const isAddressed = node.isAddressed(request.voter)
  return { type, error: isAddressed ? errors.NONE : errors.INVALID_VOTER_KEY, ...node.leadership }
}

/** EndQuorumEpoch: the sender leads no longer; the successors stand for election at once, or one after the other. */
export function onEndQuorumEpochRequest(
  node: RaftNode,
  request: EndQuorumEpochRequest,
  nowMs: number,
): QuorumEpochResponse {
  const type = 'endQuorumEpoch'
  if (!node.hasClusterId(request.clusterId)) return { type, ...OTHER_CLUSTER }
  const error = node.voterError(request.leaderId, request.epoch) ?? followSender(node, request, nowMs)
  if (error === undefined && node.role.name === 'follower' && node.leaderId === request.leaderId) {
    node.role.fetchUntilMs = nowMs + successionBackoffMs(node, request.successors)
  }
  return { type, error: error ?? errors.NONE, ...node.leadership }
}

/** The first at once, the others after times that double, so that their elections do not collide. */
function successionBackoffMs(node: RaftNode, successors: readonly ReplicaKey[]): number {
  const maxMs = node.options.electionBackoffMaxMs
  const place = successors.findIndex((successor) => matchesReplica(successor, node.self))
  if (place === 0) return 0
  if (place < 0) return maxMs
  const baseMs = Math.floor(maxMs / 2 ** (successors.length - 1))
  return Math.min(maxMs, baseMs * 2 ** (place - 1))
}

function followSender(
  node: RaftNode,
  request: BeginQuorumEpochRequest | EndQuorumEpochRequest,
  nowMs: number,
): KafkaError | undefined {
  const { epoch, leaderId, leaderEndpoints } = request
  return follow(node, { epoch, leaderId, leaderEndpoints }, nowMs) ? undefined : errors.INVALID_REQUEST
}

/**
 * Takes over what somebody says of who leads. False for what cannot be: another leader of the same epoch than the one
 * that this node knows of, this node as leader of an epoch that it does not lead, or one that nobody can reach.
 */
export function follow(node: RaftNode, said: Leadership, nowMs: number): boolean {
  const { epoch, leaderId } = said
  if (epoch < node.epoch) return true
  if (leaderId < 0) {
    if (epoch > node.epoch) node.becomeUnattached(epoch, -1, nowMs)
    return true
  }
  if (leaderId === node.self.id) return epoch === node.epoch && node.role.name === 'leader'
  const endpoints = said.leaderEndpoints.length > 0 ? said.leaderEndpoints : node.endpointsOf(leaderId)
  if (epoch === node.epoch && node.leaderId >= 0) {
    if (node.leaderId !== leaderId) return false
    const isKnown = node.role.name === 'follower' || node.role.name === 'prospective'
    if (isKnown && endpoints.length <= node.leaderEndpoints.length) return true
  }
  if (endpoints.length === 0) {
    if (epoch > node.epoch) node.becomeUnattached(epoch, leaderId, nowMs)
    return true
  }
  node.becomeFollower(epoch, leaderId, endpoints, nowMs)
  return true
}

/** The answer to a Vote that this node has sent. Answers whether it was a sound one. */
export function onVoteResponse(node: RaftNode, peerId: number, response: VoteResponse, nowMs: number): boolean {
  const { role } = node
  if (response.isTopLevel && response.error === errors.UNSUPPORTED_VERSION && role.name === 'prospective') {
    // Somebody is too old to be asked beforehand.
    node.becomeCandidate(nowMs)
    return true
  }
  const handled = handleLeadership(node, response, nowMs)
  if (handled !== undefined) return handled
  if (response.error !== errors.NONE) return false
  if (node.role.name !== 'prospective' && node.role.name !== 'candidate') return true
  node.role.votes.record(peerId, response.isGranted)
  node.advance(node.role, nowMs)
  return true
}

/**
 * What all answers have in common. Answers whether the answer was sound where that is all there is to it; undefined
 * where it is of this epoch and has to be looked at.
 */
export function handleLeadership(
  node: RaftNode,
  response: Leadership & { readonly error: KafkaError; readonly isTopLevel?: boolean },
  nowMs: number,
): boolean | undefined {
  const { error, epoch } = response
  if (response.isTopLevel) return false
  if (epoch < node.epoch || error === errors.UNKNOWN_LEADER_EPOCH) return true
  const isRefusal = error === errors.FENCED_LEADER_EPOCH || error === errors.NOT_LEADER_OR_FOLLOWER
  if (epoch > node.epoch || isRefusal) return follow(node, response, nowMs)
  if (response.leaderId >= 0 && node.leaderId < 0) {
    const isSound = follow(node, response, nowMs)
    return error === errors.NONE && isSound ? undefined : isSound
  }
  return error === errors.INVALID_VOTER_KEY ? true : undefined
}

/** Asks for votes, or for what they would be. */
export function askForVotes(node: RaftNode, nowMs: number): void {
  const { role, options, log } = node
  if ((role.name !== 'prospective' && role.name !== 'candidate') || role.votes.isLost) return
  for (const voter of role.votes.unanswered) {
    const peer = node.voters.peer(voter.id, options.listenerName)
    if (peer === undefined) continue
    const { epoch, offset } = log.end
    const isPreVote = role.name === 'prospective'
    const { id, directoryId } = voter
    node.send(
      peer,
      {
        type: 'vote',
        clusterId: options.clusterId,
        epoch: node.epoch,
        candidate: node.self,
        voter: { id, directoryId },
        lastEpoch: epoch,
        lastOffset: offset,
        isPreVote,
      },
      nowMs,
    )
  }
}

/** A leader tells the voters that do not fetch that it leads. */
export function announceLeadership(node: RaftNode, nowMs: number): void {
  const state = node.leaderState
  if (state === undefined || nowMs < state.beginEpochAtMs) return
  const { clusterId, listenerName, endpoints } = node.options
  for (const { id, directoryId } of state.takeSilentVoters(nowMs)) {
    const peer = node.voters.peer(id, listenerName)
    if (peer === undefined) continue
    const voter = { id, directoryId }
    const { epoch, self } = node
    node.send(
      peer,
      { type: 'beginQuorumEpoch', clusterId, epoch, leaderId: self.id, leaderEndpoints: endpoints, voter },
      nowMs,
    )
  }
}

/** Whoever has resigned tells the voters who have not heard of it. */
export function announceResignation(node: RaftNode, nowMs: number): void {
  if (node.role.name !== 'resigned') return
  const { clusterId, listenerName, endpoints } = node.options
  for (const id of node.role.unacknowledged) {
    const peer = node.voters.peer(id, listenerName)
    if (peer === undefined) continue
    const { successors } = node.role
    const { epoch, self } = node
    node.send(
      peer,
      { type: 'endQuorumEpoch', clusterId, epoch, leaderId: self.id, leaderEndpoints: endpoints, successors },
      nowMs,
    )
  }
}

/** A fetch of this follower was answered as it should be. */
export function hasFetched(node: RaftNode, role: Follower, nowMs: number): void {
  role.fetchUntilMs = nowMs + node.options.fetchTimeoutMs
  role.hasFetched = true
}
