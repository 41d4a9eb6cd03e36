import { describe, expect, test } from 'vitest'
import type { TransactionMarker } from '../coordinator/runtime/shard.ts'
import { MetadataImage } from '../metadata/image.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import type { WriteTxnMarkersRequest } from '../protocol/messages/write-txn-markers.ts'
import type { BrokerLinks } from '../replication/channel/broker-links.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import { ClusterMarkers } from './cluster-markers.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

const marker: TransactionMarker = {
  producerId: 7,
  producerEpoch: 2,
  coordinatorEpoch: 3,
  isCommit: true,
  transactionVersion: 2,
}

interface Held {
  readonly brokerId: number
  readonly request: WriteTxnMarkersRequest
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

/** Partition 0 of `topic` is led here, 1 by nobody, 2 and 3 by broker 2, 4 by broker 3. */
function setup() {
  const time = new VirtualTime()
  const image = new MetadataImage()
  image.topics.add('topic', TOPIC_ID)
  for (const [partition, leader] of [1, -1, 2, 2, 3].entries()) setLeader(partition, leader)
  function setLeader(partition: number, leader: number) {
    const state = { topicId: TOPIC_ID, partition, leader } as Parameters<typeof image.topics.setPartition>[0]
    image.topics.setPartition(state)
  }
  const here: number[] = []
  const local = {
    exists: () => true,
    write: async (_: string, partition: number) => {
      here.push(partition)
      return errors.NONE
    },
  }
  const held: Held[] = []
  const request = (brokerId: number, _: unknown, body: (version: number) => WriteTxnMarkersRequest) =>
    new Promise((resolve, reject) => held.push({ brokerId, request: body(2), resolve, reject }))
  const links = { request } as unknown as BrokerLinks
  const markers = new ClusterMarkers({ nodeId: 1, local, links, image, time })
  const write = (partition: number, which = marker) => {
    const outcome: { error?: string } = {}
    void markers.write('topic', partition, which).then((error) => {
      outcome.error = error.name
    })
    return outcome
  }
  /** Answers the oldest request that waits; NONE for what is not in `failures`. */
  const answer = async (failures: Readonly<Record<number, KafkaError>> = {}) => {
    const { request: asked, resolve } = held.shift()!
    const results = asked.markers.map(({ producerId, topics }) => ({
      producerId,
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => ({
          partitionIndex,
          errorCode: failures[partitionIndex]?.code ?? 0,
        })),
      })),
    }))
    resolve({ version: 2, response: { markers: results } })
    await time.advance(0)
  }
  return { time, here, held, write, answer, setLeader }
}

describe('markers for partitions of the whole cluster', () => {
  test('those led here are written here, the others go to their leaders, one request to each', async () => {
    const { time, here, held, write, answer } = setup()
    const outcomes = [write(0), write(2), write(3), write(4)]
    await time.advance(0)
    expect(here).toEqual([0])
    const { isCommit, ...sent } = marker
    const markers = (partitionIndexes: number[]) => [
      { ...sent, transactionResult: isCommit, topics: [{ name: 'topic', partitionIndexes }] },
    ]
    expect(held.map(({ brokerId, request }) => [brokerId, request.markers])).toEqual([
      [2, markers([2, 3])],
      [3, markers([4])],
    ])
    await answer({ 3: errors.NOT_LEADER_OR_FOLLOWER })
    await answer()
    expect(outcomes.map(({ error }) => error)).toEqual(['NONE', 'NONE', 'NOT_LEADER_OR_FOLLOWER', 'NONE'])
  })

  test('what comes meanwhile leaves together in the next request', async () => {
    const { time, held, write, answer } = setup()
    const outcomes = [write(2)]
    await time.advance(0)
    outcomes.push(write(3), write(2, { ...marker, producerId: 8 }))
    await time.advance(0)
    expect(held).toHaveLength(1)
    await answer()
    expect(outcomes.map(({ error }) => error)).toEqual(['NONE', undefined, undefined])
    expect(held[0]!.request.markers.map(({ producerId }) => producerId)).toEqual([7, 8])
    await answer()
    expect(outcomes.map(({ error }) => error)).toEqual(['NONE', 'NONE', 'NONE'])
  })

  test('two markers of one producer are never in one request: the answer could not tell them apart', async () => {
    const { time, held, write, answer } = setup()
    const outcomes = [write(2), write(2, { ...marker, producerEpoch: 3 })]
    await time.advance(0)
    expect(held[0]!.request.markers).toHaveLength(1)
    await answer({ 2: errors.INVALID_PRODUCER_EPOCH })
    await answer()
    expect(outcomes.map(({ error }) => error)).toEqual(['INVALID_PRODUCER_EPOCH', 'NONE'])
  })

  test('no leader, no answer, or half of one: the error says to try again', async () => {
    const { time, held, write, setLeader } = setup()
    const outcomes = [write(1), write(2), write(4)]
    await time.advance(0)
    held[0]!.reject(new RequestError('disconnected', 'gone'))
    held[1]!.resolve({ version: 2, response: { markers: [] } })
    await time.advance(0)
    expect(outcomes.map(({ error }) => error)).toEqual([
      'LEADER_NOT_AVAILABLE',
      'NETWORK_EXCEPTION',
      'UNKNOWN_SERVER_ERROR',
    ])
    setLeader(2, 3)
    write(2)
    await time.advance(0)
    expect(held[2]!.brokerId).toBe(3)
  })
})
