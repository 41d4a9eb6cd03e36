import { brokerSettings, topicSettings } from '../../../src/config/settings.ts'
import type { Probe } from '../probe.ts'
import { makeTopic, type Scenario } from '../scenario.ts'

const TOPIC = 2
const BROKER = 4
const CLIENT_METRICS = 16
const GROUP = 32

/** Values of every kind, their bounds, and what is none: each setting is given each of them. */
const VALUES = [
  '',
  '0',
  '1',
  '-1',
  '-2',
  ' 7 ',
  '1000',
  '45000',
  '2097152',
  '2147483647',
  '2147483648',
  '9223372036854775807',
  '9223372036854775808',
  '0.5',
  '1.5',
  '1e3',
  '1L',
  'true',
  'FALSE',
  'yes',
  'x',
  'gzip',
  'Gzip',
  'compact',
  'compact,delete',
  'compact,compact',
  'delete,',
  'CreateTime',
  'latest',
  'by_duration:PT1H',
  'by_duration:1h',
  '*',
  '0:1,1:1',
  'read_committed',
] as const

const GROUP_SETTINGS = [
  'consumer.session.timeout.ms',
  'consumer.heartbeat.interval.ms',
  'share.session.timeout.ms',
  'share.heartbeat.interval.ms',
  'share.record.lock.duration.ms',
  'share.auto.offset.reset',
  'share.isolation.level',
  'streams.session.timeout.ms',
  'streams.heartbeat.interval.ms',
  'streams.num.standby.replicas',
] as const

const METRICS_VALUES = [
  '*',
  'org.apache.kafka.',
  'a,b',
  'client_id=a,client_software_name=b',
  'client_id=[',
  'client_source_port=80',
  'a=b=c',
  '3600000',
  '3600001',
  '100',
  '99',
] as const

/** Each value for the setting, one request each, in validation only: nothing stays. */
async function tryAll(
  probe: Probe,
  resourceType: number,
  resourceName: string,
  name: string,
  values: readonly string[],
) {
  for (const value of values) {
    const configs = [{ name, configOperation: 0, value }]
    const request = { resources: [{ resourceType, resourceName, configs }], validateOnly: true }
    await probe.send('IncrementalAlterConfigs', 1, request, `${name}=${value}`)
  }
}

const lastVersion = { api: 'IncrementalAlterConfigs', from: 1, to: 1 } as const

export const configValueScenarios: readonly Scenario[] = [
  {
    ...lastVersion,
    title: 'every value for every setting of a topic',
    run: async (probe, _, name) => {
      await makeTopic(probe, name)
      for (const setting of Object.keys(topicSettings)) await tryAll(probe, TOPIC, name, setting, VALUES)
    },
  },
  {
    ...lastVersion,
    title: 'every value for every setting of a group and of client metrics',
    run: async (probe, _, name) => {
      for (const setting of GROUP_SETTINGS) await tryAll(probe, GROUP, name, setting, VALUES)
      for (const setting of ['metrics', 'interval.ms', 'match']) {
        await tryAll(probe, CLIENT_METRICS, name, setting, [...VALUES, ...METRICS_VALUES])
      }
    },
  },
  ...['1', ''].map(
    (target): Scenario => ({
      ...lastVersion,
      title: `some values for every setting of ${target === '' ? 'all brokers' : 'a broker'}`,
      run: async (probe) => {
        for (const setting of Object.keys(brokerSettings)) {
          await tryAll(probe, BROKER, target, setting, ['', '-1', '1', '2097152', 'true', 'x'])
        }
      },
    }),
  ),
]
