import type { MetadataRecord } from '../metadata/records.ts'
import type { PartitionImage } from '../metadata/types.ts'
import { changePartition, type Election } from './partition-change.ts'
import type { Decision, DecisionContext } from './result.ts'
import { type TopicRules, topicRules } from './topic-rules.ts'

/** The most elections that are written at a time; the response says whether there may be more to do. */
const MAX_ELECTIONS = 1000

/** Gives the lead back to preferred replicas that can lead again. */
export function balanceLeaders(context: DecisionContext): Decision<boolean> {
  return electWhere(context, 'preferred', ({ replicas, leader }) => leader !== replicas[0])
}

/**
 * Elects leaders that are not in sync for partitions that have none, where the topic allows it: it may do so only since
 * the broker before was lost, and a replica may have come back meanwhile.
 */
export function electUncleanLeaders(context: DecisionContext): Decision<boolean> {
  return electWhere(context, 'unclean', ({ leader }, { allowsUnclean }) => leader === -1 && allowsUnclean)
}

function electWhere(
  context: DecisionContext,
  election: Election,
  concerns: (partition: PartitionImage, rules: TopicRules) => boolean,
): Decision<boolean> {
  const rulesOf = topicRules(context)
  const records: MetadataRecord[] = []
  for (const topic of context.head.topics.all()) {
    const rules = rulesOf(topic)
    for (const partition of topic.partitions.values()) {
      if (!concerns(partition, rules)) continue
      const record = changePartition(rules, partition, { election })
      if (record !== undefined) records.push(record)
      if (records.length === MAX_ELECTIONS) return { records, response: true }
    }
  }
  return { records, response: false }
}
