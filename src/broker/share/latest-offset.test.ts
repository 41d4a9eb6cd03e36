import { expect, test } from 'vitest'
import { MetadataImage } from '../../metadata/image.ts'
import { errors } from '../../protocol/errors.ts'
import { RequestError } from '../../replication/channel/node-client.ts'
import { latestOffset } from './latest-offset.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

/** This is broker 1; the leader answers `answer`. */
function ask(leader: number, answer: unknown, here: object = {}) {
  const image = new MetadataImage()
  image.topics.add('topic', TOPIC_ID)
  const state = { topicId: TOPIC_ID, partition: 0, leader }
  image.topics.setPartition(state as Parameters<typeof image.topics.setPartition>[0])
  const request = async (brokerId: number) => {
    expect(brokerId).toBe(leader)
    if (answer instanceof Error) throw answer
    return { version: 1, response: { topics: [{ name: 'topic', partitions: [answer] }] } }
  }
  const partition = { isLeader: true, isEndUnknown: false, log: { highWatermark: 7 }, ...here }
  const replicas = { get: () => partition }
  const services = { image, nodeId: 1, replicas, brokerLinks: { questions: { request } } }
  return latestOffset('topic', 0, services as unknown as Parameters<typeof latestOffset>[2])
}

test.each([
  ['here', 1, undefined, 7],
  ['nobody', -1, undefined, errors.LEADER_NOT_AVAILABLE],
  ['another broker', 2, { errorCode: 0, offset: 9 }, 9],
  [
    'another broker that has just lost it',
    2,
    { errorCode: errors.NOT_LEADER_OR_FOLLOWER.code },
    errors.NOT_LEADER_OR_FOLLOWER,
  ],
  ['a broker that is gone', 2, new RequestError('disconnected', 'gone'), errors.NETWORK_EXCEPTION],
  ['a broker that says nothing of it', 2, undefined, errors.UNKNOWN_SERVER_ERROR],
])('led by %s', async (_, leader, answer, expected) => {
  expect(await ask(leader, answer)).toEqual(expected)
})

test('KIP-207: who has just been elected does not know yet where what is committed ends', async () => {
  expect(await ask(1, undefined, { isEndUnknown: true })).toBe(errors.OFFSET_NOT_AVAILABLE)
  expect(await ask(1, undefined, { isLeader: false })).toBe(errors.NOT_LEADER_OR_FOLLOWER)
})
