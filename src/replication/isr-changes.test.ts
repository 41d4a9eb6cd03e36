import { beforeEach, expect, it } from 'vitest'
import { silentLogger } from '../platform/logger.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import type { Api } from '../protocol/api-keys.ts'
import { decode, encode } from '../protocol/codec.ts'
import { errors } from '../protocol/errors.ts'
import { AlterPartitionRequest } from '../protocol/messages/alter-partition.ts'
import type { InputOf, Message, MessageOf } from '../protocol/schema.ts'
import type { ControllerLink, LinkOptions } from './channel/controller-link.ts'
import { RequestError } from './channel/node-client.ts'
import { AlterPartitionChanges, type IsrAnswer, type IsrChange } from './isr-changes.ts'

const TOPIC = 'AAAAAAAAAAAAAAAAAAAAAQ'

interface Asked {
  readonly request: AlterPartitionRequest
  readonly minVersion: number | undefined
  readonly resolve: (response: object) => void
  readonly reject: (error: Error) => void
}

/** A controller of one version, which answers when it is told to. */
class Link implements ControllerLink {
  version = 3
  readonly asked: Asked[] = []

  request<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    body: (version: number) => InputOf<Request>,
    options?: LinkOptions,
  ): Promise<{ version: number; response: MessageOf<Response> }> {
    const { version } = this
    // As it comes over the wire: what the version does not have is refused.
    const request = decode(AlterPartitionRequest, version, encode(api.request, version, body(version)))
    return new Promise((resolve, reject) => {
      const settle = (response: object) => resolve({ version, response: response as MessageOf<Response> })
      this.asked.push({ request, minVersion: options?.minVersion, resolve: settle, reject })
    })
  }

  /** The partitions of the last request, and the brokers in sync. */
  get last(): unknown[] {
    return this.asked
      .at(-1)!
      .request.topics.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, newIsr, newIsrWithEpochs }) => [
          partitionIndex,
          newIsrWithEpochs.length > 0 ? newIsrWithEpochs : newIsr,
        ]),
      )
  }
}

let time: VirtualTime
let link: Link
let changes: AlterPartitionChanges
let answers: Map<number, IsrAnswer>

beforeEach(() => {
  time = new VirtualTime()
  link = new Link()
  answers = new Map()
  changes = new AlterPartitionChanges({
    nodeId: 1,
    brokerEpoch: () => 101,
    controller: link,
    time,
    logger: silentLogger,
  })
})

function change(partition: number, isr: readonly number[] = [1, 2]): IsrChange {
  const withEpochs = isr.map((brokerId) => ({ brokerId, brokerEpoch: 100 + brokerId }))
  return { topicId: TOPIC, partition, leaderEpoch: 4, partitionEpoch: 10, isr: withEpochs }
}

function submit(...partitions: number[]): void {
  for (const partition of partitions) {
    changes.submit(change(partition), (answer) => answers.set(partition, answer))
  }
}

/** As the controller answers; those with an error code first. */
function answerOf(partitions: Record<number, number>, errorCode = 0): object {
  const all = Object.entries(partitions).map(([index, code]) => ({
    partitionIndex: Number(index),
    errorCode: code,
    leaderId: 1,
    leaderEpoch: 4,
    partitionEpoch: 11,
    isr: [1, 2],
  }))
  return { errorCode, topics: [{ topicId: TOPIC, partitions: all }] }
}

async function answer(response: object): Promise<void> {
  link.asked.at(-1)!.resolve(response)
  await time.advance(0)
}

it('brings what comes together in one request, and what comes meanwhile in the next', async () => {
  submit(0, 1)
  await time.advance(0)
  expect(link.asked).toHaveLength(1)
  expect(link.asked[0]).toMatchObject({ minVersion: 2, request: { brokerId: 1, brokerEpoch: 101 } })
  const isr = [
    { brokerId: 1, brokerEpoch: 101 },
    { brokerId: 2, brokerEpoch: 102 },
  ]
  expect(link.last).toEqual([
    [0, isr],
    [1, isr],
  ])
  submit(2, 3)
  await time.advance(1000)
  expect(link.asked).toHaveLength(1)
  await answer(answerOf({ 0: 0, 1: errors.INELIGIBLE_REPLICA.code }))
  expect(answers.get(0)).toEqual({ error: errors.NONE, leaderEpoch: 4, partitionEpoch: 11, isr: [1, 2] })
  expect(answers.get(1)?.error).toBe(errors.INELIGIBLE_REPLICA)
  expect(link.asked).toHaveLength(2)
  expect(link.asked[1]!.request.topics[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([2, 3])
})

it('speaks to controllers that do not know the epochs of brokers (KIP-903)', async () => {
  link.version = 2
  submit(0)
  await time.advance(0)
  expect(link.last).toEqual([[0, [1, 2]]])
})

it('attempts no second change of a partition before the first is answered', async () => {
  submit(0)
  await time.advance(0)
  submit(0)
  await time.advance(0)
  expect(answers.get(0)?.error).toBe(errors.OPERATION_NOT_ATTEMPTED)
  await answer(answerOf({ 0: 0 }))
  expect(answers.get(0)?.error).toBe(errors.NONE)
  submit(0)
  await time.advance(0)
  expect(link.asked).toHaveLength(2)
})

it('asks again for a partition that the answer leaves out', async () => {
  submit(0, 1)
  await time.advance(0)
  await answer(answerOf({ 1: 0 }))
  expect([...answers.keys()]).toEqual([1])
  await time.advance(50)
  expect(link.last).toMatchObject([[0, {}]])
})

it('asks again for all when the controller refuses, or cannot be reached', async () => {
  submit(0)
  await time.advance(0)
  await answer(answerOf({}, errors.STALE_BROKER_EPOCH.code))
  expect(link.asked).toHaveLength(1)
  await time.advance(50)
  expect(link.asked).toHaveLength(2)
  submit(1)
  link.asked.at(-1)!.reject(new RequestError('timed out', 'nobody is there'))
  await time.advance(50)
  expect(link.last).toHaveLength(2)
  await answer(answerOf({ 0: 0, 1: 0 }))
  expect(answers.size).toBe(2)
  expect(time.pendingTasks).toBe(0)
})

it('asks nothing more when it is closed', async () => {
  submit(0)
  await time.advance(0)
  changes.close()
  await answer(answerOf({ 0: 0 }))
  submit(1)
  await time.advance(1000)
  expect(link.asked).toHaveLength(1)
  expect(answers.size).toBe(0)
})
