import type { TransactionMarker } from '../coordinator/runtime/shard.ts'
import type { MarkerTarget } from '../coordinator/transactions/markers.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { Time } from '../platform/time.ts'
import { apis } from '../protocol/api-keys.ts'
import { errorOfCode, errors, type KafkaError } from '../protocol/errors.ts'
import type { WriteTxnMarkersRequestInput, WriteTxnMarkersResponse } from '../protocol/messages/write-txn-markers.ts'
import type { BrokerLinks } from '../replication/channel/broker-links.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import { GatheredRequests, oneOfEach } from './gathered-requests.ts'

export interface ClusterMarkersOptions {
  readonly nodeId: number
  /** For the partitions that this broker leads. */
  readonly local: MarkerTarget
  readonly links: Pick<BrokerLinks, 'request'>
  readonly image: MetadataImage
  readonly time: Time
}

/** One marker for one partition. */
interface Entry {
  readonly topic: string
  readonly partition: number
  readonly marker: TransactionMarker
  readonly resolve: (error: KafkaError) => void
}

type MarkerInput = NonNullable<WriteTxnMarkersRequestInput['markers']>[number]

/** Writes markers into partitions wherever they are led; those for one broker go together (WriteTxnMarkers). */
export class ClusterMarkers implements MarkerTarget {
  readonly #options: ClusterMarkersOptions
  readonly #requests: GatheredRequests<number, Entry>

  constructor(options: ClusterMarkersOptions) {
    this.#options = options
    this.#requests = new GatheredRequests(options.time, (brokerId, entries) => this.#send(brokerId, entries))
  }

  exists(topic: string, partition: number): boolean {
    return this.#options.local.exists(topic, partition)
  }

  write(topic: string, partition: number, marker: TransactionMarker): Promise<KafkaError> {
    const { image, nodeId, local } = this.#options
    const leader = image.topics.partition(topic, partition)?.leader ?? -1
    if (leader === nodeId) return local.write(topic, partition, marker)
    if (leader < 0) return Promise.resolve(errors.LEADER_NOT_AVAILABLE)
    return new Promise((resolve) => this.#requests.add(leader, { topic, partition, marker, resolve }))
  }

  async #send(brokerId: number, entries: readonly Entry[]): Promise<readonly Entry[]> {
    // The response names producers by their id only: of two markers of one, the second waits for the next request.
    const { sent, left } = oneOfEach(
      entries,
      ({ marker }) => marker.producerId,
      (first, { marker }) => first.marker === marker,
    )
    const markers = markersOf(sent)
    try {
      const { response } = await this.#options.links.request(brokerId, apis.WriteTxnMarkers, () => ({ markers }))
      const outcomes = outcomesOf(response)
      for (const { topic, partition, marker, resolve } of sent) {
        const code = outcomes.get(keyOf(marker.producerId, topic, partition)) ?? errors.UNKNOWN_SERVER_ERROR.code
        resolve(errorOfCode(code))
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      for (const { resolve } of sent) resolve(errors.NETWORK_EXCEPTION)
    }
    return left
  }
}

function markersOf(entries: readonly Entry[]): MarkerInput[] {
  const topicsOf = new Map<TransactionMarker, Map<string, number[]>>()
  for (const { topic, partition, marker } of entries) {
    let topics = topicsOf.get(marker)
    if (topics === undefined) {
      topics = new Map()
      topicsOf.set(marker, topics)
    }
    const partitions = topics.get(topic)
    if (partitions === undefined) topics.set(topic, [partition])
    else partitions.push(partition)
  }
  return [...topicsOf].map(([{ isCommit, ...marker }, topics]) => ({
    ...marker,
    transactionResult: isCommit,
    topics: [...topics].map(([name, partitionIndexes]) => ({ name, partitionIndexes })),
  }))
}

function outcomesOf({ markers }: WriteTxnMarkersResponse): Map<string, number> {
  const outcomes = new Map<string, number>()
  for (const { producerId, topics } of markers) {
    for (const { name, partitions } of topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        outcomes.set(keyOf(producerId, name, partitionIndex), errorCode)
      }
    }
  }
  return outcomes
}

function keyOf(producerId: number, topic: string, partition: number): string {
  return `${producerId} ${partition} ${topic}`
}
