import { ZERO_UUID } from '../protocol/uuid.ts'
import { QuorumChannel } from '../replication/channel/quorum-channel.ts'
import type { Peer } from '../replication/raft/core/types.ts'
import { VoterSet } from '../replication/raft/core/voters.ts'
import type { QuorumNodeOptions } from '../replication/raft/quorum-options.ts'
import type { ControllerOptions } from './controller.ts'

/** How long a leader may keep a fetch of the metadata log waiting, as in Apache Kafka. */
const FETCH_MAX_WAIT_MS = 500

/** The levels of kraft.version that this version of Ottla knows: fixed voters, and voters in the log. */
const KRAFT_VERSIONS = { min: 0, max: 1 }

const APPEND_LINGER = 'controller.quorum.append.linger.ms'

/** Room for what is around the records in a response. */
const RESPONSE_ROOM_BYTES = 64 * 1024

/** The part that a node takes in the quorum, from its configuration. */
export function quorumOptions(options: ControllerOptions): QuorumNodeOptions {
  const { platform, logger, config, clusterId, directoryId, controllerEndpoints } = options
  const listenerName = config.controllerListenerNames[0]!
  const requestTimeoutMs = config.get('controller.quorum.request.timeout.ms')
  const fetchMaxBytes = config.get('controller.quorum.fetch.max.bytes')
  const fetchSnapshotMaxBytes = config.get('controller.quorum.fetch.snapshot.max.bytes')
  const channel = new QuorumChannel({
    network: platform.network,
    time: platform.time,
    clientId: `raft-client-${config.nodeId}`,
    requestTimeoutMs,
    // A single batch may be larger than what is asked for.
    maxResponseBytes:
      Math.max(fetchMaxBytes, fetchSnapshotMaxBytes, config.get('socket.request.max.bytes')) + RESPONSE_ROOM_BYTES,
    listenerName,
  })
  return {
    platform,
    logger,
    channel,
    directory: config.metadataLogDir,
    nodeId: config.nodeId,
    directoryId,
    clusterId,
    endpoints: controllerEndpoints,
    listenerName,
    bootstrapPeers: bootstrapPeers(options),
    staticVoters: staticVoters(options, listenerName),
    kraftVersions: KRAFT_VERSIONS,
    canVote: config.isController,
    autoJoins: config.get('controller.quorum.auto.join.enable'),
    electionTimeoutMs: config.get('controller.quorum.election.timeout.ms'),
    electionBackoffMaxMs: config.get('controller.quorum.election.backoff.max.ms'),
    fetchTimeoutMs: config.get('controller.quorum.fetch.timeout.ms'),
    requestTimeoutMs,
    retryBackoffMs: config.get('controller.quorum.retry.backoff.ms'),
    fetchMaxWaitMs: FETCH_MAX_WAIT_MS,
    fetchMaxBytes,
    fetchSnapshotMaxBytes,
    // Only where somebody asks for it: what comes while a write is under way is in the next one together anyway.
    appendLingerMs: config.isSet(APPEND_LINGER) ? config.get(APPEND_LINGER) : 0,
    snapshotMaxNewRecordBytes: config.get('metadata.log.max.record.bytes.between.snapshots'),
    snapshotMaxIntervalMs: config.get('metadata.log.max.snapshot.interval.ms'),
    segmentBytes: config.get('metadata.log.segment.bytes'),
    segmentMs: config.get('metadata.log.segment.ms'),
    retentionBytes: config.get('metadata.max.retention.bytes'),
    retentionMs: config.get('metadata.max.retention.ms'),
    onBroken: options.onBrokenLog,
  }
}

/** Whom to ask who leads: those of controller.quorum.bootstrap.servers, or the fixed voters. Never this node itself. */
function bootstrapPeers({ config, controllerEndpoints }: ControllerOptions): Peer[] {
  const { quorumVoters, quorumBootstrapServers, nodeId } = config
  if (quorumVoters.length > 0) return quorumVoters.filter(({ id }) => id !== nodeId)
  const others = quorumBootstrapServers.filter(({ host, port }) => {
    return !controllerEndpoints.some((own) => own.host === host && own.port === port)
  })
  return others.map(({ host, port }, index) => ({ id: -2 - index, host, port }))
}

/** Voters that the configuration fixes, whose directories nobody knows. */
function staticVoters({ config }: ControllerOptions, name: string): VoterSet {
  return new VoterSet(
    config.quorumVoters.map(({ id, host, port }) => ({
      id,
      directoryId: ZERO_UUID,
      endpoints: [{ name, host, port }],
      kraftVersions: { min: 0, max: 0 },
    })),
  )
}
