import { beforeAll, describe, expect, it } from 'vitest'
import { ControllerWorld, newTopics } from '../../controller/controller.testkit.ts'
import type { Controller } from '../../controller/controller.ts'
import { silentLogger } from '../../platform/logger.ts'
import { apis } from '../../protocol/api-keys.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import type { CreateTopicsRequest } from '../../protocol/messages/create-topics.ts'
import type { InputOf, Message, MessageOf } from '../../protocol/schema.ts'
import type { ControllerLink } from '../../replication/channel/controller-link.ts'
import { AutoTopics } from '../auto-topics.ts'
import { type ApiHandler, CLOSE_CONNECTION, NO_RESPONSE, type RequestContext, type Services } from '../types.ts'
import { handler as createTopics } from './create-topics.ts'
import { handler as describeCluster } from './describe-cluster.ts'
import { handler as describeConfigs } from './describe-configs.ts'
import { handler as describeQuorum } from './describe-quorum.ts'
import { handler as describeTopicPartitions } from './describe-topic-partitions.ts'
import { handler as listConfigResources } from './list-config-resources.ts'
import { handler as metadata } from './metadata.ts'

let controller: Controller
let services: Services

beforeAll(async () => {
  const world = new ControllerWorld()
  controller = await world.open()
  await controller.createTopics(newTopics({ name: 'a', numPartitions: 3 }, { name: 'b', numPartitions: 2 }))
  const link = {
    request: async (_: unknown, body: (version: number) => CreateTopicsRequest) => ({
      version: 7,
      response: await controller.createTopics(body(7)),
    }),
  } as unknown as ControllerLink
  const { image } = controller
  services = {
    controller,
    autoTopics: new AutoTopics({ link, config: world.config, image, time: world.platform.time }),
    quorum: controller.quorum,
    image,
    config: world.config,
    platform: world.platform,
    logger: silentLogger,
    clusterId: 'cluster',
    nodeId: 1,
    quotas: { mutations: () => undefined },
  } as unknown as Services
})

/** By way of the bytes, so that what a version cannot carry shows. */
async function ask<Q extends Message, R extends Message>(
  handler: ApiHandler<Q, R>,
  apiVersion: number,
  request: InputOf<Q>,
  listenerKind: 'broker' | 'controller' = 'broker',
): Promise<MessageOf<R>> {
  const decoded = decode(handler.request, apiVersion, encode(handler.request, apiVersion, request))
  const connection = { listenerName: listenerKind === 'broker' ? 'PLAINTEXT' : 'CONTROLLER', listenerKind }
  const answer = await handler.handle(decoded, { apiVersion, connection } as RequestContext, services)
  if (answer === NO_RESPONSE || answer === CLOSE_CONNECTION) throw new Error('no answer')
  return decode(handler.response, apiVersion, encode(handler.response, apiVersion, answer as InputOf<R>))
}

const names = (topics: readonly { name: string | null; errorCode: number }[]) =>
  topics.map(({ name, errorCode }) => [name, errorOfCode(errorCode).name])

describe('Metadata', () => {
  it.each(Array.from({ length: 14 }, (_, version) => version))('version %i lists all topics', async (version) => {
    const response = await ask(metadata, version, { topics: version === 0 ? [] : null })
    expect(names(response.topics)).toEqual([
      ['a', 'NONE'],
      ['b', 'NONE'],
    ])
    expect(response.topics[0]!.partitions.map(({ leaderId }) => leaderId)).toEqual([1, 1, 1])
    expect(response.brokers).toMatchObject([{ nodeId: 1, host: '127.0.0.1', port: 9092 }])
  })

  it('gives no topic for an empty list, from version 1 on', async () => {
    expect((await ask(metadata, 1, { topics: [] })).topics).toEqual([])
  })

  it('makes topics on the way, with their leaders', async () => {
    const topics = [{ name: 'auto' }, { name: 'bad name' }]
    const without = await ask(metadata, 12, { topics, allowAutoTopicCreation: false })
    expect(names(without.topics)).toEqual([
      ['auto', 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['bad name', 'INVALID_TOPIC_EXCEPTION'],
    ])
    const { topics: made } = await ask(metadata, 12, { topics })
    expect(names(made)).toEqual([
      ['auto', 'NONE'],
      ['bad name', 'INVALID_TOPIC_EXCEPTION'],
    ])
    expect(made[0]!.partitions[0]!.leaderId).toBe(1)
    await controller.deleteTopics({ topicNames: ['auto'], topics: [], timeoutMs: 0 }, 5)
  })

  it('finds topics by id (KIP-516)', async () => {
    const topicId = controller.image.topics.byName('b')!.id
    const unknown = 'Z8ieC9GbRMy7po1nB9IrzQ'
    const { topics } = await ask(metadata, 12, {
      topics: [
        { topicId, name: null },
        { topicId: unknown, name: null },
      ],
    })
    expect(names(topics)).toEqual([
      ['b', 'NONE'],
      [null, 'UNKNOWN_TOPIC_ID'],
    ])
    expect((await ask(metadata, 11, { topics: [{ topicId, name: 'b' }] })).topics).toMatchObject([{ errorCode: 42 }])
  })

  it('tells what may be done only when asked (KIP-430)', async () => {
    const quiet = await ask(metadata, 8, { topics: null })
    expect([quiet.clusterAuthorizedOperations, quiet.topics[0]!.topicAuthorizedOperations]).toEqual([
      -(2 ** 31),
      -(2 ** 31),
    ])
    const asked = await ask(metadata, 8, {
      topics: null,
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    })
    expect([asked.clusterAuthorizedOperations, asked.topics[0]!.topicAuthorizedOperations]).toEqual([8096, 3576])
  })
})

describe('DescribeTopicPartitions (KIP-966)', () => {
  it('goes through all partitions page by page', async () => {
    const seen: string[] = []
    let cursor: { topicName: string; partitionIndex: number } | null = null
    let pages = 0
    do {
      const page: MessageOf<typeof describeTopicPartitions.response> = await ask(describeTopicPartitions, 0, {
        topics: [],
        responsePartitionLimit: 2,
        cursor,
      })
      for (const { name, partitions } of page.topics) {
        seen.push(...partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`))
      }
      cursor = page.nextCursor
      pages++
    } while (cursor !== null)
    expect(seen).toEqual(['a-0', 'a-1', 'a-2', 'b-0', 'b-1'])
    expect(pages).toBe(3)
  })

  it.each([
    [{ topics: [{ name: 'a' }], cursor: { topicName: 'b', partitionIndex: 0 } }],
    [{ topics: [{ name: 'a' }], cursor: { topicName: 'a', partitionIndex: -1 } }],
  ])('refuses the cursor of %j', async (request) => {
    const { topics } = await ask(describeTopicPartitions, 0, request)
    expect(names(topics)).toEqual([['a', 'INVALID_REQUEST']])
  })

  it('names topics that are not there, when they were asked for', async () => {
    const { topics } = await ask(describeTopicPartitions, 0, {
      topics: [{ name: 'zz' }, { name: 'a' }, { name: 'b d' }],
    })
    expect(names(topics)).toEqual([
      ['a', 'NONE'],
      ['b d', 'INVALID_TOPIC_EXCEPTION'],
      ['zz', 'UNKNOWN_TOPIC_OR_PARTITION'],
    ])
  })
})

describe('DescribeConfigs', () => {
  const one = (resourceType: number, resourceName: string, configurationKeys: string[] | null = null) => ({
    resources: [{ resourceType, resourceName, configurationKeys }],
  })

  it.each([0, 1, 2, 3, 4])('version %i gives the values asked for', async (version) => {
    const { results } = await ask(describeConfigs, version, one(2, 'a', ['retention.ms']))
    expect(results[0]!.configs).toMatchObject([{ name: 'retention.ms', value: '604800000', readOnly: false }])
  })

  it.each([
    [one(2, 'zz'), 'UNKNOWN_TOPIC_OR_PARTITION', ''],
    [one(4, '2'), 'INVALID_REQUEST', 'Unexpected broker id, expected 1 or empty string, but received 2'],
    [one(4, 'x'), 'INVALID_REQUEST', 'Broker id must be an integer, but it is: x'],
    [one(8, ''), 'INVALID_REQUEST', 'Broker id must not be empty'],
    [one(16, ''), 'INVALID_REQUEST', 'Client metrics subscription name must not be empty'],
    [one(32, ''), 'INVALID_REQUEST', 'Group name must not be empty'],
  ])('refuses %j', async (request, error, message) => {
    const { results } = await ask(describeConfigs, 4, request)
    expect(results.map((result) => [errorOfCode(result.errorCode).name, result.errorMessage])).toEqual([
      [error, message],
    ])
  })
})

it('DescribeQuorum tells of the one voter', async () => {
  const request = { topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }] }
  for (const version of [0, 1, 2]) {
    const { topics } = await ask(describeQuorum, version, request)
    expect(topics[0]!.partitions[0]).toMatchObject({
      leaderId: 1,
      leaderEpoch: 1,
      highWatermark: controller.quorum.highWatermark,
      currentVoters: [{ replicaId: 1, logEndOffset: controller.quorum.highWatermark }],
    })
  }
  const other = await ask(describeQuorum, 2, { topics: [{ topicName: 'a', partitions: [{ partitionIndex: 0 }] }] })
  expect(other.topics[0]!.partitions[0]!.errorCode).toBe(3)
})

it('DescribeCluster answers for the kind of endpoint that was asked (KIP-919)', async () => {
  expect(await ask(describeCluster, 1, { endpointType: 1 })).toMatchObject({ errorCode: 0, controllerId: 1 })
  expect(await ask(describeCluster, 1, { endpointType: 2 })).toMatchObject({ errorCode: 114 })
  expect(await ask(describeCluster, 1, { endpointType: 3 })).toMatchObject({ errorCode: 115 })
  const controllers = await ask(describeCluster, 1, { endpointType: 2 }, 'controller')
  expect(controllers.brokers).toMatchObject([{ brokerId: 1, port: 9093 }])
})

it('ListConfigResources lists what a version knows of (KIP-1142)', async () => {
  expect((await ask(listConfigResources, 0, {})).configResources).toEqual([])
  const { configResources } = await ask(listConfigResources, 1, { resourceTypes: [2, 4] })
  expect(configResources.map(({ resourceName }) => resourceName)).toEqual(['1', 'a', 'b'])
  expect((await ask(listConfigResources, 1, { resourceTypes: [3] })).errorCode).toBe(35)
})

it('CreateTopics answers in all versions, also a request that is refused as a whole', async () => {
  for (let version = 0; version <= apis.CreateTopics.request.versions.high; version++) {
    const [topic] = newTopics({ name: `v${version}`, numPartitions: 10_001 }).topics
    const { topics } = await ask(createTopics, version, { topics: [topic!], timeoutMs: 0 })
    expect(names(topics)).toEqual([[`v${version}`, 'POLICY_VIOLATION']])
  }
})
