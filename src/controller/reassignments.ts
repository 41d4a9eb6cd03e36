import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/records.ts'
import type { PartitionImage } from '../metadata/types.ts'
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../protocol/messages/alter-partition-reassignments.ts'
import type {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../protocol/messages/list-partition-reassignments.ts'
import { defaultDirectory } from './directories.ts'
import { partitionChangeRecord, partitionChangeVersion } from './partition-change.ts'
import { checkManualAssignment, isActive } from './placement.ts'
import { checkRecordCount, type Decision, type DecisionContext, outcomeOf, Refusal } from './result.ts'

/** What becomes of the replicas of a partition: those that come and those that go are among `replicas`. */
interface Plan {
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
  readonly isr: readonly number[]
}

/**
 * Decides an AlterPartitionReassignments (KIP-455). A move is over at once where the brokers that stay are in sync; one
 * that waits for a broker to catch up stays open until it is cancelled.
 */
export function alterReassignments(
  context: DecisionContext,
  request: AlterPartitionReassignmentsRequest,
): Decision<AlterPartitionReassignmentsResponse> {
  const mayChangeFactor = request.allowReplicationFactorChange
  const whole = { throttleTimeMs: 0, errorCode: 0, errorMessage: request.topics.length === 0 ? '' : null }
  const records: MetadataRecord[] = []
  const responses = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, replicas }) => ({
      partitionIndex,
      ...outcomeOf(() => {
        const partition = partitionOf(context.head, name, partitionIndex)
        const plan =
          replicas === null ? cancelled(name, partition) : changed(context, partition, replicas, mayChangeFactor)
        const record = recordOf(context.head, partition, plan)
        if (record !== undefined) records.push(record)
      }),
    })),
  }))
  checkRecordCount(records)
  // Asked about nothing, Apache Kafka answers with the defaults.
  const allowReplicationFactorChange = request.topics.length === 0 || mayChangeFactor
  return { records, response: { ...whole, allowReplicationFactorChange, responses } }
}

function partitionOf(head: MetadataImage, name: string, index: number): PartitionImage {
  const topic = head.topics.byName(name)
  if (topic === undefined) throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', `Unable to find a topic named ${name}.`)
  const partition = topic.partitions.get(index)
  if (partition !== undefined) return partition
  throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', `Unable to find partition ${name}:${index}.`)
}

function isUnderWay({ addingReplicas, removingReplicas }: PartitionImage): boolean {
  return addingReplicas.length + removingReplicas.length > 0
}

function cancelled(name: string, partition: PartitionImage): Plan {
  if (!isUnderWay(partition)) throw new Refusal('NO_REASSIGNMENT_IN_PROGRESS', null)
  const stays = (id: number) => !partition.addingReplicas.includes(id)
  const isr = partition.isr.filter(stays)
  if (isr.length === 0) {
    throw new Refusal(
      'INVALID_REPLICA_ASSIGNMENT',
      `Unable to revert partition assignment for ${name}:${partition.partition} because it would require an unclean ` +
        'leader election.',
    )
  }
  return { replicas: partition.replicas.filter(stays), adding: [], removing: [], isr }
}

function changed(
  { head }: DecisionContext,
  partition: PartitionImage,
  target: readonly number[],
  mayChangeFactor: boolean,
): Plan {
  checkManualAssignment(head, target, undefined)
  const { replicas, addingReplicas, removingReplicas, isr } = partition
  const before = new Set([...replicas, ...addingReplicas].filter((id) => !removingReplicas.includes(id))).size
  if (!mayChangeFactor && before !== target.length) {
    throw new Refusal(
      'INVALID_REPLICATION_FACTOR',
      `The replication factor is changed from ${before} to ${target.length}`,
    )
  }
  const ascending = (a: number, b: number) => a - b
  const adding = target.filter((id) => !replicas.includes(id)).sort(ascending)
  const removing = replicas.filter((id) => !target.includes(id)).sort(ascending)
  const plan = { replicas: [...target, ...removing], adding, removing, isr }
  return completed(plan, target) ?? plan
}

/** The end of the move, if nobody has to catch up first. */
function completed({ adding, removing, isr }: Plan, target: readonly number[]): Plan | undefined {
  if (adding.length + removing.length === 0) return undefined
  const left = isr.filter((id) => !removing.includes(id))
  if (left.length === 0 || !adding.every((id) => left.includes(id))) return undefined
  if (adding.length < removing.length && !target.every((id) => left.includes(id))) return undefined
  return { replicas: target, adding: [], removing: [], isr: left }
}

function recordOf(head: MetadataImage, partition: PartitionImage, plan: Plan): MetadataRecord | undefined {
  const { replicas, isr, addingReplicas, removingReplicas } = partition
  const change = {
    isr: isSame(plan.isr, isr) ? null : [...plan.isr],
    replicas: isSame(plan.replicas, replicas) ? null : [...plan.replicas],
    addingReplicas: isSame(plan.adding, addingReplicas) ? null : [...plan.adding],
    removingReplicas: isSame(plan.removing, removingReplicas) ? null : [...plan.removing],
  }
  if (Object.values(change).every((value) => value === null)) return undefined
  const leader = leaderOf(head, partition, plan)
  const directories = plan.replicas.map((id) => {
    const at = replicas.indexOf(id)
    return at >= 0 ? partition.directories[at]! : defaultDirectory(head.brokers.get(id))
  })
  const moved = change.replicas === null ? {} : { directories }
  return partitionChangeRecord(partition, { ...change, ...moved, leader }, partitionChangeVersion(head))
}

const NO_LEADER_CHANGE = -2

function leaderOf(head: MetadataImage, { leader }: PartitionImage, { replicas, isr }: Plan): number {
  if (isr.includes(leader)) return NO_LEADER_CHANGE
  return replicas.find((id) => isr.includes(id) && isActive(head.brokers.get(id))) ?? -1
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index])
}

/** Answers a ListPartitionReassignments: the moves that are not over, of the partitions asked for or of all. */
export function listReassignments(
  image: MetadataImage,
  { topics }: ListPartitionReassignmentsRequest,
): ListPartitionReassignmentsResponse {
  const asked = topics ?? [...image.topics.names()].map((name) => ({ name, partitionIndexes: undefined }))
  const ongoing = asked.flatMap(({ name, partitionIndexes }) => {
    const known = image.topics.byName(name)?.partitions
    if (known === undefined) return []
    const partitions = (partitionIndexes ?? [...known.keys()]).flatMap((partitionIndex) => {
      const partition = known.get(partitionIndex)
      if (partition === undefined || !isUnderWay(partition)) return []
      const { replicas, addingReplicas, removingReplicas } = partition
      return [
        {
          partitionIndex,
          replicas: [...replicas],
          addingReplicas: [...addingReplicas],
          removingReplicas: [...removingReplicas],
        },
      ]
    })
    return partitions.length === 0 ? [] : [{ name, partitions }]
  })
  return { throttleTimeMs: 0, errorCode: 0, errorMessage: null, topics: ongoing }
}
