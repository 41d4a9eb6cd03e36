import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Broker, newHome } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { eventually } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { type KafkaTool, tool, toolOn } from '../harness/tools.ts'

let broker: Broker
let directories: readonly string[]

beforeAll(async () => {
  const home = await newHome('admin-tools')
  directories = ['one', 'two'].map((name) => join(home.dir, name))
  for (const directory of directories) mkdirSync(directory)
  broker = await startTarget({ home, overrides: { 'log.dirs': directories.join(',') } })
})
afterAll(async () => {
  await broker?.stop()
})

function on(name: KafkaTool, args: readonly string[], stdin?: string): Promise<string> {
  return toolOn(broker, name, args, stdin === undefined ? {} : { stdin })
}

function jsonFile(content: unknown): string {
  const path = join(freshDir('admin-tools'), 'plan.json')
  writeFileSync(path, JSON.stringify(content))
  return path
}

describe('kafka-configs: quotas', () => {
  test.each([
    ['clients', 'app', 'request_percentage=250', "Quota configs for client-id 'app' are request_percentage=250.0"],
    [
      'ips',
      '127.0.0.9',
      'connection_creation_rate=50',
      "Quota configs for ip '127.0.0.9' are connection_creation_rate=50.0",
    ],
  ])('of %s', async (type, name, quota, described) => {
    const who = ['--entity-type', type, '--entity-name', name]
    await on('kafka-configs', [...who, '--alter', '--add-config', quota])
    expect(await on('kafka-configs', [...who, '--describe'])).toContain(described)
    await on('kafka-configs', [...who, '--alter', '--delete-config', quota.split('=')[0]!])
    expect(await on('kafka-configs', [...who, '--describe'])).not.toContain('are')
  })

  // Of a user alone the tool also asks for passwords (SCRAM).
  test('of a user with a client, and the default', async () => {
    const who = ['--entity-type', 'users', '--entity-name', 'bob', '--entity-type', 'clients', '--entity-default']
    await on('kafka-configs', [...who, '--alter', '--add-config', 'consumer_byte_rate=5'])
    expect(await on('kafka-configs', [...who, '--describe'])).toContain(
      "Quota configs for user-principal 'bob', the default client-id are consumer_byte_rate=5.0",
    )
  })
})

describe('kafka-configs and kafka-client-metrics: groups, subscriptions, loggers', () => {
  test('configs of a group', async () => {
    const group = ['--entity-type', 'groups', '--entity-name', 'g']
    await on('kafka-configs', [...group, '--alter', '--add-config', 'consumer.session.timeout.ms=46000'])
    expect(await on('kafka-configs', [...group, '--describe'])).toContain('consumer.session.timeout.ms=46000')
  })

  test('a subscription to client metrics: made, listed, described, deleted', async () => {
    await on('kafka-client-metrics', ['--alter', '--name', 'sub', '--metrics', 'org.apache', '--interval', '1000'])
    expect(await on('kafka-client-metrics', ['--list'])).toContain('sub')
    const described = await on('kafka-client-metrics', ['--describe', '--name', 'sub'])
    expect(described).toContain('interval.ms=1000')
    expect(described).toContain('metrics=org.apache')
    const viaConfigs = ['--entity-type', 'client-metrics', '--entity-name', 'sub', '--describe']
    expect(await on('kafka-configs', viaConfigs)).toContain('interval.ms=1000')
    await on('kafka-client-metrics', ['--delete', '--name', 'sub'])
    expect(await on('kafka-client-metrics', ['--list'])).not.toContain('sub')
  })
})

describe('kafka-features', () => {
  test('downgrade and upgrade of a feature, and what is not possible', async () => {
    await on('kafka-features', ['downgrade', '--feature', 'transaction.version=1'])
    expect(await on('kafka-features', ['describe'])).toMatch(
      /Feature: transaction.version\s+SupportedMinVersion: 0\s+SupportedMaxVersion: 2\s+FinalizedVersionLevel: 1/,
    )
    await on('kafka-features', ['upgrade', '--feature', 'transaction.version=2', '--dry-run'])
    expect(await on('kafka-features', ['describe'])).toMatch(/transaction.version.*FinalizedVersionLevel: 1/)
    await on('kafka-features', ['upgrade', '--feature', 'transaction.version=2'])
    expect(await on('kafka-features', ['describe'])).toMatch(/transaction.version.*FinalizedVersionLevel: 2/)
    await expect(on('kafka-features', ['downgrade', '--metadata', '3.3-IV3'])).rejects.toThrow(/downgrade/i)
  })
})

describe('kafka-leader-election, kafka-reassign-partitions and kafka-log-dirs', () => {
  test('an election that is not needed', async () => {
    await on('kafka-topics', ['--create', '--topic', 'elected', '--partitions', '2'])
    const args = ['--election-type', 'preferred', '--topic', 'elected', '--partition', '0']
    expect(await on('kafka-leader-election', args)).toContain('Valid replica already elected for partitions elected-0')
    expect(await on('kafka-leader-election', ['--election-type', 'preferred', '--all-topic-partitions'])).toBe('')
  })

  test('partitions are spread over the log directories, and one moves to the other with all its records', async () => {
    await on('kafka-topics', ['--create', '--topic', 'moved', '--partitions', '2'])
    const lines = Array.from({ length: 500 }, (_, index) => `${index}:${'x'.repeat(2000)}`)
    await on('kafka-console-producer', ['--topic', 'moved', '--reader-property', 'parse.key=false'], lines.join('\n'))
    const before = await directoriesOf('moved')
    expect(new Set(before.values()).size).toBe(2)
    const to = directories.find((directory) => directory !== before.get(0))!
    const plan = { version: 1, partitions: [{ topic: 'moved', partition: 0, replicas: [1], log_dirs: [to] }] }
    const file = ['--reassignment-json-file', jsonFile(plan)]
    expect(await on('kafka-reassign-partitions', [...file, '--execute'])).toContain('Successfully started')
    await eventually(
      'the move is over',
      20_000,
      async () =>
        (await on('kafka-reassign-partitions', [...file, '--verify'])).includes('completed successfully') || undefined,
    )
    expect((await directoriesOf('moved')).get(0)).toBe(to)
    const read = ['--topic', 'moved', '--from-beginning', '--max-messages', '500', '--timeout-ms', '20000']
    const values = (await on('kafka-console-consumer', read)).trim().split('\n')
    expect(new Set(values)).toEqual(new Set(lines))
    expect(await on('kafka-reassign-partitions', ['--list'])).toContain('No partition reassignments found.')
  })

  test('a move to a broker that is not there is refused', async () => {
    const plan = { version: 1, partitions: [{ topic: 'elected', partition: 0, replicas: [7] }] }
    await expect(
      on('kafka-reassign-partitions', ['--reassignment-json-file', jsonFile(plan), '--execute']),
    ).rejects.toThrow(/7/)
  })
})

/** The log directory of each partition, as kafka-log-dirs tells. */
async function directoriesOf(topic: string): Promise<Map<number, string>> {
  const output = await on('kafka-log-dirs', ['--describe', '--topic-list', topic])
  const { brokers } = JSON.parse(output.split('\n').find((line) => line.startsWith('{'))!)
  const found = new Map<number, string>()
  for (const { logDir, partitions } of brokers[0].logDirs) {
    for (const { partition, isFuture } of partitions) {
      if (!isFuture) found.set(Number(partition.split('-').at(-1)), logDir)
    }
  }
  return found
}

test('kafka-cluster: a broker that is not registered cannot be taken out', async () => {
  await expect(
    tool('kafka-cluster', ['unregister', '--bootstrap-server', broker.bootstrap, '--id', '9']),
  ).rejects.toThrow(/not currently registered/)
})

test('kafka-broker-api-versions shows no API that it does not know', async () => {
  const output = await on('kafka-broker-api-versions', [])
  expect(output).toMatch(/AlterReplicaLogDirs\(34\): 1 to 2/)
  expect(output).toMatch(/AlterClientQuotas\(49\): 0 to 1/)
  expect(output).not.toContain('UNKNOWN')
})
