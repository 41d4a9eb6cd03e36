import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BrokerConfig } from '../../src/config/broker-config.ts'
import { checkClientMetricsConfigs } from '../../src/config/client-metrics-config.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import {
  type ConfigEntry,
  describeBroker,
  describeBrokerDefaults,
  describeClientMetrics,
  describeGroup,
  describeTopic,
} from '../../src/config/describe.ts'
import { checkDynamicConfigs } from '../../src/config/dynamic-checks.ts'
import { checkGroupConfigs } from '../../src/config/group-config.ts'
import { parseProperties } from '../../src/config/properties.ts'
import { checkTopicConfigs } from '../../src/config/topic-config.ts'
import { errors } from '../../src/protocol/errors.ts'
import { type Body, Probe } from '../differential/probe.ts'
import type { Broker } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'

const TOPIC = 2
const BROKER = 4
const CLIENT_METRICS = 16
const GROUP = 32

/** Static values with synonyms, white space, duplicates, secrets and names that no table has. */
const OVERRIDES = {
  'log.retention.hours': '48',
  'log.roll.ms': '3600000',
  'log.cleanup.policy': 'compact, delete ,compact',
  'log.cleaner.min.cleanable.ratio': '.25',
  'ssl.key.password': 'secret',
  'listener.name.plaintext.ssl.protocol': 'TLSv1.2',
  'my.own.name': 'mine',
  'unstable.api.versions.enable': 'false',
}

/** Dynamic values, in this order. What is refused changes nothing on either side. */
const ALTERATIONS: ReadonlyArray<readonly [type: number, resource: string, name: string, value: string]> = [
  [BROKER, '', 'message.max.bytes', '2000000'],
  [BROKER, '', 'log.retention.ms', '88000'],
  [BROKER, '', 'log.cleaner.backoff.ms', ' 77 '],
  [BROKER, '1', 'message.max.bytes', '3000000'],
  [BROKER, '1', 'leader.replication.throttled.rate', '500'],
  [BROKER, '1', 'made.up', 'x'],
  [BROKER, '1', 'listener.name.plaintext.ssl.keystore.password', 'secret'],
  [TOPIC, 't', 'segment.bytes', '2000000'],
  [TOPIC, 't', 'cleanup.policy', ' compact , delete'],
  [GROUP, 'g', 'consumer.session.timeout.ms', '50000'],
  [GROUP, 'g', 'share.isolation.level', 'read_committed'],
  [CLIENT_METRICS, 'm', 'metrics', 'a, b'],
]

const REFUSALS: typeof ALTERATIONS = [
  [TOPIC, 't', 'retention.ms', 'x'],
  [TOPIC, 't', 'retention.ms', '-2'],
  [TOPIC, 't', 'no.such.name', '1'],
  [TOPIC, 't', 'cleanup.policy', 'shred'],
  [TOPIC, 't', 'cleanup.policy', 'compact,compact'],
  [TOPIC, 't', 'cleanup.policy', 'compact,'],
  [TOPIC, 't', 'cleanup.policy', ''],
  [TOPIC, 't', 'min.insync.replicas', '0'],
  [TOPIC, 't', 'leader.replication.throttled.replicas', 'a'],
  [TOPIC, 't', 'compression.gzip.level', '0'],
  [TOPIC, 't', 'compression.lz4.level', '18'],
  [TOPIC, 't', 'remote.storage.enable', 'true'],
  [TOPIC, 't', 'message.timestamp.type', 'x'],
  [TOPIC, 't', 'preallocate', 'maybe'],
  [TOPIC, 't', 'min.cleanable.dirty.ratio', '1.5'],
  [TOPIC, 't', 'max.compaction.lag.ms', '0'],
  [BROKER, '', 'num.partitions', '3'],
  [BROKER, '1', 'node.id', '3'],
  [BROKER, '', 'num.io.threads', '0'],
  [BROKER, '', 'num.io.threads', 'x'],
  [BROKER, '', 'ssl.keystore.type', 'PEM'],
  [BROKER, '', 'listeners', 'PLAINTEXT://:1'],
  [BROKER, '', 'sasl.enabled.mechanisms', 'PLAIN'],
  [BROKER, '', 'max.connections.per.ip', '0'],
  [BROKER, '', 'log.retention.ms', '0'],
  [BROKER, '', 'log.segment.bytes', '5'],
  [GROUP, 'g', 'consumer.session.timeout.ms', '1'],
  [GROUP, 'g', 'consumer.session.timeout.ms', '0'],
  [GROUP, 'g', 'consumer.heartbeat.interval.ms', '15001'],
  [GROUP, 'g', 'no.such.name', '1'],
  [GROUP, 'g', 'share.auto.offset.reset', 'never'],
  [GROUP, 'g', 'share.auto.offset.reset', 'by_duration:PT1H'],
  [GROUP, 'g', 'streams.num.standby.replicas', '3'],
  [CLIENT_METRICS, 'm', 'interval.ms', '1'],
  [CLIENT_METRICS, 'm', 'interval.ms', 'x'],
  [CLIENT_METRICS, 'm', 'no.such.name', '1'],
  [CLIENT_METRICS, 'm', 'match', 'a=b'],
  [CLIENT_METRICS, 'm', 'match', 'client_id=a.*'],
]

let oracle: Broker
let probe: Probe
let config: BrokerConfig
const dynamic = new Map<string, Map<string, string>>()

function own(type: number, resource: string): Map<string, string> {
  const key = `${type}/${resource}`
  const values = dynamic.get(key) ?? new Map<string, string>()
  dynamic.set(key, values)
  return values
}

async function alter(
  [type, resource, name, value]: (typeof ALTERATIONS)[number],
  validateOnly: boolean,
): Promise<Body> {
  const { responses } = await probe.quietly('IncrementalAlterConfigs', 1, {
    resources: [{ resourceType: type, resourceName: resource, configs: [{ name, configOperation: 0, value }] }],
    validateOnly,
  })
  return responses[0]
}

async function describeByOracle(resourceType: number, resourceName: string): Promise<Body[]> {
  const resources = [{ resourceType, resourceName, configurationKeys: null }]
  const { results } = await probe.quietly('DescribeConfigs', 4, { resources, includeSynonyms: true })
  expect(results[0].errorCode).toBe(0)
  return results[0].configs
}

beforeAll(async () => {
  oracle = await startOracle({ overrides: OVERRIDES })
  probe = new Probe(oracle)
  config = new BrokerConfig(parseProperties(readFileSync(oracle.home.propertiesFile, 'utf8')))
  const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  await probe.quietly('CreateTopics', 7, { topics: [topic], timeoutMs: 10_000, validateOnly: false })
  for (const alteration of ALTERATIONS) {
    const answer = await alter(alteration, false)
    expect(answer.errorCode, `${alteration.join(' ')}: ${answer.errorMessage}`).toBe(0)
    own(alteration[0], alteration[1]).set(alteration[2], alteration[3])
  }
  // Kafka 4.1 and later give a new cluster this config of their own accord, for eligible leader replicas (KIP-966).
  own(BROKER, '').set('min.insync.replicas', '1')
  expect(config.applyDynamic(own(BROKER, ''), own(BROKER, '1')).ignored).toEqual([])
}, 120_000)
afterAll(async () => {
  probe?.close()
  await oracle?.stop()
})

function sorted(entries: readonly ConfigEntry[] | readonly Body[]): unknown[] {
  const plain = entries.map((entry) => ({
    name: entry.name,
    value: entry.value,
    readOnly: entry.readOnly,
    source: 'configSource' in entry ? entry.configSource : entry.source,
    isSensitive: entry.isSensitive,
    synonyms: entry.synonyms.map(({ name, value, source }: Body) => ({ name, value, source })),
    type: 'configType' in entry ? entry.configType : entry.type,
  }))
  return plain.sort((a, b) => (a.name < b.name ? -1 : 1))
}

describe('every config has the value, source, synonyms, type and mutability of Apache Kafka', () => {
  test.each([
    ['this broker', BROKER, '1', () => describeBroker(config)],
    ['all brokers', BROKER, '', () => describeBrokerDefaults(config)],
    ['a topic', TOPIC, 't', () => describeTopic(own(TOPIC, 't'), config)],
    ['a group', GROUP, 'g', () => describeGroup(own(GROUP, 'g'), config)],
    ['a metrics subscription', CLIENT_METRICS, 'm', () => describeClientMetrics(own(CLIENT_METRICS, 'm'))],
  ] as const)('%s', async (_title, type, resource, ours) => {
    const theirs = await describeByOracle(type, resource)
    expect(theirs.length).toBeGreaterThan(0)
    expect(sorted(ours())).toEqual(sorted(theirs))
  })
})

function check([type, resource, name, value]: (typeof ALTERATIONS)[number]): void {
  const all = new Map([...own(type, resource), [name, value]])
  if (type === TOPIC) checkTopicConfigs(all, config, own(type, resource))
  else if (type === GROUP) checkGroupConfigs(all, config)
  else if (type === CLIENT_METRICS) checkClientMetricsConfigs(resource, all)
  else checkDynamicConfigs(all, resource !== '', config)
}

describe('a value is taken or refused as by Apache Kafka, in its words', () => {
  test.each(REFUSALS)('%i/%s %s=%s', async (...alteration) => {
    const theirs = await alter(alteration, true)
    let ours: { errorCode: number; errorMessage: string | null } = { errorCode: 0, errorMessage: null }
    try {
      check(alteration)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      ours = { errorCode: errors[error.error].code, errorMessage: error.message }
    }
    expect(ours).toEqual({ errorCode: theirs.errorCode, errorMessage: theirs.errorMessage })
  })
})
