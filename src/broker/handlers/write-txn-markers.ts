import { GROUP_TOPIC } from '../../coordinator/group-coordinator.ts'
import { NO_EPOCH, NO_PRODUCER_ID } from '../../coordinator/transactions/transaction.ts'
import { errors } from '../../protocol/errors.ts'
import { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from '../../protocol/messages/write-txn-markers.ts'
import { defineHandler } from '../types.ts'

type Marker = WriteTxnMarkersRequest['markers'][number]

/** Error codes by producer id, topic and partition. */
type Outcome = Map<number, Map<string, Map<number, number>>>

/** WriteTxnMarkers: a coordinator, or an administrator, ends transactions in partitions of this broker. */
export const handler = defineHandler({
  request: WriteTxnMarkersRequest,
  response: WriteTxnMarkersResponse,
  async handle({ markers }, _, services) {
    const outcome: Outcome = new Map()
    const writes: Promise<void>[] = []
    for (const { topics, transactionResult: isCommit, ...marker } of markers) {
      for (const { name, partitionIndexes } of topics) {
        for (const partition of partitionIndexes) {
          if (isNonsense(marker) && services.replicas.get(name, partition) !== undefined) {
            // Apache Kafka finds out when it makes a batch of it, and gives the request up; what came before is written.
            if (name !== GROUP_TOPIC) return refuseAll(markers, errors.UNKNOWN_SERVER_ERROR.code)
            note(outcome, marker.producerId, name, partition, errors.UNKNOWN_SERVER_ERROR.code)
            continue
          }
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

/** No other number is: what is below these is written, or refused by what is known of the producer. */
function isNonsense({ producerId, producerEpoch }: Pick<Marker, 'producerId' | 'producerEpoch'>): boolean {
  return producerId === NO_PRODUCER_ID || producerEpoch === NO_EPOCH
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
