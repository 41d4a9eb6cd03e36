import type { Controller } from '../controller/controller.ts'
import { MAX_RECORDS_PER_REQUEST } from '../controller/result.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { MetadataDelta, MetadataPublisher } from '../metadata/types.ts'
import type { Logger } from '../platform/logger.ts'

export interface DirectoryPublisherOptions {
  readonly controller: Controller
  readonly logs: Pick<LogManager, 'directoryPathOf'>
  /** directory.id by path. */
  readonly directoryIds: ReadonlyMap<string, string>
  readonly logger: Logger
}

/**
 * Where a broker has several log directories, tells the metadata in which of them each replica is (KIP-858). Must hear of a
 * change after whoever makes the logs.
 */
export class DirectoryPublisher implements MetadataPublisher {
  readonly #options: DirectoryPublisherOptions

  constructor(options: DirectoryPublisherOptions) {
    this.#options = options
  }

  onMetadataChange({ partitionsChanged }: MetadataDelta): void {
    // With one directory, the controller has known it when it made the partition.
    if (this.#options.directoryIds.size < 2) return
    for (const [topicId, partitions] of partitionsChanged) this.tell(topicId, partitions)
  }

  /** To be called too when a log has moved. */
  tell(topicId: string, partitions: Iterable<number>): void {
    const { controller, logs, directoryIds, logger } = this.#options
    const topic = controller.image.topics.byId(topicId)
    if (topic === undefined) return
    const assignments = [...partitions].flatMap((partition) => {
      const directoryId = directoryIds.get(logs.directoryPathOf(topic.name, partition) ?? '')
      return directoryId === undefined ? [] : [{ topicId, partition, directoryId }]
    })
    for (let from = 0; from < assignments.length; from += MAX_RECORDS_PER_REQUEST) {
      controller
        .assignDirectories(assignments.slice(from, from + MAX_RECORDS_PER_REQUEST))
        .catch((error) => logger.error(`The directories of ${topic.name} were not written down: ${String(error)}`))
    }
  }
}
