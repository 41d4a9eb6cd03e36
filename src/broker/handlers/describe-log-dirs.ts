import type { LogDirInfo } from '../../log/types.ts'
import { CORDONED_DIRECTORIES_LEVEL, METADATA_VERSION } from '../../metadata/features.ts'
import { errors } from '../../protocol/errors.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from '../../protocol/messages/describe-log-dirs.ts'
import type { MessageOf } from '../../protocol/schema.ts'
import { defineHandler } from '../types.ts'

interface PartitionInfo {
  partitionIndex: number
  partitionSize: number
  offsetLag: number
  isFutureKey: boolean
}

type Request = MessageOf<typeof DescribeLogDirsRequest>

/** DescribeLogDirs (KIP-113): each log directory, the partitions in it and, in versions 4+, its room (KIP-827). */
export const handler = defineHandler({
  request: DescribeLogDirsRequest,
  response: DescribeLogDirsResponse,
  handle: (request, _, { logs, image }) => {
    const isWanted = filterOf(request)
    const hasCordons = image.featureLevel(METADATA_VERSION) >= CORDONED_DIRECTORIES_LEVEL
    const results = logs.describe().map((directory) => describe(directory, isWanted))
    return { results: hasCordons ? results : results.map((result) => ({ ...result, isCordoned: false })) }
  },
  failed: (_, errorCode) => ({ errorCode }),
})

function filterOf({ topics }: Request): (topic: string, partition: number) => boolean {
  if (topics === null) return () => true
  const wanted = new Set(topics.flatMap(({ topic, partitions }) => partitions.map((index) => `${topic}:${index}`)))
  return (topic, partition) => wanted.has(`${topic}:${partition}`)
}

function describe(info: LogDirInfo, isWanted: (topic: string, partition: number) => boolean) {
  if (info.failure !== undefined) return { errorCode: errors.KAFKA_STORAGE_ERROR.code, logDir: info.directory }
  const byTopic = new Map<string, PartitionInfo[]>()
  for (const { topic, partition, sizeBytes, isFuture, offsetLag } of info.logs) {
    if (!isWanted(topic, partition)) continue
    let partitions = byTopic.get(topic)
    if (partitions === undefined) {
      partitions = []
      byTopic.set(topic, partitions)
    }
    partitions.push({ partitionIndex: partition, partitionSize: sizeBytes, offsetLag, isFutureKey: isFuture })
  }
  return {
    logDir: info.directory,
    topics: [...byTopic].map(([name, partitions]) => ({ name, partitions })),
    totalBytes: info.totalBytes,
    usableBytes: info.usableBytes,
    isCordoned: info.isCordoned,
  }
}
