import { isInternalTopic } from '../../controller/topic-names.ts'
import { LogError } from '../../log/append-error.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../protocol/messages/delete-records.ts'
import { defineHandler, type Services } from '../types.ts'

/** Asks to delete everything up to the high watermark. */
const HIGH_WATERMARK = -1
const NO_LOW_WATERMARK = -1

/** DeleteRecords (KIP-107): records below an offset are gone; answers the lowest offset that is left. */
export const handler = defineHandler({
  request: DeleteRecordsRequest,
  response: DeleteRecordsResponse,
  handle: ({ topics }, _, services) => ({
    topics: [...offsetsOf(topics)].map(([name, offsets]) => ({
      name,
      partitions: [...offsets].map(([partitionIndex, offset]) => ({
        partitionIndex,
        ...deleteBefore(name, partitionIndex, offset, services),
      })),
    })),
  }),
  failed: ({ topics }, errorCode) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        lowWatermark: NO_LOW_WATERMARK,
        errorCode,
      })),
    })),
  }),
})

/** By topic and partition: one that comes twice counts once, and the last time. */
function offsetsOf(topics: DeleteRecordsRequest['topics']): Map<string, Map<number, number>> {
  const all = new Map<string, Map<number, number>>()
  for (const { name, partitions } of topics) {
    for (const { partitionIndex, offset } of partitions) {
      const offsets = all.get(name) ?? new Map<number, number>()
      all.set(name, offsets.set(partitionIndex, offset))
    }
  }
  return all
}

function deleteBefore(topic: string, index: number, offset: number, { image, replicas }: Services) {
  if (image.topics.partition(topic, index) === undefined) return failure(errors.UNKNOWN_TOPIC_OR_PARTITION)
  if (isInternalTopic(topic)) return failure(errors.INVALID_TOPIC_EXCEPTION)
  const partition = replicas.get(topic, index)
  const refusal = partition === undefined ? errors.NOT_LEADER_OR_FOLLOWER : partition.refusal(-1, true)
  if (partition === undefined || refusal !== undefined) return failure(refusal ?? errors.NOT_LEADER_OR_FOLLOWER)
  const { config, highWatermark } = partition.log
  if (config.cleanupCompact && !config.cleanupDelete) return failure(errors.POLICY_VIOLATION)
  const target = offset === HIGH_WATERMARK ? highWatermark : offset
  if (target < 0) return failure(errors.OFFSET_OUT_OF_RANGE)
  try {
    return { lowWatermark: partition.deleteRecordsBefore(target), errorCode: 0 }
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    return failure(error.error)
  }
}

function failure(error: KafkaError) {
  return { lowWatermark: NO_LOW_WATERMARK, errorCode: error.code }
}
