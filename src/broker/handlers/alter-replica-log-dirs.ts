import { LogError } from '../../log/append-error.ts'
import { errors } from '../../protocol/errors.ts'
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../protocol/messages/alter-replica-log-dirs.ts'
import { defineHandler, type Services } from '../types.ts'

/** AlterReplicaLogDirs (KIP-113): moves partitions between the log directories of this broker. */
export const handler = defineHandler({
  request: AlterReplicaLogDirsRequest,
  response: AlterReplicaLogDirsResponse,
  handle: ({ dirs }, _context, services) => {
    // A partition that is asked for twice is moved to the directory that was named last.
    const wanted = new Map<string, Map<number, string>>()
    for (const { path, topics } of dirs) {
      for (const { name, partitions } of topics) {
        const paths = wanted.get(name) ?? new Map<number, string>()
        for (const partition of partitions) paths.set(partition, path)
        if (paths.size > 0) wanted.set(name, paths)
      }
    }
    return {
      results: [...wanted].map(([topicName, paths]) => ({
        topicName,
        partitions: [...paths].map(([partitionIndex, path]) => ({
          partitionIndex,
          errorCode: move(services, topicName, partitionIndex, path),
        })),
      })),
    }
  },
  failed: ({ dirs }, errorCode) => ({
    results: dirs.flatMap(({ topics }) =>
      topics.map(({ name, partitions }) => ({
        topicName: name,
        partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode })),
      })),
    ),
  }),
})

function move({ logs, logger, image }: Services, topic: string, partition: number, path: string): number {
  try {
    logs.move(topic, partition, path)
    return 0
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    logger.warn(`${topic}-${partition} is not moved to ${path}: ${error.message}`)
    const isUnknown = error.error === errors.REPLICA_NOT_AVAILABLE && !image.topics.partition(topic, partition)
    return (isUnknown ? errors.UNKNOWN_TOPIC_OR_PARTITION : error.error).code
  }
}
