import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../platform/logger.ts'
import { DecodeError } from '../protocol/wire.ts'
import { MetadataImage } from './image.ts'
import { MetadataLoader } from './loader.ts'
import {
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
  type MetadataRecordValue,
  metadataRecord,
} from './records.ts'
import { snapshotRecords } from './snapshot-records.ts'
import { ConfigResourceType, type MetadataDelta } from './types.ts'

const TOPIC_IDS = ['a', 'b', 'c'].map((letter) => letter.repeat(21).padEnd(22, 'A'))
const DIRECTORY = 'Z8ieC9GbRMy7po1nB9IrzQ'

const topic = (name: string, topicId: string) => metadataRecord('Topic', { name, topicId })
const config = (resourceType: number, resourceName: string, name: string, value: string | null) =>
  metadataRecord('Config', { resourceType, resourceName, name, value })
const feature = (name: string, featureLevel: number) => metadataRecord('FeatureLevel', { name, featureLevel })

function partition(topicId: string, partitionId: number, elr: number[] | null = null): MetadataRecord {
  const value = {
    partitionId,
    topicId,
    replicas: [1, 2],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [],
    leader: 1,
    leaderRecoveryState: 0,
    leaderEpoch: 3,
    partitionEpoch: 4,
    directories: [DIRECTORY, DIRECTORY],
    eligibleLeaderReplicas: elr,
    lastKnownElr: null,
  }
  return metadataRecord('Partition', value, 2)
}

function partitionChange(topicId: string, partitionId: number, leader: number): MetadataRecord {
  const value = {
    partitionId,
    topicId,
    isr: leader === -1 ? [] : null,
    leader,
    replicas: null,
    removingReplicas: null,
    addingReplicas: null,
    leaderRecoveryState: -1,
    directories: null,
    eligibleLeaderReplicas: [2],
    lastKnownElr: null,
  }
  return metadataRecord('PartitionChange', value, 2)
}

function registerBroker(brokerId: number, brokerEpoch: number): MetadataRecord {
  const value = {
    brokerId,
    brokerEpoch,
    isMigratingZkBroker: false,
    incarnationId: TOPIC_IDS[0]!,
    endPoints: [{ name: 'PLAINTEXT', host: 'localhost', port: 9092, securityProtocol: 0 }],
    features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 30 }],
    rack: null,
    fenced: true,
    inControlledShutdown: false,
    logDirs: [DIRECTORY],
    cordonedLogDirs: [],
  }
  return metadataRecord('RegisterBroker', value, 4)
}

/** Everything there is, in a form in which equal states are equal. */
function contents(image: MetadataImage): unknown {
  return [...snapshotRecords(image)].map((record) => encodeMetadataRecord(record).toString('hex')).sort()
}

function replayAll(records: Iterable<MetadataRecord>): MetadataImage {
  const image = new MetadataImage()
  for (const record of records) image.replay(record)
  return image
}

/** Records that fit the state they come upon, drawn from numbers. */
function recordsFrom(choices: readonly (readonly [number, number, number])[]): MetadataRecord[] {
  const image = new MetadataImage()
  const records: MetadataRecord[] = []
  const add = (record: MetadataRecord): void => {
    image.replay(record)
    records.push(record)
  }
  add(feature('metadata.version', 30))
  for (const [kind, a, b] of choices) {
    const topicId = TOPIC_IDS[a % TOPIC_IDS.length]!
    const exists = image.topics.byId(topicId) !== undefined
    if (kind === 0 && !exists) add(topic(`topic-${a % TOPIC_IDS.length}`, topicId))
    if (kind === 1 && exists) add(partition(topicId, b % 4, b % 2 === 0 ? [2] : null))
    if (kind === 2 && image.topics.partitionById(topicId, b % 4)) add(partitionChange(topicId, b % 4, (b % 3) - 2))
    if (kind === 3 && exists) add(metadataRecord('RemoveTopic', { topicId }))
    if (kind === 4)
      add(config([2, 4, 16, 32][a % 4]!, `name-${b % 2}`, `setting-${a % 3}`, b % 3 === 0 ? null : `${b}`))
    if (kind === 5) add(registerBroker(a % 3, b))
    if (kind === 6 && image.brokers.has(a % 3)) {
      const change = {
        brokerId: a % 3,
        brokerEpoch: image.brokers.get(a % 3)!.epoch,
        logDirs: [],
        cordonedLogDirs: null,
      }
      add(
        metadataRecord('BrokerRegistrationChange', { ...change, fenced: (b % 3) - 1, inControlledShutdown: b % 2 }, 3),
      )
    }
    if (kind === 7) add(feature('group.version', b % 2))
    if (kind === 8) add(metadataRecord('ProducerIds', { brokerId: 1, brokerEpoch: 1, nextProducerId: b * 1000 }))
    if (kind === 9) {
      const entity = [{ entityType: 'user', entityName: a % 2 === 0 ? null : 'alice' }]
      add(metadataRecord('ClientQuota', { entity, key: `rate-${b % 2}`, value: b, remove: b % 5 === 0 }))
    }
    if (kind === 10) {
      const keys = { salt: Buffer.from([a & 255]), storedKey: Buffer.from('s'), serverKey: Buffer.from('k') }
      add(metadataRecord('UserScramCredential', { name: `user-${b % 2}`, mechanism: 1, iterations: 4096, ...keys }))
    }
    if (kind === 11 && exists)
      add(metadataRecord('ClearElr', { topicName: b % 2 ? '' : `topic-${a % TOPIC_IDS.length}` }))
    if (kind === 12) {
      const token = { owner: 'User:a', requester: 'User:a', renewers: ['User:b'], tokenId: `token-${b % 2}` }
      const times = { issueTimestamp: 1, maxTimestamp: 2, expirationTimestamp: a }
      add(metadataRecord('DelegationToken', { ...token, ...times }))
    }
    if (kind === 13) {
      const entry = { resourceType: 2, resourceName: 't', patternType: 3, principal: 'User:a', host: '*' }
      add(metadataRecord('AccessControlEntry', { id: topicId, ...entry, operation: b % 10, permissionType: 3 }))
    }
  }
  return records
}

const choices = fc.array(fc.tuple(fc.nat(13), fc.nat(1000), fc.nat(1000)), { maxLength: 60 })

describe('replay', () => {
  it('of the log and of a snapshot of it give the same image', () => {
    fc.assert(
      fc.property(choices, (drawn) => {
        const records = recordsFrom(drawn)
        const image = replayAll(records)
        const fromBytes = replayAll(records.map((record) => decodeMetadataRecord(encodeMetadataRecord(record))))
        expect(contents(fromBytes)).toEqual(contents(image))
        expect(contents(replayAll(snapshotRecords(image)))).toEqual(contents(image))
      }),
    )
  })

  it('tells in deltas all that a second image needs', () => {
    fc.assert(
      fc.property(choices, fc.nat(10), (drawn, chunk) => {
        const records = recordsFrom(drawn)
        const image = new MetadataImage()
        const known = new Map<string, Set<number>>()
        for (let from = 0; from < records.length; from += chunk + 1) {
          for (const record of records.slice(from, from + chunk + 1)) image.replay(record)
          const delta = image.takeDelta()
          for (const id of delta.topicsDeleted.keys()) expect(known.delete(id)).toBe(true)
          for (const id of delta.topicsCreated.keys()) known.set(id, new Set())
          for (const [id, partitions] of delta.partitionsChanged) {
            for (const partition of partitions) known.get(id)!.add(partition)
          }
        }
        const expected = [...image.topics.all()].map(({ id, partitions }) => [id, [...partitions.keys()].sort()])
        expect([...known].map(([id, partitions]) => [id, [...partitions].sort()]).sort()).toEqual(expected.sort())
      }),
    )
  })

  it('gives a partition a new leader epoch when its leader is named, and a new partition epoch at every change', () => {
    const id = TOPIC_IDS[0]!
    const image = replayAll([topic('t', id), partition(id, 0), partitionChange(id, 0, -2)])
    expect(image.topics.partition('t', 0)).toMatchObject({ leader: 1, leaderEpoch: 3, partitionEpoch: 5, elr: [2] })
    image.replay(partitionChange(id, 0, 1))
    expect(image.topics.partition('t', 0)).toMatchObject({ leader: 1, leaderEpoch: 4, partitionEpoch: 6, isr: [1] })
    image.replay(partitionChange(id, 0, -1))
    expect(image.topics.partition('t', 0)).toMatchObject({ leader: -1, leaderEpoch: 5, partitionEpoch: 7, isr: [] })
  })

  it('counts the clearing of eligible leaders as a change of the partitions that have any (KIP-966)', () => {
    const id = TOPIC_IDS[0]!
    const records = [topic('t', id), partition(id, 0, [2]), partition(id, 1)]
    const image = replayAll([...records, metadataRecord('ClearElr', { topicName: 't' })])
    expect(image.topics.partition('t', 0)).toMatchObject({ elr: [], leaderEpoch: 3, partitionEpoch: 5 })
    expect(image.topics.partition('t', 1)).toMatchObject({ elr: [], leaderEpoch: 3, partitionEpoch: 4 })
  })

  it('gives each replica a directory where the record of a move names none, as before there were any (KIP-858)', () => {
    const id = TOPIC_IDS[0]!
    const old = partition(id, 0).value as MetadataRecordValue<'Partition'>
    const change = partitionChange(id, 0, -2).value as MetadataRecordValue<'PartitionChange'>
    const image = replayAll([
      topic('t', id),
      metadataRecord('Partition', { ...old, directories: [] }),
      metadataRecord('PartitionChange', { ...change, eligibleLeaderReplicas: null, replicas: [1, 2, 3] }),
    ])
    expect(image.topics.partition('t', 0)!.directories).toEqual(Array(3).fill('AAAAAAAAAAAAAAAAAAAAAA'))
  })

  it('removes the configs of a topic with the topic', () => {
    const id = TOPIC_IDS[0]!
    const image = replayAll([topic('t', id), config(ConfigResourceType.topic, 't', 'retention.ms', '1')])
    image.replay(metadataRecord('RemoveTopic', { topicId: id }))
    expect([...image.configs.all()]).toEqual([])
  })

  it.each([
    ['a partition without a topic', partition(TOPIC_IDS[0]!, 0)],
    ['a change of an unknown partition', partitionChange(TOPIC_IDS[0]!, 0, 1)],
    ['the removal of an unknown topic', metadataRecord('RemoveTopic', { topicId: TOPIC_IDS[0]! })],
    ['a change of an unknown broker', metadataRecord('UnfenceBroker', { id: 1, epoch: 1 })],
    ['a mark of a transaction', metadataRecord('EndTransaction', {})],
  ])('refuses %s', (_, record) => {
    expect(() => new MetadataImage().replay(record)).toThrow()
  })

  it('refuses a change that was meant for another registration of a broker', () => {
    const image = replayAll([registerBroker(1, 5)])
    expect(() => image.replay(metadataRecord('UnfenceBroker', { id: 1, epoch: 4 }))).toThrow('its epoch is 5')
  })
})

describe('records', () => {
  it('have the framing of Apache Kafka', () => {
    // FeatureLevelRecord, as kafka-storage writes it.
    expect(encodeMetadataRecord(feature('metadata.version', 30)).toString('hex')).toBe(
      '010c00116d657461646174612e76657273696f6e001e00',
    )
  })

  it.each([
    ['another frame version', '020c00'],
    ['an unknown type', '017f00'],
    ['an unknown version', '010c01116d657461646174612e76657273696f6e001e00'],
    ['bytes left over', '010c00116d657461646174612e76657273696f6e001e0000'],
    ['no bytes', ''],
  ])('with %s are refused', (_, hex) => {
    expect(() => decodeMetadataRecord(Buffer.from(hex, 'hex'))).toThrow(DecodeError)
  })
})

describe('the loader', () => {
  const at = (lastOffset: number) => ({ lastOffset, epoch: 1, appendTimeMs: 0 })

  it('holds back a transaction until it ends, and forgets one that is aborted (KIP-868)', () => {
    const loader = new MetadataLoader(silentLogger)
    loader.onCommit([metadataRecord('BeginTransaction', { name: 'x' }), topic('t', TOPIC_IDS[0]!)], at(1))
    expect(loader.image.topics.size).toBe(0)
    expect(loader.image.offset).toBe(-1)
    expect(loader.snapshotRecords()).toBeUndefined()
    loader.onCommit([metadataRecord('EndTransaction', {})], at(2))
    expect(loader.image.topics.size).toBe(1)
    expect(loader.image.offset).toBe(2)
    loader.onCommit([metadataRecord('BeginTransaction', { name: 'x' }), topic('u', TOPIC_IDS[1]!)], at(4))
    loader.onCommit([metadataRecord('AbortTransaction', { reason: null })], at(5))
    expect([...loader.image.topics.names()]).toEqual(['t'])
  })

  it('tells publishers first of all there is, then of each change, and waits until it is applied', async () => {
    const loader = new MetadataLoader(silentLogger)
    loader.onCommit([topic('t', TOPIC_IDS[0]!)], at(0))
    const deltas: MetadataDelta[] = []
    const waiting: (() => void)[] = []
    await loader.startPublishing([
      {
        onMetadataChange(delta) {
          deltas.push(delta)
          return delta.isInitial ? undefined : new Promise<void>((resolve) => waiting.push(resolve))
        },
      },
    ])
    expect(deltas.map((delta) => [delta.isInitial, delta.topicsCreated.size])).toEqual([[true, 1]])
    loader.onCommit([topic('u', TOPIC_IDS[1]!)], at(1))
    loader.onCommit([metadataRecord('NoOp', {})], at(2))
    expect(deltas).toHaveLength(2)
    let applied = false
    const done = loader.applied().then(() => {
      applied = true
    })
    await Promise.resolve()
    expect(applied).toBe(false)
    waiting[0]!()
    await done
    expect(applied).toBe(true)
  })
})
