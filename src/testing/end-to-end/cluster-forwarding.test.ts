import { afterEach, beforeEach, expect, test } from 'vitest'
import { ServedApis } from '../../broker/apis.ts'
import { type Api, apis } from '../../protocol/api-keys.ts'
import type { InputOf, Message } from '../../protocol/schema.ts'
import { nameOfError } from '../simulation/client.ts'
import { TestCluster } from './cluster.testkit.ts'

const SEED = 51
const TOPIC = 2
const SET = 0
const PREFERRED = 0
const UPGRADE = 1
const NOWHERE = 99
const DIRECTORY_ID = 'T8ieC9GbRMy7po1nB9IrzQ'
/** Of virtual time: a broker has heard of what a topic consists of. */
const SHORT_MS = 2000

type Body = Readonly<Record<string, unknown>>

/** What a broker is asked that is not the active controller. `round`: no two requests make the same thing. */
interface Case {
  readonly body: (version: number, round: number) => Body
  /** The errors in the answer, each once; those of the whole first. */
  readonly errors: readonly string[]
}

const timeoutMs = 10_000
const setting = { name: 'retention.ms', value: '123456', configOperation: SET }
const resources = [{ resourceType: TOPIC, resourceName: 'topic', configs: [setting] }]
const voter = { clusterId: null, voterId: NOWHERE, voterDirectoryId: DIRECTORY_ID }

/** By name of the API; every one that brokers pass on is here. */
const cases: Readonly<Record<string, Case>> = {
  CreateTopics: {
    body: (_, round) => {
      const topic = { name: `new-${round}`, numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] }
      return { topics: [topic], timeoutMs }
    },
    errors: ['NONE'],
  },
  DeleteTopics: {
    body: (version) => (version >= 6 ? { topics: [{ name: 'none' }], timeoutMs } : { topicNames: ['none'], timeoutMs }),
    errors: ['UNKNOWN_TOPIC_OR_PARTITION'],
  },
  AlterConfigs: { body: () => ({ resources }), errors: ['NONE'] },
  IncrementalAlterConfigs: { body: () => ({ resources }), errors: ['NONE'] },
  CreatePartitions: {
    body: (_, round) => ({ topics: [{ name: 'topic', count: round + 2, assignments: null }], timeoutMs }),
    errors: ['NONE'],
  },
  DescribeQuorum: {
    body: () => ({ topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }] }),
    errors: ['NONE'],
  },
  ElectLeaders: {
    body: (version) => ({
      ...(version >= 1 && { electionType: PREFERRED }),
      topicPartitions: [{ topic: 'topic', partitions: [0, 77] }],
      timeoutMs,
    }),
    errors: ['NONE', 'ELECTION_NOT_NEEDED', 'UNKNOWN_TOPIC_OR_PARTITION'],
  },
  AlterPartitionReassignments: {
    body: () => ({ timeoutMs, topics: [{ name: 'topic', partitions: [{ partitionIndex: 0, replicas: null }] }] }),
    errors: ['NONE', 'NO_REASSIGNMENT_IN_PROGRESS'],
  },
  ListPartitionReassignments: { body: () => ({ timeoutMs, topics: null }), errors: ['NONE'] },
  AlterClientQuotas: {
    body: () => {
      const entity = [{ entityType: 'client-id', entityName: 'somebody' }]
      return { entries: [{ entity, ops: [{ key: 'producer_byte_rate', value: 1e9, remove: false }] }] }
    },
    errors: ['NONE'],
  },
  UnregisterBroker: { body: () => ({ brokerId: NOWHERE }), errors: ['BROKER_ID_NOT_REGISTERED'] },
  UpdateFeatures: {
    body: (version) => ({
      timeoutMs,
      featureUpdates: [
        {
          feature: 'share.version',
          maxVersionLevel: 1,
          ...(version >= 1 && { upgradeType: UPGRADE }),
        },
      ],
    }),
    errors: ['NONE'],
  },
  AddRaftVoter: {
    body: () => ({ ...voter, timeoutMs, listeners: [{ name: 'CONTROLLER', host: 'node-99', port: 9093 }] }),
    errors: ['UNSUPPORTED_VERSION'],
  },
  RemoveRaftVoter: { body: () => voter, errors: ['UNSUPPORTED_VERSION'] },
}

let cluster: TestCluster

/** No broker is a controller. */
beforeEach(async () => {
  cluster = await TestCluster.started(SEED, {}, undefined, { brokers: 3, controllers: 3 })
  await cluster.createTopic('topic', 1)
  await cluster.pass(SHORT_MS)
})

afterEach(() => cluster.close())

function errorsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(errorsIn)
  if (typeof value !== 'object' || value === null) return []
  const { errorCode, ...rest } = value as Record<string, unknown>
  const own = typeof errorCode === 'number' ? [nameOfError(errorCode)] : []
  return [...own, ...Object.values(rest).flatMap(errorsIn)]
}

function call(brokerId: number, api: Api, version: number, body: Body): Promise<unknown> {
  return cluster.done(cluster.client.call(brokerId, api, version, body as InputOf<Message>))
}

test('KIP-590: whatever only the active controller can answer, every broker has it answer, in every version', async () => {
  const passedOn = new ServedApis().on('broker').filter(({ forwarded }) => forwarded !== 'no')
  expect(passedOn.map(({ api }) => api.name).sort()).toEqual(Object.keys(cases).sort())
  let round = 0
  for (const { api, versions } of passedOn) {
    const { body, errors } = cases[api.name]!
    for (let version = versions.low; version <= versions.high; version++) {
      round++
      const brokerId = (round % 3) + 1
      const answer = await call(brokerId, api, version, body(version, round))
      expect([...new Set(errorsIn(answer))], `${api.name} v${version}`).toEqual(errors)
    }
  }
})

test('what is passed on is answered by the next active controller when the one that has it ends', async () => {
  const quorum = { topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }] }
  const leaderOf = async (brokerId: number) => {
    const { topics } = await cluster.done(cluster.client.call(brokerId, apis.DescribeQuorum, 2, quorum))
    return topics[0]!.partitions[0]!.leaderId
  }
  const first = await leaderOf(1)
  cluster.kill(first)
  const topic = { name: 'after', numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] }
  const body = { topics: [topic], timeoutMs, validateOnly: false }
  const made = await cluster.done(cluster.client.call(2, apis.CreateTopics, 7, body, timeoutMs))
  expect(nameOfError(made.topics[0]!.errorCode)).toBe('NONE')
  expect(await leaderOf(3)).not.toBe(first)
})
