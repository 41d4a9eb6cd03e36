import { GROUP_TOPIC, type GroupCoordinator } from '../coordinator/group-coordinator.ts'
import type { TransactionMarker } from '../coordinator/runtime/shard.ts'
import type { MarkerTarget } from '../coordinator/transactions/markers.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { Time } from '../platform/time.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import { BatchBuilder } from '../protocol/records/builder.ts'
import { ControlType, controlKey, endTxnMarkerValue } from '../protocol/records/control.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'

const ALL_IN_SYNC = -1
const NO_SEQUENCE = -1

/** Writes markers into the partitions of this broker; those of the offsets topic by way of the group coordinator. */
export class LocalMarkers implements MarkerTarget {
  readonly #replicas: ReplicaManager
  readonly #groups: GroupCoordinator
  readonly #image: MetadataImage
  readonly #time: Time
  readonly #timeoutMs: () => number

  /** `timeoutMs`: how long to wait until all in sync have a marker. */
  constructor(
    replicas: ReplicaManager,
    groups: GroupCoordinator,
    image: MetadataImage,
    time: Time,
    timeoutMs: () => number,
  ) {
    this.#replicas = replicas
    this.#groups = groups
    this.#image = image
    this.#time = time
    this.#timeoutMs = timeoutMs
  }

  exists(topic: string, partition: number): boolean {
    return this.#image.topics.partition(topic, partition) !== undefined
  }

  async write(topic: string, partition: number, marker: TransactionMarker): Promise<KafkaError> {
    if (this.#replicas.get(topic, partition) === undefined) return errors.UNKNOWN_TOPIC_OR_PARTITION
    if (topic === GROUP_TOPIC) return asLogError(await this.#groups.endTransaction(partition, marker))
    const { producerId, producerEpoch, transactionVersion: markerVersion } = marker
    const append = { producerId, producerEpoch, baseSequence: NO_SEQUENCE, markerVersion }
    const batch = markerBatch(marker, this.#time.nowMs())
    const timeoutMs = this.#timeoutMs()
    return (await this.#replicas.append(topic, partition, [batch], ALL_IN_SYNC, 'coordinator', append, timeoutMs)).error
  }
}

function markerBatch({ producerId, producerEpoch, coordinatorEpoch, isCommit }: TransactionMarker, nowMs: number) {
  const builder = new BatchBuilder({ producerId, producerEpoch, isTransactional: true, isControl: true })
  const key = controlKey(isCommit ? ControlType.commit : ControlType.abort)
  builder.append({ timestamp: nowMs, key, value: endTxnMarkerValue(coordinatorEpoch) })
  return builder.build()
}

/** Whoever sends markers knows the errors of logs, not those of coordinators. */
function asLogError(error: KafkaError): KafkaError {
  switch (error) {
    case errors.COORDINATOR_NOT_AVAILABLE:
    case errors.COORDINATOR_LOAD_IN_PROGRESS:
    case errors.NOT_COORDINATOR:
      return errors.NOT_LEADER_OR_FOLLOWER
    default:
      return error
  }
}
