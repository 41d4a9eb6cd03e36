import { ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION, supportedFeatures } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { registerBrokerRecord, registerBrokerRecordVersion } from '../metadata/snapshot-records.ts'
import { ConfigResourceType, type EndPoint, type PartitionImage } from '../metadata/types.ts'
import { partitionChangeRecord, partitionChangeVersion } from './partition-change.ts'

/** From this metadata.version on, the first records are one transaction (KIP-868). */
const TRANSACTION_LEVEL = 14
const CONTROLLER_REGISTRATION_LEVEL = 15

/** What a node says of itself when it starts. */
export interface NodeRegistration {
  /** Where clients and brokers reach it; host and port as advertised, port as really bound. */
  readonly endPoints: readonly EndPoint[]
  readonly controllerEndPoints: readonly EndPoint[]
  readonly rack: string | null
  /** Ids of all its log directories. */
  readonly directories: readonly string[]
}

/**
 * The records with which a controller begins: those of the bootstrap where the log is empty, and the end of a
 * transaction that was left open.
 */
export function activationRecords(
  image: MetadataImage,
  inTransaction: boolean,
  bootstrap: readonly MetadataRecord[],
  minInsyncReplicas: number,
): MetadataRecord[] {
  const abort = inTransaction ? [metadataRecord('AbortTransaction', { reason: 'Controller failover' })] : []
  if (image.features.has(METADATA_VERSION)) return abort
  const records = [...bootstrap]
  if (levelIn(bootstrap, ELIGIBLE_LEADER_REPLICAS) > 0) {
    const minIsr = { name: 'min.insync.replicas', value: String(minInsyncReplicas) }
    records.push(metadataRecord('Config', { resourceType: ConfigResourceType.broker, resourceName: '', ...minIsr }))
  }
  if (levelIn(bootstrap, METADATA_VERSION) < TRANSACTION_LEVEL) return [...abort, ...records]
  const begin = metadataRecord('BeginTransaction', { name: 'Bootstrap records' })
  return [...abort, begin, ...records, metadataRecord('EndTransaction', {})]
}

function levelIn(records: readonly MetadataRecord[], feature: string): number {
  for (const record of records) {
    if (record.name === 'FeatureLevel' && record.value.name === feature) return record.value.featureLevel
  }
  return 0
}

/**
 * Registers this node as controller and broker, and lets it lead at once. `nextOffset` is the offset that the first of
 * the records takes; the broker's epoch is the offset of its registration.
 */
export function registrationRecords(
  head: MetadataImage,
  nodeId: number,
  incarnationId: string,
  node: NodeRegistration,
  nextOffset: number,
): MetadataRecord[] {
  const features = supportedFeatures.map(({ name, minVersion, maxVersion }) => ({
    name,
    minSupportedVersion: minVersion,
    maxSupportedVersion: maxVersion,
  }))
  const records: MetadataRecord[] = []
  if (head.featureLevel(METADATA_VERSION) >= CONTROLLER_REGISTRATION_LEVEL) {
    const endPoints = [...node.controllerEndPoints]
    const value = { controllerId: nodeId, incarnationId, zkMigrationReady: false, endPoints, features }
    records.push(metadataRecord('RegisterController', value))
  }
  const epoch = nextOffset + records.length
  const broker = {
    id: nodeId,
    epoch,
    incarnationId,
    endPoints: node.endPoints,
    features,
    rack: node.rack,
    fenced: true,
    inControlledShutdown: false,
    isMigratingZkBroker: false,
    directories: node.directories,
    cordonedDirectories: [],
  }
  records.push(registerBrokerRecord(broker, registerBrokerRecordVersion(head)))
  const change = { brokerId: nodeId, brokerEpoch: epoch, inControlledShutdown: 0, logDirs: [], cordonedLogDirs: null }
  records.push(metadataRecord('BrokerRegistrationChange', { ...change, fenced: -1 }))
  return records
}

/**
 * Gives this node the lead of every partition that it can lead, each with a new leader epoch: what a crash has cost its
 * log shows to clients as a truncation (KIP-320). The records need not be written as one.
 */
export function leadershipRecords(head: MetadataImage, nodeId: number): MetadataRecord[] {
  const version = partitionChangeVersion(head)
  const records: MetadataRecord[] = []
  for (const topic of head.topics.all()) {
    for (const partition of topic.partitions.values()) {
      if (canLead(partition, nodeId)) records.push(leadershipRecord(partition, nodeId, version))
    }
  }
  return records
}

function canLead(partition: PartitionImage, nodeId: number): boolean {
  if (partition.leader === nodeId) return true
  if (partition.leader !== -1) return false
  const { isr, elr, replicas } = partition
  return isr.includes(nodeId) || elr.includes(nodeId) || (replicas.length === 1 && replicas[0] === nodeId)
}

/** The record that lets `nodeId` lead; one that was not in sync is alone in sync afterwards. */
export function leadershipRecord(partition: PartitionImage, nodeId: number, version: number): MetadataRecord {
  const isInSync = partition.isr.includes(nodeId)
  const hasElr = partition.elr.length + partition.lastKnownElr.length > 0
  const change = {
    isr: isInSync ? null : [nodeId],
    leader: nodeId,
    eligibleLeaderReplicas: hasElr && version >= 2 ? [] : null,
    lastKnownElr: hasElr && version >= 2 ? [] : null,
  }
  return partitionChangeRecord(partition, change, version)
}
