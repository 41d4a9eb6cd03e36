import { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } from './messages/add-offsets-to-txn.ts'
import { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } from './messages/add-partitions-to-txn.ts'
import { AddRaftVoterRequest, AddRaftVoterResponse } from './messages/add-raft-voter.ts'
import { AllocateProducerIdsRequest, AllocateProducerIdsResponse } from './messages/allocate-producer-ids.ts'
import { AlterClientQuotasRequest, AlterClientQuotasResponse } from './messages/alter-client-quotas.ts'
import { AlterConfigsRequest, AlterConfigsResponse } from './messages/alter-configs.ts'
import { AlterPartitionRequest, AlterPartitionResponse } from './messages/alter-partition.ts'
import {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from './messages/alter-partition-reassignments.ts'
import { AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse } from './messages/alter-replica-log-dirs.ts'
import { AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse } from './messages/alter-share-group-offsets.ts'
import {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from './messages/alter-user-scram-credentials.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from './messages/api-versions.ts'
import { AssignReplicasToDirsRequest, AssignReplicasToDirsResponse } from './messages/assign-replicas-to-dirs.ts'
import { BeginQuorumEpochRequest, BeginQuorumEpochResponse } from './messages/begin-quorum-epoch.ts'
import { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from './messages/broker-heartbeat.ts'
import { BrokerRegistrationRequest, BrokerRegistrationResponse } from './messages/broker-registration.ts'
import { ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse } from './messages/consumer-group-describe.ts'
import { ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse } from './messages/consumer-group-heartbeat.ts'
import { ControlledShutdownRequest, ControlledShutdownResponse } from './messages/controlled-shutdown.ts'
import { ControllerRegistrationRequest, ControllerRegistrationResponse } from './messages/controller-registration.ts'
import { CreateAclsRequest, CreateAclsResponse } from './messages/create-acls.ts'
import { CreateDelegationTokenRequest, CreateDelegationTokenResponse } from './messages/create-delegation-token.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from './messages/create-partitions.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from './messages/create-topics.ts'
import { DeleteAclsRequest, DeleteAclsResponse } from './messages/delete-acls.ts'
import { DeleteGroupsRequest, DeleteGroupsResponse } from './messages/delete-groups.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from './messages/delete-records.ts'
import {
  DeleteShareGroupOffsetsRequest,
  DeleteShareGroupOffsetsResponse,
} from './messages/delete-share-group-offsets.ts'
import { DeleteShareGroupStateRequest, DeleteShareGroupStateResponse } from './messages/delete-share-group-state.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from './messages/delete-topics.ts'
import { DescribeAclsRequest, DescribeAclsResponse } from './messages/describe-acls.ts'
import { DescribeClientQuotasRequest, DescribeClientQuotasResponse } from './messages/describe-client-quotas.ts'
import { DescribeClusterRequest, DescribeClusterResponse } from './messages/describe-cluster.ts'
import { DescribeConfigsRequest, DescribeConfigsResponse } from './messages/describe-configs.ts'
import {
  DescribeDelegationTokenRequest,
  DescribeDelegationTokenResponse,
} from './messages/describe-delegation-token.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from './messages/describe-groups.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from './messages/describe-log-dirs.ts'
import { DescribeProducersRequest, DescribeProducersResponse } from './messages/describe-producers.ts'
import { DescribeQuorumRequest, DescribeQuorumResponse } from './messages/describe-quorum.ts'
import {
  DescribeShareGroupOffsetsRequest,
  DescribeShareGroupOffsetsResponse,
} from './messages/describe-share-group-offsets.ts'
import {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
} from './messages/describe-topic-partitions.ts'
import { DescribeTransactionsRequest, DescribeTransactionsResponse } from './messages/describe-transactions.ts'
import {
  DescribeUserScramCredentialsRequest,
  DescribeUserScramCredentialsResponse,
} from './messages/describe-user-scram-credentials.ts'
import { ElectLeadersRequest, ElectLeadersResponse } from './messages/elect-leaders.ts'
import { EndQuorumEpochRequest, EndQuorumEpochResponse } from './messages/end-quorum-epoch.ts'
import { EndTxnRequest, EndTxnResponse } from './messages/end-txn.ts'
import { EnvelopeRequest, EnvelopeResponse } from './messages/envelope.ts'
import { ExpireDelegationTokenRequest, ExpireDelegationTokenResponse } from './messages/expire-delegation-token.ts'
import { FetchRequest, FetchResponse } from './messages/fetch.ts'
import { FetchSnapshotRequest, FetchSnapshotResponse } from './messages/fetch-snapshot.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from './messages/find-coordinator.ts'
import {
  GetTelemetrySubscriptionsRequest,
  GetTelemetrySubscriptionsResponse,
} from './messages/get-telemetry-subscriptions.ts'
import { HeartbeatRequest, HeartbeatResponse } from './messages/heartbeat.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from './messages/incremental-alter-configs.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from './messages/init-producer-id.ts'
import {
  InitializeShareGroupStateRequest,
  InitializeShareGroupStateResponse,
} from './messages/initialize-share-group-state.ts'
import { JoinGroupRequest, JoinGroupResponse } from './messages/join-group.ts'
import { LeaderAndIsrRequest, LeaderAndIsrResponse } from './messages/leader-and-isr.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from './messages/leave-group.ts'
import { ListConfigResourcesRequest, ListConfigResourcesResponse } from './messages/list-config-resources.ts'
import { ListGroupsRequest, ListGroupsResponse } from './messages/list-groups.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from './messages/list-offsets.ts'
import {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from './messages/list-partition-reassignments.ts'
import { ListTransactionsRequest, ListTransactionsResponse } from './messages/list-transactions.ts'
import { MetadataRequest, MetadataResponse } from './messages/metadata.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from './messages/offset-commit.ts'
import { OffsetDeleteRequest, OffsetDeleteResponse } from './messages/offset-delete.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from './messages/offset-fetch.ts'
import { OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse } from './messages/offset-for-leader-epoch.ts'
import { ProduceRequest, ProduceResponse } from './messages/produce.ts'
import { PushTelemetryRequest, PushTelemetryResponse } from './messages/push-telemetry.ts'
import { ReadShareGroupStateRequest, ReadShareGroupStateResponse } from './messages/read-share-group-state.ts'
import {
  ReadShareGroupStateSummaryRequest,
  ReadShareGroupStateSummaryResponse,
} from './messages/read-share-group-state-summary.ts'
import { RemoveRaftVoterRequest, RemoveRaftVoterResponse } from './messages/remove-raft-voter.ts'
import { RenewDelegationTokenRequest, RenewDelegationTokenResponse } from './messages/renew-delegation-token.ts'
import { SaslAuthenticateRequest, SaslAuthenticateResponse } from './messages/sasl-authenticate.ts'
import { SaslHandshakeRequest, SaslHandshakeResponse } from './messages/sasl-handshake.ts'
import { ShareAcknowledgeRequest, ShareAcknowledgeResponse } from './messages/share-acknowledge.ts'
import { ShareFetchRequest, ShareFetchResponse } from './messages/share-fetch.ts'
import { ShareGroupDescribeRequest, ShareGroupDescribeResponse } from './messages/share-group-describe.ts'
import { ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse } from './messages/share-group-heartbeat.ts'
import { StopReplicaRequest, StopReplicaResponse } from './messages/stop-replica.ts'
import { StreamsGroupDescribeRequest, StreamsGroupDescribeResponse } from './messages/streams-group-describe.ts'
import { StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse } from './messages/streams-group-heartbeat.ts'
import { SyncGroupRequest, SyncGroupResponse } from './messages/sync-group.ts'
import { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from './messages/txn-offset-commit.ts'
import { UnregisterBrokerRequest, UnregisterBrokerResponse } from './messages/unregister-broker.ts'
import { UpdateFeaturesRequest, UpdateFeaturesResponse } from './messages/update-features.ts'
import { UpdateMetadataRequest, UpdateMetadataResponse } from './messages/update-metadata.ts'
import { UpdateRaftVoterRequest, UpdateRaftVoterResponse } from './messages/update-raft-voter.ts'
import { VoteRequest, VoteResponse } from './messages/vote.ts'
import { WriteShareGroupStateRequest, WriteShareGroupStateResponse } from './messages/write-share-group-state.ts'
import { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from './messages/write-txn-markers.ts'
import { includesVersion, type Message, parseVersions, type VersionRange } from './schema.ts'

export type ListenerKind = 'broker' | 'controller'

/** One row of the protocol: a request, its response, and in which versions they are spoken where. */
export interface Api<Request extends Message = Message, Response extends Message = Message> {
  readonly name: string
  readonly key: number
  readonly request: Request
  readonly response: Response
  /** Every version that can be decoded, with those that only Kafka 3.9 and older served. */
  readonly versions: VersionRange
  /** What Apache Kafka 4.3.1 serves; empty for the four it only keeps the keys of. */
  readonly kafkaVersions: VersionRange
  /** The kinds of listener that serve it in Apache Kafka 4.3.1. */
  readonly listeners: readonly ListenerKind[]
}

const BROKER: readonly ListenerKind[] = ['broker']
const CONTROLLER: readonly ListenerKind[] = ['controller']
const BOTH: readonly ListenerKind[] = ['broker', 'controller']
const NOWHERE: readonly ListenerKind[] = []

function api<Request extends Message, Response extends Message>(
  request: Request,
  response: Response,
  kafkaVersions: string,
  listeners: readonly ListenerKind[],
): Api<Request, Response> {
  return {
    name: request.name.replace(/Request$/, ''),
    key: request.key,
    request,
    response,
    versions: request.versions,
    kafkaVersions: parseVersions(kafkaVersions),
    listeners,
  }
}

/** The protocol, by name. A new API is its file in `messages` and a line here. */
export const apis = {
  Produce: api(ProduceRequest, ProduceResponse, '3-13', BROKER),
  Fetch: api(FetchRequest, FetchResponse, '4-18', BOTH),
  ListOffsets: api(ListOffsetsRequest, ListOffsetsResponse, '1-11', BROKER),
  Metadata: api(MetadataRequest, MetadataResponse, '0-13', BROKER),
  LeaderAndIsr: api(LeaderAndIsrRequest, LeaderAndIsrResponse, 'none', NOWHERE),
  StopReplica: api(StopReplicaRequest, StopReplicaResponse, 'none', NOWHERE),
  UpdateMetadata: api(UpdateMetadataRequest, UpdateMetadataResponse, 'none', NOWHERE),
  ControlledShutdown: api(ControlledShutdownRequest, ControlledShutdownResponse, 'none', NOWHERE),
  OffsetCommit: api(OffsetCommitRequest, OffsetCommitResponse, '2-10', BROKER),
  OffsetFetch: api(OffsetFetchRequest, OffsetFetchResponse, '1-10', BROKER),
  FindCoordinator: api(FindCoordinatorRequest, FindCoordinatorResponse, '0-6', BROKER),
  JoinGroup: api(JoinGroupRequest, JoinGroupResponse, '0-9', BROKER),
  Heartbeat: api(HeartbeatRequest, HeartbeatResponse, '0-4', BROKER),
  LeaveGroup: api(LeaveGroupRequest, LeaveGroupResponse, '0-5', BROKER),
  SyncGroup: api(SyncGroupRequest, SyncGroupResponse, '0-5', BROKER),
  DescribeGroups: api(DescribeGroupsRequest, DescribeGroupsResponse, '0-6', BROKER),
  ListGroups: api(ListGroupsRequest, ListGroupsResponse, '0-5', BROKER),
  SaslHandshake: api(SaslHandshakeRequest, SaslHandshakeResponse, '0-1', BOTH),
  ApiVersions: api(ApiVersionsRequest, ApiVersionsResponse, '0-4', BOTH),
  CreateTopics: api(CreateTopicsRequest, CreateTopicsResponse, '2-7', BOTH),
  DeleteTopics: api(DeleteTopicsRequest, DeleteTopicsResponse, '1-6', BOTH),
  DeleteRecords: api(DeleteRecordsRequest, DeleteRecordsResponse, '0-2', BROKER),
  InitProducerId: api(InitProducerIdRequest, InitProducerIdResponse, '0-6', BROKER),
  OffsetForLeaderEpoch: api(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, '2-4', BROKER),
  AddPartitionsToTxn: api(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, '0-5', BROKER),
  AddOffsetsToTxn: api(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, '0-4', BROKER),
  EndTxn: api(EndTxnRequest, EndTxnResponse, '0-5', BROKER),
  WriteTxnMarkers: api(WriteTxnMarkersRequest, WriteTxnMarkersResponse, '1-2', BROKER),
  TxnOffsetCommit: api(TxnOffsetCommitRequest, TxnOffsetCommitResponse, '0-5', BROKER),
  DescribeAcls: api(DescribeAclsRequest, DescribeAclsResponse, '1-3', BOTH),
  CreateAcls: api(CreateAclsRequest, CreateAclsResponse, '1-3', BOTH),
  DeleteAcls: api(DeleteAclsRequest, DeleteAclsResponse, '1-3', BOTH),
  DescribeConfigs: api(DescribeConfigsRequest, DescribeConfigsResponse, '1-4', BOTH),
  AlterConfigs: api(AlterConfigsRequest, AlterConfigsResponse, '0-2', BOTH),
  AlterReplicaLogDirs: api(AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, '1-2', BROKER),
  DescribeLogDirs: api(DescribeLogDirsRequest, DescribeLogDirsResponse, '1-5', BROKER),
  SaslAuthenticate: api(SaslAuthenticateRequest, SaslAuthenticateResponse, '0-2', BOTH),
  CreatePartitions: api(CreatePartitionsRequest, CreatePartitionsResponse, '0-3', BOTH),
  CreateDelegationToken: api(CreateDelegationTokenRequest, CreateDelegationTokenResponse, '1-3', BOTH),
  RenewDelegationToken: api(RenewDelegationTokenRequest, RenewDelegationTokenResponse, '1-2', BOTH),
  ExpireDelegationToken: api(ExpireDelegationTokenRequest, ExpireDelegationTokenResponse, '1-2', BOTH),
  DescribeDelegationToken: api(DescribeDelegationTokenRequest, DescribeDelegationTokenResponse, '1-3', BOTH),
  DeleteGroups: api(DeleteGroupsRequest, DeleteGroupsResponse, '0-2', BROKER),
  ElectLeaders: api(ElectLeadersRequest, ElectLeadersResponse, '0-2', BOTH),
  IncrementalAlterConfigs: api(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, '0-1', BOTH),
  AlterPartitionReassignments: api(
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    '0-1',
    BOTH,
  ),
  ListPartitionReassignments: api(ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, '0', BOTH),
  OffsetDelete: api(OffsetDeleteRequest, OffsetDeleteResponse, '0', BROKER),
  DescribeClientQuotas: api(DescribeClientQuotasRequest, DescribeClientQuotasResponse, '0-1', BROKER),
  AlterClientQuotas: api(AlterClientQuotasRequest, AlterClientQuotasResponse, '0-1', BOTH),
  DescribeUserScramCredentials: api(
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    '0',
    BOTH,
  ),
  AlterUserScramCredentials: api(AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, '0', BOTH),
  Vote: api(VoteRequest, VoteResponse, '0-2', CONTROLLER),
  BeginQuorumEpoch: api(BeginQuorumEpochRequest, BeginQuorumEpochResponse, '0-1', CONTROLLER),
  EndQuorumEpoch: api(EndQuorumEpochRequest, EndQuorumEpochResponse, '0-1', CONTROLLER),
  DescribeQuorum: api(DescribeQuorumRequest, DescribeQuorumResponse, '0-2', BOTH),
  AlterPartition: api(AlterPartitionRequest, AlterPartitionResponse, '2-3', CONTROLLER),
  UpdateFeatures: api(UpdateFeaturesRequest, UpdateFeaturesResponse, '0-2', BOTH),
  Envelope: api(EnvelopeRequest, EnvelopeResponse, '0', CONTROLLER),
  FetchSnapshot: api(FetchSnapshotRequest, FetchSnapshotResponse, '0-1', CONTROLLER),
  DescribeCluster: api(DescribeClusterRequest, DescribeClusterResponse, '0-2', BOTH),
  DescribeProducers: api(DescribeProducersRequest, DescribeProducersResponse, '0', BROKER),
  BrokerRegistration: api(BrokerRegistrationRequest, BrokerRegistrationResponse, '0-4', CONTROLLER),
  BrokerHeartbeat: api(BrokerHeartbeatRequest, BrokerHeartbeatResponse, '0-2', CONTROLLER),
  UnregisterBroker: api(UnregisterBrokerRequest, UnregisterBrokerResponse, '0', BOTH),
  DescribeTransactions: api(DescribeTransactionsRequest, DescribeTransactionsResponse, '0', BROKER),
  ListTransactions: api(ListTransactionsRequest, ListTransactionsResponse, '0-2', BROKER),
  AllocateProducerIds: api(AllocateProducerIdsRequest, AllocateProducerIdsResponse, '0', CONTROLLER),
  ConsumerGroupHeartbeat: api(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, '0-1', BROKER),
  ConsumerGroupDescribe: api(ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, '0-1', BROKER),
  ControllerRegistration: api(ControllerRegistrationRequest, ControllerRegistrationResponse, '0', CONTROLLER),
  GetTelemetrySubscriptions: api(GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse, '0', BROKER),
  PushTelemetry: api(PushTelemetryRequest, PushTelemetryResponse, '0', BROKER),
  AssignReplicasToDirs: api(AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, '0', CONTROLLER),
  ListConfigResources: api(ListConfigResourcesRequest, ListConfigResourcesResponse, '0-1', BROKER),
  DescribeTopicPartitions: api(DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, '0', BROKER),
  ShareGroupHeartbeat: api(ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, '1', BROKER),
  ShareGroupDescribe: api(ShareGroupDescribeRequest, ShareGroupDescribeResponse, '1', BROKER),
  ShareFetch: api(ShareFetchRequest, ShareFetchResponse, '1-2', BROKER),
  ShareAcknowledge: api(ShareAcknowledgeRequest, ShareAcknowledgeResponse, '1-2', BROKER),
  AddRaftVoter: api(AddRaftVoterRequest, AddRaftVoterResponse, '0-1', BOTH),
  RemoveRaftVoter: api(RemoveRaftVoterRequest, RemoveRaftVoterResponse, '0', BOTH),
  UpdateRaftVoter: api(UpdateRaftVoterRequest, UpdateRaftVoterResponse, '0', CONTROLLER),
  InitializeShareGroupState: api(InitializeShareGroupStateRequest, InitializeShareGroupStateResponse, '0', BROKER),
  ReadShareGroupState: api(ReadShareGroupStateRequest, ReadShareGroupStateResponse, '0', BROKER),
  WriteShareGroupState: api(WriteShareGroupStateRequest, WriteShareGroupStateResponse, '0-1', BROKER),
  DeleteShareGroupState: api(DeleteShareGroupStateRequest, DeleteShareGroupStateResponse, '0', BROKER),
  ReadShareGroupStateSummary: api(ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse, '0-1', BROKER),
  StreamsGroupHeartbeat: api(StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, '0', BROKER),
  StreamsGroupDescribe: api(StreamsGroupDescribeRequest, StreamsGroupDescribeResponse, '0', BROKER),
  DescribeShareGroupOffsets: api(DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse, '0-1', BROKER),
  AlterShareGroupOffsets: api(AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, '0', BROKER),
  DeleteShareGroupOffsets: api(DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse, '0', BROKER),
} as const

export type ApiName = keyof typeof apis

const byKey: (Api | undefined)[] = []
for (const entry of Object.values(apis)) byKey[entry.key] = entry

/** Undefined for a key the protocol does not have. */
export function apiOfKey(key: number): Api | undefined {
  return byKey[key]
}

/** 0 has no client id, 2 has tagged fields. */
export function requestHeaderVersion(entry: Api, version: number): 0 | 1 | 2 {
  if (entry.key === apis.ControlledShutdown.key && version === 0) return 0
  return includesVersion(entry.request.flexible, version) ? 2 : 1
}

/** ApiVersions always answers with header 0: the client does not know yet what the broker speaks (KIP-511). */
export function responseHeaderVersion(entry: Api, version: number): 0 | 1 {
  if (entry.key === apis.ApiVersions.key) return 0
  return includesVersion(entry.response.flexible, version) ? 1 : 0
}
