import { errors } from '../../protocol/errors.ts'
import { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from '../../protocol/messages/write-txn-markers.ts'
import { defineHandler, type Services } from '../types.ts'

type Marker = WriteTxnMarkersRequest['markers'][number]

/** Error codes by producer id, topic and partition. */
type Outcome = Map<number, Map<string, Map<number, number>>>

/** WriteTxnMarkers: a coordinator, or an administrator, ends transactions in partitions of this broker. */
export const handler = defineHandler({
  request: WriteTxnMarkersRequest,
  response: WriteTxnMarkersResponse,
  async handle({ markers }, _, services) {
    if (markers.some((marker) => isNonsense(marker, services)))
      return refuseAll(markers, errors.UNKNOWN_SERVER_ERROR.code)
    const outcome: Outcome = new Map()
    const writes: Promise<void>[] = []
    for (const { topics, transactionResult: isCommit, ...marker } of markers) {
      for (const { name, partitionIndexes } of topics) {
        for (const partition of partitionIndexes) {
          const written = services.markers.write(name, partition, { ...marker, isCommit })
          writes.push(written.then((error) => note(outcome, marker.producerId, name, partition, error.code)))
        }
      }
    }
    await Promise.all(writes)
    return respond(outcome)
  },
  failed: ({ markers }, errorCode) => refuseAll(markers, errorCode),
})

/** Apache Kafka finds out when it makes a batch of it, and gives up the whole request. */
function isNonsense({ producerId, producerEpoch, topics }: Marker, { replicas }: Services): boolean {
  if (producerId >= 0 && producerEpoch >= 0) return false
  return topics.some(({ name, partitionIndexes }) => partitionIndexes.some((index) => replicas.get(name, index)))
}

function refuseAll(markers: readonly Marker[], errorCode: number) {
  const outcome: Outcome = new Map()
  for (const { producerId, topics } of markers) {
    for (const { name, partitionIndexes } of topics) {
      for (const partition of partitionIndexes) note(outcome, producerId, name, partition, errorCode)
    }
  }
  return respond(outcome)
}

/** Of two markers of one producer for one partition, the first refusal is told. */
function note(outcome: Outcome, producerId: number, topic: string, partition: number, errorCode: number): void {
  const topics = outcome.get(producerId) ?? new Map<string, Map<number, number>>()
  outcome.set(producerId, topics)
  const partitions = topics.get(topic) ?? new Map<number, number>()
  topics.set(topic, partitions)
  const known = partitions.get(partition) ?? errors.NONE.code
  partitions.set(partition, known === errors.NONE.code ? errorCode : known)
}

function respond(outcome: Outcome) {
  return {
    markers: [...outcome].map(([producerId, topics]) => ({
      producerId,
      topics: [...topics].map(([name, partitions]) => ({
        name,
        partitions: [...partitions].map(([partitionIndex, errorCode]) => ({ partitionIndex, errorCode })),
      })),
    })),
  }
}
