import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apis } from '../../src/protocol/api-keys.ts'
import { includesVersion } from '../../src/protocol/schema.ts'
import type { Broker } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'
import { startTarget } from '../harness/target.ts'
import { answersApiVersions } from '../harness/wire.ts'
import { allowedDifferences } from './allowed.ts'
import { comparable, differences, withoutThoseOf } from './compare.ts'
import { type ApiName, Probe } from './probe.ts'
import { type Scenario, warmedUp } from './scenario.ts'
import { adminScenarios } from './scenarios/admin.ts'
import { configValueScenarios } from './scenarios/config-values.ts'
import { configScenarios } from './scenarios/configs.ts'
import { consumerGroupScenarios } from './scenarios/consumer-groups.ts'
import { controllerScenarios } from './scenarios/controllers.ts'
import { featureLevelScenarios } from './scenarios/feature-levels.ts'
import { connectionScenarios, frameScenariosOf, versionScenarioOf } from './scenarios/frames.ts'
import { groupScenarios } from './scenarios/groups.ts'
import { partitionScenarios } from './scenarios/partitions.ts'
import { quorumScenarios } from './scenarios/quorum.ts'
import { rebalanceScenarios } from './scenarios/rebalances.ts'
import { recordScenarios } from './scenarios/records.ts'
import { severalScenarios } from './scenarios/several.ts'
import { shareConfigScenarios } from './scenarios/share-configs.ts'
import { shareOffsetScenarios } from './scenarios/share-offsets.ts'
import { shareScenarios } from './scenarios/shares.ts'
import { streamsGroupScenarios } from './scenarios/streams-groups.ts'
import { streamsOffsetScenarios } from './scenarios/streams-offsets.ts'
import { topicScenarios } from './scenarios/topics.ts'
import { transactionReadScenarios } from './scenarios/transaction-reads.ts'
import { transactionScenarios } from './scenarios/transactions.ts'

const stories: readonly Scenario[] = [
  ...topicScenarios,
  ...recordScenarios,
  ...severalScenarios,
  ...adminScenarios,
  ...configScenarios,
  ...configValueScenarios,
  ...groupScenarios,
  ...rebalanceScenarios,
  ...transactionScenarios,
  ...transactionReadScenarios,
  ...shareScenarios,
  ...shareOffsetScenarios,
  ...shareConfigScenarios,
  ...consumerGroupScenarios,
  ...streamsGroupScenarios,
  ...streamsOffsetScenarios,
  ...featureLevelScenarios,
  ...controllerScenarios,
  ...quorumScenarios,
  ...partitionScenarios,
]
const compared = stories.filter(({ listener }) => listener === undefined).map(({ api }) => api)
const scenarios: readonly Scenario[] = [
  ...stories,
  ...connectionScenarios,
  versionScenarioOf(compared),
  ...frameScenariosOf(compared),
]

/** What the oracle needs to start with little memory, for both; no elections of their own; and what keeps the scenarios short. */
const overrides = {
  'log.cleaner.dedupe.buffer.size': '4194304',
  'auto.leader.rebalance.enable': 'false',
  'unclean.leader.election.interval.ms': '3600000',
  'group.min.session.timeout.ms': '100',
  'group.max.size': '4',
  'group.consumer.max.size': '4',
  'group.consumer.assignment.interval.ms': '0',
  'group.share.max.size': '4',
  'group.share.max.share.sessions': '12',
  'group.share.min.record.lock.duration.ms': '1000',
  'group.streams.max.size': '4',
  'group.streams.initial.rebalance.delay.ms': '0',
  'group.streams.assignment.interval.ms': '0',
  'group.streams.min.session.timeout.ms': '100',
  'group.streams.min.heartbeat.interval.ms': '100',
}

/** SaslHandshake, the ACLs, SaslAuthenticate, the delegation tokens, the SCRAM credentials: not served yet. */
const SECURITY_KEYS = [17, 29, 30, 31, 36, 38, 39, 40, 41, 50, 51]

interface VersionRange {
  readonly minVersion: number
  readonly maxVersion: number
}

let ottla: Broker
let oracle: Broker
/** What Ottla advertises, by kind of listener and API key. */
const advertised = { broker: new Map<number, VersionRange>(), controller: new Map<number, VersionRange>() }
const served = advertised.broker
const clusterIds = new Map<Broker, string>()
const usedAllowances = new Set<RegExp>()
/** Names of stories that differed. What is left of them may differ, too, and is not looked at where others list all there is. */
const leftBehind: string[] = []

beforeAll(async () => {
  ottla = await startTarget({ overrides })
  oracle = await startOracle({ overrides })
  const probe = new Probe(ottla)
  for (const entry of await versionsAt(probe)) advertised.broker.set(entry.apiKey, entry)
  for (const entry of await versionsAt(probe.toController())) advertised.controller.set(entry.apiKey, entry)
  probe.close()
  for (const broker of [ottla, oracle]) {
    const asker = new Probe(broker)
    await warmedUp(asker)
    clusterIds.set(broker, (await asker.quietly('DescribeCluster', 0, {})).clusterId)
    asker.close()
  }
})
afterAll(async () => {
  await ottla?.stop()
  await oracle?.stop()
})

async function versionsAt(probe: Probe): Promise<(VersionRange & { readonly apiKey: number })[]> {
  const software = { clientSoftwareName: 'x', clientSoftwareVersion: '1' }
  return (await probe.quietly('ApiVersions', 3, software)).apiKeys
}

/** On a busy machine a broker that does not answer soon may be slow rather than silent. */
const PATIENCE = 10

/**
 * What two brokers do at the same time on a busy machine may differ once: Apache Kafka answers some changes before all its
 * threads know of them. A difference in what they mean to do is there again when the story is told anew.
 */
async function differencesSeenTwice(scenario: Scenario, version: number, name: string): Promise<string[]> {
  const first = await tell(scenario, version, name)
  if (first.length === 0) return first
  console.warn(`differed once, told again: ${scenario.api} v${version}: ${scenario.title}\n${first.join('\n')}`)
  leftBehind.push(name)
  const second = await tell(scenario, version, `${name}again`, PATIENCE)
  if (second.length > 0) leftBehind.push(`${name}again`)
  return second
}

async function tell(scenario: Scenario, version: number, name: string, patience = 1): Promise<string[]> {
  const probes = [new Probe(ottla), new Probe(oracle)] as const
  for (const probe of probes) probe.patience = patience
  for (const probe of probes) probe.learn(clusterIds.get(probe.broker), '<cluster id>')
  const outcomes = await Promise.allSettled(probes.map((probe) => scenario.run(probe, version, name)))
  for (const probe of probes) {
    probe.close()
    expect(await answersApiVersions('127.0.0.1', probe.broker.port), `${probe.broker.kind} still answers`).toBe(true)
  }
  const [ours, theirs] = probes.map((probe) =>
    probe.transcript.map((exchange) => withoutThoseOf(leftBehind, comparable(exchange, probe.symbols))),
  )
  const found: string[] = []
  for (let index = 0; index < Math.min(ours!.length, theirs!.length); index++) {
    const { api, note } = probes[1].transcript[index]!
    const path = note === undefined ? `#${index} ${api}` : `#${index} (${note}) ${api}`
    found.push(...differences(ours![index]!, theirs![index]!, path))
  }
  if (ours!.length !== theirs!.length)
    found.push(`Ottla answered ${ours!.length} times, Apache Kafka ${theirs!.length}`)
  for (const outcome of outcomes) if (outcome.status === 'rejected') found.push(String(outcome.reason))
  return found.filter((line) => !isAllowed(line))
}

/** Key, version, correlation id and a client id of null: Apache Kafka looks no further. */
function oldHeader(apiKey: number, version: number): Buffer {
  const header = Buffer.alloc(10)
  header.writeInt16BE(apiKey, 0)
  header.writeInt16BE(version, 2)
  header.writeInt16BE(-1, 8)
  return header
}

function isAllowed(line: string): boolean {
  const allowance = allowedDifferences.find(({ path }) => path.test(line))
  if (allowance) usedAllowances.add(allowance.path)
  return allowance !== undefined
}

function versionsOf(scenario: Scenario): number[] {
  const { kafkaVersions, request } = apis[scenario.api]
  // A version marked as unstable is not advertised.
  const high = request.latestVersionUnstable ? kafkaVersions.high - 1 : kafkaVersions.high
  const versions: number[] = []
  for (let version = kafkaVersions.low; version <= high; version++) {
    if (version >= (scenario.from ?? 0) && version <= (scenario.to ?? 99)) versions.push(version)
  }
  return versions
}

describe('the same requests to Ottla and to Apache Kafka', () => {
  for (const [index, scenario] of scenarios.entries()) {
    test.each(versionsOf(scenario))(`${scenario.api} v%i: ${scenario.title}`, async (version) => {
      const range = advertised[scenario.listener ?? 'broker'].get(apis[scenario.api].key)
      expect(range, `${scenario.api} is advertised`).toBeDefined()
      expect(version).toBeLessThanOrEqual(range!.maxVersion)
      expect(version).toBeGreaterThanOrEqual(range!.minVersion)
      expect((await differencesSeenTwice(scenario, version, `s${index}v${version}`)).join('\n')).toBe('')
    })
  }

  test('Ottla advertises what Apache Kafka does, except for security, with older versions beside', async () => {
    const probe = new Probe(oracle)
    for (const kind of ['broker', 'controller'] as const) {
      const theirs = await versionsAt(kind === 'broker' ? probe : probe.toController())
      for (const { apiKey, minVersion, maxVersion } of theirs) {
        const ours = advertised[kind].get(apiKey)
        if (!ours && SECURITY_KEYS.includes(apiKey)) continue
        expect(ours, `API ${apiKey} of a ${kind}`).toMatchObject({ maxVersion })
        expect(ours!.minVersion, `API ${apiKey} of a ${kind}`).toBeLessThanOrEqual(minVersion)
      }
      const known = new Set(theirs.map(({ apiKey }) => apiKey))
      expect([...advertised[kind].keys()].filter((key) => !known.has(key))).toEqual([])
    }
    probe.close()
  })

  test('every API that Ottla advertises has a scenario, in every version that both serve', () => {
    const told = new Set<string>(
      scenarios.flatMap((scenario) => versionsOf(scenario).map((v) => `${scenario.api} ${v}`)),
    )
    const missing: string[] = []
    for (const name of Object.keys(apis) as ApiName[]) {
      const range = served.get(apis[name].key) ?? advertised.controller.get(apis[name].key)
      if (!range) continue
      for (let version = range.minVersion; version <= range.maxVersion; version++) {
        if (includesVersion(apis[name].kafkaVersions, version) && !told.has(`${name} ${version}`))
          missing.push(`${name} ${version}`)
      }
    }
    expect(missing).toEqual([])
  })

  test('who asks in a version that only Ottla serves is disconnected by Apache Kafka 4', async () => {
    const kept: string[] = []
    for (const name of Object.keys(apis) as ApiName[]) {
      const { key, kafkaVersions } = apis[name]
      const range = served.get(key)
      if (!range || name === 'ApiVersions') continue
      for (let version = range.minVersion; version < kafkaVersions.low; version++) {
        const probe = new Probe(oracle)
        await probe.sendBytes(name, version, oldHeader(key, version), 'an old version', 10_000)
        if (probe.transcript[0]!.response !== 'connection closed') kept.push(`${name} ${version}`)
        probe.close()
      }
    }
    expect(kept).toEqual([])
    expect(served.get(apis.Produce.key)!.minVersion).toBe(0)
  })

  test('every difference that is allowed was met', () => {
    expect(allowedDifferences.filter(({ path }) => !usedAllowances.has(path))).toEqual([])
  })
})
