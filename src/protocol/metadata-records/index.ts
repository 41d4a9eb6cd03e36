import type { Message } from '../schema.ts'
import { AbortTransactionRecord } from './abort-transaction.ts'
import { AccessControlEntryRecord } from './access-control-entry.ts'
import { BeginTransactionRecord } from './begin-transaction.ts'
import { BrokerRegistrationChangeRecord } from './broker-registration-change.ts'
import { ClearElrRecord } from './clear-elr.ts'
import { ClientQuotaRecord } from './client-quota.ts'
import { ConfigRecord } from './config.ts'
import { DelegationTokenRecord } from './delegation-token.ts'
import { EndTransactionRecord } from './end-transaction.ts'
import { FeatureLevelRecord } from './feature-level.ts'
import { FenceBrokerRecord } from './fence-broker.ts'
import { NoOpRecord } from './no-op.ts'
import { PartitionRecord } from './partition.ts'
import { PartitionChangeRecord } from './partition-change.ts'
import { ProducerIdsRecord } from './producer-ids.ts'
import { RegisterBrokerRecord } from './register-broker.ts'
import { RegisterControllerRecord } from './register-controller.ts'
import { RemoveAccessControlEntryRecord } from './remove-access-control-entry.ts'
import { RemoveDelegationTokenRecord } from './remove-delegation-token.ts'
import { RemoveTopicRecord } from './remove-topic.ts'
import { RemoveUserScramCredentialRecord } from './remove-user-scram-credential.ts'
import { TopicRecord } from './topic.ts'
import { UnfenceBrokerRecord } from './unfence-broker.ts'
import { UnregisterBrokerRecord } from './unregister-broker.ts'
import { UserScramCredentialRecord } from './user-scram-credential.ts'
import { ZkMigrationStateRecord } from './zk-migration-state.ts'

/** Every record of the metadata log; the type a record carries is the message's key. */
export const metadataRecords: readonly Message[] = [
  RegisterBrokerRecord,
  UnregisterBrokerRecord,
  TopicRecord,
  PartitionRecord,
  ConfigRecord,
  PartitionChangeRecord,
  FenceBrokerRecord,
  UnfenceBrokerRecord,
  RemoveTopicRecord,
  DelegationTokenRecord,
  UserScramCredentialRecord,
  FeatureLevelRecord,
  ClientQuotaRecord,
  ProducerIdsRecord,
  BrokerRegistrationChangeRecord,
  AccessControlEntryRecord,
  RemoveAccessControlEntryRecord,
  NoOpRecord,
  ZkMigrationStateRecord,
  RemoveUserScramCredentialRecord,
  BeginTransactionRecord,
  EndTransactionRecord,
  AbortTransactionRecord,
  RemoveDelegationTokenRecord,
  RegisterControllerRecord,
  ClearElrRecord,
]
