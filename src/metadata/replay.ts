import type { MetadataImage } from './image.ts'
import type { MetadataRecord, MetadataRecordName, MetadataRecordValue } from './records.ts'
import { type BrokerImage, ConfigResourceType, type PartitionImage } from './types.ts'

type Replayers = { [N in MetadataRecordName]: (image: MetadataImage, value: MetadataRecordValue<N>) => void }

const NO_LEADER_CHANGE = -2
/** The directory id of replicas in records from before directories had ids. */
const MIGRATING_DIRECTORY = 'AAAAAAAAAAAAAAAAAAAAAA'

/** How each kind of record changes the image. Marks of transactions are dealt with before, by whoever reads the log. */
const replayers: Replayers = {
  RegisterBroker: (image, value) => {
    const { brokerId, brokerEpoch, logDirs, cordonedLogDirs, ...rest } = value
    image.brokers.set(brokerId, {
      ...rest,
      id: brokerId,
      epoch: brokerEpoch,
      directories: logDirs,
      cordonedDirectories: cordonedLogDirs,
    })
    image.changes.brokersChanged.add(brokerId)
  },
  UnregisterBroker: (image, { brokerId }) => {
    image.brokers.delete(brokerId)
    image.changes.brokersChanged.add(brokerId)
  },
  FenceBroker: (image, { id, epoch }) => changeBroker(image, id, epoch, { fenced: true }),
  UnfenceBroker: (image, { id, epoch }) => changeBroker(image, id, epoch, { fenced: false }),
  BrokerRegistrationChange: (image, value) => {
    const change: { -readonly [K in keyof BrokerImage]?: BrokerImage[K] } = {}
    if (value.fenced !== 0) change.fenced = value.fenced > 0
    if (value.inControlledShutdown !== 0) change.inControlledShutdown = value.inControlledShutdown > 0
    if (value.logDirs.length > 0) change.directories = value.logDirs
    if (value.cordonedLogDirs !== null) change.cordonedDirectories = value.cordonedLogDirs
    changeBroker(image, value.brokerId, value.brokerEpoch, change)
  },
  RegisterController: (image, { controllerId, ...rest }) => {
    image.controllers.set(controllerId, { ...rest, id: controllerId })
  },
  Topic: (image, { name, topicId }) => image.changes.topicCreated(image.topics.add(name, topicId)),
  RemoveTopic: (image, { topicId }) => {
    const topic = image.topics.remove(topicId)
    if (!topic) throw new Error(`removal of unknown topic ${topicId}`)
    image.changes.topicDeleted(topic)
    image.configs.removeResource(ConfigResourceType.topic, topic.name)
  },
  Partition: (image, value) => {
    const { partitionId, eligibleLeaderReplicas, lastKnownElr, directories, ...rest } = value
    image.topics.setPartition({
      ...rest,
      partition: partitionId,
      directories: directories.length > 0 ? directories : value.replicas.map(() => MIGRATING_DIRECTORY),
      elr: eligibleLeaderReplicas ?? [],
      lastKnownElr: lastKnownElr ?? [],
    })
    image.changes.partitionChanged(value.topicId, partitionId)
  },
  PartitionChange: (image, value) => {
    const old = image.topics.partitionById(value.topicId, value.partitionId)
    if (!old) throw new Error(`change of unknown partition ${value.topicId}-${value.partitionId}`)
    image.topics.setPartition(changedPartition(old, value))
    image.changes.partitionChanged(value.topicId, value.partitionId)
  },
  ClearElr: (image, { topicName }) => {
    const named = image.topics.byName(topicName)
    if (topicName !== '' && !named) throw new Error(`clearing of eligible replicas of unknown topic ${topicName}`)
    for (const topic of named ? [named] : [...image.topics.all()]) {
      for (const partition of [...topic.partitions.values()]) {
        if (partition.elr.length + partition.lastKnownElr.length === 0) continue
        // A change like any other: leaders have to know the epoch that their next request must name.
        const partitionEpoch = partition.partitionEpoch + 1
        image.topics.setPartition({ ...partition, elr: [], lastKnownElr: [], partitionEpoch })
        image.changes.partitionChanged(topic.id, partition.partition)
      }
    }
  },
  Config: (image, { resourceType, resourceName, name, value }) => {
    image.configs.set(resourceType, resourceName, name, value)
    image.changes.configChanged(resourceType, resourceName)
  },
  FeatureLevel: (image, { name, featureLevel }) => {
    if (featureLevel === 0) image.features.delete(name)
    else image.features.set(name, featureLevel)
    image.changes.featuresChanged = true
  },
  ClientQuota: (image, value) => {
    const key = quotaEntityKey(value.entity)
    const values = new Map(image.clientQuotas.get(key)?.values)
    if (value.remove) values.delete(value.key)
    else values.set(value.key, value.value)
    if (values.size === 0) image.clientQuotas.delete(key)
    else image.clientQuotas.set(key, { entity: value.entity, values })
    image.changes.clientQuotasChanged = true
  },
  ProducerIds: (image, { nextProducerId }) => {
    image.nextProducerId = nextProducerId
    image.changes.producerIdsChanged = true
  },
  AccessControlEntry: (image, value) => void image.acls.set(value.id, value),
  RemoveAccessControlEntry: (image, { id }) => {
    if (!image.acls.delete(id)) throw new Error(`removal of unknown access control entry ${id}`)
  },
  UserScramCredential: (image, value) => {
    image.scramCredentials.set(`${value.mechanism}:${value.name}`, {
      ...value,
      // The record is a slice of the batch it came in, which would otherwise be kept whole.
      salt: Buffer.from(value.salt),
      storedKey: Buffer.from(value.storedKey),
      serverKey: Buffer.from(value.serverKey),
    })
  },
  RemoveUserScramCredential: (image, { mechanism, name }) => {
    if (!image.scramCredentials.delete(`${mechanism}:${name}`)) {
      throw new Error(`removal of unknown SCRAM credential of ${name}`)
    }
  },
  DelegationToken: (image, value) => void image.delegationTokens.set(value.tokenId, value),
  RemoveDelegationToken: (image, { tokenId }) => void image.delegationTokens.delete(tokenId),
  NoOp: () => {},
  // Left over in the log of a cluster that was migrated; says nothing that still matters.
  ZkMigrationState: () => {},
  BeginTransaction: unexpectedMark,
  EndTransaction: unexpectedMark,
  AbortTransaction: unexpectedMark,
}

export function replay(image: MetadataImage, record: MetadataRecord): void {
  const replayer = replayers[record.name] as (image: MetadataImage, value: unknown) => void
  replayer(image, record.value)
}

/** One key for the same entity in whatever order its parts come; a null name is the default entity. */
export function quotaEntityKey(entity: readonly { entityType: string; entityName: string | null }[]): string {
  const parts = entity.map(({ entityType, entityName }) => [entityType, entityName] as const)
  return JSON.stringify(parts.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}

function changeBroker(image: MetadataImage, id: number, epoch: number, change: Partial<BrokerImage>): void {
  const broker = image.brokers.get(id)
  if (!broker) throw new Error(`change of unknown broker ${id}`)
  if (broker.epoch !== epoch) throw new Error(`change of broker ${id} at epoch ${epoch}, its epoch is ${broker.epoch}`)
  image.brokers.set(id, { ...broker, ...change })
  image.changes.brokersChanged.add(id)
}

/** The partition as a change of it leaves it. */
export function changedPartition(old: PartitionImage, change: MetadataRecordValue<'PartitionChange'>): PartitionImage {
  const replicas = change.replicas ?? old.replicas
  const leads = change.leader !== NO_LEADER_CHANGE
  const directories = change.directories ?? old.directories
  return {
    topicId: old.topicId,
    partition: old.partition,
    replicas,
    // Before replicas had directories, a change of them said nothing about it.
    directories: directories.length === replicas.length ? directories : replicas.map(() => MIGRATING_DIRECTORY),
    isr: change.isr ?? old.isr,
    removingReplicas: change.removingReplicas ?? old.removingReplicas,
    addingReplicas: change.addingReplicas ?? old.addingReplicas,
    elr: change.eligibleLeaderReplicas ?? old.elr,
    lastKnownElr: change.lastKnownElr ?? old.lastKnownElr,
    leader: leads ? change.leader : old.leader,
    leaderEpoch: leads ? old.leaderEpoch + 1 : old.leaderEpoch,
    leaderRecoveryState: change.leaderRecoveryState === -1 ? old.leaderRecoveryState : change.leaderRecoveryState,
    partitionEpoch: old.partitionEpoch + 1,
  }
}

function unexpectedMark(): never {
  throw new Error('transaction mark in the middle of a replay')
}
