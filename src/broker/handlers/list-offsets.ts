import { LogError } from '../../log/append-error.ts'
import type { OffsetQuery, TimestampAndOffset } from '../../log/types.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import {
  ListOffsetsRequest,
  ListOffsetsResponse,
  type ListOffsetsResponseInput,
} from '../../protocol/messages/list-offsets.ts'
import type { MessageOf } from '../../protocol/schema.ts'
import type { Partition } from '../../replication/partition.ts'
import { defineHandler, type Services } from '../types.ts'

type Request = MessageOf<typeof ListOffsetsRequest>
type Asked = Request['topics'][number]['partitions'][number]
type TopicResponse = NonNullable<ListOffsetsResponseInput['topics']>[number]
type PartitionResponse = NonNullable<TopicResponse['partitions']>[number]

const LATEST = -1
const DEBUGGING_REPLICA_ID = -2
const CONSUMER_REPLICA_ID = -1
const LEADER_EPOCH_FROM = 4
const OFFSET_NOT_AVAILABLE_FROM = 5

/** The timestamps that stand for something else, and the version in which each came. */
const QUERIES: ReadonlyMap<number, { readonly query: OffsetQuery; readonly sinceVersion: number }> = new Map<
  number,
  { query: OffsetQuery; sinceVersion: number }
>([
  [LATEST, { query: 'latest', sinceVersion: 0 }],
  [-2, { query: 'earliest', sinceVersion: 0 }],
  [-3, { query: 'maxTimestamp', sinceVersion: 7 }],
  [-4, { query: 'earliestLocal', sinceVersion: 8 }],
  [-5, { query: 'latestTiered', sinceVersion: 9 }],
  // What waits to be moved to tiered storage: as nothing does, the same as what has been moved.
  [-6, { query: 'latestTiered', sinceVersion: 11 }],
])

/**
 * ListOffsets: the offset of the first record that is not older than a timestamp, or of one end of the log. Version 0
 * answers offsets at which segments begin; 2+
 * honour the isolation level, 4+ leader epochs, 7+ the record of the largest timestamp (KIP-734).
 */
export const handler = defineHandler({
  request: ListOffsetsRequest,
  response: ListOffsetsResponse,
  handle(request, { apiVersion }, services) {
    const duplicates = duplicatesOf(request)
    const topics = new Map<string, Map<number, PartitionResponse>>()
    for (const { name, partitions } of request.topics) {
      for (const asked of partitions) {
        const answers = topics.get(name) ?? new Map<number, PartitionResponse>()
        topics.set(name, answers)
        const isDuplicate = duplicates.has(`${name}:${asked.partitionIndex}`)
        answers.set(
          asked.partitionIndex,
          isDuplicate ? failure(asked, errors.INVALID_REQUEST) : answer(name, asked, request, apiVersion, services),
        )
      }
    }
    return { topics: [...topics].map(([name, answers]) => ({ name, partitions: [...answers.values()] })) }
  },
  failed: (request, errorCode) => ({
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode, offset: -1, timestamp: -1 })),
    })),
  }),
})

function duplicatesOf(request: Request): Set<string> {
  const seen = new Set<string>()
  const duplicates = new Set<string>()
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = `${name}:${partitionIndex}`
      if (seen.has(key)) duplicates.add(key)
      seen.add(key)
    }
  }
  return duplicates
}

function answer(topic: string, asked: Asked, request: Request, version: number, services: Services): PartitionResponse {
  const { timestamp, partitionIndex } = asked
  const query = QUERIES.get(timestamp)
  if (timestamp < 0 && (query === undefined || version < query.sinceVersion)) {
    return failure(asked, errors.UNSUPPORTED_VERSION)
  }
  const partition = services.replicas.get(topic, partitionIndex)
  if (partition === undefined) {
    const isKnown = services.image.topics.partition(topic, partitionIndex) !== undefined
    return failure(asked, isKnown ? errors.NOT_LEADER_OR_FOLLOWER : errors.UNKNOWN_TOPIC_OR_PARTITION)
  }
  const refusal = partition.refusal(asked.currentLeaderEpoch, request.replicaId !== DEBUGGING_REPLICA_ID)
  if (refusal !== undefined) return failure(asked, refusal)
  try {
    if (version === 0)
      return { partitionIndex, errorCode: 0, oldStyleOffsets: offsetsBefore(partition, asked, request) }
    const found = find(partition, asked, query?.query, request)
    if (found === 'unknown') {
      return failure(
        asked,
        version >= OFFSET_NOT_AVAILABLE_FROM ? errors.OFFSET_NOT_AVAILABLE : errors.LEADER_NOT_AVAILABLE,
      )
    }
    if (found === undefined) return failure(asked, errors.NONE)
    const leaderEpoch = version >= LEADER_EPOCH_FROM ? found.leaderEpoch : -1
    return { partitionIndex, errorCode: 0, timestamp: found.timestamp, offset: found.offset, leaderEpoch }
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    return failure(asked, error.error)
  }
}

/**
 * undefined when there is no such record, or none that the client may see; 'unknown' where a new leader cannot tell that yet
 * (KIP-207). Throws LogError.
 */
function find(
  partition: Partition,
  { timestamp }: Asked,
  query: OffsetQuery | undefined,
  request: Request,
): TimestampAndOffset | 'unknown' | undefined {
  const { log } = partition
  const isConsumer = request.replicaId === CONSUMER_REPLICA_ID
  const isEndUnknown = isConsumer && partition.isEndUnknown
  const visible = !isConsumer ? 'logEnd' : request.isolationLevel === 1 ? 'lastStable' : 'highWatermark'
  const lastFetchable = partition.bound(visible)
  if (timestamp === LATEST) {
    return isEndUnknown ? 'unknown' : { timestamp: -1, offset: lastFetchable, leaderEpoch: partition.leaderEpoch }
  }
  const found = query === undefined ? log.offsetForTimestamp(timestamp) : log.offsetFor(query)
  if (query === 'earliest' || query === 'earliestLocal') return found
  if (found !== undefined && found.offset < lastFetchable) return found
  return isEndUnknown ? 'unknown' : undefined
}

/** Version 0 knows no timestamps of records: it answers the beginnings of segments, the newest first. Throws LogError. */
function offsetsBefore(partition: Partition, { timestamp, maxNumOffsets }: Asked, { replicaId }: Request): number[] {
  const offsets = partition.log.segmentOffsetsBefore(timestamp, maxNumOffsets)
  if (replicaId !== CONSUMER_REPLICA_ID) return offsets
  const visible = offsets.filter((offset) => offset <= partition.log.highWatermark)
  return visible.length === offsets.length ? offsets : [partition.log.highWatermark, ...visible]
}

function failure({ partitionIndex }: Asked, error: KafkaError): PartitionResponse {
  return { partitionIndex, errorCode: error.code, timestamp: -1, offset: -1 }
}
