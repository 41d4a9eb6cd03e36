import type { MetadataRecord } from '../metadata/records.ts'
import type { PartitionImage } from '../metadata/types.ts'
import type { ElectLeadersRequest, ElectLeadersResponse } from '../protocol/messages/elect-leaders.ts'
import { partitionChangeVersion } from './partition-change.ts'
import { isActive } from './placement.ts'
import { leadershipRecord } from './registration.ts'
import { type Decision, type DecisionContext, OK, outcomeOf, Refusal, refuse } from './result.ts'

/** The numbers of ElectLeaders. */
const ElectionType = { preferred: 0, unclean: 1 } as const

type TopicResult = ElectLeadersResponse['replicaElectionResults'][number]

/** Decides an ElectLeaders (KIP-460). Throws Refusal where it is refused as a whole. */
export function electLeaders(context: DecisionContext, request: ElectLeadersRequest): Decision<ElectLeadersResponse> {
  const { electionType, topicPartitions } = request
  if (topicPartitions?.length === 0) return { records: [], response: responseOf([]) }
  if (electionType !== ElectionType.preferred && electionType !== ElectionType.unclean) {
    throw new Refusal('INVALID_REQUEST', `Unknown election type ${electionType}`)
  }
  const records: MetadataRecord[] = []
  const elect = (topic: string, partitionId: number) => ({
    partitionId,
    ...outcomeOf(() => void records.push(electLeader(context, topic, partitionId, electionType))),
  })
  const { topics } = context.head
  const asked = topicPartitions ?? [...topics.names()].map((topic) => ({ topic, partitions: partitionsOf(topic) }))
  const results = asked.map(({ topic, partitions }): TopicResult => {
    const partitionResult = partitions.map((partition) => elect(topic, partition))
    if (topicPartitions !== null) return { topic, partitionResult }
    // Asked for all partitions, Apache Kafka leaves out those that are led by the right one already.
    return { topic, partitionResult: partitionResult.filter(({ errorCode }) => errorCode !== NOT_NEEDED_CODE) }
  })
  return { records, response: responseOf(results) }

  function partitionsOf(topic: string): number[] {
    return [...topics.byName(topic)!.partitions.keys()]
  }
}

const NOT_NEEDED_CODE = 84

function responseOf(replicaElectionResults: TopicResult[]): ElectLeadersResponse {
  return { throttleTimeMs: 0, errorCode: OK.errorCode, replicaElectionResults }
}

function electLeader(context: DecisionContext, name: string, number: number, electionType: number): MetadataRecord {
  const { head } = context
  const topic = head.topics.byName(name)
  if (topic === undefined) throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', `No such topic as ${name}`)
  const partition = topic.partitions.get(number)
  if (partition === undefined) {
    throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', `No such partition as ${name}-${number}`)
  }
  const leader = electionType === ElectionType.preferred ? preferred(context, partition) : anyLeader(context, partition)
  return leadershipRecord(partition, leader, partitionChangeVersion(head))
}

function preferred({ head }: DecisionContext, { replicas, leader, isr }: PartitionImage): number {
  const [first] = replicas
  if (first === undefined || leader === first) throw refuse('ELECTION_NOT_NEEDED')
  if (!isr.includes(first) || !isActive(head.brokers.get(first))) throw refuse('PREFERRED_LEADER_NOT_AVAILABLE')
  return first
}

/** One in sync if there is any that lives, otherwise any that lives. */
function anyLeader({ head }: DecisionContext, { replicas, leader, isr, elr }: PartitionImage): number {
  if (leader !== -1) throw refuse('ELECTION_NOT_NEEDED')
  const living = replicas.filter((id) => isActive(head.brokers.get(id)))
  const chosen = living.find((id) => isr.includes(id)) ?? living.find((id) => elr.includes(id)) ?? living[0]
  if (chosen === undefined) throw refuse('ELIGIBLE_LEADERS_NOT_AVAILABLE')
  return chosen
}
