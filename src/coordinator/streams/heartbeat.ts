import { errors } from '../../protocol/errors.ts'
import type {
  StreamsGroupHeartbeatRequest,
  StreamsGroupHeartbeatResponseInput,
} from '../../protocol/messages/streams-group-heartbeat.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import type { ClientContext } from '../group-config.ts'
import { REFRESH_INTERVAL_MS } from '../modern/epoch-group.ts'
import { isReconciledTo, JOIN_EPOCH, LEAVE_EPOCH, MemberState, STATIC_LEAVE_EPOCH } from '../modern/member.ts'
import type { Result } from '../runtime/result.ts'
import { unrecorded } from '../runtime/undo-log.ts'
import type { StreamsContext } from './context.ts'
import { newStreamsMember, type StreamsMember, sameMap, sameMetadata, sameProgress } from './member.ts'
import { type OwnedTasks, reconcile, type Target } from './reconcile.ts'
import { assignmentRecord, epochRecord, memberRecord, topologyRecord } from './records.ts'
import type { SessionTimers } from './session-timers.ts'
import { StreamsGroup } from './streams-group.ts'
import type { TargetAssignments } from './target.ts'
import { sameTasks, type TaskIds, toTaskIds } from './tasks.ts'
import { configureTopology } from './topology/configure.ts'
import { partitionsOfTasks } from './topology/endpoint-partitions.ts'
import { requiredTopics, sameTopology, subtopologiesOf } from './topology/streams-topology.ts'
import { brokenTopology, status } from './topology/topology-error.ts'
import type { ConfiguredTopology, InternalTopic, StreamsTopology, TopologyProblem } from './topology/types.ts'
import { validateMemberEpoch, validateTasks } from './validate.ts'

type Request = StreamsGroupHeartbeatRequest
type Response = StreamsGroupHeartbeatResponseInput

/** What a heartbeat answers, and the topics that the application needs and that are not there. */
export interface StreamsHeartbeat {
  readonly response: Response
  readonly topicsToCreate: readonly InternalTopic[]
}

/** What a member says, and what comes of it. */
interface Update {
  readonly group: StreamsGroup
  readonly request: Request
  readonly old: StreamsMember
  readonly current: StreamsMember
  readonly records: CoordinatorRecord[]
  /** What the member is told in `status`. */
  readonly told: TopologyProblem[]
}

/** StreamsGroupHeartbeat (KIP-1071): by it members join, say what they have, are told what to run, and leave. */
export class StreamsHeartbeats {
  readonly #context: StreamsContext
  readonly #timers: SessionTimers
  readonly #targets: TargetAssignments

  constructor(context: StreamsContext, timers: SessionTimers, targets: TargetAssignments) {
    this.#context = context
    this.#timers = timers
    this.#targets = targets
  }

  /** The request has been validated as far as that needs no group. Throws CoordinatorError. */
  heartbeat(client: ClientContext, request: Request): Result<StreamsHeartbeat> {
    const isLeaving = request.memberEpoch === LEAVE_EPOCH || request.memberEpoch === STATIC_LEAVE_EPOCH
    return isLeaving ? this.#leave(request) : this.#stay(client, request)
  }

  #leave({ groupId, memberId, memberEpoch, shutdownApplication }: Request): Result<StreamsHeartbeat> {
    const group = requireStreamsGroup(this.#context, groupId, `Group ${groupId} not found.`)
    if (shutdownApplication) group.requestShutdown(memberId)
    const records = this.#timers.fence(group, group.requireMember(memberId).id)
    return { records, response: { response: { memberId, memberEpoch, status: [] }, topicsToCreate: [] } }
  }

  #stay(client: ClientContext, request: Request): Result<StreamsHeartbeat> {
    const { groupId, memberId, shutdownApplication } = request
    const isJoining = request.memberEpoch === JOIN_EPOCH
    const records: CoordinatorRecord[] = []
    const group = isJoining ? this.#joined(groupId, records) : this.#existing(groupId)
    const old = (isJoining ? group.member(memberId) : group.requireMember(memberId)) ?? newStreamsMember(memberId)
    validateMemberEpoch(old, request)
    const current = withRequest(old, client, request)
    const update: Update = { group, request, old, current, records, told: [] }
    const { epoch, configured } = this.#configure(update)
    if (group.isEmpty) this.#targets.delayFirst(group)
    const configs = this.#targets.configsOf(groupId)
    const target = this.#targets.targetOf({ group, epoch, configured, configs }, current, records, update.told)
    const member = this.#reconcile(update, target)
    this.#timers.awaitHeartbeat(groupId, memberId)
    if (shutdownApplication) group.requestShutdown(memberId)
    return { records, response: this.#respond(update, member, configured) }
  }

  /** A group that is not there yet, or is an empty one of the classic protocol, becomes one of streams by the records. */
  #joined(groupId: string, records: CoordinatorRecord[]): StreamsGroup {
    const { groups, config } = this.#context
    const existing = groups.get(groupId)
    const classic = groups.classic(groupId)
    let group: StreamsGroup
    if (existing === undefined || classic?.isEmpty === true) {
      records.push(...(classic?.tombstones() ?? []))
      // Nobody sees it before its records are replayed.
      group = new StreamsGroup(groupId, unrecorded())
    } else {
      group = this.#existing(groupId)
    }
    if (group.size < config.maxGroupSize) return group
    const message = `The streams group has reached its maximum capacity of ${config.maxGroupSize} members.`
    throw new CoordinatorError(errors.GROUP_MAX_SIZE_REACHED, message)
  }

  #existing(groupId: string): StreamsGroup {
    return requireStreamsGroup(this.#context, groupId, `Streams group ${groupId} not found.`)
  }

  /** Takes in what the member says of itself and of the topology, and looks at the topics where they may have changed. */
  #configure(update: Update): { epoch: number; configured: ConfiguredTopology } {
    const { group, request, old, current, records } = update
    const { topics, time } = this.#context
    let isBumped = !sameMetadata(old, current)
    if (isBumped) records.push(memberRecord(group.id, current))
    const topology = topologyFor(update)
    let { configured, metadataHash, epoch } = group
    const hasExpired = configured === undefined || group.needsRefresh(time.nowMs())
    if (hasExpired) {
      metadataHash = topics.hashOf(requiredTopics(topology))
      const hasChanged = metadataHash !== group.metadataHash
      isBumped ||= hasChanged
      if (hasChanged || configured === undefined) {
        configured = configureTopology(topology, topics)
        group.setConfigured(configured)
      }
    }
    const ready = configured as ConfiguredTopology
    const validatedTopologyEpoch = ready.problem === null ? topology.epoch : -1
    if (ready.problem === null) {
      for (const tasks of [request.activeTasks, request.standbyTasks, request.warmupTasks]) validateTasks(ready, tasks)
    }
    const assignmentConfigs = this.#targets.configsOf(group.id)
    isBumped ||= validatedTopologyEpoch !== group.validatedTopologyEpoch
    isBumped ||= !sameMap(assignmentConfigs, group.assignmentConfigs)
    if (isBumped) {
      records.push(epochRecord(group.id, { epoch: ++epoch, metadataHash, validatedTopologyEpoch, assignmentConfigs }))
    }
    if (hasExpired) group.setRefreshed(time.nowMs() + REFRESH_INTERVAL_MS, epoch)
    return { epoch, configured: ready }
  }

  #reconcile({ group, current, request, records }: Update, target: Target): StreamsMember {
    if (isReconciledTo(current, target.epoch)) return current
    const member = reconcile(current, target, group.owners, ownedTasks(request))
    if (sameProgress(member, current)) return current
    records.push(assignmentRecord(group.id, member))
    if (member.state === MemberState.unrevoked) this.#timers.awaitRevocation(group.id, member)
    else this.#timers.stopAwaitingRevocation(group.id, member.id)
    return member
  }

  #respond(update: Update, member: StreamsMember, configured: ConfiguredTopology): StreamsHeartbeat {
    const { group, request, old, told } = update
    const isTold = request.memberEpoch === JOIN_EPOCH || !sameTasks(old.assigned, member.assigned)
    if (isTold && member.userEndpoint !== null) group.endpointsChanged()
    const assignment = isTold
      ? {
          activeTasks: toTaskIds(member.assigned.active),
          standbyTasks: toTaskIds(member.assigned.standby),
          warmupTasks: toTaskIds(member.assigned.warmup),
        }
      : {}
    const response: Response = {
      memberId: member.id,
      memberEpoch: member.memberEpoch,
      heartbeatIntervalMs: this.#context.config.paceOf(group.id).heartbeatIntervalMs,
      ...assignment,
      partitionsByUserEndpoint:
        group.endpointEpoch === request.endpointInformationEpoch ? null : this.#endpoints(group, member, configured),
      // A group that is only being made has no epoch that would last.
      endpointInformationEpoch: this.#context.groups.get(group.id) === undefined ? 0 : group.endpointEpoch,
      status: [...told, ...statusOf(group, configured)],
    }
    return { response, topicsToCreate: configured.internalTopicsToCreate }
  }

  #endpoints(group: StreamsGroup, current: StreamsMember, { subtopologies }: ConfiguredTopology) {
    const others = [...group.members()].filter(({ id }) => id !== current.id)
    return [...others, current].flatMap(({ userEndpoint, assigned }) => {
      if (userEndpoint === null) return []
      const active = new Map(Array.from(assigned.active, ([id, epochs]) => [id, epochs.keys()]))
      const activePartitions = partitionsOfTasks(active, subtopologies, this.#context.topics)
      const standbyPartitions = partitionsOfTasks(assigned.standby, subtopologies, this.#context.topics)
      return [{ userEndpoint, activePartitions, standbyPartitions }]
    })
  }
}

/** Throws GROUP_ID_NOT_FOUND, saying `missing` where there is no group of this id at all. */
export function requireStreamsGroup({ groups }: StreamsContext, groupId: string, missing: string): StreamsGroup {
  const group = groups.get(groupId)
  if (group instanceof StreamsGroup) return group
  const message = group === undefined ? missing : `Group ${groupId} is not a streams group.`
  throw new CoordinatorError(errors.GROUP_ID_NOT_FOUND, message)
}

/** The topology that counts: the group's, or for a new group the member's, which is then written down. */
function topologyFor({ group, request, current, records, told }: Update): StreamsTopology {
  const { topology: known } = group
  const own = request.topology
  if (own !== null) refuseBroken(own)
  if (known === undefined) {
    // Only who joins brings one, and nobody is in a group that has none.
    if (own === null) throw brokenTopology()
    records.push(topologyRecord(group.id, own))
    return own
  }
  if (own !== null && own.epoch >= known.epoch && !sameTopology(own, known)) {
    throw new CoordinatorError(errors.INVALID_REQUEST, 'Topology updates are not supported yet.')
  }
  if (current.topologyEpoch < known.epoch) {
    const what = `The member's topology epoch ${current.topologyEpoch} is behind the group's topology epoch`
    told.push({ statusCode: status.STALE_TOPOLOGY, statusDetail: `${what} ${known.epoch}.` })
  }
  return known
}

function refuseBroken(topology: StreamsTopology): void {
  if (topology.epoch < 0) throw brokenTopology()
  subtopologiesOf(topology)
}

/** Members say what has changed. */
function withRequest(member: StreamsMember, client: ClientContext, request: Request): StreamsMember {
  const { rebalanceTimeoutMs: timeoutMs, clientTags: tags, userEndpoint } = request
  return {
    ...member,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: timeoutMs === -1 ? member.rebalanceTimeoutMs : timeoutMs,
    topologyEpoch: request.topology?.epoch ?? member.topologyEpoch,
    clientId: client.clientId,
    clientHost: client.clientHost,
    processId: request.processId ?? member.processId,
    clientTags: tags === null ? member.clientTags : tagsByKey(tags),
    userEndpoint: userEndpoint ?? member.userEndpoint,
  }
}

/** No client says the same key twice. */
function tagsByKey(tags: readonly { readonly key: string; readonly value: string }[]): Map<string, string> {
  const byKey = new Map(tags.map(({ key, value }) => [key, value]))
  if (byKey.size < tags.length) throw new CoordinatorError(errors.UNKNOWN_SERVER_ERROR)
  return byKey
}

/** undefined where the member does not say. */
function ownedTasks({ activeTasks, standbyTasks, warmupTasks }: Request): OwnedTasks | undefined {
  if (activeTasks === null || standbyTasks === null || warmupTasks === null) return undefined
  for (const tasks of [activeTasks, standbyTasks, warmupTasks]) refuseRepeated(tasks)
  return { active: activeTasks, standby: standbyTasks, warmup: warmupTasks }
}

/** No client says the same subtopology twice; Apache Kafka has no better word for it either. */
function refuseRepeated(tasks: readonly TaskIds[]): void {
  const ids = new Set(tasks.map(({ subtopologyId }) => subtopologyId))
  if (ids.size < tasks.length) throw new CoordinatorError(errors.UNKNOWN_SERVER_ERROR)
}

function statusOf(group: StreamsGroup, { problem }: ConfiguredTopology): TopologyProblem[] {
  const told = problem === null ? [] : [problem]
  const { shutdownRequestedBy: memberId } = group
  if (memberId !== undefined) {
    const statusDetail = `Streams group member ${memberId} encountered a fatal error and requested a shutdown for the entire application.`
    told.push({ statusCode: status.SHUTDOWN_APPLICATION, statusDetail })
  }
  return told
}
