import { errors, type KafkaError } from '../../../protocol/errors.ts'
import { ZERO_UUID } from '../../../protocol/uuid.ts'
import { votersRecord } from './control-records.ts'
import { handleLeadership, hasFetched } from './elections.ts'
import type { LeaderState, VoterChange } from './leader-state.ts'
import type { RaftNode } from './node.ts'
import type { Follower } from './roles.ts'
import type {
  AddVoterRequest,
  RemoveVoterRequest,
  Token,
  UpdateVoterRequest,
  UpdateVoterResponse,
  VersionsResponse,
  VoterChangeResponse,
} from './types.ts'
import type { VoterSet } from './voters.ts'

/**
 * Changes of the voters, one at a time (KIP-853, Raft section 4.1 of Ongaro's thesis): the sets before and after a change
 * of one voter have no majorities without a common member, provided that the change before is committed, and that the
 * leader has committed something in its own epoch.
 */

interface Refusal {
  readonly error: KafkaError
  readonly message: string | null
}

/** The voters that a change may start from, or why there can be none now. */
function currentVoters(node: RaftNode, state: LeaderState): VoterSet | Refusal {
  const { history } = node
  if (state.change !== undefined) {
    return timedOut('Request timed out waiting for leader to handle previous voter change request')
  }
  if (state.highWatermark < 0) {
    return timedOut('Request timed out waiting for leader to establish HWM and fence previous voter changes')
  }
  if (history.kraftVersion === 0) {
    const message = "Cluster doesn't support changing voters because the kraft.version feature is 0"
    return { error: errors.UNSUPPORTED_VERSION, message }
  }
  if (history.votersOffset === undefined || history.votersOffset >= state.highWatermark) {
    return timedOut('Request timed out waiting for voters to commit the latest voter change')
  }
  return history.voters
}

function timedOut(message: string): Refusal {
  return { error: errors.REQUEST_TIMED_OUT, message }
}

function refusalOf(node: RaftNode, request: AddVoterRequest | RemoveVoterRequest): Refusal | undefined {
  if (!node.hasClusterId(request.clusterId)) {
    const message = `The given id "${request.clusterId}" doesn't match the cluster id "${node.options.clusterId}"`
    return { error: errors.INCONSISTENT_CLUSTER_ID, message }
  }
  const error = node.leaderError(node.epoch)
  if (error !== undefined) return { error, message: null }
  if (request.voter.id >= 0 && request.voter.directoryId !== ZERO_UUID) return undefined
  return { error: errors.INVALID_REQUEST, message: "The request didn't include a valid voter" }
}

/** AddRaftVoter. undefined where the answer comes later. */
export function onAddVoterRequest(
  node: RaftNode,
  token: Token,
  request: AddVoterRequest,
  nowMs: number,
): VoterChangeResponse | undefined {
  const refuse = (refusal: Refusal): VoterChangeResponse => ({ type: 'addVoter', ...refusal })
  const refusal = refusalOf(node, request)
  if (refusal !== undefined) return refuse(refusal)
  const { listenerName, requestTimeoutMs } = node.options
  const { voter, endpoints, ackWhenCommitted } = request
  const endpoint = endpoints.find(({ name }) => name === listenerName)
  if (endpoint === undefined) {
    const message = `Add voter request didn't include the endpoint for the default listener ${listenerName}`
    return refuse({ error: errors.INVALID_REQUEST, message })
  }
  const state = node.leaderState!
  const voters = currentVoters(node, state)
  if ('error' in voters) return refuse(voters)
  if (voters.get(voter.id) !== undefined) {
    const message = `The voter id ${voter.id} is already part of the set of voters ${voters}.`
    return refuse({ error: errors.DUPLICATE_VOTER, message })
  }
  const peer = { id: voter.id, host: endpoint.host, port: endpoint.port }
  if (!node.send(peer, { type: 'versions' }, nowMs)) {
    return refuse(timedOut(`New voter ${voter.id} is not ready to receive requests`))
  }
  state.change = {
    type: 'addVoter',
    token,
    deadlineMs: nowMs + requestTimeoutMs,
    lastOffset: undefined,
    added: { key: voter, endpoints },
    ackWhenCommitted,
  }
  return undefined
}

/** For a node that is to be a voter and says nothing. */
export const UNANSWERED_VERSIONS: VersionsResponse = {
  type: 'versions',
  error: errors.BROKER_NOT_AVAILABLE,
  kraftVersions: undefined,
}

/** The node that is to be a voter has said what it supports. Answers whether that was a sound answer. */
export function onVersionsResponse(node: RaftNode, peerId: number, response: VersionsResponse, nowMs: number): boolean {
  const state = node.leaderState
  const change = state?.change
  if (state === undefined || change?.added === undefined || change.lastOffset !== undefined) return true
  if (change.added.key.id !== peerId) return true
  const { key, endpoints } = change.added
  const { kraftVersions, error } = response
  const level = node.history.kraftVersion
  if (error !== errors.NONE) {
    finishChange(node, state, timedOut('Aborted add voter operation since API_VERSIONS returned an error'))
    return false
  }
  if (kraftVersions === undefined || kraftVersions.min > level || kraftVersions.max < level) {
    const message = `Aborted add voter operation for ${key.id} since it doesn't support kraft.version ${level}`
    finishChange(node, state, { error: errors.INVALID_REQUEST, message })
    return true
  }
  if (!state.isCaughtUp(key, nowMs)) {
    finishChange(node, state, timedOut(`Aborted add voter operation for ${key.id} since it is lagging behind`))
    return true
  }
  const voters = node.voters.with({ id: key.id, directoryId: key.directoryId, endpoints, kraftVersions })
  change.lastOffset = node.appendControls([votersRecord(voters!)])
  if (!change.ackWhenCommitted) answerChange(node, change, { error: errors.NONE, message: null })
  return true
}

/** RemoveRaftVoter. undefined where the answer comes later. */
export function onRemoveVoterRequest(
  node: RaftNode,
  token: Token,
  request: RemoveVoterRequest,
  nowMs: number,
): VoterChangeResponse | undefined {
  const refuse = (refusal: Refusal): VoterChangeResponse => ({ type: 'removeVoter', ...refusal })
  const refusal = refusalOf(node, request)
  if (refusal !== undefined) return refuse(refusal)
  const state = node.leaderState!
  const voters = currentVoters(node, state)
  if ('error' in voters) return refuse(voters)
  const fewer = voters.without(request.voter)
  if (fewer === undefined) {
    const message = `Cannot remove voter ${request.voter.id} from the set of voters ${voters}`
    return refuse({ error: errors.VOTER_NOT_FOUND, message })
  }
  state.change = {
    type: 'removeVoter',
    token,
    deadlineMs: nowMs + node.options.requestTimeoutMs,
    lastOffset: node.appendControls([votersRecord(fewer)]),
    added: undefined,
    ackWhenCommitted: true,
  }
  return undefined
}

/** UpdateRaftVoter: a voter tells where it is reached now, and what it supports. */
export function onUpdateVoterRequest(node: RaftNode, request: UpdateVoterRequest, nowMs: number): UpdateVoterResponse {
  const answer = (error: KafkaError): UpdateVoterResponse => ({ type: 'updateVoter', error, ...node.leadership })
  if (!node.hasClusterId(request.clusterId)) return answer(errors.INCONSISTENT_CLUSTER_ID)
  const { voter, endpoints, kraftVersions, epoch } = request
  const error = node.leaderError(epoch)
  if (error !== undefined) return answer(error)
  const { min, max } = kraftVersions
  const hasEndpoint = endpoints.some(({ name }) => name === node.options.listenerName)
  const isValid = voter.id >= 0 && voter.directoryId !== ZERO_UUID && hasEndpoint && min >= 0 && max >= min
  if (!isValid) return answer(errors.INVALID_REQUEST)
  const state = node.leaderState!
  const level = node.history.kraftVersion
  const voters = level === 0 ? volatileVoters(state) : currentVoters(node, state)
  if ('error' in voters) return answer(errors.REQUEST_TIMED_OUT)
  if (min > level || max < level) return answer(errors.INVALID_REQUEST)
  const updated = voters.updated({ ...voter, endpoints, kraftVersions }, level === 0)
  if (updated === undefined) return answer(errors.VOTER_NOT_FOUND)
  if (level === 0) state.volatileVoters = updated
  else node.appendControls([votersRecord(updated)])
  state.heardOf(voter, nowMs)
  return answer(errors.NONE)
}

function volatileVoters(state: LeaderState): VoterSet | Refusal {
  if (state.change !== undefined || state.highWatermark < 0) return timedOut('')
  return state.volatileVoters ?? timedOut('')
}

/** More is committed: perhaps the new voters. */
export function finishCommittedChange(node: RaftNode, state: LeaderState): void {
  const { change } = state
  if (change?.lastOffset === undefined || state.highWatermark <= change.lastOffset) return
  finishChange(node, state, { error: errors.NONE, message: null })
}

/** The change has ended, as far as whoever asked for it is concerned. */
export function finishChange(node: RaftNode, state: LeaderState, result: Refusal): void {
  if (state.change === undefined) return
  answerChange(node, state.change, result)
  state.change = undefined
}

function answerChange(node: RaftNode, change: VoterChange, result: Refusal): void {
  if (change.token === undefined) return
  node.reply(change.token, { type: change.type, ...result })
  change.token = undefined
}

/** A voter sees that its leader knows it as it is now. Answers whether it asked for that, instead of fetching. */
export function updateSelf(node: RaftNode, role: Follower, nowMs: number): boolean {
  if (nowMs < role.updateVoterAtMs) return false
  const { self, epoch, options, history } = node
  const isDue = history.kraftVersion === 0 ? !role.hasUpdatedLeader : node.voters.isOutdated(node.selfAsVoter)
  const leader = node.leaderPeer()
  if (!isDue || leader === undefined) {
    role.updateVoterAtMs = nowMs + options.fetchTimeoutMs
    return false
  }
  const { clusterId, endpoints, kraftVersions } = options
  const request = { type: 'updateVoter', clusterId, epoch, voter: self, endpoints, kraftVersions } as const
  if (node.send(leader, request, nowMs)) role.updateVoterAtMs = nowMs + options.fetchTimeoutMs
  return true
}

/** An observer that is to be a voter by itself asks for it, or that its old self be none. Answers whether it did. */
export function joinVoters(node: RaftNode, role: Follower, nowMs: number): boolean {
  const { options, history, voters, self } = node
  if (!options.canVote || !options.autoJoins || history.kraftVersion === 0 || nowMs < role.updateVoterAtMs) return false
  const leader = node.leaderPeer()
  if (leader === undefined) return false
  const { clusterId, endpoints } = options
  const old = voters.get(self.id)
  const isSent =
    old === undefined
      ? node.send(leader, { type: 'addVoter', clusterId, voter: self, endpoints, ackWhenCommitted: false }, nowMs)
      : node.send(
          leader,
          { type: 'removeVoter', clusterId, voter: { id: old.id, directoryId: old.directoryId } },
          nowMs,
        )
  if (isSent) role.updateVoterAtMs = nowMs + options.fetchTimeoutMs
  return isSent
}

/** Answers whether the response was a sound one. */
export function onUpdateVoterResponse(node: RaftNode, response: UpdateVoterResponse, nowMs: number): boolean {
  const handled = handleLeadership(node, response, nowMs)
  if (handled !== undefined) return handled
  if (response.error !== errors.NONE && response.error !== errors.UNSUPPORTED_VERSION) return false
  if (node.role.name !== 'follower') return true
  node.role.hasUpdatedLeader = true
  hasFetched(node, node.role, nowMs)
  return true
}

/** Answers whether the response was a sound one. */
export function onVoterChangeResponse(node: RaftNode, response: VoterChangeResponse, nowMs: number): boolean {
  const { error, type } = response
  const isThere = error === (type === 'addVoter' ? errors.DUPLICATE_VOTER : errors.VOTER_NOT_FOUND)
  if (error !== errors.NONE && error !== errors.REQUEST_TIMED_OUT && !isThere) return false
  if (node.role.name === 'follower') node.role.updateVoterAtMs = nowMs + node.options.fetchTimeoutMs
  return true
}
