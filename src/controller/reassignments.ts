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
import { changePartition, type PartitionTarget, without } from './partition-change.ts'
import { checkManualAssignment } from './placement.ts'
import { checkRecordCount, type Decision, type DecisionContext, outcomeOf, Refusal } from './result.ts'
import { type TopicRules, topicRules } from './topic-rules.ts'

/**
 * Decides an AlterPartitionReassignments (KIP-455, KIP-860). A move is over at once where nobody has to catch up first,
 * otherwise with the AlterPartition that says that all are in sync. One that is under way is replaced as a whole.
 */
export function alterReassignments(
  context: DecisionContext,
  request: AlterPartitionReassignmentsRequest,
): Decision<AlterPartitionReassignmentsResponse> {
  const mayChangeFactor = request.allowReplicationFactorChange
  const whole = { throttleTimeMs: 0, errorCode: 0, errorMessage: request.topics.length === 0 ? '' : null }
  const rulesOf = topicRules(context)
  const records: MetadataRecord[] = []
  const responses = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, replicas }) => ({
      partitionIndex,
      ...outcomeOf(() => {
        const { topic, partition } = findPartition(context.head, name, partitionIndex)
        const rules = rulesOf(topic)
        const target =
          replicas === null
            ? cancelled(name, rules, partition)
            : changed(context.head, partition, replicas, mayChangeFactor)
        const record = changePartition(rules, partition, target)
        if (record !== undefined) records.push(record)
      }),
    })),
  }))
  checkRecordCount(records)
  // Asked about nothing, Apache Kafka answers with the defaults.
  const allowReplicationFactorChange = request.topics.length === 0 || mayChangeFactor
  return { records, response: { ...whole, allowReplicationFactorChange, responses } }
}

function findPartition(head: MetadataImage, name: string, index: number) {
  const topic = head.topics.byName(name)
  if (topic === undefined) throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', `Unable to find a topic named ${name}.`)
  const partition = topic.partitions.get(index)
  if (partition !== undefined) return { topic, partition }
  throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', `Unable to find partition ${name}:${index}.`)
}

function isUnderWay({ addingReplicas, removingReplicas }: PartitionImage): boolean {
  return addingReplicas.length + removingReplicas.length > 0
}

/** The brokers that shall have the partition, those included that come, those not that go. */
function membersOf({ replicas, addingReplicas, removingReplicas }: PartitionImage): Set<number> {
  return new Set([...replicas, ...addingReplicas].filter((id) => !removingReplicas.includes(id)))
}

/** Those that were to come do not. */
function cancelled(name: string, { allowsUnclean }: TopicRules, partition: PartitionImage): PartitionTarget {
  if (!isUnderWay(partition)) throw new Refusal('NO_REASSIGNMENT_IN_PROGRESS', null)
  const replicas = without(partition.replicas, partition.addingReplicas)
  const isr = without(partition.isr, partition.addingReplicas)
  if (isr.length === 0 && replicas.length === 0) {
    throw new Refusal('INVALID_REPLICA_ASSIGNMENT', 'Invalid replica assignment: addingReplicas contains all replicas.')
  }
  if (isr.length === 0 && !allowsUnclean) {
    throw new Refusal(
      'INVALID_REPLICA_ASSIGNMENT',
      `Unable to revert partition assignment for ${name}:${partition.partition} because it would require an unclean ` +
        'leader election.',
    )
  }
  const left = isr.length === 0 ? replicas.slice(0, 1) : isr
  return { replicas, isr: left, adding: [], removing: [], election: allowsUnclean ? 'unclean' : 'online' }
}

function changed(
  head: MetadataImage,
  partition: PartitionImage,
  target: readonly number[],
  mayChangeFactor: boolean,
): PartitionTarget {
  checkManualAssignment(head, target, undefined)
  const { replicas } = partition
  const before = membersOf(partition).size
  if (!mayChangeFactor && before !== target.length) {
    throw new Refusal(
      'INVALID_REPLICATION_FACTOR',
      `The replication factor is changed from ${before} to ${target.length}`,
    )
  }
  const ascending = (a: number, b: number) => a - b
  const isNew = (id: number) => !replicas.includes(id) || partition.addingReplicas.includes(id)
  const adding = target.filter(isNew).sort(ascending)
  const removing = without(replicas, target).sort(ascending)
  return { replicas: [...target, ...removing], adding, removing }
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
