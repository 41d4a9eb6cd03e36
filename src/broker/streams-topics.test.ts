import { expect, test } from 'vitest'
import { type MutationQuota, Refusal } from '../controller/result.ts'
import { silentLogger } from '../platform/logger.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { errors } from '../protocol/errors.ts'
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts'
import { StreamsTopics } from './streams-topics.ts'

const PAUSE_MS = 10_000

function topic(name: string, replicationFactor: number | null = null) {
  return { name, partitionCount: 3, replicationFactor, configs: new Map([['cleanup.policy', 'compact']]) }
}

/** Topics of these names cannot be made; `answers` holds what is asked for and not answered yet. */
function makeTopics(bad: Readonly<Record<string, string | null>> = {}) {
  const time = new VirtualTime()
  const asked: CreateTopicsRequest['topics'][] = []
  const answers: (() => void)[] = []
  const quotas: (MutationQuota | undefined)[] = []
  const createTopics = (request: CreateTopicsRequest, mutations?: MutationQuota) => {
    asked.push(request.topics)
    quotas.push(mutations)
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
  return { topics: new StreamsTopics({ createTopics }, time, silentLogger), time, asked, quotas, answer }
}

test('what is being made is not asked for again until that is over', async () => {
  const { topics, asked, answer } = makeTopics()
  topics.create([topic('a')], PAUSE_MS)
  topics.create([topic('a'), topic('b', 2)], PAUSE_MS)
  const configs = [{ name: 'cleanup.policy', value: 'compact' }]
  expect(asked).toEqual([
    [{ name: 'a', numPartitions: 3, replicationFactor: -1, assignments: [], configs }],
    [{ name: 'b', numPartitions: 3, replicationFactor: 2, assignments: [], configs }],
  ])
  await answer()
  topics.create([topic('a')], PAUSE_MS)
  expect(asked).toHaveLength(3)
})

test('what has failed is left alone for a while, and members are told why', async () => {
  const { topics, time, asked, answer } = makeTopics({ a: 'no such policy', b: null })
  const both = [topic('a'), topic('b')]
  topics.create(both, PAUSE_MS)
  expect(topics.failures(both)).toEqual([])
  await answer()
  const failures = [
    ['a', 'no such policy'],
    ['b', errors.INVALID_CONFIG.message],
  ]
  expect(topics.failures(both)).toEqual(failures)
  topics.create(both, PAUSE_MS)
  await time.advance(PAUSE_MS - 1)
  expect(topics.failures(both)).toEqual(failures)
  expect(asked).toHaveLength(1)
  await time.advance(1)
  expect(topics.failures(both)).toEqual([])
  topics.create(both, PAUSE_MS)
  expect(asked).toHaveLength(2)
})

test('the quota of the client that asks is the one that counts', () => {
  const { topics, quotas } = makeTopics()
  const quota = { take: () => true }
  topics.create([topic('a')], PAUSE_MS, quota)
  topics.create([topic('b')], PAUSE_MS)
  expect(quotas).toEqual([quota, undefined])
})

test('only so many failures are remembered', async () => {
  const names = Array.from({ length: 1001 }, (_, i) => `t${i}`)
  const { topics, answer } = makeTopics(Object.fromEntries(names.map((name) => [name, 'no'])))
  const all = names.map((name) => topic(name))
  topics.create(all, PAUSE_MS)
  await answer()
  expect(topics.failures(all)).toHaveLength(1000)
  expect(topics.failures(all.slice(0, 1))).toEqual([])
})

test('a request that fails as a whole is the reason, and its topics are tried again later', async () => {
  const time = new VirtualTime()
  const reasons = [new Refusal('POLICY_VIOLATION', 'too many'), new Error('a bug')]
  const createTopics = () => Promise.reject(reasons.shift())
  const topics = new StreamsTopics({ createTopics }, time, silentLogger)
  const a = [topic('a')]
  topics.create(a, PAUSE_MS)
  await time.advance(0)
  expect(topics.failures(a)).toEqual([['a', 'too many']])
  await time.advance(PAUSE_MS)
  topics.create(a, PAUSE_MS)
  await time.advance(0)
  expect(topics.failures(a)).toEqual([['a', errors.UNKNOWN_SERVER_ERROR.message]])
})
