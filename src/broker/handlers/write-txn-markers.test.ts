import { expect, test } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import type { WriteTxnMarkersResponse } from '../../protocol/messages/write-txn-markers.ts'
import type { RequestContext, Services } from '../types.ts'
import { handler } from './write-txn-markers.ts'

function setup() {
  const written: string[] = []
  const services = {
    replicas: { get: (_: string, partition: number) => (partition < 2 ? {} : undefined) },
    markers: {
      async write(topic: string, partition: number, { producerId }: { producerId: number }) {
        written.push(`${topic}-${partition} of ${producerId}`)
        return partition < 2 ? errors.NONE : errors.UNKNOWN_TOPIC_OR_PARTITION
      },
    },
  } as unknown as Services
  const ask = async (...who: [producerId: number, producerEpoch: number, topic: string, ...partitions: number[]][]) => {
    const markers = who.map(([producerId, producerEpoch, name, ...partitionIndexes]) => {
      const topics = [{ name, partitionIndexes }]
      return { producerId, producerEpoch, transactionResult: true, topics, coordinatorEpoch: 0, transactionVersion: 0 }
    })
    const answer = await handler.handle({ markers }, {} as RequestContext, services)
    return (answer as WriteTxnMarkersResponse).markers.map(({ topics }) =>
      topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
    )
  }
  return { ask, written }
}

test.each([
  [-1, 0],
  [7, -1],
])('what is of no producer (%i, epoch %i) has the request given up; what came before is written', async (id, epoch) => {
  const { ask, written } = setup()
  expect(await ask([5, 0, 't', 0, 9], [id, epoch, 't', 9, 1], [6, 0, 't', 0])).toEqual([[-1, -1], [-1, -1], [-1]])
  expect(written).toEqual(['t-0 of 5', 't-9 of 5', `t-9 of ${id}`])
})

test('of the topic with the offsets, no other partition is touched by that', async () => {
  const { ask, written } = setup()
  expect(await ask([-1, 0, '__consumer_offsets', 0], [6, 0, 't', 0])).toEqual([[-1], [0]])
  expect(written).toEqual(['t-0 of 6'])
})

test('where there is no such partition, nobody asks who the producer is', async () => {
  expect(await setup().ask([-1, -1, 't', 9])).toEqual([[errors.UNKNOWN_TOPIC_OR_PARTITION.code]])
})

test('a producer id, or epoch, below that is one', async () => {
  expect(await setup().ask([-2, 0, 't', 0], [7, -2, 't', 0])).toEqual([[0], [0]])
})
