import { type Api, apis, type ListenerKind } from '../protocol/api-keys.ts'
import { type Message, parseVersions, type VersionRange } from '../protocol/schema.ts'
import type { ApiHandler } from './types.ts'

export type AnyHandler = ApiHandler<Message, Message>

/** One API as this broker serves it. */
export interface ServedApi {
  readonly api: Api
  readonly versions: VersionRange
  readonly listeners: readonly ListenerKind[]
  /**
   * Where it comes in on a broker's listener, it is the active controller that answers it: 'whole' as it came, 'rest' what
   * the broker leaves of it.
   */
  readonly forwarded: 'no' | 'whole' | 'rest'
  /** Handlers are read when first needed: a broker is ready before it knows how to describe its log directories. */
  readonly load: () => Promise<AnyHandler>
  loaded: AnyHandler | undefined
}

function serve(
  api: Api,
  versions: string,
  load: () => Promise<{ handler: AnyHandler }>,
  {
    listeners = api.listeners,
    forwarded = 'no',
  }: { listeners?: readonly ListenerKind[]; forwarded?: ServedApi['forwarded'] } = {},
): ServedApi {
  return {
    api,
    versions: parseVersions(versions),
    listeners,
    forwarded,
    load: async () => (await load()).handler,
    loaded: undefined,
  }
}

/** What changes the metadata, or asks for what only the active controller knows. */
const FORWARDED = { forwarded: 'whole' } as const
/** Some of it is the broker's own. */
const REST_FORWARDED = { forwarded: 'rest' } as const

/** THE table: every API that is served, its versions, and who answers it. An API that is not here is not advertised. */
// biome-ignore format: a table reads best with one API in one line
function servedApis(): ServedApi[] {
  return [
    serve(apis.Produce, '0-13', () => import('./handlers/produce.ts')),
    serve(apis.Fetch, '0-18', () => import('./handlers/fetch.ts'), { listeners: ['broker'] }),
    serve(apis.Fetch, '4-18', () => import('./handlers/fetch-metadata.ts'), { listeners: ['controller'] }),
    serve(apis.Vote, '0-2', () => import('./handlers/vote.ts')),
    serve(apis.BeginQuorumEpoch, '0-1', () => import('./handlers/begin-quorum-epoch.ts')),
    serve(apis.EndQuorumEpoch, '0-1', () => import('./handlers/end-quorum-epoch.ts')),
    serve(apis.Envelope, '0', () => import('./handlers/envelope.ts')),
    serve(apis.FetchSnapshot, '0-1', () => import('./handlers/fetch-snapshot.ts')),
    serve(apis.UpdateRaftVoter, '0', () => import('./handlers/update-raft-voter.ts')),
    serve(apis.ListOffsets, '0-11', () => import('./handlers/list-offsets.ts')),
    serve(apis.Metadata, '0-13', () => import('./handlers/metadata.ts')),
    serve(apis.OffsetCommit, '0-10', () => import('./handlers/offset-commit.ts')),
    serve(apis.OffsetFetch, '0-10', () => import('./handlers/offset-fetch.ts')),
    serve(apis.FindCoordinator, '0-6', () => import('./handlers/find-coordinator.ts')),
    serve(apis.JoinGroup, '0-9', () => import('./handlers/join-group.ts')),
    serve(apis.Heartbeat, '0-4', () => import('./handlers/heartbeat.ts')),
    serve(apis.LeaveGroup, '0-5', () => import('./handlers/leave-group.ts')),
    serve(apis.SyncGroup, '0-5', () => import('./handlers/sync-group.ts')),
    serve(apis.DescribeGroups, '0-6', () => import('./handlers/describe-groups.ts')),
    serve(apis.ListGroups, '0-5', () => import('./handlers/list-groups.ts')),
    serve(apis.ApiVersions, '0-4', () => import('./handlers/api-versions.ts')),
    serve(apis.CreateTopics, '0-7', () => import('./handlers/create-topics.ts'), FORWARDED),
    serve(apis.DeleteTopics, '0-6', () => import('./handlers/delete-topics.ts'), FORWARDED),
    serve(apis.DeleteRecords, '0-2', () => import('./handlers/delete-records.ts')),
    serve(apis.InitProducerId, '0-5', () => import('./handlers/init-producer-id.ts')),
    serve(apis.AddPartitionsToTxn, '0-5', () => import('./handlers/add-partitions-to-txn.ts')),
    serve(apis.AddOffsetsToTxn, '0-4', () => import('./handlers/add-offsets-to-txn.ts')),
    serve(apis.EndTxn, '0-5', () => import('./handlers/end-txn.ts')),
    serve(apis.WriteTxnMarkers, '1-2', () => import('./handlers/write-txn-markers.ts')),
    serve(apis.TxnOffsetCommit, '0-5', () => import('./handlers/txn-offset-commit.ts')),
    serve(apis.OffsetForLeaderEpoch, '0-4', () => import('./handlers/offset-for-leader-epoch.ts')),
    serve(apis.DescribeConfigs, '0-4', () => import('./handlers/describe-configs.ts')),
    serve(apis.AlterConfigs, '0-2', () => import('./handlers/alter-configs.ts'), REST_FORWARDED),
    serve(apis.AlterReplicaLogDirs, '1-2', () => import('./handlers/alter-replica-log-dirs.ts')),
    serve(apis.DescribeLogDirs, '0-5', () => import('./handlers/describe-log-dirs.ts')),
    serve(apis.CreatePartitions, '0-3', () => import('./handlers/create-partitions.ts'), FORWARDED),
    serve(apis.DeleteGroups, '0-2', () => import('./handlers/delete-groups.ts')),
    serve(apis.IncrementalAlterConfigs, '0-1', () => import('./handlers/incremental-alter-configs.ts'), REST_FORWARDED),
    serve(apis.OffsetDelete, '0', () => import('./handlers/offset-delete.ts')),
    serve(apis.DescribeQuorum, '0-2', () => import('./handlers/describe-quorum.ts'), FORWARDED),
    serve(apis.ElectLeaders, '0-2', () => import('./handlers/elect-leaders.ts'), FORWARDED),
    serve(apis.AlterPartitionReassignments, '0-1', () => import('./handlers/alter-partition-reassignments.ts'), FORWARDED),
    serve(apis.ListPartitionReassignments, '0', () => import('./handlers/list-partition-reassignments.ts'), FORWARDED),
    serve(apis.DescribeClientQuotas, '0-1', () => import('./handlers/describe-client-quotas.ts')),
    serve(apis.AlterClientQuotas, '0-1', () => import('./handlers/alter-client-quotas.ts'), FORWARDED),
    serve(apis.BrokerRegistration, '0-4', () => import('./handlers/broker-registration.ts')),
    serve(apis.BrokerHeartbeat, '0-2', () => import('./handlers/broker-heartbeat.ts')),
    serve(apis.UnregisterBroker, '0', () => import('./handlers/unregister-broker.ts'), FORWARDED),
    serve(apis.AlterPartition, '2-3', () => import('./handlers/alter-partition.ts')),
    serve(apis.UpdateFeatures, '0-2', () => import('./handlers/update-features.ts'), FORWARDED),
    serve(apis.AllocateProducerIds, '0', () => import('./handlers/allocate-producer-ids.ts')),
    serve(apis.ControllerRegistration, '0', () => import('./handlers/controller-registration.ts')),
    serve(apis.DescribeCluster, '0-2', () => import('./handlers/describe-cluster.ts')),
    serve(apis.DescribeProducers, '0', () => import('./handlers/describe-producers.ts')),
    serve(apis.DescribeTransactions, '0', () => import('./handlers/describe-transactions.ts')),
    serve(apis.ListTransactions, '0-2', () => import('./handlers/list-transactions.ts')),
    serve(apis.ConsumerGroupHeartbeat, '0-1', () => import('./handlers/consumer-group-heartbeat.ts')),
    serve(apis.ConsumerGroupDescribe, '0-1', () => import('./handlers/consumer-group-describe.ts')),
    serve(apis.StreamsGroupHeartbeat, '0', () => import('./handlers/streams-group-heartbeat.ts')),
    serve(apis.StreamsGroupDescribe, '0', () => import('./handlers/streams-group-describe.ts')),
    serve(apis.ShareGroupHeartbeat, '1', () => import('./handlers/share-group-heartbeat.ts')),
    serve(apis.ShareGroupDescribe, '1', () => import('./handlers/share-group-describe.ts')),
    serve(apis.ShareFetch, '1-2', () => import('./handlers/share-fetch.ts')),
    serve(apis.ShareAcknowledge, '1-2', () => import('./handlers/share-acknowledge.ts')),
    serve(apis.AddRaftVoter, '0-1', () => import('./handlers/add-raft-voter.ts'), FORWARDED),
    serve(apis.RemoveRaftVoter, '0', () => import('./handlers/remove-raft-voter.ts'), FORWARDED),
    serve(apis.InitializeShareGroupState, '0', () => import('./handlers/initialize-share-group-state.ts')),
    serve(apis.ReadShareGroupState, '0', () => import('./handlers/read-share-group-state.ts')),
    serve(apis.WriteShareGroupState, '0-1', () => import('./handlers/write-share-group-state.ts')),
    serve(apis.DeleteShareGroupState, '0', () => import('./handlers/delete-share-group-state.ts')),
    serve(apis.ReadShareGroupStateSummary, '0-1', () => import('./handlers/read-share-group-state-summary.ts')),
    serve(apis.DescribeShareGroupOffsets, '0-1', () => import('./handlers/describe-share-group-offsets.ts')),
    serve(apis.AlterShareGroupOffsets, '0', () => import('./handlers/alter-share-group-offsets.ts')),
    serve(apis.DeleteShareGroupOffsets, '0', () => import('./handlers/delete-share-group-offsets.ts')),
    serve(apis.ListConfigResources, '0-1', () => import('./handlers/list-config-resources.ts')),
    serve(apis.AssignReplicasToDirs, '0', () => import('./handlers/assign-replicas-to-dirs.ts')),
    // Told to clients only where somebody receives their metrics; see ClientMetrics.
    serve(apis.GetTelemetrySubscriptions, '0', () => import('./handlers/get-telemetry-subscriptions.ts')),
    serve(apis.PushTelemetry, '0', () => import('./handlers/push-telemetry.ts')),
    serve(apis.DescribeTopicPartitions, '0', () => import('./handlers/describe-topic-partitions.ts')),
  ]
}

/** The table, by API key and kind of listener. */
export class ServedApis {
  readonly #byKey: Readonly<Record<ListenerKind, readonly (ServedApi | undefined)[]>>
  readonly #all: readonly ServedApi[]

  constructor(all: readonly ServedApi[] = servedApis()) {
    const byKey: Record<ListenerKind, (ServedApi | undefined)[]> = { broker: [], controller: [] }
    for (const served of all) for (const kind of served.listeners) byKey[kind][served.api.key] = served
    this.#byKey = byKey
    this.#all = [...all].sort((a, b) => a.api.key - b.api.key)
  }

  /** undefined for an API that is not served on this kind of listener. */
  of(apiKey: number, kind: ListenerKind): ServedApi | undefined {
    return this.#byKey[kind][apiKey]
  }

  /** Reads the handlers that nobody has needed yet, one after the other. Rejects with what reading one of them throws. */
  async loadAll(): Promise<void> {
    for (const served of this.#all) served.loaded ??= await served.load()
  }

  /** By key. */
  on(kind: ListenerKind): ServedApi[] {
    return this.#all.filter((served) => served.listeners.includes(kind))
  }
}
