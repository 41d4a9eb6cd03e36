import { describe, expect, test } from 'vitest'
import { SHARE_STATE_TOPIC } from '../../controller/topic-names.ts'
import { RetryingPersister, type ShareStateApi } from '../../coordinator/share/share-persister.ts'
import { MetadataImage } from '../../metadata/image.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { errors } from '../../protocol/errors.ts'
import type { WriteShareGroupStateRequest } from '../../protocol/messages/write-share-group-state.ts'
import type { BrokerLinks } from '../../replication/channel/broker-links.ts'
import { RequestError } from '../../replication/channel/node-client.ts'
import { ShareStateRouter } from './share-state-router.ts'

const STATE_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const topicId = 'AAAAAAAAAAAAAAAAAAAAAg'

interface Held {
  readonly brokerId: number
  readonly api: string
  readonly request: WriteShareGroupStateRequest
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

/** The state topic has one partition, of which `leader` says who leads it; this is broker 1. */
function setup(leader: number) {
  const time = new VirtualTime()
  const image = new MetadataImage()
  image.topics.add(SHARE_STATE_TOPIC, STATE_TOPIC_ID)
  const lead = (brokerId: number) => {
    const state = { topicId: STATE_TOPIC_ID, partition: 0, leader: brokerId }
    image.topics.setPartition(state as Parameters<typeof image.topics.setPartition>[0])
  }
  lead(leader)
  const here: string[] = []
  const local = new Proxy({} as ShareStateApi, {
    get: (_, operation: string) => async (request: WriteShareGroupStateRequest) => {
      here.push(operation)
      const { topicId: id, partitions } = request.topics[0]!
      const answers = partitions.map(({ partition }) => ({ partition, errorCode: 0, errorMessage: null }))
      return { results: [{ topicId: id, partitions: answers }] }
    },
  })
  const held: Held[] = []
  const request = (brokerId: number, { name: api }: { name: string }, body: (version: number) => Held['request']) =>
    new Promise((resolve, reject) => held.push({ brokerId, api, request: body(1), resolve, reject }))
  const links = { request } as unknown as BrokerLinks
  const shares = new ShareStateRouter({ nodeId: 1, local, links, image, time })
  const persister = new RetryingPersister({ shares, hasTopic: () => true, makeTopic: async () => 0, time })
  const write = (partition: number, startOffset: number, groupId = 'g') => {
    const outcome: { error?: string } = {}
    const change = { stateEpoch: 1, leaderEpoch: 2, startOffset, deliveryCompleteCount: 0, batches: [] }
    void persister.write({ groupId, topicId, partition }, change).then(({ error }) => {
      outcome.error = error.name
    })
    return outcome
  }
  const answer = async (errorCode = 0, fields: object = {}) => {
    const { request: asked, resolve } = held.shift()!
    const results = asked.topics.map(({ topicId: id, partitions }) => ({
      topicId: id,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode, errorMessage: null, ...fields })),
    }))
    resolve({ version: 1, response: { results } })
    await time.advance(0)
  }
  return { time, lead, here, held, persister, write, answer }
}

describe('share state on whichever broker', () => {
  test('here without a detour', async () => {
    const { time, here, held, write } = setup(1)
    const outcome = write(0, 5)
    await time.advance(0)
    expect([here, held, outcome.error]).toEqual([['write'], [], 'NONE'])
  })

  test('on another broker: what comes together leaves together, by group, and in order', async () => {
    const { time, held, write, answer } = setup(2)
    const outcomes = [write(0, 5), write(1, 5), write(0, 6), write(0, 5, 'other')]
    await time.advance(0)
    const shown = () =>
      held.map(({ brokerId, api, request: { groupId, topics } }) => [
        brokerId,
        api,
        groupId,
        topics.flatMap(({ partitions }) => partitions.map(({ partition, startOffset }) => [partition, startOffset])),
      ])
    const first = [
      [0, 5],
      [1, 5],
    ]
    expect(shown()).toEqual([
      [2, 'WriteShareGroupState', 'g', first],
      [2, 'WriteShareGroupState', 'other', [[0, 5]]],
    ])
    await answer()
    expect(outcomes.map(({ error }) => error)).toEqual(['NONE', 'NONE', undefined, undefined])
    await answer()
    expect(shown()).toEqual([[2, 'WriteShareGroupState', 'g', [[0, 6]]]])
    await answer(errors.FENCED_LEADER_EPOCH.code)
    expect(outcomes.map(({ error }) => error)).toEqual(['NONE', 'NONE', 'FENCED_LEADER_EPOCH', 'NONE'])
  })

  test('what the state is comes with the answer', async () => {
    const { time, persister, answer } = setup(2)
    const key = { groupId: 'g', topicId, partition: 3 }
    const read = persister.read(key, 4)
    const summary = persister.summarise(key, -1)
    await time.advance(0)
    const stateBatches = [{ firstOffset: 7, lastOffset: 8, deliveryState: 2, deliveryCount: 1 }]
    await answer(0, { stateEpoch: 3, startOffset: 7, stateBatches })
    await answer(0, { stateEpoch: 3, startOffset: 7, leaderEpoch: 4, deliveryCompleteCount: 2 })
    expect(await read).toMatchObject({ error: errors.NONE, stateEpoch: 3, startOffset: 7, batches: stateBatches })
    expect(await summary).toMatchObject({ error: errors.NONE, leaderEpoch: 4, deliveryCompleteCount: 2 })
  })

  test('a coordinator that moves, vanishes or is not known is looked for again', async () => {
    const { time, lead, held, write, answer, here } = setup(-1)
    const outcome = write(0, 5)
    await time.advance(0)
    lead(2)
    await time.advance(1000)
    held.shift()!.reject(new RequestError('disconnected', 'gone'))
    await time.advance(2000)
    await answer(errors.NOT_COORDINATOR.code)
    lead(1)
    await time.advance(3999)
    expect(outcome.error).toBeUndefined()
    await time.advance(1)
    expect([here, outcome.error]).toEqual([['write'], 'NONE'])
  })

  test('after five tries it is given up', async () => {
    const { time, write } = setup(-1)
    const outcome = write(0, 5)
    await time.advance(1000 + 2000 + 4000 + 8000)
    expect(outcome.error).toBe('COORDINATOR_NOT_AVAILABLE')
  })
})
