import type { TopicConfig } from '../config/topic-config.ts'
import type { LogConfig } from '../log/types.ts'
import { Codec } from '../protocol/records/layout.ts'

const CODECS = {
  uncompressed: Codec.none,
  gzip: Codec.gzip,
  snappy: Codec.snappy,
  lz4: Codec.lz4,
  zstd: Codec.zstd,
} as const

/** What a topic's settings mean to its logs. */
export function logConfigOf(topic: TopicConfig): LogConfig {
  return {
    segmentBytes: topic.segmentBytes,
    segmentMs: topic.segmentMs,
    segmentJitterMs: topic.segmentJitterMs,
    segmentIndexBytes: topic.segmentIndexBytes,
    indexIntervalBytes: topic.indexIntervalBytes,
    retentionMs: topic.retentionMs,
    retentionBytes: topic.retentionBytes,
    cleanupDelete: topic.deleteOld,
    cleanupCompact: topic.compact,
    deleteRetentionMs: topic.deleteRetentionMs,
    minCompactionLagMs: topic.minCompactionLagMs,
    maxCompactionLagMs: topic.maxCompactionLagMs,
    minCleanableDirtyRatio: topic.minCleanableDirtyRatio,
    maxMessageBytes: topic.maxMessageBytes,
    timestampType: topic.timestampType,
    timestampBeforeMaxMs: topic.timestampBeforeMaxMs,
    timestampAfterMaxMs: topic.timestampAfterMaxMs,
    compression: compressionOf(topic),
    flushMessages: topic.flushMessages,
    flushMs: topic.flushMs,
    fileDeleteDelayMs: topic.fileDeleteDelayMs,
  }
}

function compressionOf({ compressionType, compressionLevels }: TopicConfig): LogConfig['compression'] {
  if (compressionType === 'producer') return undefined
  const hasLevel = compressionType === 'gzip' || compressionType === 'lz4' || compressionType === 'zstd'
  const level = hasLevel ? compressionLevels[compressionType] : undefined
  // gzip's -1 is the codec's own default.
  return { codec: CODECS[compressionType], level: compressionType === 'gzip' && level === -1 ? undefined : level }
}
