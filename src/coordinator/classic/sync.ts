import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { SyncGroupRequest } from '../../protocol/messages/sync-group.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { NOTHING, type Result } from '../runtime/result.ts'
import type { ClassicGroup } from './classic-group.ts'
import { EMPTY_ASSIGNMENT, type SyncWaiter } from './member.ts'
import type { ClassicContext, Rebalancer } from './rebalancer.ts'
import { groupRecord } from './records.ts'

/** SyncGroup for classic groups. */
export class SyncOperation {
  readonly #context: ClassicContext
  readonly #rebalancer: Rebalancer

  constructor(context: ClassicContext, rebalancer: Rebalancer) {
    this.#context = context
    this.#rebalancer = rebalancer
  }

  sync(request: SyncGroupRequest, respond: SyncWaiter): Result<void> {
    const group = this.#context.groups.classic(request.groupId)
    if (group === undefined || group.isEmpty) return refuse(respond, errors.UNKNOWN_MEMBER_ID)
    const error = validate(group, request)
    if (error !== undefined) return refuse(respond, error)
    if (group.is('PreparingRebalance')) return refuse(respond, errors.REBALANCE_IN_PROGRESS)
    const member = group.member(request.memberId)!
    this.#rebalancer.noteSync(group, member.id)
    if (group.is('Stable')) {
      respond({
        protocolType: group.protocolTypeOrNull,
        protocolName: group.protocolNameOrNull,
        assignment: member.assignment,
      })
      return NOTHING
    }
    member.syncWaiter = respond
    return group.isLeader(member.id) ? this.#assign(group, request) : NOTHING
  }

  /** The leader has decided. Members get their assignments once they are in the log. */
  #assign(group: ClassicGroup, request: SyncGroupRequest): Result<void> {
    const assignments = new Map<string, Buffer>()
    for (const { memberId, assignment } of request.assignments) assignments.set(memberId, Buffer.from(assignment))
    return {
      records: [groupRecord(group, assignments)],
      response: undefined,
      replay: false,
      settled: (error) => this.#assigned(group, request, assignments, error),
    }
  }

  #assigned(
    group: ClassicGroup,
    request: SyncGroupRequest,
    assignments: ReadonlyMap<string, Buffer>,
    error: KafkaError | undefined,
  ): void {
    // Another rebalance may have begun while the record was written.
    if (!group.is('CompletingRebalance') || group.generationId !== request.generationId) return
    if (error !== undefined) {
      group.clearAssignments()
      this.#rebalancer.propagateAssignment(group, error)
      this.#rebalancer.prepareOrComplete(group, `the assignment could not be written: ${error.name}`)
      return
    }
    for (const member of group.members()) member.assignment = assignments.get(member.id) ?? EMPTY_ASSIGNMENT
    this.#rebalancer.propagateAssignment(group, errors.NONE)
    group.moveTo('Stable')
  }
}

function validate(group: ClassicGroup, request: SyncGroupRequest): KafkaError | undefined {
  try {
    group.validateMember(request.memberId, request.groupInstanceId)
  } catch (reason) {
    if (reason instanceof CoordinatorError) return reason.error
    throw reason
  }
  if (request.generationId !== group.generationId) return errors.ILLEGAL_GENERATION
  const { protocolType, protocolName } = request
  const isInconsistent =
    (protocolType !== null && group.protocolTypeOrNull !== null && protocolType !== group.protocolTypeOrNull) ||
    (protocolName !== null && group.protocolNameOrNull !== null && protocolName !== group.protocolNameOrNull)
  return isInconsistent ? errors.INCONSISTENT_GROUP_PROTOCOL : undefined
}

function refuse(respond: SyncWaiter, error: KafkaError): Result<void> {
  respond({ errorCode: error.code })
  return NOTHING
}
