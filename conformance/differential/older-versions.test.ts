import { afterAll, beforeAll, expect, test } from 'vitest'
import { ServedApis } from '../../src/broker/apis.ts'
import { type Api, apis } from '../../src/protocol/api-keys.ts'
import { decode, encode } from '../../src/protocol/codec.ts'
import type { Broker } from '../harness/broker.ts'
import { startOttla } from '../harness/ottla.ts'
import { comparable, differences } from './compare.ts'
import { type ApiName, type Body, type Exchange, Probe } from './probe.ts'
import { batch, type Scenario, warmedUp, write } from './scenario.ts'
import { configScenarios } from './scenarios/configs.ts'
import { groupScenarios } from './scenarios/groups.ts'
import { recordScenarios } from './scenarios/records.ts'
import { severalScenarios } from './scenarios/several.ts'
import { topicScenarios } from './scenarios/topics.ts'

/** Two of a kind: one is asked in an old version, the other in the lowest that Apache Kafka 4.3.1 still serves. */
let asked: Broker
let model: Broker

beforeAll(async () => {
  ;[asked, model] = await Promise.all([startOttla(), startOttla()])
})
afterAll(async () => {
  await asked?.stop()
  await model?.stop()
})

const stories: readonly Scenario[] = [
  ...topicScenarios,
  ...recordScenarios,
  ...severalScenarios,
  ...configScenarios,
  ...groupScenarios,
]

interface OldVersion {
  readonly api: ApiName
  readonly version: number
  readonly scenario: Scenario
}

/**
 * Stories that an old version cannot tell, with tests of their own below: OffsetCommit 0 knows nothing of members,
 * OffsetFetch 0 has an error for what was not committed, OffsetForLeaderEpoch below 2 cannot name the current epoch,
 * ListOffsets 0 answers with lists. Old
 * versions of Produce and Fetch carry message sets, which other tests are about.
 */
const UNCOMPARABLE: readonly ApiName[] = ['OffsetForLeaderEpoch', 'Produce', 'Fetch']
function cannotTell({ api, version }: OldVersion): boolean {
  return (version === 0 && /^(OffsetCommit|OffsetFetch|ListOffsets)$/.test(api)) || UNCOMPARABLE.includes(api)
}

function oldVersions(): OldVersion[] {
  const found: OldVersion[] = []
  for (const served of new ServedApis().on('broker')) {
    const api = served.api.name as ApiName
    for (let version = served.versions.low; version < apis[api].kafkaVersions.low; version++) {
      for (const scenario of stories) {
        const tells = scenario.api === api && version >= (scenario.from ?? 0) && version <= (scenario.to ?? 99)
        if (tells) found.push({ api, version, scenario })
      }
    }
  }
  return found
}

/** What the old version has room for of an answer in a newer one. */
function asInVersion(exchange: Exchange, api: ApiName, version: number): Exchange {
  if (exchange.api !== api || exchange.version === version || typeof exchange.response === 'string') return exchange
  const { response } = apis[api] as Api
  const fields = api === 'DescribeConfigs' ? withIsDefault(exchange.response) : exchange.response
  return { ...exchange, version, response: decode(response, version, encode(response, version, fields)) as Body }
}

const DEFAULT_CONFIG = 5

/** Version 0 says whether a value is a default, later ones where it comes from. */
function withIsDefault(answer: Body): Body {
  const results = answer.results.map((result: Body) => ({
    ...result,
    configs: result.configs.map((config: Body) => ({
      ...config,
      isDefault: config.configSource === DEFAULT_CONFIG,
      configSource: -1,
      synonyms: [],
    })),
  }))
  return { ...answer, results }
}

const cases = oldVersions().filter((old) => !cannotTell(old))

test.each(cases.map((old) => [old.api, old.version, old.scenario.title, old] as const))(
  '%s v%i says what a later version says: %s',
  async (api, version, title, { scenario }) => {
    const later = apis[api].kafkaVersions.low
    const probes = [new Probe(asked), new Probe(model)] as const
    const name = `o${api.toLowerCase()}${version}-${stories.indexOf(scenario)}`
    for (const probe of probes) {
      await warmedUp(probe)
      probe.learn((await probe.quietly('DescribeCluster', 0, {})).clusterId, '<cluster id>')
    }
    await Promise.all([scenario.run(probes[0], version, name), scenario.run(probes[1], later, name)])
    for (const probe of probes) probe.close()
    const [old, current] = probes.map((probe) =>
      probe.transcript.map((exchange) => comparable(asInVersion(exchange, api, version), probe.symbols)),
    )
    expect(old!.length, title).toBeGreaterThan(0)
    expect(old!.flatMap((answer, index) => differences(answer, current![index]!, `#${index}`))).toEqual([])
    expect(old!.length).toBe(current!.length)
  },
  30_000,
)

/** A topic with one partition, on the broker that is asked. */
async function topicOf(probe: Probe, name: string): Promise<void> {
  await warmedUp(probe)
  await probe.quietly('CreateTopics', 5, {
    topics: [{ name, numPartitions: 1, replicationFactor: 1 }],
    timeoutMs: 5000,
  })
}

test('OffsetCommit v0 commits as one who is no member of the group', async () => {
  const probe = new Probe(asked)
  await topicOf(probe, 'old-commits')
  const partitions = [
    { partitionIndex: 0, committedOffset: 5, committedMetadata: 'note' },
    { partitionIndex: 9, committedOffset: 6, committedMetadata: null },
  ]
  const commit = (version: number, groupId: string) =>
    probe.quietly('OffsetCommit', version, { groupId, topics: [{ name: 'old-commits', partitions }] })
  const committed = async (groupId: string) => {
    const { topics, errorCode } = await probe.quietly('OffsetFetch', 5, { groupId, topics: null })
    return { topics, errorCode }
  }
  const [old, later] = [await commit(0, 'old'), await commit(2, 'later')]
  expect(old.topics).toEqual(later.topics)
  const codes = old.topics[0].partitions.map(({ errorCode }: Body) => errorCode)
  expect(codes.sort()).toEqual([0, 3])
  expect(await committed('old')).toEqual(await committed('later'))
  probe.close()
})

test('OffsetFetch v0 has what version 1 has, and an error for what was never committed', async () => {
  const probe = new Probe(asked)
  await topicOf(probe, 'old-fetches')
  const topic = { name: 'old-fetches', partitionIndexes: [0, 1] }
  const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: 'note' }]
  await probe.quietly('OffsetCommit', 2, { groupId: 'g', topics: [{ name: topic.name, partitions }] })
  const fetched = async (version: number) => {
    const answer = await probe.quietly('OffsetFetch', version, { groupId: 'g', topics: [topic] })
    return answer.topics[0].partitions.map(({ committedOffset, metadata, errorCode }: Body) => [
      committedOffset,
      metadata,
      errorCode,
    ])
  }
  expect(await fetched(0)).toEqual([
    [5, 'note', 0],
    [-1, '', 3],
  ])
  expect(await fetched(1)).toEqual([
    [5, 'note', 0],
    [-1, '', 0],
  ])
  probe.close()
})

test.each([0, 1])('OffsetForLeaderEpoch v%i answers as version 2 without a current epoch', async (version) => {
  const probe = new Probe(asked)
  await topicOf(probe, `old-epochs-${version}`)
  const end = async (asked: number) => {
    const partitions = [-1, 0, 1, 40].flatMap((leaderEpoch) => [0, 7].map((partition) => ({ partition, leaderEpoch })))
    const topics = [{ topic: `old-epochs-${version}`, partitions }]
    const answer = await probe.quietly('OffsetForLeaderEpoch', asked, { topics })
    return answer.topics[0].partitions.map(({ partition, errorCode, endOffset, leaderEpoch }: Body) => [
      partition,
      errorCode,
      endOffset,
      version === 0 ? -1 : leaderEpoch,
    ])
  }
  expect(await end(version)).toEqual(await end(2))
  probe.close()
})

test('ListOffsets v0 ends at the offsets that version 1 names', async () => {
  const probe = new Probe(asked)
  await topicOf(probe, 'old-lists')
  await write(probe, 'old-lists', batch(3))
  for (const timestamp of [-1, -2]) {
    const ask = async (version: number, more: Body) => {
      const partitions = [0, 9].map((partitionIndex) => ({ partitionIndex, timestamp, ...more }))
      const answer = await probe.quietly('ListOffsets', version, {
        replicaId: -1,
        topics: [{ name: 'old-lists', partitions }],
      })
      return answer.topics[0].partitions
    }
    const old = await ask(0, { maxNumOffsets: 1 })
    const later = await ask(1, {})
    const expected = later.map(({ partitionIndex, errorCode, offset }: Body) => [
      partitionIndex,
      errorCode,
      errorCode === 0 ? [offset] : [],
    ])
    expect(
      old.map(({ partitionIndex, errorCode, oldStyleOffsets }: Body) => [partitionIndex, errorCode, oldStyleOffsets]),
    ).toEqual(expected)
  }
  probe.close()
})
