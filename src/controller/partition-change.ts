import { METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { type MetadataRecord, type MetadataRecordValue, metadataRecord } from '../metadata/records.ts'
import type { PartitionImage } from '../metadata/types.ts'

/** From these levels of metadata.version on, records about partitions have directories and eligible leaders. */
const DIRECTORIES_LEVEL = 17
const ELR_LEVEL = 23

type Value = MetadataRecordValue<'PartitionChange'>

/** Which version of PartitionChangeRecord brokers of this metadata.version write. */
export function partitionChangeVersion(image: MetadataImage): number {
  const level = image.featureLevel(METADATA_VERSION)
  return level >= ELR_LEVEL ? 2 : level >= DIRECTORIES_LEVEL ? 1 : 0
}

/** A change of one partition; what is left out of `change` stays as it is. */
export function partitionChangeRecord(
  partition: PartitionImage,
  change: Partial<Omit<Value, 'partitionId' | 'topicId'>>,
  version: number,
): MetadataRecord {
  const value: Value = {
    partitionId: partition.partition,
    topicId: partition.topicId,
    isr: null,
    leader: -2,
    replicas: null,
    removingReplicas: null,
    addingReplicas: null,
    leaderRecoveryState: -1,
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
    ...change,
    directories: version >= 1 ? (change.directories ?? null) : null,
  }
  return metadataRecord('PartitionChange', value, version)
}
