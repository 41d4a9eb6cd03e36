import { describe, expect, test } from 'vitest'
import { BrokerConfig } from './broker-config.ts'
import { checkClientMetricsConfigs } from './client-metrics-config.ts'
import {
  ConfigSource,
  describeBroker,
  describeBrokerDefaults,
  describeClientMetrics,
  describeGroup,
  describeTopic,
} from './describe.ts'
import { checkDynamicConfigs } from './dynamic-checks.ts'
import { checkGroupConfigs, groupValue } from './group-config.ts'
import { checkTopicConfigs, resolveTopicConfig } from './topic-config.ts'

const map = (record: Record<string, string>) => new Map(Object.entries(record))
const ALONE = {
  'node.id': '1',
  'process.roles': 'broker,controller',
  listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
  'controller.listener.names': 'CONTROLLER',
  'controller.quorum.bootstrap.servers': '127.0.0.1:9093',
}
const config = (more: Record<string, string> = {}) => new BrokerConfig(map({ ...ALONE, ...more }))
const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  return 'accepted'
}

describe('a node', () => {
  test('knows what it is and where it listens', () => {
    const node = config({ 'broker.rack': 'r1', 'log.dirs': '/a, /b', 'metadata.log.dir': '/c' })
    expect([node.nodeId, node.isBroker, node.isController, node.rack]).toEqual([1, true, true, 'r1'])
    expect([node.logDirs, node.metadataLogDir, node.allDirs]).toEqual([['/a', '/b'], '/c', ['/a', '/b', '/c']])
    expect(node.dataListeners.map((endpoint) => endpoint.name)).toEqual(['PLAINTEXT'])
    expect(node.controllerListeners.map((endpoint) => endpoint.port)).toEqual([9093])
    expect(node.interBrokerListener).toEqual({ name: 'PLAINTEXT', securityProtocol: 'PLAINTEXT' })
  })

  test('listens on loopback unless its config says where', () => {
    const voters = { 'controller.quorum.bootstrap.servers': 'other:9093' }
    const { listeners: _, ...rest } = ALONE
    const broker = new BrokerConfig(map({ ...rest, ...voters, 'process.roles': 'broker' }))
    expect(broker.listeners).toEqual([
      { name: 'PLAINTEXT', host: '127.0.0.1', port: 9092, securityProtocol: 'PLAINTEXT' },
    ])
    expect(config({ listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093' }).listeners[0]!.host).toBe('')
  })

  test('takes broker.id for node.id', () => {
    const { 'node.id': _, ...rest } = ALONE
    expect(new BrokerConfig(map({ ...rest, 'broker.id': '7' })).nodeId).toBe(7)
    expect(refusal(() => config({ 'broker.id': '7' }))).toBe('You must set `node.id` to the same value as `broker.id`.')
  })

  test('advertises its controller listener where the fixed voters say it is', () => {
    const node = config({
      listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      'controller.quorum.voters': '1@node1:9999,2@node2:9999',
    })
    expect(node.advertisedControllerListeners).toEqual([
      { name: 'CONTROLLER', host: 'node1', port: 9999, securityProtocol: 'PLAINTEXT' },
    ])
  })

  test('a listener has limits of its own, or those of all, and they can be changed while the broker runs', () => {
    const name = 'listener.name.inside.max.connections'
    const node = config({ 'max.connections': '7', [name]: '3' })
    const limits = () => ['INSIDE', 'OTHER'].map((listener) => node.forListener(listener, 'max.connections'))
    expect(limits()).toEqual([3, 7])
    expect(node.unusedNames()).toEqual({ ignored: [], unknown: [] })
    node.applyDynamic(new Map([['max.connections', '9']]), new Map([[name, '4']]))
    expect(limits()).toEqual([4, 9])
    expect(node.applyDynamic(new Map(), new Map([[name, 'x']])).ignored).toMatchObject([{ name }])
    expect(refusal(() => config({ [name]: '-1' }))).toContain(name)
  })

  test('names of listeners are of any case, but not in controller.listener.names, as in Apache Kafka', () => {
    const node = config({
      listeners: 'internal://127.0.0.1:9092,controller://127.0.0.1:9093',
      'listener.security.protocol.map': 'internal:PLAINTEXT,Controller:plaintext',
      'inter.broker.listener.name': 'Internal',
    })
    expect(node.listeners.map((endpoint) => endpoint.name)).toEqual(['INTERNAL', 'CONTROLLER'])
    expect(refusal(() => config({ 'controller.listener.names': 'controller' }))).toContain(
      'No security protocol defined for listener CONTROLLER',
    )
  })

  test.each([
    [{ 'num.io.threads': '0' }, 'Invalid value 0 for configuration num.io.threads: Value must be at least 1'],
    [{ 'log.retention.ms': '0' }, 'log.retention.ms must be unlimited (-1) or, greater than or equal to 1'],
    [
      { 'controller.quorum.bootstrap.servers': '' },
      'If using process.roles, either controller.quorum.bootstrap.servers',
    ],
    [{ 'controller.quorum.voters': '2@a:1' }, 'the node id 1 must be included in the set of voters'],
    [{ 'process.roles': 'broker' }, "must not contain a value appearing in the 'listeners' configuration"],
    [{ 'process.roles': 'controller' }, 'must only contain KRaft controller listeners'],
    [{ listeners: 'PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093' }, 'cannot use the nonroutable meta-address 0.0.0.0'],
    [{ listeners: 'PLAINTEXT://:9092,CONTROLLER://:9092' }, 'Each listener must have a different port'],
    [{ listeners: 'PLAINTEXT://:9092,PLAINTEXT://:9093' }, 'Each listener must have a different name'],
    [{ listeners: 'PLAINTEXT:9092' }, 'Unable to parse PLAINTEXT:9092 to a broker endpoint'],
    [{ listeners: 'INSIDE://:9092,CONTROLLER://:9093' }, 'No security protocol defined for listener INSIDE'],
    [{ 'listener.security.protocol.map': 'PLAINTEXT:TLS' }, 'Invalid security protocol `TLS` defined in'],
    [{ 'inter.broker.listener.name': 'EXTERNAL' }, 'Listener with name EXTERNAL defined in inter.broker.listener.name'],
    [{ 'advertised.listeners': 'SSL://h:1' }, 'inter.broker.listener.name must be a listener name defined in'],
    [{ 'queued.max.request.bytes': '5' }, 'must be larger or equal to socket.request.max.bytes'],
    [{ 'max.connections.per.ip': '0' }, 'can be set to zero only if max.connections.per.ip.overrides'],
    [{ 'group.coordinator.rebalance.protocols': 'consumer' }, "Disabling the 'CLASSIC' protocol is not supported."],
    [
      { 'group.consumer.session.timeout.ms': '90000' },
      'group.consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms',
    ],
  ])('refuses %j', (properties, message) => {
    expect(refusal(() => config(properties as Record<string, string>))).toContain(message)
  })

  test('must have an id, roles and controller listeners', () => {
    for (const name of ['node.id', 'process.roles', 'controller.listener.names'] as const) {
      const { [name]: _, ...rest } = ALONE
      expect(refusal(() => new BrokerConfig(map(rest)))).toBe(
        `Missing required configuration "${name}" which has no default value.`,
      )
    }
  })

  test('an IPv4 and an IPv6 listener may share a port (KIP-797)', () => {
    const listeners = 'PLAINTEXT://127.0.0.1:9092,OTHER://[::1]:9092,CONTROLLER://127.0.0.1:9093'
    const node = config({
      listeners,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    })
    expect(node.listeners[1]).toEqual({ name: 'OTHER', host: '::1', port: 9092, securityProtocol: 'PLAINTEXT' })
  })

  test('tells settings without effect from names that nobody knows', () => {
    const node = config({
      'num.io.threads': '3',
      'zookeeper.connect': 'x',
      'super.users': 'User:a',
      'log.retention.ms': '5',
    })
    expect(node.unusedNames()).toEqual({ ignored: ['num.io.threads', 'super.users'], unknown: ['zookeeper.connect'] })
  })
})

describe('dynamic configs', () => {
  test('lie over the file, the broker over the cluster, and hide synonyms below', () => {
    const node = config({ 'log.retention.ms': '1000', 'message.max.bytes': '10' })
    const update = node.applyDynamic(
      map({ 'message.max.bytes': '20', 'log.segment.bytes': '2000000' }),
      map({ 'message.max.bytes': '30' }),
    )
    expect([...update.changed].sort()).toEqual(['log.segment.bytes', 'message.max.bytes'])
    expect(node.get('message.max.bytes')).toBe(30)
    expect(node.get('log.segment.bytes')).toBe(2000000)
    node.applyDynamic(new Map(), new Map())
    expect(node.get('message.max.bytes')).toBe(10)
  })

  test('that cannot be applied are left out and named', () => {
    const node = config()
    const { ignored } = node.applyDynamic(map({ 'message.max.bytes': 'big', 'num.partitions': '4' }), new Map())
    expect(ignored.map((entry) => entry.name)).toEqual(['message.max.bytes', 'num.partitions'])
    expect(node.get('num.partitions')).toBe(1)
  })

  test.each([
    [{ 'num.partitions': '4' }, true, 'Cannot update these configs dynamically: [num.partitions]'],
    [{ 'ssl.keystore.type': 'PEM' }, true, 'only per-listener using the listener prefix: [ssl.keystore.type]'],
    [{ 'cordoned.log.dirs': '/a' }, false, 'broker id must be specified: [cordoned.log.dirs]'],
    [
      { 'listener.name.x.ssl.keystore.type': 'PEM' },
      false,
      'broker id must be specified: [listener.name.x.ssl.keystore.type]',
    ],
    [
      { 'log.retention.ms': 'x' },
      false,
      'Invalid value x for configuration log.retention.ms: Not a number of type LONG',
    ],
    [{ 'log.retention.ms': '0' }, false, 'log.retention.ms must be unlimited (-1) or, greater than or equal to 1'],
    [{ 'max.connections': '5', 'leader.replication.throttled.rate': '1' }, false, 'accepted'],
    [{ 'made.up': 'x' }, false, 'accepted'],
    [{ 'num.io.threads': '4' }, false, 'accepted'],
    [{ 'num.io.threads': '16' }, false, 'accepted'],
    [{ 'num.io.threads': '3' }, false, 'num.io.threads=3, value should be at least half the current value 8'],
    [{ 'num.io.threads': '17' }, false, 'num.io.threads=17, value should not be greater than double the current'],
    [{ 'log.local.retention.ms': '604800000' }, false, 'accepted'],
    [{ 'log.local.retention.ms': '604800001' }, false, 'Value must not be more than log.retention.ms property value'],
    [{ 'log.local.retention.ms': '-1' }, false, 'Value must not be -1 as log.retention.ms value is set as 604800000'],
    [{ 'log.local.retention.bytes': '-1' }, false, 'accepted'],
    [{ 'log.local.retention.bytes': '9', 'log.retention.bytes': '8' }, false, 'Value must not be more than'],
  ])('%j', (properties, perBroker, message) => {
    const node = config()
    expect(refusal(() => checkDynamicConfigs(map(properties as Record<string, string>), perBroker, node))).toContain(
      message,
    )
  })
})

describe('topics', () => {
  test('take their values from the broker, converted', () => {
    const node = config({ 'log.retention.minutes': '2', 'log.roll.hours': '1', 'log.flush.scheduler.interval.ms': '7' })
    const topic = resolveTopicConfig(new Map(), node)
    expect([topic.retentionMs, topic.segmentMs, topic.flushMs]).toEqual([120_000, 3_600_000, 7])
    expect(resolveTopicConfig(map({ 'retention.ms': '5', 'cleanup.policy': 'compact' }), node)).toMatchObject({
      retentionMs: 5,
      compact: true,
      deleteOld: false,
      flushMessages: Number.POSITIVE_INFINITY,
    })
  })

  test('any negative retention of the broker is no limit', () => {
    expect(resolveTopicConfig(new Map(), config({ 'log.retention.ms': '-5' })).retentionMs).toBe(-1)
    expect(resolveTopicConfig(new Map(), config({ 'log.retention.hours': '-1' })).retentionMs).toBe(-1)
  })

  test.each([
    [{ nonsense: '1' }, 'Unknown topic config name: nonsense'],
    [{ constructor: '1' }, 'Unknown topic config name: constructor'],
    [
      { 'min.compaction.lag.ms': '20', 'max.compaction.lag.ms': '10' },
      'conflict topic config setting min.compaction.lag.ms (20) > max.compaction.lag.ms (10)',
    ],
    [{ 'remote.storage.enable': 'true' }, 'Tiered Storage functionality is disabled in the broker.'],
    [{ 'segment.bytes': '100' }, 'Value must be at least 1048576'],
    [{ 'internal.segment.bytes': '100' }, 'accepted'],
  ])('%j', (properties, message) => {
    expect(refusal(() => checkTopicConfigs(map(properties as Record<string, string>), config()))).toContain(message)
  })
})

describe('groups and metrics subscriptions', () => {
  test('a group takes its values from the broker, within its bounds', () => {
    const node = config()
    expect(groupValue('consumer.session.timeout.ms', new Map(), node)).toBe(45000)
    const check = (record: Record<string, string>) => refusal(() => checkGroupConfigs(map(record), node))
    expect(check({ 'consumer.session.timeout.ms': '50000' })).toBe('accepted')
    expect(check({ 'consumer.session.timeout.ms': '70000' })).toBe(
      'consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms',
    )
    expect(check({ 'streams.num.standby.replicas': '3' })).toContain('group.streams.max.standby.replicas')
    expect(check({ other: '3' })).toBe('Unknown group config name: other')
  })

  test('a subscription has patterns of known selectors', () => {
    const check = (record: Record<string, string>) => refusal(() => checkClientMetricsConfigs('s', map(record)))
    expect(check({ match: 'client_id=a.*', 'interval.ms': '100' })).toBe('accepted')
    expect(check({ 'interval.ms': '99' })).toContain('interval must be between 100 and 3600000')
    for (const match of ['user=a', 'client_id', 'client_id=', 'client_id=[']) {
      expect(check({ match })).toBe(`Illegal client matching pattern: ${match}`)
    }
  })
})

describe('descriptions', () => {
  const find = <T extends { name: string }>(entries: readonly T[], name: string) =>
    entries.find((entry) => entry.name === name)

  test('a topic names the broker setting behind a value, and its own first', () => {
    const node = config({ 'log.retention.hours': '2', 'log.retention.ms': ' 5 ' })
    expect(find(describeTopic(new Map(), node), 'retention.ms')).toMatchObject({
      value: '5',
      source: ConfigSource.staticBroker,
      synonyms: [
        { name: 'log.retention.ms', value: ' 5 ', source: ConfigSource.staticBroker },
        { name: 'log.retention.hours', value: '2', source: ConfigSource.staticBroker },
        { name: 'log.retention.hours', value: '168', source: ConfigSource.default },
      ],
    })
    const own = find(describeTopic(map({ 'segment.bytes': '2000000' }), node), 'segment.bytes')
    expect(own).toMatchObject({ value: '2000000', source: ConfigSource.topic, readOnly: false, type: 3 })
    expect(own!.synonyms.map((synonym) => synonym.source)).toEqual([ConfigSource.topic, ConfigSource.default])
  })

  test('a weaker synonym alone is not shown as the source, as in Apache Kafka', () => {
    expect(find(describeTopic(new Map(), config({ 'log.retention.hours': '2' })), 'retention.ms')).toMatchObject({
      value: '7200000',
      source: ConfigSource.default,
      synonyms: [],
    })
  })

  test('a broker shows the whole table, and never a secret', () => {
    const node = config({ 'ssl.key.password': 'hidden', 'my.plugin': 'x', 'listener.name.a.ssl.protocol': 'TLSv1.2' })
    const entries = describeBroker(node)
    expect(entries.length).toBe(340 + 2)
    expect(JSON.stringify(entries)).not.toContain('hidden')
    expect(find(entries, 'ssl.key.password')).toMatchObject({
      isSensitive: true,
      value: null,
      source: ConfigSource.staticBroker,
    })
    expect(find(entries, 'my.plugin')).toMatchObject({ isSensitive: true, value: null, readOnly: true, type: 0 })
    expect(find(entries, 'listener.name.a.ssl.protocol')).toMatchObject({
      value: 'TLSv1.2',
      type: 2,
      isSensitive: false,
    })
    expect(find(entries, 'broker.id')).toMatchObject({ value: '1', source: ConfigSource.staticBroker })
  })

  test('dynamic configs of the cluster are a resource of their own', () => {
    const node = config()
    node.applyDynamic(map({ 'message.max.bytes': '20' }), map({ 'message.max.bytes': '30' }))
    expect(describeBrokerDefaults(node)).toMatchObject([
      { name: 'message.max.bytes', value: '20', source: ConfigSource.dynamicDefaultBroker },
    ])
    expect(find(describeBroker(node), 'message.max.bytes')!.synonyms.map((synonym) => synonym.source)).toEqual([
      ConfigSource.dynamicBroker,
      ConfigSource.dynamicDefaultBroker,
      ConfigSource.default,
    ])
  })

  test('groups and subscriptions', () => {
    const group = describeGroup(map({ 'share.isolation.level': 'read_committed' }), config())
    expect(group.length).toBe(17)
    expect(find(group, 'share.isolation.level')).toMatchObject({ value: 'read_committed', source: ConfigSource.group })
    expect(find(group, 'consumer.session.timeout.ms')!.synonyms).toEqual([
      { name: 'group.consumer.session.timeout.ms', value: '45000', source: ConfigSource.default },
    ])
    expect(describeClientMetrics(map({ metrics: '*' })).map((entry) => entry.source)).toEqual([
      ConfigSource.default,
      ConfigSource.default,
      ConfigSource.clientMetrics,
    ])
  })
})
