import { errors } from '../../protocol/errors.ts'
import type { StreamsGroupHeartbeatRequest } from '../../protocol/messages/streams-group-heartbeat.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { JOIN_EPOCH, STATIC_LEAVE_EPOCH } from '../modern/member.ts'
import type { StreamsMember } from './member.ts'
import { isWithin, type TaskIds } from './tasks.ts'
import { invalidTopology } from './topology/topology-error.ts'
import type { ConfiguredTopology } from './topology/types.ts'

type Request = StreamsGroupHeartbeatRequest

/** What Java's trim takes for blank. */
const BLANK = /^[\0- ]*$/

/** What can be said of a heartbeat without looking at the group. Throws INVALID_REQUEST or STREAMS_INVALID_TOPOLOGY. */
export function validateStreamsHeartbeat(request: Request): void {
  refuseUnsupported(request)
  const { memberEpoch, topology } = request
  refuseBlank(request.memberId, 'MemberId')
  refuseBlank(request.groupId, 'GroupId')
  refuseBlank(request.rackId, 'RackId')
  if (memberEpoch === JOIN_EPOCH) validateJoin(request)
  // Static members, whose epoch this would be, are not supported, and so it has no instance id.
  else refuseIf(memberEpoch === STATIC_LEAVE_EPOCH, "InstanceId can't be null.")
  refuseIf(memberEpoch < STATIC_LEAVE_EPOCH, `MemberEpoch is ${memberEpoch}, but must be greater than or equal to -2.`)
  const told = [request.activeTasks, request.standbyTasks, request.warmupTasks].filter((tasks) => tasks !== null)
  refuseIf(told.length === 1 || told.length === 2, 'If one task-type is non-null, all must be non-null.')
  refuseIf(memberEpoch !== JOIN_EPOCH && topology !== null, 'Topology can only be provided when (re-)joining.')
}

/** Of KIP-1071, Apache Kafka 4.3 has no static members, no warm-up tasks and no regular expressions. */
function refuseUnsupported({ instanceId, taskOffsets, taskEndOffsets, warmupTasks, topology }: Request): void {
  refuseIf(instanceId !== null, 'Static membership is not yet supported.')
  refuseIf(taskOffsets !== null, 'TaskOffsets are not supported yet.')
  refuseIf(taskEndOffsets !== null, 'TaskEndOffsets are not supported yet.')
  refuseIf(warmupTasks !== null && warmupTasks.length > 0, 'WarmupTasks are not supported yet.')
  const hasRegex = topology?.subtopologies.some(({ sourceTopicRegex }) => sourceTopicRegex.length > 0)
  refuseIf(hasRegex === true, 'Regular expressions for source topics are not supported yet.')
}

function validateJoin({ rebalanceTimeoutMs, activeTasks, standbyTasks, warmupTasks, topology }: Request): void {
  refuseIf(rebalanceTimeoutMs === -1, 'RebalanceTimeoutMs must be provided in first request.')
  refuseIf(activeTasks?.length !== 0, 'ActiveTasks must be empty when (re-)joining.')
  refuseIf(standbyTasks?.length !== 0, 'StandbyTasks must be empty when (re-)joining.')
  refuseIf(warmupTasks?.length !== 0, 'WarmupTasks must be empty when (re-)joining.')
  if (topology === null) throw invalid('Topology must be non-null when (re-)joining.')
  for (const { stateChangelogTopics } of topology.subtopologies) {
    for (const { name, partitions } of stateChangelogTopics) {
      if (partitions === 0) continue
      const what = `Changelog topic ${name} must have an undefined partition count`
      throw invalidTopology(`${what}, but it is set to ${partitions}.`)
    }
  }
}

function refuseBlank(value: string | null, name: string): void {
  refuseIf(value !== null && BLANK.test(value), `${name} can't be empty.`)
}

function refuseIf(condition: boolean, message: string): void {
  if (condition) throw invalid(message)
}

function invalid(message: string): CoordinatorError {
  return new CoordinatorError(errors.INVALID_REQUEST, message)
}

/**
 * A member may come with its epoch, or with the one before where it has nothing that it must not have: then the answer with
 * the new epoch was lost. Throws FENCED_MEMBER_EPOCH.
 */
export function validateMemberEpoch(member: StreamsMember, request: Request): void {
  const { memberEpoch: epoch } = request
  if (epoch === JOIN_EPOCH || epoch === member.memberEpoch) return
  const isLate = epoch < member.memberEpoch
  if (isLate && epoch === member.previousMemberEpoch && ownsNoMore(member, request)) return
  const message =
    `The streams group member has a ${isLate ? 'smaller' : 'greater'} member epoch (${epoch}) than the one known by ` +
    `the group coordinator (${member.memberEpoch}). The member must abandon all its partitions and rejoin.`
  throw new CoordinatorError(errors.FENCED_MEMBER_EPOCH, message)
}

function ownsNoMore({ assigned }: StreamsMember, { activeTasks, standbyTasks, warmupTasks }: Request): boolean {
  if (activeTasks === null || standbyTasks === null || warmupTasks === null) return false
  return (
    isWithin(activeTasks, assigned.active) &&
    isWithin(standbyTasks, assigned.standby) &&
    isWithin(warmupTasks, assigned.warmup)
  )
}

/** Throws INVALID_REQUEST for tasks that the topology does not have. */
export function validateTasks({ subtopologies }: ConfiguredTopology, tasks: readonly TaskIds[] | null): void {
  for (const { subtopologyId, partitions } of tasks ?? []) {
    const subtopology = subtopologies.get(subtopologyId)
    if (subtopology === undefined) throw invalid(`Subtopology ${subtopologyId} does not exist in the topology.`)
    const { taskCount } = subtopology
    for (const partition of partitions) {
      if (partition >= 0 && partition < taskCount) continue
      const what = `Task ${partition} for subtopology ${subtopologyId} is invalid`
      throw invalid(`${what}. Number of tasks for this subtopology: ${taskCount}`)
    }
  }
}
