import { apis } from './api-keys.ts'
import { groupRecords, shareRecords, transactionRecords } from './coordinator-records/index.ts'
import { ConsumerProtocolAssignment, ConsumerProtocolSubscription } from './messages/consumer-protocol.ts'
import { DefaultPrincipalData } from './messages/default-principal.ts'
import { RequestHeader, ResponseHeader } from './messages/headers.ts'
import { metadataRecords } from './metadata-records/index.ts'
import type { Message } from './schema.ts'
import * as controlRecords from './storage/control-records.ts'
import { ProducerSnapshot } from './storage/producer-snapshot.ts'
import { QuorumStateData } from './storage/quorum-state.ts'
import * as remoteLog from './storage/remote-log.ts'

/** Every schema there is. */
export const allMessages: readonly Message[] = [
  ...Object.values(apis).flatMap((api): Message[] => [api.request, api.response]),
  RequestHeader,
  ResponseHeader,
  ConsumerProtocolSubscription,
  ConsumerProtocolAssignment,
  DefaultPrincipalData,
  ...metadataRecords,
  ...[...groupRecords, ...transactionRecords, ...shareRecords].flatMap(({ key, value }) => [key, value]),
  ...Object.values(controlRecords),
  ...Object.values(remoteLog),
  ProducerSnapshot,
  QuorumStateData,
]
