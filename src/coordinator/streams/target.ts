import type { CoordinatorRecord } from '../coordinator-record.ts'
import { mayAssign } from '../modern/epoch-group.ts'
import { NOTHING, type Result } from '../runtime/result.ts'
import { stickyTaskAssignor } from './assignor/sticky.ts'
import type { TaskAssignment } from './assignor/types.ts'
import type { StreamsContext } from './context.ts'
import type { StreamsMember } from './member.ts'
import type { Target } from './reconcile.ts'
import { type AssignmentConfigs, targetEpochRecord, targetRecord } from './records.ts'
import { StreamsGroup } from './streams-group.ts'
import { NO_TARGET, sameTarget } from './tasks.ts'
import { status } from './topology/topology-error.ts'
import type { ConfiguredTopology, TopologyProblem } from './topology/types.ts'

/** What the assignor is told, by the names of the records. */
const STANDBY_REPLICAS = 'num.standby.replicas'

/** What a target assignment is made of. */
interface Assigning {
  readonly group: StreamsGroup
  /** Of the group, with what has changed in this request. */
  readonly epoch: number
  readonly configured: ConfiguredTopology
  readonly configs: AssignmentConfigs
}

/** The target assignments of streams groups: when they are made, and of what. */
export class TargetAssignments {
  readonly #context: StreamsContext

  constructor(context: StreamsContext) {
    this.#context = context
  }

  configsOf(groupId: string): AssignmentConfigs {
    return new Map([[STANDBY_REPLICAS, String(this.#context.config.paceOf(groupId).standbyReplicas)]])
  }

  /** The first assignment waits for the threads that start together. */
  delayFirst(group: StreamsGroup): void {
    const { timers, config } = this.#context
    const { initialRebalanceDelayMs: delayMs } = config.paceOf(group.id)
    const key = delayKey(group.id)
    if (delayMs > 0 && !timers.has(key)) timers.schedule(key, delayMs, () => this.#makeDelayed(group.id))
  }

  stopDelay(groupId: string): void {
    this.#context.timers.cancel(delayKey(groupId))
  }

  /** What `current` is to have: anew where the group has changed and enough time has passed, else as it was. */
  targetOf(
    assigning: Assigning,
    current: StreamsMember,
    records: CoordinatorRecord[],
    told: TopologyProblem[],
  ): Target {
    const { group, epoch } = assigning
    const { timers, config, time } = this.#context
    if (timers.has(delayKey(group.id))) {
      told.push(delayed('initial rebalance delay'))
      return { epoch: group.assignmentEpoch, tasks: NO_TARGET }
    }
    const last = { epoch: group.assignmentEpoch, tasks: group.target(current.id) }
    if (group.assignmentEpoch >= epoch) return last
    if (!mayAssign(group, config.paceOf(group.id).assignmentIntervalMs, time.nowMs())) {
      told.push(delayed('assignment interval'))
      return last
    }
    const targets = this.#make(assigning, current, records)
    return { epoch, tasks: targets.get(current.id) ?? NO_TARGET }
  }

  #makeDelayed(groupId: string): Result<void> {
    const group = this.#context.groups.get(groupId)
    if (!(group instanceof StreamsGroup) || group.isEmpty || group.epoch <= group.assignmentEpoch) return NOTHING
    const { configured, epoch, assignmentConfigs: configs } = group
    // Nobody but the first member was heard yet: the next heartbeat makes the assignment.
    if (configured === undefined) return NOTHING
    const { config, time } = this.#context
    if (!mayAssign(group, config.paceOf(groupId).assignmentIntervalMs, time.nowMs())) return NOTHING
    const records: CoordinatorRecord[] = []
    this.#make({ group, epoch, configured, configs }, undefined, records)
    return { records, response: undefined }
  }

  /** `current` is in the place of its older self, or new; undefined where no member is. */
  #make(
    { group, epoch, configured, configs }: Assigning,
    current: StreamsMember | undefined,
    records: CoordinatorRecord[],
  ): ReadonlyMap<string, TaskAssignment> {
    const members = new Map<string, { processId: string; target: TaskAssignment }>()
    const add = ({ id, processId }: StreamsMember) => members.set(id, { processId, target: group.target(id) })
    for (const member of group.members()) add(member)
    if (current !== undefined) add(current)
    const targets =
      configured.problem === null
        ? stickyTaskAssignor.assign({
            members,
            subtopologies: configured.subtopologies,
            standbyReplicas: Number(configs.get(STANDBY_REPLICAS) ?? 0),
          })
        : new Map<string, TaskAssignment>()
    for (const memberId of members.keys()) {
      const target = targets.get(memberId) ?? NO_TARGET
      if (group.hasTarget(memberId) && sameTarget(target, group.target(memberId))) continue
      records.push(targetRecord(group.id, memberId, target))
    }
    records.push(targetEpochRecord(group.id, epoch, this.#context.time.nowMs()))
    return targets
  }
}

function delayed(by: string): TopologyProblem {
  return {
    statusCode: status.ASSIGNMENT_DELAYED,
    statusDetail: `Assignment delayed due to the configured ${by}.`,
  }
}

function delayKey(groupId: string): string {
  return `streams initial rebalance ${groupId}`
}
