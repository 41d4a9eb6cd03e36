import { describe, expect, test } from 'vitest'
import { nodeConfig } from '../node-properties.ts'
import { parseClusterRequest, planTable } from './cluster.ts'
import { type ClusterOptions, planCluster } from './plan.ts'

function options(brokers: number, more: Partial<ClusterOptions> = {}): ClusterOptions {
  return { brokers, port: undefined, directory: '/c', settings: new Map(), ...more }
}

describe('the plan of a local cluster', () => {
  test('three nodes: each a broker and a controller, in a rack and a directory of its own', () => {
    const plan = planCluster(options(3), [])
    expect(plan.map(({ properties, ...node }) => node)).toEqual(
      [1, 2, 3].map((id) => ({
        id,
        port: 9091 + id,
        controllerPort: 9191 + id,
        rack: `rack-${id}`,
        directory: `/c/node-${id}`,
        propertiesFile: `/c/node-${id}.properties`,
      })),
    )
    expect(Object.fromEntries(plan[1]!.properties)).toEqual({
      'process.roles': 'broker,controller',
      'node.id': '2',
      listeners: 'PLAINTEXT://127.0.0.1:9093,CONTROLLER://127.0.0.1:9193',
      'controller.listener.names': 'CONTROLLER',
      'controller.quorum.bootstrap.servers': '127.0.0.1:9192,127.0.0.1:9193,127.0.0.1:9194',
      'log.dirs': '/c/node-2',
      'broker.rack': 'rack-2',
      'default.replication.factor': '3',
      'min.insync.replicas': '2',
      'offsets.topic.replication.factor': '3',
      'transaction.state.log.replication.factor': '3',
      'transaction.state.log.min.isr': '2',
      'share.coordinator.state.topic.replication.factor': '3',
      'share.coordinator.state.topic.min.isr': '2',
      'group.initial.rebalance.delay.ms': '0',
    })
  })

  test.each([1, 2, 3, 5, 32])('%i nodes: valid configurations, three controllers at most', (brokers) => {
    const plan = planCluster(options(brokers), [])
    const configs = plan.map(({ properties }) => nodeConfig(properties))
    expect(configs.map(({ nodeId }) => nodeId)).toEqual(plan.map(({ id }) => id))
    expect(configs.filter(({ isController }) => isController)).toHaveLength(Math.min(3, brokers))
    expect(configs.every(({ isBroker }) => isBroker)).toBe(true)
    expect(configs[0]!.get('default.replication.factor')).toBe(Math.min(3, brokers))
    expect(configs[0]!.get('min.insync.replicas')).toBe(brokers >= 3 ? 2 : 1)
    const ports = configs.flatMap(({ listeners }) => listeners.map(({ port }) => port))
    expect(new Set(ports).size).toBe(ports.length)
  })

  test('settings come before what is planned, but for what is different in each node', () => {
    const settings = new Map([
      ['min.insync.replicas', '1'],
      ['num.partitions', '6'],
      ['broker.rack', 'one'],
    ])
    const [, , third] = planCluster(options(3, { settings }), [])
    expect(third!.rack).toBe('one')
    expect(['min.insync.replicas', 'num.partitions'].map((name) => third!.properties.get(name))).toEqual(['1', '6'])
    for (const name of ['node.id', 'log.dirs', 'listeners', 'process.roles', 'controller.quorum.voters']) {
      expect(() => planCluster(options(3, { settings: new Map([[name, 'x']]) }), []), name).toThrow('for each node')
    }
  })

  test('nodes that are known keep roles and ports; new ones are brokers only; none is left out', () => {
    const first = planCluster(options(1, { port: 7000 }), [])
    const grown = planCluster(options(3), first)
    expect(grown.map(({ port, controllerPort }) => [port, controllerPort])).toEqual([
      [7000, 7100],
      [7001, undefined],
      [7002, undefined],
    ])
    expect(grown[2]!.properties.get('controller.quorum.bootstrap.servers')).toBe('127.0.0.1:7100')
    const moved = planCluster(options(3, { port: 8000 }), planCluster(options(3, { port: 7000 }), []))
    expect(moved.map(({ port, controllerPort }) => [port, controllerPort])).toEqual([
      [8000, 7100],
      [8001, 7101],
      [8002, 7102],
    ])
    expect(() => planCluster(options(2), grown)).toThrow('use --brokers 3')
  })

  test('ports that there are not, or that would be needed twice', () => {
    expect(() => planCluster(options(3, { port: 65500 }), [])).toThrow('too high')
    const known = planCluster(options(3, { port: 7000 }), [])
    expect(() => planCluster(options(3, { port: 7100 }), known)).toThrow('port 7100 would be needed twice')
  })

  test('is shown as a table', () => {
    expect(planTable(planCluster(options(4), [])).slice(-2)).toEqual([
      '  3     broker,controller  127.0.0.1:9094  127.0.0.1:9194  rack-3  /c/node-3',
      '  4     broker             127.0.0.1:9095  -               rack-4  /c/node-4',
    ])
  })
})

test('what a command line asks for', () => {
  expect(parseClusterRequest(['--brokers=3', '--port', '0', '--data-dir', 'd', '--override', 'a=b'])).toEqual({
    brokers: 3,
    port: 0,
    directory: 'd',
    overrides: new Map([['a', 'b']]),
  })
  const wrong = [['--brokers', '0'], ['--brokers', '33'], ['--brokers', 'x'], ['--brokers'], ['--brokers', '2', 'f']]
  for (const args of [...wrong, ['--brokers', '2', '--port', '65536']]) {
    expect(() => parseClusterRequest(args), args.join(' ')).toThrow()
  }
})
