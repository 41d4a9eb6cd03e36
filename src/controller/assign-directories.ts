import { DIRECTORIES_LEVEL, METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataRecord } from '../metadata/records.ts'
import type { PartitionImage } from '../metadata/types.ts'
import { type ErrorName, errors } from '../protocol/errors.ts'
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../protocol/messages/assign-replicas-to-dirs.ts'
import { recordsWithout } from './broker-changes.ts'
import { checkBrokerEpoch } from './broker-heartbeat.ts'
import { isOnline } from './directories.ts'
import { changePartition } from './partition-change.ts'
import { type Decision, type DecisionContext, Refusal } from './result.ts'
import { topicRules } from './topic-rules.ts'

/**
 * Decides an AssignReplicasToDirs (KIP-858): a broker says in which of its log directories replicas are. One in a
 * directory that has failed is neither in sync nor leader any longer. Throws Refusal STALE_BROKER_EPOCH and, where the
 * metadata has no place for it, UNSUPPORTED_VERSION.
 */
export function assignDirectories(
  context: DecisionContext,
  { brokerId, brokerEpoch, directories }: AssignReplicasToDirsRequest,
): Decision<AssignReplicasToDirsResponse> {
  const { head } = context
  if (head.featureLevel(METADATA_VERSION) < DIRECTORIES_LEVEL) {
    throw new Refusal('UNSUPPORTED_VERSION', 'Directory assignment is not supported yet.')
  }
  const broker = checkBrokerEpoch(head, brokerId, brokerEpoch)
  const rulesOf = topicRules(context)
  const records: MetadataRecord[] = []
  const lost = new Set<PartitionImage>()
  const assign = (topicId: string, index: number, directory: string): ErrorName => {
    const topic = head.topics.byId(topicId)
    if (topic === undefined) return 'UNKNOWN_TOPIC_ID'
    const partition = topic.partitions.get(index)
    if (partition === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
    if (!partition.replicas.includes(brokerId)) return 'NOT_LEADER_OR_FOLLOWER'
    const record = changePartition(rulesOf(topic), partition, { directory: { brokerId, id: directory } })
    if (record !== undefined) records.push(record)
    if (!isOnline(broker, directory)) lost.add(partition)
    return 'NONE'
  }
  const results = directories.map(({ id, topics }) => ({
    id,
    topics: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: errors[assign(topicId, partitionIndex, id)].code,
      })),
    })),
  }))
  if (lost.size > 0) records.push(...recordsWithout(context, brokerId, lost))
  return { records, response: { throttleTimeMs: 0, errorCode: 0, directories: results } }
}
