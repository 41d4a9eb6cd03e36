import type { NewStart } from '../../coordinator/share/group/share-states.ts'
import type { PersisterResult } from '../../coordinator/share/share-persister.ts'
import { errors } from '../../protocol/errors.ts'
import {
  AlterShareGroupOffsetsRequest,
  AlterShareGroupOffsetsResponse,
} from '../../protocol/messages/alter-share-group-offsets.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { refuse, refusedGroup, refuseFor } from '../share/refusal.ts'
import { restartGroup } from '../share/share-offsets.ts'
import { defineHandler, type Services } from '../types.ts'

type AskedTopic = AlterShareGroupOffsetsRequest['topics'][number]
type AnsweredTopic = AlterShareGroupOffsetsResponse['responses'][number]

/** A partition that is asked for, in the order of the answer. */
interface Asked {
  readonly topicName: string
  readonly topicId: string
  readonly partition: number
  /** undefined where there is no such partition. */
  readonly start: NewStart | undefined
}

const UNKNOWN: PersisterResult = { error: errors.UNKNOWN_TOPIC_OR_PARTITION, message: null }

/** AlterShareGroupOffsets (KIP-932): share groups without members begin at other offsets. */
export const handler = defineHandler({
  request: AlterShareGroupOffsetsRequest,
  response: AlterShareGroupOffsetsResponse,
  handle: async ({ groupId, topics }, _, services) => {
    const refused = refusedGroup(groupId, services)
    if (refused !== undefined) return refuse(refused)
    const asked = partitionsOf(topics, services)
    const starts = asked.flatMap(({ start }) => start ?? [])
    try {
      const results = await restartGroup(groupId, starts, services)
      const outcomes = new Map(starts.map((start, index) => [start, results[index]!]))
      return { responses: answer(asked, (start) => outcomes.get(start)!) }
    } catch (reason) {
      return refuseFor(reason)
    }
  },
  failed: (_, errorCode) => ({ errorCode }),
})

/** As by Apache Kafka, topics that there are not come first. */
function partitionsOf(topics: readonly AskedTopic[], { image }: Services): Asked[] {
  const known: Asked[] = []
  const unknown: Asked[] = []
  for (const { topicName, partitions } of topics) {
    const topic = image.topics.byName(topicName)
    const topicId = topic?.id ?? ZERO_UUID
    for (const { partitionIndex: partition, startOffset } of partitions) {
      // A number below 0 refuses the whole request, once the group is known to be right.
      const isThere = topic !== undefined && partition < topic.partitions.size
      const start = isThere ? { topicId, partition, startOffset } : undefined
      ;(topic === undefined ? unknown : known).push({ topicName, topicId, partition, start })
    }
  }
  return [...unknown, ...known]
}

function answer(asked: readonly Asked[], outcomeOf: (start: NewStart) => PersisterResult): AnsweredTopic[] {
  const topics = new Map<string, AnsweredTopic>()
  for (const { topicName, topicId, partition: partitionIndex, start } of asked) {
    const topic = topics.get(topicName) ?? { topicName, topicId, partitions: [] }
    topics.set(topicName, topic)
    const { error, message } = start === undefined ? UNKNOWN : outcomeOf(start)
    const errorMessage = error === errors.NONE ? null : (message ?? error.message)
    topic.partitions.push({ partitionIndex, errorCode: error.code, errorMessage })
  }
  return [...topics.values()]
}
