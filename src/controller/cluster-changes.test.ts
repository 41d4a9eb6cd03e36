import { describe, expect, test } from 'vitest'
import { METADATA_VERSION } from '../metadata/features.ts'
import { MetadataImage } from '../metadata/image.ts'
import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { partitionRecord } from '../metadata/snapshot-records.ts'
import type { PartitionImage } from '../metadata/types.ts'
import { silentLogger } from '../platform/logger.ts'
import { errorOfCode } from '../protocol/errors.ts'
import { directoryRecords } from './assign-directories.ts'
import { ControllerWorld, DIRECTORY_ID } from './controller.testkit.ts'
import { electLeaders } from './elect-leaders.ts'
import { firstState } from './placement.ts'
import { alterReassignments, listReassignments } from './reassignments.ts'
import type { DecisionContext } from './result.ts'
import { unregisterRecords } from './unregister-broker.ts'

const TOPIC_ID = 'T8ieC9GbRMy7po1nB9IrzQ'

function broker(id: number, fenced: boolean): MetadataRecord {
  return metadataRecord('RegisterBroker', {
    brokerId: id,
    isMigratingZkBroker: false,
    incarnationId: TOPIC_ID,
    brokerEpoch: id * 100,
    endPoints: [],
    features: [],
    rack: null,
    fenced,
    inControlledShutdown: false,
    logDirs: [DIRECTORY_ID],
    cordonedLogDirs: null,
  })
}

/** Brokers 1 and 2 live, 3 is fenced; and one topic of one partition. */
function clusterWith(partition: Partial<PartitionImage>): DecisionContext {
  const head = new MetadataImage()
  const placed = { replicas: [1, 2], isr: [1, 2], directories: [DIRECTORY_ID, DIRECTORY_ID] }
  for (const record of [
    metadataRecord('FeatureLevel', { name: METADATA_VERSION, featureLevel: 30 }),
    ...[broker(1, false), broker(2, false), broker(3, true)],
    metadataRecord('Topic', { name: 't', topicId: TOPIC_ID }),
    partitionRecord({ ...firstState(TOPIC_ID, 0, placed), ...partition }, 2),
  ]) {
    head.replay(record)
  }
  const { config, platform } = new ControllerWorld()
  return { head, config, nodeId: 1, random: platform.random, logger: silentLogger }
}

function apply(context: DecisionContext, records: readonly MetadataRecord[]): PartitionImage {
  for (const record of records) context.head.replay(record)
  return context.head.topics.partition('t', 0)!
}

function elect(context: DecisionContext, electionType: number) {
  const topicPartitions = [{ topic: 't', partitions: [0] }]
  const { records, response } = electLeaders(context, { electionType, topicPartitions, timeoutMs: 0 })
  const { errorCode } = response.replicaElectionResults[0]!.partitionResult[0]!
  return { error: errorOfCode(errorCode).name, after: apply(context, records) }
}

describe('electLeaders (KIP-460)', () => {
  test('gives the lead to the preferred replica, in a new epoch', () => {
    const { error, after } = elect(clusterWith({ replicas: [2, 1], leader: 2 }), 0)
    expect(error).toBe('ELECTION_NOT_NEEDED')
    expect(after.leader).toBe(2)
    const back = elect(clusterWith({ replicas: [2, 1], leader: 1 }), 0)
    expect(back).toMatchObject({ error: 'NONE', after: { leader: 2, leaderEpoch: 1, isr: [1, 2] } })
  })

  test('of one that is fenced or not in sync comes nothing', () => {
    expect(elect(clusterWith({ replicas: [3, 1], isr: [3, 1], leader: 1 }), 0).error).toBe(
      'PREFERRED_LEADER_NOT_AVAILABLE',
    )
    expect(elect(clusterWith({ replicas: [2, 1], isr: [1], leader: 1 }), 0).error).toBe(
      'PREFERRED_LEADER_NOT_AVAILABLE',
    )
  })

  test('an unclean one takes who lives, and only where nobody leads', () => {
    expect(elect(clusterWith({}), 1).error).toBe('ELECTION_NOT_NEEDED')
    const lost = { replicas: [3, 2], isr: [3], leader: -1 }
    expect(elect(clusterWith(lost), 1)).toMatchObject({ error: 'NONE', after: { leader: 2, isr: [2] } })
    expect(elect(clusterWith({ ...lost, replicas: [3] }), 1).error).toBe('ELIGIBLE_LEADERS_NOT_AVAILABLE')
  })

  test('asked for all, leaves out what needs none', () => {
    const context = clusterWith({})
    const { response } = electLeaders(context, { electionType: 0, topicPartitions: null, timeoutMs: 0 })
    expect(response.replicaElectionResults).toEqual([{ topic: 't', partitionResult: [] }])
  })
})

function move(context: DecisionContext, replicas: number[] | null, allowReplicationFactorChange = true) {
  const topics = [{ name: 't', partitions: [{ partitionIndex: 0, replicas }] }]
  const { records, response } = alterReassignments(context, { timeoutMs: 0, allowReplicationFactorChange, topics })
  const { errorCode } = response.responses[0]!.partitions[0]!
  return { error: errorOfCode(errorCode).name, count: records.length, after: apply(context, records) }
}

const ongoing = (context: DecisionContext) => listReassignments(context.head, { timeoutMs: 0, topics: null }).topics

describe('alterReassignments (KIP-455)', () => {
  test('another order is done at once; the same order writes nothing', () => {
    const context = clusterWith({})
    expect(move(context, [1, 2])).toMatchObject({ error: 'NONE', count: 0 })
    expect(move(context, [2, 1])).toMatchObject({
      count: 1,
      after: { replicas: [2, 1], addingReplicas: [], leader: 1 },
    })
  })

  test('fewer replicas is done at once, and the lead goes to one that stays', () => {
    const { after } = move(clusterWith({}), [2])
    expect(after).toMatchObject({
      replicas: [2],
      isr: [2],
      leader: 2,
      removingReplicas: [],
      directories: [DIRECTORY_ID],
    })
  })

  test('a new replica has to catch up; the move is listed until it is called off (KIP-455)', () => {
    const context = clusterWith({})
    const moved = { replicas: [1, 3, 2], addingReplicas: [3], removingReplicas: [2] }
    expect(move(context, [1, 3])).toMatchObject({ error: 'NONE', after: { ...moved, isr: [1, 2] } })
    expect(ongoing(context)).toEqual([{ name: 't', partitions: [{ partitionIndex: 0, ...moved }] }])
    expect(move(context, null)).toMatchObject({ error: 'NONE', after: { replicas: [1, 2], addingReplicas: [] } })
    expect(ongoing(context)).toEqual([])
    expect(move(context, null).error).toBe('NO_REASSIGNMENT_IN_PROGRESS')
  })

  test('the factor stays where it must not change (KIP-860)', () => {
    expect(move(clusterWith({}), [1], false).error).toBe('INVALID_REPLICATION_FACTOR')
    expect(move(clusterWith({}), [1, 9]).error).toBe('INVALID_REPLICA_ASSIGNMENT')
  })
})

describe('unregisterRecords', () => {
  test('what another broker led is led by one in sync, and the last in sync stays so', () => {
    const context = clusterWith({ leader: 2 })
    expect(apply(context, unregisterRecords(context, 2, 50))).toMatchObject({ leader: 1, isr: [1] })
    expect(context.head.brokers.has(2)).toBe(false)
    const last = clusterWith({ leader: 2, isr: [2] })
    expect(apply(last, unregisterRecords(last, 2, 50))).toMatchObject({ leader: -1, isr: [2] })
  })

  test('the node that is asked is registered again, with the offset of that record as its epoch', () => {
    const context = clusterWith({})
    apply(context, unregisterRecords(context, 1, 50))
    expect(context.head.brokers.get(1)).toMatchObject({ epoch: 51, fenced: false, directories: [DIRECTORY_ID] })
    expect(() => unregisterRecords(context, 9, 52)).toThrow('not currently registered')
  })
})

describe('directoryRecords (KIP-858)', () => {
  test('say where a replica is, once', () => {
    const context = clusterWith({})
    const assignment = { topicId: TOPIC_ID, partition: 0, directoryId: TOPIC_ID }
    expect(apply(context, directoryRecords(context, [assignment]))).toMatchObject({
      directories: [TOPIC_ID, DIRECTORY_ID],
      leaderEpoch: 0,
    })
    expect(directoryRecords(context, [assignment, { ...assignment, partition: 9 }])).toEqual([])
  })
})
