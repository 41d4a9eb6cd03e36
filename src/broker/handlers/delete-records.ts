import { isInternalTopic } from '../../controller/topic-names.ts'
import { LogError } from '../../log/append-error.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../protocol/messages/delete-records.ts'
import { defineHandler, type Services } from '../types.ts'

/** Asks to delete everything up to the high watermark. */
const HIGH_WATERMARK = -1
const NO_LOW_WATERMARK = -1

/** DeleteRecords (KIP-107): records below an offset are gone, also from live followers; answers the lowest offset that is left. */
export const handler = defineHandler({
  request: DeleteRecordsRequest,
  response: DeleteRecordsResponse,
  async handle({ topics, timeoutMs }, _, services) {
    const answers = [...offsetsOf(topics)].map(async ([name, offsets]) => ({
      name,
      partitions: await Promise.all(
        [...offsets].map(async ([partitionIndex, offset]) => ({
          partitionIndex,
          ...(await deleteBefore(name, partitionIndex, offset, timeoutMs, services)),
        })),
      ),
    }))
    return { topics: await Promise.all(answers) }
  },
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

async function deleteBefore(
  topic: string,
  index: number,
  offset: number,
  timeoutMs: number,
  { image, replicas }: Services,
) {
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
    const lowWatermark = partition.deleteRecordsBefore(target)
    if (lowWatermark >= target) return { lowWatermark, errorCode: 0 }
    const error = await partition.whenDeletedBefore(target, timeoutMs)
    if (error === errors.REQUEST_TIMED_OUT) return { lowWatermark, errorCode: error.code }
    return error === errors.NONE ? { lowWatermark: partition.lowWatermark ?? target, errorCode: 0 } : failure(error)
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    return failure(error.error)
  }
}

function failure(error: KafkaError) {
  return { lowWatermark: NO_LOW_WATERMARK, errorCode: error.code }
}
