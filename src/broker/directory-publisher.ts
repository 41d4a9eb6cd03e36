import { isOnline, LOST_DIRECTORY } from '../controller/directories.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataDelta, MetadataPublisher } from '../metadata/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { Scheduled, Time } from '../platform/time.ts'
import { apis } from '../protocol/api-keys.ts'
import { errorOfCode } from '../protocol/errors.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'
import { RequestError } from '../replication/channel/node-client.ts'

export interface DirectoryPublisherOptions {
  readonly nodeId: number
  readonly image: MetadataImage
  readonly link: ControllerLink
  readonly logs: Pick<LogManager, 'directoryPathOf' | 'failedDirectories' | 'get'>
  /** directory.id by path. */
  readonly directoryIds: ReadonlyMap<string, string>
  readonly time: Time
  readonly logger: Logger
}

interface Assignment {
  readonly topicId: string
  readonly partition: number
  readonly directoryId: string
}

/** How soon it is told again what was refused. */
const RETRY_MS = 1000

/** The most that one request tells, as in Apache Kafka. */
const MAX_ASSIGNMENTS = 2250

/**
 * Where a broker has several log directories, tells the controller in which of them each replica is (KIP-858). Must hear
 * of a change after whoever makes the logs.
 */
export class DirectoryPublisher implements MetadataPublisher {
  readonly #options: DirectoryPublisherOptions
  /** What the controller has not taken yet, by topic id and partition. */
  readonly #untold = new Map<string, Assignment>()
  #isTelling = false
  #retry: Scheduled | undefined

  constructor(options: DirectoryPublisherOptions) {
    this.#options = options
  }

  onMetadataChange({ partitionsChanged, isInitial }: MetadataDelta): void {
    // With one directory, the controller has known it when it made the partition.
    if (this.#options.directoryIds.size < 2 && !isInitial) return
    for (const [topicId, partitions] of partitionsChanged) this.tell(topicId, partitions)
    this.#tellAll()
  }

  /** To be called too when a log has moved, and when it has failed: the partition is to be led by another replica then. */
  tell(topicId: string, partitions: Iterable<number>): void {
    const { image, nodeId, logs, directoryIds } = this.#options
    const topic = image.topics.byId(topicId)
    if (topic === undefined) return
    for (const partition of partitions) {
      const state = topic.partitions.get(partition)
      const path = logs.directoryPathOf(topic.name, partition) ?? ''
      const isLost = (state?.replicas.length ?? 0) > 1 && this.#isAloneOffline(topic.name, partition, path)
      const directoryId = isLost ? LOST_DIRECTORY : directoryIds.get(path)
      const at = state?.replicas.indexOf(nodeId) ?? -1
      if (directoryId === undefined || at < 0) continue
      const key = `${topicId}:${partition}`
      const untold = this.#untold.get(key)?.directoryId
      // What is to be told otherwise may be on its way already, and then comes after what the controller has now.
      const isKnown = state!.directories[at] === directoryId && untold === undefined
      if (!isKnown && untold !== directoryId) this.#untold.set(key, { topicId, partition, directoryId })
    }
    this.#tellAll()
  }

  /** The log of a replica cannot be made where the controller counts on it: another one is to lead, or to be waited for. */
  tellLost(topicId: string, partition: number): void {
    const { image, nodeId } = this.#options
    const state = image.topics.byId(topicId)?.partitions.get(partition)
    const at = state?.replicas.indexOf(nodeId) ?? -1
    const broker = image.brokers.get(nodeId)
    if (at < 0 || broker === undefined || state!.replicas.length === 1) return
    if (!isOnline(broker, state!.directories[at]!)) return
    this.#untold.set(`${topicId}:${partition}`, { topicId, partition, directoryId: LOST_DIRECTORY })
    this.#tellAll()
  }

  /** Of a whole directory, heartbeats tell. */
  #isAloneOffline(topic: string, partition: number, path: string): boolean {
    const { logs } = this.#options
    return logs.get(topic, partition)?.offline !== undefined && !logs.failedDirectories().includes(path)
  }

  #tellAll(): void {
    if (!this.#isTelling && this.#untold.size > 0) void this.#tellUntilRefused()
  }

  /** What is refused is told again a little later: by then the broker is registered anew, or another controller is active. */
  async #tellUntilRefused(): Promise<void> {
    const { logger, time } = this.#options
    this.#isTelling = true
    try {
      let error = 0
      while (this.#untold.size > 0 && error === 0) error = await this.#tellSome()
      if (error !== 0) {
        logger.warn(`The controller refused directories of replicas: ${errorOfCode(error).name}`)
        this.#retry ??= time.after(RETRY_MS, () => {
          this.#retry = undefined
          this.#tellAll()
        })
      }
    } catch (error) {
      // The node shuts down, or nobody there understands it.
      if (!(error instanceof RequestError)) throw error
      logger.warn(`The controller was not told the directories of replicas: ${error.message}`)
    } finally {
      this.#isTelling = false
    }
  }

  /** Answers the error of the request as a whole. */
  async #tellSome(): Promise<number> {
    const { image, nodeId, link } = this.#options
    const told = [...this.#untold].slice(0, MAX_ASSIGNMENTS)
    const directories = grouped(told.map(([, assignment]) => assignment))
    const body = () => ({ brokerId: nodeId, brokerEpoch: image.brokers.get(nodeId)?.epoch ?? -1, directories })
    const { response } = await link.request(apis.AssignReplicasToDirs, body, { timeoutMs: Number.POSITIVE_INFINITY })
    if (response.errorCode !== 0) return response.errorCode
    // A partition that the controller does not know, or not here, is gone, and the image will say so.
    for (const [key, assignment] of told) if (this.#untold.get(key) === assignment) this.#untold.delete(key)
    return 0
  }
}

function grouped(assignments: readonly Assignment[]) {
  const byDirectory = new Map<string, Map<string, { partitionIndex: number }[]>>()
  for (const { topicId, partition, directoryId } of assignments) {
    const topics = byDirectory.get(directoryId) ?? new Map<string, { partitionIndex: number }[]>()
    byDirectory.set(directoryId, topics)
    const partitions = topics.get(topicId) ?? []
    topics.set(topicId, partitions)
    partitions.push({ partitionIndex: partition })
  }
  return [...byDirectory].map(([id, topics]) => ({
    id,
    topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
  }))
}
