import { protocolErrorOf } from '../../coordinator/coordinator-error.ts'
import { errors } from '../../protocol/errors.ts'
import {
  DescribeShareGroupOffsetsRequest,
  DescribeShareGroupOffsetsResponse,
} from '../../protocol/messages/describe-share-group-offsets.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { latestOffset } from '../share/latest-offset.ts'
import { defineHandler, type Services } from '../types.ts'

type Group = DescribeShareGroupOffsetsRequest['groups'][number]
type DescribedGroup = DescribeShareGroupOffsetsResponse['groups'][number]
type DescribedTopic = DescribedGroup['topics'][number]
type DescribedPartition = DescribedTopic['partitions'][number]

const UNKNOWN_OFFSET = -1
const UNKNOWN_LAG = -1
const ANY_LEADER = -1

/** DescribeShareGroupOffsets (KIP-932): where share groups stand; from version 1 on also how far behind they are. */
export const handler = defineHandler({
  request: DescribeShareGroupOffsetsRequest,
  response: DescribeShareGroupOffsetsResponse,
  handle: async (request, _, services) => {
    if (services.image.featureLevel('share.version') < 1) return refuse(request, errors.UNSUPPORTED_VERSION.code)
    return { groups: await Promise.all(request.groups.map((group) => describe(group, services))) }
  },
  failed: refuse,
})

function refuse({ groups }: DescribeShareGroupOffsetsRequest, errorCode: number) {
  return { groups: groups.map(({ groupId }) => refused(groupId, errorCode)) }
}

function refused(groupId: string, errorCode: number): DescribedGroup {
  return { groupId, topics: [], errorCode, errorMessage: null }
}

async function describe({ groupId, topics }: Group, services: Services): Promise<DescribedGroup> {
  const named = topics === null ? await allTopics(groupId, services) : topics
  if (typeof named === 'number') return refused(groupId, named)
  // Apache Kafka finds out in the midst of asking for their state, and gives up the group.
  if (groupId === '' && named.some(({ topicName, partitions }) => isThere(topicName, partitions, services))) {
    return { ...refused(groupId, errors.UNKNOWN_SERVER_ERROR.code), errorMessage: errors.UNKNOWN_SERVER_ERROR.message }
  }
  const described = await Promise.all(
    named.map(({ topicName, partitions }) => describeTopic(groupId, topicName, partitions, services)),
  )
  // Topics that there are come first.
  const isKnown = ({ topicId }: DescribedTopic) => topicId !== ZERO_UUID
  const ordered = [...described.filter(isKnown), ...described.filter((topic) => !isKnown(topic))]
  return { groupId, topics: ordered, errorCode: errors.NONE.code, errorMessage: null }
}

function isThere(topicName: string, partitions: readonly number[], { image }: Services): boolean {
  return partitions.length > 0 && image.topics.byName(topicName) !== undefined
}

/** An error code where that cannot be told. */
async function allTopics(groupId: string, { groups, image }: Services) {
  try {
    const partitions = await groups.sharePartitions(groupId)
    return [...partitions].flatMap(([topicId, numbers]) => {
      const topicName = image.topics.byId(topicId)?.name
      return topicName === undefined ? [] : [{ topicName, partitions: [...numbers].sort((a, b) => a - b) }]
    })
  } catch (reason) {
    const error = protocolErrorOf(reason)
    if (error === undefined) throw reason
    return error.code
  }
}

async function describeTopic(
  groupId: string,
  topicName: string,
  partitions: readonly number[],
  services: Services,
): Promise<DescribedTopic> {
  const topic = services.image.topics.byName(topicName)
  const describeOne = async (partition: number): Promise<DescribedPartition> => {
    const nothing = partitionAt(partition, UNKNOWN_OFFSET, 0, UNKNOWN_LAG)
    if (topic === undefined) return nothing
    const key = { groupId, topicId: topic.id, partition }
    const summary = await services.shares.persister.summarise(key, ANY_LEADER)
    if (summary.error !== errors.NONE) return nothing
    const { startOffset, leaderEpoch, deliveryCompleteCount } = summary
    if (startOffset === UNKNOWN_OFFSET || deliveryCompleteCount === -1) {
      return partitionAt(partition, startOffset, leaderEpoch, UNKNOWN_LAG)
    }
    const end = await latestOffset(topicName, partition, services)
    if (typeof end !== 'number') {
      return { ...partitionAt(partition, 0, 0, UNKNOWN_LAG), errorCode: end.code, errorMessage: end.message }
    }
    return partitionAt(partition, startOffset, leaderEpoch, end - startOffset - deliveryCompleteCount)
  }
  const described = await Promise.all(partitions.map(describeOne))
  return { topicName, topicId: topic?.id ?? ZERO_UUID, partitions: described }
}

function partitionAt(
  partitionIndex: number,
  startOffset: number,
  leaderEpoch: number,
  lag: number,
): DescribedPartition {
  return { partitionIndex, startOffset, leaderEpoch, lag, errorCode: errors.NONE.code, errorMessage: null }
}
