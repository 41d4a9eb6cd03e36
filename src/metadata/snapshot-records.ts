import type { MetadataImage } from './image.ts'
import { type MetadataRecord, metadataRecord } from './records.ts'
import type { BrokerImage, PartitionImage } from './types.ts'

const METADATA_VERSION = 'metadata.version'

/** The first metadata.version level at which a record takes a new version, newest first. */
const PARTITION_VERSIONS = [
  { level: 23, version: 2 },
  { level: 17, version: 1 },
] as const
const REGISTER_BROKER_VERSIONS = [
  { level: 30, version: 4 },
  { level: 17, version: 3 },
  { level: 8, version: 2 },
] as const

/** Which version of PartitionRecord brokers of this metadata.version write. */
export function partitionRecordVersion(image: MetadataImage): number {
  return versionAt(PARTITION_VERSIONS, image.featureLevel(METADATA_VERSION))
}

export function registerBrokerRecordVersion(image: MetadataImage): number {
  return versionAt(REGISTER_BROKER_VERSIONS, image.featureLevel(METADATA_VERSION)) || 1
}

function versionAt(versions: readonly { level: number; version: number }[], level: number): number {
  return versions.find((entry) => level >= entry.level)?.version ?? 0
}

/** Everything in the image as records, in the order in which Apache Kafka writes its snapshots. */
export function* snapshotRecords(image: MetadataImage): Generator<MetadataRecord> {
  yield* featureRecords(image)
  const registerVersion = registerBrokerRecordVersion(image)
  for (const broker of image.brokers.values()) yield registerBrokerRecord(broker, registerVersion)
  for (const { id, ...rest } of image.controllers.values()) {
    yield metadataRecord('RegisterController', {
      ...rest,
      controllerId: id,
      endPoints: [...rest.endPoints],
      features: [...rest.features],
    })
  }
  const partitionVersion = partitionRecordVersion(image)
  for (const topic of image.topics.all()) {
    yield metadataRecord('Topic', { name: topic.name, topicId: topic.id })
    for (const partition of topic.partitions.values()) yield partitionRecord(partition, partitionVersion)
  }
  for (const [{ type, name }, settings] of image.configs.all()) {
    for (const [setting, value] of settings) {
      yield metadataRecord('Config', { resourceType: type, resourceName: name, name: setting, value })
    }
  }
  yield* securityRecords(image)
}

function* featureRecords(image: MetadataImage): Generator<MetadataRecord> {
  const level = image.features.get(METADATA_VERSION)
  // First, because it decides how the records after it are read.
  if (level !== undefined) yield metadataRecord('FeatureLevel', { name: METADATA_VERSION, featureLevel: level })
  for (const [name, featureLevel] of image.features) {
    if (name !== METADATA_VERSION) yield metadataRecord('FeatureLevel', { name, featureLevel })
  }
}

function* securityRecords(image: MetadataImage): Generator<MetadataRecord> {
  for (const { entity, values } of image.clientQuotas.values()) {
    for (const [key, value] of values) {
      yield metadataRecord('ClientQuota', { entity: [...entity], key, value, remove: false })
    }
  }
  if (image.nextProducerId >= 0) {
    yield metadataRecord('ProducerIds', { brokerId: -1, brokerEpoch: -1, nextProducerId: image.nextProducerId })
  }
  for (const value of image.acls.values()) yield metadataRecord('AccessControlEntry', value)
  for (const value of image.scramCredentials.values()) yield metadataRecord('UserScramCredential', value)
  for (const value of image.delegationTokens.values()) yield metadataRecord('DelegationToken', value)
}

export function registerBrokerRecord(broker: BrokerImage, version: number): MetadataRecord {
  const { id, epoch, directories, cordonedDirectories, ...rest } = broker
  const value = {
    ...rest,
    brokerId: id,
    brokerEpoch: epoch,
    endPoints: [...rest.endPoints],
    features: [...rest.features],
    logDirs: version >= 3 ? [...directories] : [],
    cordonedLogDirs: version >= 4 && cordonedDirectories !== null ? [...cordonedDirectories] : null,
  }
  return metadataRecord('RegisterBroker', value, version)
}

export function partitionRecord(partition: PartitionImage, version: number): MetadataRecord {
  const { partition: partitionId, elr, lastKnownElr, ...rest } = partition
  const value = {
    ...rest,
    partitionId,
    replicas: [...rest.replicas],
    isr: [...rest.isr],
    removingReplicas: [...rest.removingReplicas],
    addingReplicas: [...rest.addingReplicas],
    directories: version >= 1 ? [...rest.directories] : [],
    // Tagged fields: absent rather than empty saves their bytes.
    eligibleLeaderReplicas: version >= 2 && elr.length > 0 ? [...elr] : null,
    lastKnownElr: version >= 2 && lastKnownElr.length > 0 ? [...lastKnownElr] : null,
  }
  return metadataRecord('Partition', value, version)
}
