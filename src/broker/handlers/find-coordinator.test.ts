import { expect, test } from 'vitest'
import { MetadataImage } from '../../metadata/image.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { errors } from '../../protocol/errors.ts'
import type { RequestContext, Services } from '../types.ts'
import { handler } from './find-coordinator.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const endPoints = [{ name: 'CLIENTS', host: 'here', port: 9092, securityProtocol: 0 }]

interface Setup {
  creationError?: number
  fenced?: boolean
  leader?: number
  loads?: Promise<void>
}

function setup({ creationError = 0, fenced = false, leader = 1, loads = Promise.resolve() }: Setup = {}) {
  const image = new MetadataImage()
  image.brokers.set(1, { id: 1, fenced, endPoints } as unknown as Parameters<typeof image.brokers.set>[1])
  const elsewhere = [{ name: 'CLIENTS', host: 'there', port: 9093, securityProtocol: 0 }]
  image.brokers.set(2, { id: 2, fenced: false, endPoints: elsewhere } as unknown as Parameters<
    typeof image.brokers.set
  >[1])
  const created: string[] = []
  const time = new VirtualTime()
  const services = {
    image,
    nodeId: 1,
    config: { get: () => 50 },
    platform: { time },
    groups: { isActive: () => false, whenLoaded: () => loads },
    transactions: { isActive: () => true },
    autoTopics: {
      create: async ([name]: string[]) => {
        created.push(name!)
        if (creationError !== 0) return [{ name, errorCode: creationError, errorMessage: null }]
        image.topics.add(name!, TOPIC_ID)
        for (let partition = 0; partition < 50; partition++) {
          image.topics.setPartition({ topicId: TOPIC_ID, partition, leader } as Parameters<
            typeof image.topics.setPartition
          >[0])
        }
        return [{ name, errorCode: 0, errorMessage: null }]
      },
    },
  } as unknown as Services
  const ask = (apiVersion: number, keyType: number, ...keys: string[]) => {
    const context = { apiVersion, connection: { listenerName: 'CLIENTS' } } as RequestContext
    const request = { key: keys[0] ?? '', keyType, coordinatorKeys: keys }
    // biome-ignore lint/suspicious/noExplicitAny: both shapes of the answer
    return Promise.resolve(handler.handle(request, context, services)) as Promise<any>
  }
  return { ask, created, time }
}

test.each([
  [0, '__consumer_offsets'],
  [1, '__transaction_state'],
])('key type %i makes %s, and answers with its leader', async (keyType, topic) => {
  const { ask, created } = setup()
  const here = { errorCode: 0, nodeId: 1, host: 'here', port: 9092 }
  expect(await ask(3, keyType, 'key')).toEqual({ ...here, errorMessage: 'NONE' })
  expect(await ask(4, keyType, 'a', 'b')).toEqual({
    coordinators: [
      { ...here, key: 'a' },
      { ...here, key: 'b' },
    ],
  })
  expect(created).toEqual([topic])
})

test.each<[string, Setup]>([
  ['the topic cannot be made', { creationError: errors.INVALID_REPLICATION_FACTOR.code }],
  ['there is no leader', { leader: -1 }],
  ['the leader is fenced', { fenced: true }],
])('COORDINATOR_NOT_AVAILABLE where %s', async (_, options) => {
  const answer = await setup(options).ask(3, 0, 'group')
  expect(answer).toMatchObject({ errorCode: errors.COORDINATOR_NOT_AVAILABLE.code, nodeId: -1, host: '', port: -1 })
})

test('a coordinator on another broker is told without waiting for what this one loads', async () => {
  const { ask } = setup({ leader: 2, loads: new Promise(() => {}) })
  expect(await ask(3, 0, 'group')).toMatchObject({ errorCode: 0, nodeId: 2, host: 'there', port: 9093 })
})

test('share partitions (KIP-932) go by group, topic id and partition, from version 6 on', async () => {
  const { ask } = setup()
  const code = async (version: number, key: string) => (await ask(version, 2, key)).coordinators[0].errorCode
  expect(await code(6, `group:with:colons:${TOPIC_ID}:0`)).toBe(0)
  expect(await code(5, `group:${TOPIC_ID}:0`)).toBe(errors.INVALID_REQUEST.code)
  for (const key of ['', 'group', `:${TOPIC_ID}:0`, 'group:short:0', `group:${TOPIC_ID}:x`]) {
    expect(await code(6, key)).toBe(errors.INVALID_REQUEST.code)
  }
})

test('an unknown key type is an invalid request', async () => {
  const { ask } = setup()
  expect(await ask(3, 3, 'key')).toMatchObject({ errorCode: errors.INVALID_REQUEST.code, nodeId: -1 })
  expect((await ask(4, -1, 'key')).coordinators).toMatchObject([{ key: 'key', errorCode: errors.INVALID_REQUEST.code }])
})

test('waits for the groups to be loaded, though not for ever', async () => {
  let loaded = () => {}
  const loads = new Promise<void>((resolve) => {
    loaded = resolve
  })
  for (const end of ['loaded', 'timeout'] as const) {
    const { ask, time } = setup({ loads: end === 'loaded' ? loads : new Promise(() => {}) })
    let answered = false
    const answer = ask(3, 0, 'group').then((response) => {
      answered = true
      return response
    })
    await time.advance(4999)
    expect(answered).toBe(false)
    if (end === 'loaded') loaded()
    else await time.advance(1)
    expect(await answer).toMatchObject({ errorCode: 0, nodeId: 1 })
  }
})
