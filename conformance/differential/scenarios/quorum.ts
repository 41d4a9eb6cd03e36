import { ZERO_UUID } from '../../../src/protocol/uuid.ts'
import type { Body, Probe } from '../probe.ts'
import type { Scenario } from '../scenario.ts'

const TOPIC = '__cluster_metadata'
/** Of the metadata log, in every cluster. */
const METADATA_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const STRANGER_ID = 5
const UNKNOWN_ID = 'Z8ieC9GbRMy7po1nB9IrzQ'

interface Quorum {
  readonly epoch: number
  readonly leaderId: number
  readonly directoryId: string
}

/** The quorum as it stands; nothing here is told of an epoch after this one, which would unseat the leader. */
async function quorumOf(probe: Probe): Promise<Quorum> {
  const topics = [{ topicName: TOPIC, partitions: [{ partitionIndex: 0 }] }]
  const described = await probe.quietly('DescribeQuorum', 2, { topics })
  const { leaderId, leaderEpoch, currentVoters } = described.topics[0].partitions[0]
  // Apache Kafka's controller gives the lead up, and takes it again, after an error that it does not expect.
  probe.learn(leaderEpoch, '<epoch of the quorum>')
  return { epoch: leaderEpoch, leaderId, directoryId: currentVoters[0].replicaDirectoryId }
}

function oneTopic(partition: Body, change: Body = {}): Body[] {
  return [{ topicName: TOPIC, partitions: [{ partitionIndex: 0, ...partition }], ...change }]
}

/** What the nodes of a quorum ask each other, as a node that is none of them. */
export const quorumScenarios: readonly Scenario[] = [
  {
    title: 'votes that are not given',
    api: 'Vote',
    listener: 'controller',
    run: async (probe, version) => {
      const controller = probe.toController()
      const { epoch, leaderId, directoryId } = await quorumOf(probe)
      const candidate = {
        replicaEpoch: epoch,
        replicaId: STRANGER_ID,
        ...(version >= 1 && { replicaDirectoryId: UNKNOWN_ID, voterDirectoryId: directoryId }),
        lastOffsetEpoch: epoch,
        lastOffset: 1_000_000,
        ...(version >= 2 && { preVote: false }),
      }
      const ask = (change: Body, around: Body = {}, note?: string) => {
        const voter = version >= 1 ? { voterId: leaderId } : {}
        const body = { clusterId: null, ...voter, topics: oneTopic({ ...candidate, ...change }), ...around }
        return controller.send('Vote', version, body, note)
      }
      await ask({}, { clusterId: 'another' })
      await ask({}, {}, 'a stranger in the epoch of the leader')
      await ask({ replicaEpoch: epoch - 1 }, {}, 'an old epoch')
      await ask({ replicaEpoch: -1 })
      await ask({ lastOffset: -1 })
      await ask({ lastOffsetEpoch: epoch + 1 }, {}, 'a log from a later epoch')
      await ask({ replicaId: -1 })
      await ask({ replicaId: leaderId }, {}, 'the leader itself')
      await ask({}, { topics: oneTopic(candidate, { topicName: 'other' }) })
      await ask({ partitionIndex: 1 })
      await ask({}, { topics: [] })
      if (version >= 1) {
        await ask({}, { voterId: STRANGER_ID }, 'to another voter')
        await ask({ voterDirectoryId: UNKNOWN_ID }, {}, 'to another directory')
      }
      if (version >= 2) {
        await ask({ preVote: true })
        await ask({ preVote: true, replicaEpoch: epoch - 1 })
      }
    },
  },
  {
    title: 'leaders that are none',
    api: 'BeginQuorumEpoch',
    listener: 'controller',
    run: async (probe, version) => {
      const controller = probe.toController()
      const { epoch, leaderId, directoryId } = await quorumOf(probe)
      const told = {
        leaderId: STRANGER_ID,
        leaderEpoch: epoch - 1,
        ...(version >= 1 && { voterDirectoryId: directoryId }),
      }
      const leaderEndpoints = [{ name: 'CONTROLLER', host: '127.0.0.1', port: 9 }]
      const ask = (change: Body, around: Body = {}, note?: string) => {
        const voter = version >= 1 ? { voterId: leaderId, leaderEndpoints } : {}
        const body = { clusterId: null, ...voter, topics: oneTopic({ ...told, ...change }), ...around }
        return controller.send('BeginQuorumEpoch', version, body, note)
      }
      await ask({}, { clusterId: 'another' })
      await ask({}, {}, 'an old epoch')
      await ask({ leaderId: -1 })
      await ask({ leaderEpoch: -1 })
      await ask({ leaderId, leaderEpoch: epoch }, {}, 'the leader itself')
      await ask({}, { topics: oneTopic(told, { topicName: 'other' }) })
      await ask({ partitionIndex: 1 })
      if (version >= 1) {
        await ask({}, { voterId: STRANGER_ID }, 'to another voter')
        await ask({ voterDirectoryId: UNKNOWN_ID }, {}, 'to another directory')
      }
    },
  },
  {
    title: 'ends of epochs that are over',
    api: 'EndQuorumEpoch',
    listener: 'controller',
    run: async (probe, version) => {
      const controller = probe.toController()
      const { epoch } = await quorumOf(probe)
      const successors =
        version >= 1
          ? { preferredCandidates: [{ candidateId: STRANGER_ID, candidateDirectoryId: UNKNOWN_ID }] }
          : { preferredSuccessors: [STRANGER_ID] }
      const told = { leaderId: STRANGER_ID, leaderEpoch: epoch - 1, ...successors }
      const ask = (change: Body, around: Body = {}, note?: string) => {
        const body = { clusterId: null, topics: oneTopic({ ...told, ...change }), ...around }
        return controller.send('EndQuorumEpoch', version, body, note)
      }
      await ask({}, { clusterId: 'another' })
      await ask({}, {}, 'an old epoch')
      await ask({ leaderId: -1 })
      await ask({ leaderEpoch: -1 })
      await ask({}, { topics: oneTopic(told, { topicName: 'other' }) })
      await ask({ partitionIndex: 1 })
    },
  },
  {
    title: 'the metadata log, from places where nobody may read',
    api: 'Fetch',
    listener: 'controller',
    // Apache Kafka asks in no other versions.
    from: 17,
    run: async (probe, version) => {
      const controller = probe.toController()
      const { epoch } = await quorumOf(probe)
      const wanted = {
        partition: 0,
        currentLeaderEpoch: epoch,
        fetchOffset: 0,
        lastFetchedEpoch: -1,
        partitionMaxBytes: 0,
        replicaDirectoryId: UNKNOWN_ID,
        ...(version >= 18 && { highWatermark: 1 }),
      }
      const replicaState = { replicaId: STRANGER_ID }
      const ask = (change: Body, around: Body = {}, note?: string) => {
        const topics = [{ topicId: METADATA_ID, partitions: [{ ...wanted, ...change }] }]
        return controller.send('Fetch', version, { replicaState, maxWaitMs: 0, minBytes: 0, topics, ...around }, note)
      }
      await ask({}, { clusterId: 'another' })
      await ask({ currentLeaderEpoch: epoch - 1 })
      await ask({ currentLeaderEpoch: epoch + 1 })
      await ask({ fetchOffset: -1 })
      await ask({ lastFetchedEpoch: epoch + 1 })
      await ask({}, { maxWaitMs: -1 })
      await ask({}, { topics: [{ topicId: UNKNOWN_ID, partitions: [wanted] }] })
      await ask({ partition: 1 })
    },
  },
  {
    title: 'snapshots that are not there',
    api: 'FetchSnapshot',
    listener: 'controller',
    run: async (probe, version) => {
      const controller = probe.toController()
      const { epoch } = await quorumOf(probe)
      const wanted = {
        partition: 0,
        currentLeaderEpoch: epoch,
        snapshotId: { endOffset: 1_000_000, epoch },
        position: 0,
        ...(version >= 1 && { replicaDirectoryId: UNKNOWN_ID }),
      }
      const ask = (change: Body, around: Body = {}, note?: string) => {
        const topics = [{ name: TOPIC, partitions: [{ ...wanted, ...change }] }]
        return controller.send('FetchSnapshot', version, { replicaId: STRANGER_ID, topics, ...around }, note)
      }
      await ask({}, { clusterId: 'another' })
      await ask({})
      await ask({ currentLeaderEpoch: epoch - 1 })
      await ask({ currentLeaderEpoch: epoch + 1 })
      await ask({ snapshotId: { endOffset: 0, epoch: 0 }, position: 1_000_000 }, {}, 'beyond its end')
      await ask({ snapshotId: { endOffset: 0, epoch: 0 }, position: -1 })
      await ask({}, { topics: [{ name: 'other', partitions: [wanted] }] })
      await ask({ partition: 1 })
    },
  },
  {
    title: 'voters that cannot be changed',
    api: 'UpdateRaftVoter',
    listener: 'controller',
    run: async (probe, version) => {
      const controller = probe.toController()
      const { epoch, leaderId, directoryId } = await quorumOf(probe)
      const listeners = [{ name: 'CONTROLLER', host: '127.0.0.1', port: 9 }]
      const ask = (change: Body, note?: string) =>
        controller.send(
          'UpdateRaftVoter',
          version,
          {
            clusterId: null,
            currentLeaderEpoch: epoch,
            voterId: STRANGER_ID,
            voterDirectoryId: UNKNOWN_ID,
            listeners,
            kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
            ...change,
          },
          note,
        )
      await ask({ clusterId: 'another' })
      await ask({}, 'a stranger')
      await ask({ currentLeaderEpoch: epoch - 1 })
      await ask({ currentLeaderEpoch: epoch + 1 })
      await ask({ voterId: -1 })
      await ask({ voterDirectoryId: ZERO_UUID })
      await ask({ voterId: leaderId }, 'the leader in another directory')
      await ask({ listeners: [] })
      await ask({ listeners: [{ ...listeners[0], name: 'ANOTHER' }] })
      const versions = { minSupportedVersion: 0, maxSupportedVersion: 0 }
      await ask({ voterId: leaderId, voterDirectoryId: directoryId, kRaftVersionFeature: versions }, 'too old')
    },
  },
]
