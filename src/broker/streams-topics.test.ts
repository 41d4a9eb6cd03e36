import { expect, test } from 'vitest'
import { silentLogger } from '../platform/logger.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { errors } from '../protocol/errors.ts'
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts'
import { StreamsTopics } from './streams-topics.ts'
import type { RequestContext } from './types.ts'

const PAUSE_MS = 10_000
const context = { clientId: 'app' } as RequestContext

function topic(name: string, replicationFactor: number | null = null) {
  return { name, partitionCount: 3, replicationFactor, configs: new Map([['cleanup.policy', 'compact']]) }
}

/** Topics of these names cannot be made; `answers` holds what is asked for and not answered yet. */
function makeTopics(bad: Readonly<Record<string, string | null>> = {}) {
  const time = new VirtualTime()
  const asked: CreateTopicsRequest['topics'][] = []
  const answers: (() => void)[] = []
  const askers: RequestContext[] = []
  const createFor = (asker: RequestContext, request: CreateTopicsRequest) => {
    asked.push(request.topics)
    askers.push(asker)
    const topics = request.topics.map(({ name }) => {
      const errorCode = name in bad ? errors.INVALID_CONFIG.code : 0
      return { name, errorCode, errorMessage: bad[name] ?? null }
    })
    return new Promise<CreateTopicsResponse>((resolve) => {
      answers.push(() => resolve({ topics } as CreateTopicsResponse))
    })
  }
  const answer = async () => {
    for (const each of answers.splice(0)) each()
    await time.advance(0)
  }
  return { topics: new StreamsTopics({ createFor }, time, silentLogger), time, asked, askers, answer }
}

test('what is being made is not asked for again until that is over', async () => {
  const { topics, asked, answer } = makeTopics()
  topics.create([topic('a')], PAUSE_MS, context)
  topics.create([topic('a'), topic('b', 2)], PAUSE_MS, context)
  const configs = [{ name: 'cleanup.policy', value: 'compact' }]
  expect(asked).toEqual([
    [{ name: 'a', numPartitions: 3, replicationFactor: -1, assignments: [], configs }],
    [{ name: 'b', numPartitions: 3, replicationFactor: 2, assignments: [], configs }],
  ])
  await answer()
  topics.create([topic('a')], PAUSE_MS, context)
  expect(asked).toHaveLength(3)
})

test('what has failed is left alone for a while, and members are told why', async () => {
  const { topics, time, asked, answer } = makeTopics({ a: 'no such policy', b: null })
  const both = [topic('a'), topic('b')]
  topics.create(both, PAUSE_MS, context)
  expect(topics.failures(both)).toEqual([])
  await answer()
  const failures = [
    ['a', 'no such policy'],
    ['b', errors.INVALID_CONFIG.message],
  ]
  expect(topics.failures(both)).toEqual(failures)
  topics.create(both, PAUSE_MS, context)
  await time.advance(PAUSE_MS - 1)
  expect(topics.failures(both)).toEqual(failures)
  expect(asked).toHaveLength(1)
  await time.advance(1)
  expect(topics.failures(both)).toEqual([])
  topics.create(both, PAUSE_MS, context)
  expect(asked).toHaveLength(2)
})

test('topics are asked for in the name of the client, whose quotas count', () => {
  const { topics, askers } = makeTopics()
  topics.create([topic('a')], PAUSE_MS, context)
  expect(askers).toEqual([context])
})

test('only so many failures are remembered', async () => {
  const names = Array.from({ length: 1001 }, (_, i) => `t${i}`)
  const { topics, answer } = makeTopics(Object.fromEntries(names.map((name) => [name, 'no'])))
  const all = names.map((name) => topic(name))
  topics.create(all, PAUSE_MS, context)
  await answer()
  expect(topics.failures(all)).toHaveLength(1000)
  expect(topics.failures(all.slice(0, 1))).toEqual([])
})

test('a request that fails as a whole is the reason, and its topics are tried again later', async () => {
  const time = new VirtualTime()
  const answers = [async () => errors.REQUEST_TIMED_OUT, () => Promise.reject(new Error('a bug'))]
  const topics = new StreamsTopics({ createFor: () => answers.shift()!() }, time, silentLogger)
  const a = [topic('a')]
  topics.create(a, PAUSE_MS, context)
  await time.advance(0)
  expect(topics.failures(a)).toEqual([['a', errors.REQUEST_TIMED_OUT.message]])
  await time.advance(PAUSE_MS)
  topics.create(a, PAUSE_MS, context)
  await time.advance(0)
  expect(topics.failures(a)).toEqual([['a', errors.UNKNOWN_SERVER_ERROR.message]])
})
