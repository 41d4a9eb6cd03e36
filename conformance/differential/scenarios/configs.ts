import type { Body, Probe } from '../probe.ts'
import { makeTopic, type Scenario, settled } from '../scenario.ts'

const TOPIC = 2
const BROKER = 4
const LOGGER = 8
const CLIENT_METRICS = 16
const GROUP = 32

async function describe(probe: Probe, version: number, resources: Body[]): Promise<Body> {
  await settled(probe)
  return probe.send('DescribeConfigs', version, {
    resources,
    ...(version >= 1 ? { includeSynonyms: true } : {}),
    ...(version >= 3 ? { includeDocumentation: false } : {}),
  })
}

const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

type Alteration = readonly [name: string, operation: number, value: string | null]

/** Each line is one request for a topic, in this order. */
const ALTERATIONS: readonly Alteration[][] = [
  [['retention.ms', SET, '5000']],
  [['retention.ms', SET, 'x']],
  [['retention.ms', SET, null]],
  [['retention.ms', DELETE, null]],
  [['retention.ms', APPEND, '1']],
  [['cleanup.policy', APPEND, 'compact']],
  [['cleanup.policy', APPEND, 'compact']],
  [['cleanup.policy', SUBTRACT, 'delete']],
  [['cleanup.policy', SUBTRACT, 'nothing']],
  [['cleanup.policy', APPEND, 'shred']],
  [['cleanup.policy', DELETE, null]],
  [['no.such.config', SET, '1']],
  [['no.such.config', DELETE, null]],
  [['', SET, '1']],
  [['retention.ms', 9, '1']],
  [
    ['retention.ms', SET, '1'],
    ['retention.ms', SET, '2'],
  ],
  [
    ['segment.bytes', SET, '2097152'],
    ['compression.type', SET, 'nope'],
  ],
  [
    ['segment.bytes', SET, '2097152'],
    ['compression.type', SET, 'gzip'],
  ],
  [['leader.replication.throttled.replicas', SET, '0:1,1:1']],
  [['leader.replication.throttled.replicas', SET, 'zero']],
  [],
]

const BROKER_ALTERATIONS: readonly Alteration[][] = [
  [['log.retention.ms', SET, '777777']],
  [['log.retention.ms', SET, 'x']],
  [['log.cleaner.threads', SET, '2']],
  [['node.id', SET, '5']],
  [['log.dirs', SET, '/x']],
  [['no.such.broker.config', SET, '5']],
  [['num.io.threads', SET, '0']],
  [['message.max.bytes', SET, '2000000']],
  [['message.max.bytes', DELETE, null]],
  [['log.retention.ms', DELETE, null]],
  [['log.cleaner.threads', DELETE, null]],
]

function alter(
  probe: Probe,
  version: number,
  type: number,
  name: string,
  alterations: readonly Alteration[],
  more: Body = {},
) {
  const configs = alterations.map(([key, configOperation, value]) => ({ name: key, configOperation, value }))
  return probe.send('IncrementalAlterConfigs', version, {
    resources: [{ resourceType: type, resourceName: name, configs }],
    validateOnly: false,
    ...more,
  })
}

export const configScenarios: readonly Scenario[] = [
  {
    title: 'a topic: all, some, unknown',
    api: 'DescribeConfigs',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { configs: { 'retention.ms': '1234', 'cleanup.policy': 'compact' } })
      await describe(probe, version, [{ resourceType: TOPIC, resourceName: name, configurationKeys: null }])
      await describe(probe, version, [
        { resourceType: TOPIC, resourceName: name, configurationKeys: ['retention.ms', 'nope'] },
      ])
      await describe(probe, version, [{ resourceType: TOPIC, resourceName: name, configurationKeys: [] }])
      await describe(probe, version, [{ resourceType: TOPIC, resourceName: `${name}-no`, configurationKeys: null }])
      await describe(probe, version, [{ resourceType: TOPIC, resourceName: 'bad/name', configurationKeys: null }])
      await describe(probe, version, [{ resourceType: TOPIC, resourceName: '', configurationKeys: null }])
      await describe(probe, version, [])
    },
  },
  {
    title: 'other resources',
    api: 'DescribeConfigs',
    run: async (probe, version) => {
      const ask = (resourceType: number, resourceName: string, configurationKeys: string[] | null = null) =>
        describe(probe, version, [{ resourceType, resourceName, configurationKeys }])
      await ask(BROKER, '1', ['log.retention.hours', 'log.retention.ms', 'compression.type', 'min.insync.replicas'])
      await ask(BROKER, '', null)
      await ask(BROKER, '7', null)
      await ask(BROKER, 'x', null)
      await ask(LOGGER, '1', ['nothing'])
      await ask(LOGGER, '9', null)
      await ask(GROUP, 'some-group')
      await ask(GROUP, '')
      await ask(CLIENT_METRICS, 'some-metrics')
      await ask(99, 'x')
      await ask(0, 'x')
    },
  },
  {
    title: 'every setting of a broker',
    api: 'DescribeConfigs',
    run: async (probe, version) => {
      await describe(probe, version, [{ resourceType: BROKER, resourceName: '1', configurationKeys: null }])
    },
  },
  {
    title: 'a topic changes',
    api: 'IncrementalAlterConfigs',
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      const keys = ['retention.ms', 'cleanup.policy', 'segment.bytes', 'compression.type']
      for (const line of ALTERATIONS) {
        await alter(probe, version, TOPIC, name, line)
        await describe(probe, 4, [{ resourceType: TOPIC, resourceName: name, configurationKeys: keys }])
      }
      await alter(probe, version, TOPIC, name, [['retention.ms', SET, '99']], { validateOnly: true })
      await alter(probe, version, TOPIC, `${name}-no`, [['retention.ms', SET, '99']])
      await alter(probe, version, TOPIC, '', [['retention.ms', SET, '99']])
      await alter(probe, version, 99, name, [['retention.ms', SET, '99']])
      const resource = {
        resourceType: TOPIC,
        resourceName: name,
        configs: [{ name: 'retention.ms', configOperation: SET, value: '1' }],
      }
      await probe.send('IncrementalAlterConfigs', version, { resources: [resource, resource], validateOnly: false })
      await describe(probe, 4, [{ resourceType: TOPIC, resourceName: name, configurationKeys: keys }])
    },
  },
  {
    title: 'a broker and the cluster change',
    api: 'IncrementalAlterConfigs',
    run: async (probe, version) => {
      const keys = ['log.retention.ms', 'log.cleaner.threads', 'message.max.bytes']
      for (const target of ['1', '']) {
        for (const line of BROKER_ALTERATIONS) {
          await alter(probe, version, BROKER, target, line)
          await describe(probe, 4, [{ resourceType: BROKER, resourceName: target, configurationKeys: keys }])
        }
      }
      await alter(probe, version, BROKER, '9', [['log.retention.ms', SET, '5']])
      await alter(probe, version, BROKER, 'x', [['log.retention.ms', SET, '5']])
    },
  },
  {
    title: 'groups and client metrics change',
    api: 'IncrementalAlterConfigs',
    run: async (probe, version, name) => {
      await alter(probe, version, GROUP, name, [['consumer.session.timeout.ms', SET, '50000']])
      await alter(probe, version, GROUP, name, [['consumer.session.timeout.ms', SET, '1']])
      await alter(probe, version, GROUP, name, [['nope', SET, '1']])
      await alter(probe, version, GROUP, '', [['consumer.session.timeout.ms', SET, '50000']])
      await describe(probe, 4, [{ resourceType: GROUP, resourceName: name, configurationKeys: null }])
      await alter(probe, version, CLIENT_METRICS, name, [['interval.ms', SET, '10000']])
      await alter(probe, version, CLIENT_METRICS, name, [['interval.ms', SET, '1']])
      await alter(probe, version, CLIENT_METRICS, name, [['match', SET, 'client_id=x']])
      await alter(probe, version, CLIENT_METRICS, name, [['match', SET, 'foo=x']])
      await alter(probe, version, CLIENT_METRICS, '', [['interval.ms', SET, '10000']])
      await describe(probe, 4, [{ resourceType: CLIENT_METRICS, resourceName: name, configurationKeys: null }])
      for (const kind of [[GROUP], [CLIENT_METRICS], [99]]) {
        await probe.send('ListConfigResources', 1, { resourceTypes: kind })
      }
      await alter(probe, version, GROUP, name, [['consumer.session.timeout.ms', DELETE, null]])
      await alter(probe, version, CLIENT_METRICS, name, [
        ['interval.ms', DELETE, null],
        ['match', DELETE, null],
      ])
    },
  },
  {
    title: 'all settings of a topic at once',
    api: 'AlterConfigs',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { configs: { 'retention.ms': '1234' } })
      const ask = (resourceName: string, configs: Body[], more: Body = {}) =>
        probe.send('AlterConfigs', version, {
          resources: [{ resourceType: TOPIC, resourceName, configs }],
          validateOnly: false,
          ...more,
        })
      const look = () =>
        describe(probe, 4, [
          { resourceType: TOPIC, resourceName: name, configurationKeys: ['retention.ms', 'segment.bytes'] },
        ])
      await ask(name, [{ name: 'segment.bytes', value: '2097152' }], { validateOnly: true })
      await look()
      await ask(name, [{ name: 'segment.bytes', value: '2097152' }])
      await look()
      await ask(name, [{ name: 'segment.bytes', value: 'x' }])
      await ask(name, [{ name: 'nope', value: 'x' }])
      await ask(name, [{ name: 'retention.ms', value: null }])
      await ask(`${name}-no`, [{ name: 'segment.bytes', value: '2097152' }])
      await ask(name, [])
      await look()
    },
  },
  {
    title: 'resources that have settings',
    api: 'ListConfigResources',
    run: async (probe, version) => {
      await probe.send('ListConfigResources', version, {})
      if (version >= 1) await probe.send('ListConfigResources', version, { resourceTypes: [BROKER, LOGGER] })
    },
  },
]
