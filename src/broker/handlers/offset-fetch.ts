import type { OffsetFetchGroup, OffsetFetchGroupResponse } from '../../coordinator/offsets/offset-operations.ts'
import type { TopicsImage } from '../../metadata/topics-image.ts'
import { errors } from '../../protocol/errors.ts'
import {
  OffsetFetchRequest,
  OffsetFetchResponse,
  type OffsetFetchResponseInput,
} from '../../protocol/messages/offset-fetch.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { defineHandler, type Services } from '../types.ts'

/** From these versions on: a place for the group's error, several groups (KIP-709), topics by id (KIP-848). */
const FIRST_VERSION_WITH_ERROR = 2
const FIRST_VERSION_WITH_GROUPS = 8
const FIRST_VERSION_WITH_IDS = 10
const NO_OFFSET = -1

type FetchedTopic = OffsetFetchGroupResponse['topics'][number]

/**
 * OffsetFetch: where consumers of a group have got to; from v2 on of all its partitions where no topics are named. v0 is
 * that of old clients: it tells "nothing committed" by UNKNOWN_TOPIC_OR_PARTITION, as offsets in ZooKeeper did.
 */
export const handler = defineHandler({
  request: OffsetFetchRequest,
  response: OffsetFetchResponse,
  handle: async (request, { apiVersion }, services) => {
    const groups = await Promise.all(
      groupsOf(request, apiVersion).map((group) => fetchGroup(group, request.requireStable, apiVersion, services)),
    )
    return respond(groups, apiVersion)
  },
  failed: (request, errorCode, { apiVersion }) =>
    respond(
      groupsOf(request, apiVersion).map((group) => refuseGroup(group, errorCode, apiVersion)),
      apiVersion,
    ),
})

function groupsOf(request: OffsetFetchRequest, apiVersion: number): OffsetFetchGroup[] {
  if (apiVersion >= FIRST_VERSION_WITH_GROUPS) return request.groups
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null
  return [{ groupId: request.groupId, memberId: null, memberEpoch: -1, topics }]
}

async function fetchGroup(
  group: OffsetFetchGroup,
  requireStable: boolean,
  apiVersion: number,
  { groups, image }: Services,
): Promise<OffsetFetchGroupResponse> {
  const byId = apiVersion >= FIRST_VERSION_WITH_IDS
  const unknown: FetchedTopic[] = []
  const topics = group.topics && (byId ? namedTopics(group.topics, image.topics, unknown) : group.topics)
  const response = await groups.fetchOffsets({ ...group, topics }, requireStable)
  if (response.errorCode !== errors.NONE.code) return refuseGroup(group, response.errorCode, apiVersion)
  const fetched = byId && topics === null ? withIds(response.topics, image.topics) : response.topics
  return { ...response, topics: [...fetched, ...unknown] }
}

/** Topics asked for by id, with their names; those that are not known go to `unknown`, refused. */
function namedTopics(
  topics: NonNullable<OffsetFetchGroup['topics']>,
  image: TopicsImage,
  unknown: FetchedTopic[],
): NonNullable<OffsetFetchGroup['topics']> {
  return topics.flatMap((topic) => {
    const name = image.byId(topic.topicId)?.name
    if (name !== undefined) return [{ ...topic, name }]
    unknown.push(refuseTopic(topic, errors.UNKNOWN_TOPIC_ID.code))
    return []
  })
}

/** Topics that are gone have no id, and no place in an answer by ids. */
function withIds(topics: readonly FetchedTopic[], image: TopicsImage): FetchedTopic[] {
  return topics.flatMap((topic) => {
    const topicId = image.byName(topic.name)?.id
    return topicId === undefined ? [] : [{ ...topic, topicId }]
  })
}

function refuseTopic(topic: NonNullable<OffsetFetchGroup['topics']>[number], errorCode: number): FetchedTopic {
  return {
    name: topic.name,
    topicId: topic.topicId,
    partitions: topic.partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: NO_OFFSET,
      committedLeaderEpoch: NO_OFFSET,
      metadata: '',
      errorCode,
    })),
  }
}

/** A group of which nothing but `errorCode` is told: where there is no place for it, by every partition. */
function refuseGroup(group: OffsetFetchGroup, errorCode: number, apiVersion: number): OffsetFetchGroupResponse {
  const { groupId } = group
  if (apiVersion >= FIRST_VERSION_WITH_ERROR) return { groupId, topics: [], errorCode }
  return { groupId, topics: (group.topics ?? []).map((topic) => refuseTopic(topic, errorCode)), errorCode: 0 }
}

function respond(groups: OffsetFetchGroupResponse[], apiVersion: number): OffsetFetchResponseInput {
  if (apiVersion >= FIRST_VERSION_WITH_GROUPS) return { groups }
  const { errorCode, topics } = groups[0]!
  if (apiVersion > 0) return { errorCode, topics }
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partition) => {
        const isMissing = partition.errorCode === errors.NONE.code && partition.committedOffset === NO_OFFSET
        return isMissing ? { ...partition, errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION.code } : partition
      }),
    })),
  }
}
