import type { MetadataRecord } from '../metadata/records.ts'
import type { PartitionImage, TopicImage } from '../metadata/types.ts'
import type { ElectLeadersRequest, ElectLeadersResponse } from '../protocol/messages/elect-leaders.ts'
import { changePartition } from './partition-change.ts'
import { type Decision, type DecisionContext, OK, outcomeOf, Refusal, refuse } from './result.ts'
import { type TopicRules, topicRules } from './topic-rules.ts'

/** The numbers of ElectLeaders. */
const ElectionType = { preferred: 0, unclean: 1 } as const

const NO_LEADER = -1

type TopicResult = ElectLeadersResponse['replicaElectionResults'][number]

/** Decides an ElectLeaders (KIP-460). Throws Refusal where it is refused as a whole. */
export function electLeaders(context: DecisionContext, request: ElectLeadersRequest): Decision<ElectLeadersResponse> {
  const { electionType, topicPartitions } = request
  if (topicPartitions?.length === 0) return { records: [], response: responseOf([]) }
  if (electionType !== ElectionType.preferred && electionType !== ElectionType.unclean) {
    throw new Refusal('INVALID_REQUEST', `Unknown election type ${electionType}`)
  }
  const records: MetadataRecord[] = []
  const rulesOf = topicRules(context)
  const elect = (topic: string, partitionId: number) => ({
    partitionId,
    ...outcomeOf(() => void records.push(electLeader(context, rulesOf, topic, partitionId, electionType))),
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

function electLeader(
  { head }: DecisionContext,
  rulesOf: (topic: TopicImage) => TopicRules,
  name: string,
  number: number,
  electionType: number,
): MetadataRecord {
  const topic = head.topics.byName(name)
  if (topic === undefined) throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', `No such topic as ${name}`)
  const partition = topic.partitions.get(number)
  if (partition === undefined) {
    throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', `No such partition as ${name}-${number}`)
  }
  const isPreferred = electionType === ElectionType.preferred
  const isDone = isPreferred ? hasPreferredLeader(partition) : partition.leader !== NO_LEADER
  if (isDone) throw refuse('ELECTION_NOT_NEEDED')
  const record = changePartition(rulesOf(topic), partition, { election: isPreferred ? 'preferred' : 'unclean' })
  if (record !== undefined) return record
  throw refuse(isPreferred ? 'PREFERRED_LEADER_NOT_AVAILABLE' : 'ELIGIBLE_LEADERS_NOT_AVAILABLE')
}

function hasPreferredLeader({ replicas, leader }: PartitionImage): boolean {
  return leader === replicas[0]
}
