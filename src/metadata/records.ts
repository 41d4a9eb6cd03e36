import { codecOf } from '../protocol/codec.ts'
import { AbortTransactionRecord } from '../protocol/metadata-records/abort-transaction.ts'
import { AccessControlEntryRecord } from '../protocol/metadata-records/access-control-entry.ts'
import { BeginTransactionRecord } from '../protocol/metadata-records/begin-transaction.ts'
import { BrokerRegistrationChangeRecord } from '../protocol/metadata-records/broker-registration-change.ts'
import { ClearElrRecord } from '../protocol/metadata-records/clear-elr.ts'
import { ClientQuotaRecord } from '../protocol/metadata-records/client-quota.ts'
import { ConfigRecord } from '../protocol/metadata-records/config.ts'
import { DelegationTokenRecord } from '../protocol/metadata-records/delegation-token.ts'
import { EndTransactionRecord } from '../protocol/metadata-records/end-transaction.ts'
import { FeatureLevelRecord } from '../protocol/metadata-records/feature-level.ts'
import { FenceBrokerRecord } from '../protocol/metadata-records/fence-broker.ts'
import { NoOpRecord } from '../protocol/metadata-records/no-op.ts'
import { PartitionRecord } from '../protocol/metadata-records/partition.ts'
import { PartitionChangeRecord } from '../protocol/metadata-records/partition-change.ts'
import { ProducerIdsRecord } from '../protocol/metadata-records/producer-ids.ts'
import { RegisterBrokerRecord } from '../protocol/metadata-records/register-broker.ts'
import { RegisterControllerRecord } from '../protocol/metadata-records/register-controller.ts'
import { RemoveAccessControlEntryRecord } from '../protocol/metadata-records/remove-access-control-entry.ts'
import { RemoveDelegationTokenRecord } from '../protocol/metadata-records/remove-delegation-token.ts'
import { RemoveTopicRecord } from '../protocol/metadata-records/remove-topic.ts'
import { RemoveUserScramCredentialRecord } from '../protocol/metadata-records/remove-user-scram-credential.ts'
import { TopicRecord } from '../protocol/metadata-records/topic.ts'
import { UnfenceBrokerRecord } from '../protocol/metadata-records/unfence-broker.ts'
import { UnregisterBrokerRecord } from '../protocol/metadata-records/unregister-broker.ts'
import { UserScramCredentialRecord } from '../protocol/metadata-records/user-scram-credential.ts'
import { ZkMigrationStateRecord } from '../protocol/metadata-records/zk-migration-state.ts'
import type { Message, MessageOf } from '../protocol/schema.ts'
import { DecodeError, Reader, Writer } from '../protocol/wire.ts'

/** Every kind of metadata record, by the name that Apache Kafka gives it without `Record`. */
export const metadataRecords = {
  RegisterBroker: RegisterBrokerRecord,
  UnregisterBroker: UnregisterBrokerRecord,
  Topic: TopicRecord,
  Partition: PartitionRecord,
  Config: ConfigRecord,
  PartitionChange: PartitionChangeRecord,
  FenceBroker: FenceBrokerRecord,
  UnfenceBroker: UnfenceBrokerRecord,
  RemoveTopic: RemoveTopicRecord,
  DelegationToken: DelegationTokenRecord,
  UserScramCredential: UserScramCredentialRecord,
  FeatureLevel: FeatureLevelRecord,
  ClientQuota: ClientQuotaRecord,
  ProducerIds: ProducerIdsRecord,
  BrokerRegistrationChange: BrokerRegistrationChangeRecord,
  AccessControlEntry: AccessControlEntryRecord,
  RemoveAccessControlEntry: RemoveAccessControlEntryRecord,
  NoOp: NoOpRecord,
  ZkMigrationState: ZkMigrationStateRecord,
  RemoveUserScramCredential: RemoveUserScramCredentialRecord,
  BeginTransaction: BeginTransactionRecord,
  EndTransaction: EndTransactionRecord,
  AbortTransaction: AbortTransactionRecord,
  RemoveDelegationToken: RemoveDelegationTokenRecord,
  RegisterController: RegisterControllerRecord,
  ClearElr: ClearElrRecord,
} as const

export type MetadataRecordName = keyof typeof metadataRecords

/** One record of the metadata log, decoded. */
export type MetadataRecord = {
  [N in MetadataRecordName]: {
    readonly name: N
    readonly version: number
    readonly value: MessageOf<(typeof metadataRecords)[N]>
  }
}[MetadataRecordName]

/** The value type of one kind of record. */
export type MetadataRecordValue<N extends MetadataRecordName> = MessageOf<(typeof metadataRecords)[N]>

/** A record to be appended or replayed. `version` 0 unless given. */
export function metadataRecord<N extends MetadataRecordName>(
  name: N,
  value: MetadataRecordValue<N>,
  version = 0,
): MetadataRecord {
  return { name, version, value } as MetadataRecord
}

const FRAME_VERSION = 1
const byKey = new Map<number, MetadataRecordName>(
  Object.entries(metadataRecords).map(([name, message]) => [message.key, name as MetadataRecordName]),
)

/** The value of a log record: frame version, API key and version as unsigned varints, then the message. */
export function encodeMetadataRecord(record: MetadataRecord): Buffer {
  const message: Message = metadataRecords[record.name]
  const writer = new Writer(64)
  writer.uvarint(FRAME_VERSION)
  writer.uvarint(message.key)
  writer.uvarint(record.version)
  codecOf(message, record.version).write(writer, record.value)
  return writer.finishOne()
}

/**
 * The record in a log record's value; byte fields are slices of it. Throws DecodeError for a frame, record kind or version
 * that is not known: a log written by something newer must not be half understood.
 */
export function decodeMetadataRecord(value: Buffer): MetadataRecord {
  const reader = new Reader(value)
  const frame = reader.uvarint()
  if (frame !== FRAME_VERSION) throw new DecodeError(`metadata record frame version ${frame}`)
  const key = reader.uvarint()
  const version = reader.uvarint()
  const name = byKey.get(key)
  if (name === undefined) throw new DecodeError(`unknown metadata record type ${key}`)
  const message: Message = metadataRecords[name]
  if (version > message.versions.high) throw new DecodeError(`${message.name} of unknown version ${version}`)
  const decoded = codecOf(message, version).read(reader)
  if (reader.remaining > 0) throw new DecodeError(`${reader.remaining} bytes after ${message.name}`)
  return { name, version, value: decoded } as unknown as MetadataRecord
}
