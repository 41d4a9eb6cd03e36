import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { type Daemon, eventually } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { type KafkaTool, tool, toolDaemon, toolOn } from '../harness/tools.ts'

let broker: Broker
const daemons: Daemon[] = []
beforeAll(async () => {
  broker = await startTarget()
})
afterAll(async () => {
  for (const daemon of daemons) await daemon.end('SIGKILL', 10_000)
  await broker?.stop()
})

function on(name: KafkaTool, args: readonly string[], stdin?: string): Promise<string> {
  return toolOn(broker, name, args, stdin === undefined ? {} : { stdin })
}

async function start(name: KafkaTool, args: readonly string[]): Promise<Daemon> {
  const daemon = await toolDaemon(name, ['--bootstrap-server', broker.bootstrap, ...args])
  daemons.push(daemon)
  return daemon
}

/** The columns of the lines that have as many as `header`, keyed by it: the tables of the tools. */
function table(output: string, header: string): Array<Record<string, string>> {
  const names = header.split(' ')
  const rows = output.split('\n').map((line) => line.trim().split(/\s+/))
  const wanted = rows.filter((row) => row.length === names.length && row.join(' ') !== header)
  return wanted.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]!])))
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i))

describe('kafka-topics and kafka-configs', () => {
  test('create, describe, add partitions, list, delete', async () => {
    const created = await on('kafka-topics', [
      '--create',
      '--topic',
      'made',
      '--partitions',
      '2',
      '--config',
      'retention.ms=7200000',
    ])
    expect(created).toContain('Created topic made.')
    await on('kafka-topics', ['--alter', '--topic', 'made', '--partitions', '3'])
    const described = await on('kafka-topics', ['--describe', '--topic', 'made'])
    expect(described).toMatch(
      /Topic: made\s+TopicId: \S{22}\s+PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention.ms=7200000/,
    )
    for (const partition of [0, 1, 2]) {
      expect(described).toMatch(
        new RegExp(`Topic: made\\s+Partition: ${partition}\\s+Leader: 1\\s+Replicas: 1\\s+Isr: 1`),
      )
    }
    expect((await on('kafka-topics', ['--list'])).split('\n')).toContain('made')
    await on('kafka-topics', ['--delete', '--topic', 'made'])
    expect((await on('kafka-topics', ['--list'])).split('\n')).not.toContain('made')
  })

  test('configs of a topic and of a broker: set, read back with their sources, delete', async () => {
    await on('kafka-topics', ['--create', '--topic', 'tuned', '--partitions', '1'])
    const topic = ['--entity-type', 'topics', '--entity-name', 'tuned']
    const broker1 = ['--entity-type', 'brokers', '--entity-name', '1']
    expect(
      await on('kafka-configs', [
        ...topic,
        '--alter',
        '--add-config',
        'segment.bytes=2097152,cleanup.policy=[compact,delete]',
      ]),
    ).toContain('Completed updating config for topic tuned.')
    const set = await on('kafka-configs', [...topic, '--describe'])
    expect(set).toContain(
      'segment.bytes=2097152 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:segment.bytes=2097152, DEFAULT_CONFIG:log.segment.bytes=1073741824}',
    )
    expect(set).toContain('cleanup.policy=compact,delete')
    await on('kafka-configs', [...topic, '--alter', '--delete-config', 'segment.bytes'])
    expect(await on('kafka-configs', [...topic, '--describe'])).not.toContain('segment.bytes')
    await on('kafka-configs', [...broker1, '--alter', '--add-config', 'log.retention.ms=86400000'])
    const all = await on('kafka-configs', [...broker1, '--describe', '--all'])
    expect(all).toContain(
      'log.retention.ms=86400000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=86400000',
    )
    expect(all).toContain('node.id=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:node.id=1}')
    expect(all).toContain('num.partitions=1 sensitive=false synonyms={DEFAULT_CONFIG:num.partitions=1}')
  })
})

describe('kafka-console-producer and kafka-console-consumer', () => {
  test('keys, null values and headers', async () => {
    await on('kafka-topics', ['--create', '--topic', 'console', '--partitions', '1'])
    const reader = [
      '--reader-property',
      'parse.key=true',
      '--reader-property',
      'parse.headers=true',
      '--reader-property',
      'null.marker=NULL',
    ]
    const stdin = 'a:1,b:2\tk0\tv0\nNULL\tk1\tNULL\nc:3\tNULL\tv2\n'
    await on('kafka-console-producer', ['--topic', 'console', '--compression-codec', 'zstd', ...reader], stdin)
    const formatter = [
      'print.key=true',
      'print.headers=true',
      'print.offset=true',
      'print.partition=true',
      'null.literal=NULL',
    ]
    const read = await on('kafka-console-consumer', [
      ...['--topic', 'console', '--from-beginning', '--max-messages', '3', '--timeout-ms', '20000'],
      ...formatter.flatMap((property) => ['--formatter-property', property]),
    ])
    expect(read.trim().split('\n')).toEqual([
      'Partition:0\tOffset:0\ta:1,b:2\tk0\tv0',
      'Partition:0\tOffset:1\tNO_HEADERS\tk1\tNULL',
      'Partition:0\tOffset:2\tc:3\tNULL\tv2',
    ])
  })
})

const groupHeader = 'GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID'

describe('kafka-consumer-groups', () => {
  const topic = 'grouped'
  const group = 'console-group'
  const describeGroup = async () =>
    table(await on('kafka-consumer-groups', ['--describe', '--group', group]), groupHeader)

  test('describes a live group: members, committed offsets, lag', async () => {
    await on('kafka-topics', ['--create', '--topic', topic, '--partitions', '2'])
    const keyed = numbers(0, 100).map((i) => `key-${i}\tvalue-${i}\n`)
    await on('kafka-console-producer', ['--topic', topic, '--reader-property', 'parse.key=true'], keyed.join(''))
    const commit = [
      '--command-property',
      'auto.commit.interval.ms=100',
      '--command-property',
      'heartbeat.interval.ms=300',
    ]
    const consumer = await start('kafka-console-consumer', [
      '--topic',
      topic,
      '--group',
      group,
      '--from-beginning',
      ...commit,
    ])
    await eventually(
      'all consumed',
      30_000,
      async () => consumer.output('stdout').split('\n').length > 100 || undefined,
    )
    const rows = await eventually('all committed', 30_000, async () => {
      const now = await describeGroup()
      return now.length === 2 && now.every((row) => row.LAG === '0') ? now : undefined
    })
    expect(rows.map((row) => row.PARTITION).sort()).toEqual(['0', '1'])
    expect(rows.reduce((sum, row) => sum + Number(row['CURRENT-OFFSET']), 0)).toBe(100)
    expect(new Set(rows.map((row) => row['CLIENT-ID']))).toEqual(new Set(['console-consumer']))
    expect(new Set(rows.map((row) => row.HOST))).toEqual(new Set(['/127.0.0.1']))
    const state = await on('kafka-consumer-groups', ['--describe', '--group', group, '--state'])
    expect(state).toMatch(/console-group\s+127\.0\.0\.1:\d+\s+\(1\)\s+range\s+Stable\s+1/)
    const members = await on('kafka-consumer-groups', ['--describe', '--group', group, '--members', '--verbose'])
    expect(members).toMatch(
      /console-group\s+console-consumer-\S+\s+\/127\.0\.0\.1\s+console-consumer\s+2\s.*grouped:0,1/,
    )
    const groups = await on('kafka-groups', ['--list'])
    expect(groups).toMatch(/console-group\s+Classic\s+consumer/)
    await consumer.end('SIGTERM', 20_000)
  })

  test('resets the offsets of an empty group, and a consumer starts there', async () => {
    await eventually('the group is empty', 20_000, async () => {
      const listed = await on('kafka-consumer-groups', ['--list', '--state'])
      return /console-group\s+Empty/.test(listed) || undefined
    })
    const reset = ['--reset-offsets', '--group', group, '--topic', topic, '--to-offset', '5', '--execute']
    const rows = table(await on('kafka-consumer-groups', reset), 'GROUP TOPIC PARTITION NEW-OFFSET')
    expect(rows.map((row) => `${row.PARTITION}:${row['NEW-OFFSET']}`).sort()).toEqual(['0:5', '1:5'])
    const lag = (await describeGroup()).reduce((sum, row) => sum + Number(row.LAG), 0)
    expect(lag).toBe(90)
    const read = await on('kafka-console-consumer', [
      ...['--topic', topic, '--group', group, '--max-messages', String(lag), '--timeout-ms', '20000'],
    ])
    expect(read.trim().split('\n').length).toBe(lag)
  })

  test('deletes the offsets of a topic, and the group', async () => {
    const deleted = await on('kafka-consumer-groups', ['--delete-offsets', '--group', group, '--topic', topic])
    expect(deleted).toMatch(/grouped\s+0\s+Successful/)
    // A group without members and offsets may be gone already: this one is given an offset first.
    await on('kafka-consumer-groups', [
      '--reset-offsets',
      '--group',
      group,
      '--topic',
      topic,
      '--to-earliest',
      '--execute',
    ])
    expect(await on('kafka-consumer-groups', ['--delete', '--group', group])).toContain('was successful')
    expect(await on('kafka-consumer-groups', ['--list'])).not.toContain(group)
  })
})

describe('offsets and records', () => {
  test('kafka-get-offsets and kafka-delete-records', async () => {
    await on('kafka-topics', ['--create', '--topic', 'cut', '--partitions', '1'])
    await on('kafka-console-producer', ['--topic', 'cut'], `${numbers(0, 50).join('\n')}\n`)
    const offsetAt = async (time: string) => (await on('kafka-get-offsets', ['--topic', 'cut', '--time', time])).trim()
    expect(await offsetAt('-1')).toBe('cut:0:50')
    expect(await offsetAt('-2')).toBe('cut:0:0')
    expect(await offsetAt('-3')).toMatch(/^cut:0:\d+$/)
    const file = join(freshDir('delete-records'), 'offsets.json')
    writeFileSync(file, JSON.stringify({ partitions: [{ topic: 'cut', partition: 0, offset: 20 }], version: 1 }))
    expect(await on('kafka-delete-records', ['--offset-json-file', file])).toContain(
      'partition: cut-0\tlow_watermark: 20',
    )
    expect(await offsetAt('-2')).toBe('cut:0:20')
    const read = await on('kafka-console-consumer', [
      '--topic',
      'cut',
      '--from-beginning',
      '--max-messages',
      '30',
      '--timeout-ms',
      '20000',
    ])
    expect(read.trim().split('\n')).toEqual(numbers(20, 50))
  })

  test('kafka-log-dirs gives each partition with its size', async () => {
    const output = await on('kafka-log-dirs', ['--describe', '--topic-list', 'cut,console'])
    const { brokers } = JSON.parse(output.split('\n').find((line) => line.startsWith('{'))!)
    expect(brokers).toHaveLength(1)
    const [dir] = brokers[0].logDirs
    expect(dir).toMatchObject({ error: null, logDir: broker.dataDir })
    const sizes = new Map(
      dir.partitions.map((entry: { partition: string; size: number }) => [entry.partition, entry.size]),
    )
    expect([...sizes.keys()].sort()).toEqual(['console-0', 'cut-0'])
    expect(sizes.get('console-0')).toBeGreaterThan(60)
  })
})

describe('the cluster', () => {
  test('kafka-broker-api-versions: the node and its APIs', async () => {
    const output = await on('kafka-broker-api-versions', [])
    expect(output).toMatch(/^127\.0\.0\.1:\d+ \(id: 1 rack: null isFenced: false\) -> \(/m)
    expect(output).toMatch(/Fetch\(1\): \d+ to 18 \[usable: 18\]/)
    expect(output).toMatch(/Metadata\(3\): \d+ to 13 \[usable: 13\]/)
    expect(output).toMatch(/Produce\(0\): 0 to 13 \[usable: 13\]/)
  })

  test('kafka-metadata-quorum: one voter, which leads', async () => {
    const status = await on('kafka-metadata-quorum', ['describe', '--status'])
    expect(status).toMatch(/LeaderId:\s+1\b/)
    expect(status).toMatch(/HighWatermark:\s+[1-9]\d*/)
    expect(status).toMatch(
      /CurrentVoters:\s+\[\{"id": 1, "directoryId": "\S{22}", "endpoints": \["CONTROLLER:\/\/127\.0\.0\.1:\d+"\]\}\]/,
    )
    const replication = await on('kafka-metadata-quorum', ['describe', '--replication'])
    expect(replication).toMatch(/^1\s+\S{22}\s+\d+\s+0\s+-?\d+\s+-?\d+\s+Leader/m)
  })

  test('kafka-features: the levels of 4.3', async () => {
    const output = await on('kafka-features', ['describe'])
    expect(output).toMatch(/Feature: metadata\.version\s.*FinalizedVersionLevel: 4\.3-IV0/)
    expect(output).toMatch(/Feature: transaction\.version\s.*FinalizedVersionLevel: 2/)
    expect(output).toMatch(/Feature: group\.version\s.*FinalizedVersionLevel: 1/)
  })

  test('kafka-cluster: the id in meta.properties, and the endpoint', async () => {
    const id = await tool('kafka-cluster', ['cluster-id', '--bootstrap-server', broker.bootstrap])
    expect(id).toMatch(/Cluster ID: \S{22}/)
    const endpoints = await tool('kafka-cluster', ['list-endpoints', '--bootstrap-server', broker.bootstrap])
    expect(endpoints).toMatch(new RegExp(`1\\s+127\\.0\\.0\\.1\\s+${broker.port}\\s+null`))
  })

  test('kafka-client-compatibility-test: all that the newest client looks for', async () => {
    await on('kafka-topics', ['--create', '--topic', 'compatible', '--partitions', '1'])
    const advertised = await on('kafka-broker-api-versions', [])
    const expected = {
      '--idempotent-producer-supported': true,
      '--offsets-for-times-supported': true,
      '--cluster-id-supported': true,
      '--expect-record-too-large-exception': false,
      '--create-topics-supported': true,
      '--describe-configs-supported': true,
      '--describe-acls-supported': !/DescribeAcls\(29\): UNSUPPORTED/.test(advertised),
    }
    const flags = Object.entries(expected).flatMap(([name, value]) => [name, value ? 'True' : 'False'])
    const args = ['--topic', 'compatible', '--num-cluster-nodes', '1']
    const output = await on('kafka-client-compatibility-test', [...args, ...flags])
    expect(output).toContain('SUCCESS')
  })
})

describe('verifiable and performance tools', () => {
  test('VerifiableProducer and VerifiableConsumer account for every record', async () => {
    await on('kafka-topics', ['--create', '--topic', 'verified', '--partitions', '3'])
    const produced = await on('kafka-verifiable-producer', [
      '--topic',
      'verified',
      '--max-messages',
      '2000',
      '--acks',
      '-1',
    ])
    const events = produced
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const acked = events.filter((event) => event.name === 'producer_send_success')
    expect(acked.map((event) => Number(event.value)).sort((a, b) => a - b)).toEqual(numbers(0, 2000).map(Number))
    expect(events.at(-1)).toMatchObject({ name: 'tool_data', sent: 2000, acked: 2000 })
    const consumed = await on('kafka-verifiable-consumer', [
      ...[
        '--topic',
        'verified',
        '--group-id',
        'verifiable',
        '--max-messages',
        '2000',
        '--reset-policy',
        'earliest',
        '--verbose',
      ],
    ])
    const seen = consumed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const data = seen.filter((event) => event.name === 'record_data')
    expect(data.map((event) => `${event.partition}:${event.offset}:${event.value}`).sort()).toEqual(
      acked.map((event) => `${event.partition}:${event.offset}:${event.value}`).sort(),
    )
    const commits = seen.filter((event) => event.name === 'offsets_committed' && event.success)
    expect(commits.length).toBeGreaterThan(0)
  })

  test('ProducerPerformance and ConsumerPerformance move all their records', async () => {
    await on('kafka-topics', ['--create', '--topic', 'perf', '--partitions', '3'])
    const producerArgs = ['--topic', 'perf', '--num-records', '20000', '--record-size', '1000', '--throughput', '-1']
    const produced = await on('kafka-producer-perf-test', [
      ...producerArgs,
      '--command-property',
      'acks=all',
      '--command-property',
      'compression.type=lz4',
    ])
    expect(produced).toMatch(/^20000 records sent/m)
    const consumed = await on('kafka-consumer-perf-test', [
      '--topic',
      'perf',
      '--num-records',
      '20000',
      '--hide-header',
      '--timeout',
      '20000',
    ])
    const fields = consumed.trim().split('\n').at(-1)!.split(',')
    expect(Number(fields[4])).toBe(20_000)
  })
})
