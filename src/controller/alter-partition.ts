import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/records.ts'
import { changedPartition } from '../metadata/replay.ts'
import type { PartitionImage, TopicImage } from '../metadata/types.ts'
import { type ErrorName, errors } from '../protocol/errors.ts'
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/messages/alter-partition.ts'
import { checkBrokerEpoch } from './broker-heartbeat.ts'
import { changePartition } from './partition-change.ts'
import { isActive } from './placement.ts'
import { type Decision, type DecisionContext, refuse } from './result.ts'
import { type TopicRules, topicRules } from './topic-rules.ts'

type Asked = AlterPartitionRequest['topics'][number]['partitions'][number]
type Result = AlterPartitionResponse['topics'][number]['partitions'][number]

/** Who shall be in sync, and the epoch of its registration that the leader knows; -1 where it does not know any. */
interface Member {
  readonly brokerId: number
  readonly brokerEpoch: number
}

const NO_LEADER_CHANGE = -2
const RECOVERED = 0
const RECOVERING = 1

/**
 * Decides an AlterPartition (KIP-497, KIP-903): a leader says who is in sync, or that it has recovered from an unclean
 * election (KIP-704). Throws Refusal STALE_BROKER_EPOCH, and UNKNOWN_SERVER_ERROR for a state that nobody knows.
 */
export function alterPartition(
  context: DecisionContext,
  request: AlterPartitionRequest,
  version: number,
): Decision<AlterPartitionResponse> {
  const { head } = context
  checkBrokerEpoch(head, request.brokerId, request.brokerEpoch)
  const rulesOf = topicRules(context)
  const records: MetadataRecord[] = []
  const topics = request.topics.map(({ topicId, topicName, partitions }) => {
    const topic = head.topics.byId(topicId)
    const rules = topic === undefined ? undefined : rulesOf(topic)
    const decideOne = (asked: Asked): Result => {
      if (topic === undefined || rules === undefined) return refused(asked, 'UNKNOWN_TOPIC_ID')
      const isr = version >= 3 ? asked.newIsrWithEpochs : asked.newIsr.map((id) => ({ brokerId: id, brokerEpoch: -1 }))
      return alterOne(rules, topic, request.brokerId, asked, isr, records)
    }
    return { topicName, topicId, partitions: partitions.map(decideOne) }
  })
  return { records, response: { throttleTimeMs: 0, errorCode: 0, topics } }
}

function alterOne(
  rules: TopicRules,
  topic: TopicImage,
  brokerId: number,
  asked: Asked,
  isr: readonly Member[],
  records: MetadataRecord[],
): Result {
  const partition = topic.partitions.get(asked.partitionIndex)
  const fault =
    partition === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : faultOf(rules.head, partition, brokerId, asked, isr)
  if (partition === undefined || fault !== undefined) return refused(asked, fault!)
  const record = changePartition(rules, partition, {
    isr: isr.map((member) => member.brokerId),
    leaderRecoveryState: asked.leaderRecoveryState,
    election: rules.allowsUnclean ? 'unclean' : 'online',
  })
  if (record?.name !== 'PartitionChange') return accepted(partition)
  records.push(record)
  const { leader } = record.value
  // A move that is over with this may give the lead to another; the leader has to read what became of it.
  if (leader !== brokerId && leader !== NO_LEADER_CHANGE) return refused(asked, 'NEW_LEADER_ELECTED')
  return accepted(changedPartition(partition, record.value))
}

/** What is wrong with it, in the order in which Apache Kafka looks. */
function faultOf(
  head: MetadataImage,
  partition: PartitionImage,
  brokerId: number,
  asked: Asked,
  isr: readonly Member[],
): ErrorName | undefined {
  const { leader, leaderEpoch, partitionEpoch } = partition
  // The leader knows of something that this controller has not heard of: another is active by now.
  if (asked.leaderEpoch > leaderEpoch || asked.partitionEpoch > partitionEpoch) return 'NOT_CONTROLLER'
  if (asked.leaderEpoch < leaderEpoch) return 'FENCED_LEADER_EPOCH'
  if (brokerId !== leader) return 'INVALID_REQUEST'
  if (asked.partitionEpoch < partitionEpoch) return 'INVALID_UPDATE_VERSION'
  const ids = new Set(isr.map((member) => member.brokerId))
  if (ids.size < isr.length || [...ids].some((id) => !partition.replicas.includes(id))) return 'INVALID_REQUEST'
  if (!ids.has(leader)) return 'INVALID_REQUEST'
  if (asked.leaderRecoveryState !== RECOVERED && asked.leaderRecoveryState !== RECOVERING) {
    throw refuse('UNKNOWN_SERVER_ERROR')
  }
  if (asked.leaderRecoveryState === RECOVERING && (isr.length > 1 || partition.leaderRecoveryState === RECOVERED)) {
    return 'INVALID_REQUEST'
  }
  return isr.every((member) => isEligible(head, member)) ? undefined : 'INELIGIBLE_REPLICA'
}

/** A broker that has started anew since the leader heard of it may have lost what made it be in sync (KIP-903). */
function isEligible({ brokers }: MetadataImage, { brokerId, brokerEpoch }: Member): boolean {
  const broker = brokers.get(brokerId)
  return isActive(broker) && (brokerEpoch === -1 || brokerEpoch === broker?.epoch)
}

function accepted(partition: PartitionImage): Result {
  const {
    partition: partitionIndex,
    leader: leaderId,
    leaderEpoch,
    isr,
    leaderRecoveryState,
    partitionEpoch,
  } = partition
  return { partitionIndex, errorCode: 0, leaderId, leaderEpoch, isr: [...isr], leaderRecoveryState, partitionEpoch }
}

function refused({ partitionIndex }: Asked, error: ErrorName): Result {
  const nothing = { leaderId: 0, leaderEpoch: 0, isr: [], leaderRecoveryState: 0, partitionEpoch: 0 }
  return { partitionIndex, errorCode: errors[error].code, ...nothing }
}
