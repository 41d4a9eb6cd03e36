import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { kcat, kcatDaemon } from '../harness/kcat.ts'
import { runKafkaTool } from '../harness/oracle.ts'
import { type Daemon, eventually } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { bigRecord, digest } from './scenario.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget()
})
afterAll(async () => {
  await broker?.stop()
})

const timing = ['-X', 'session.timeout.ms=10000', '-X', 'heartbeat.interval.ms=300']

/** kcat itself creates no topics: this one has Kafka's own tool do it. */
async function create(topic: string, partitions: number, ...more: string[]): Promise<void> {
  const args = [
    '--bootstrap-server',
    broker.bootstrap,
    '--create',
    '--topic',
    topic,
    '--partitions',
    String(partitions),
  ]
  const result = await runKafkaTool('org.apache.kafka.tools.TopicCommand', [...args, ...more])
  expect(result.stdout, result.stderr).toContain(`Created topic ${topic}.`)
}

interface Message {
  partition: number
  offset: number
  ts: number
  key: string | null
  payload: string | null
  headers?: string[]
}

function messagesOf(output: string): Message[] {
  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as Message)
}

async function consume(topic: string, partition: number): Promise<Message[]> {
  const from = ['-C', '-b', broker.bootstrap, '-t', topic, '-p', String(partition), '-o', 'beginning']
  return messagesOf(await kcat([...from, '-e', '-q', '-J', '-X', 'check.crcs=true']))
}

// The topic is created by the producer's first metadata request.
test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
  'kcat: keys, null values and headers with codec %s',
  async (codec) => {
    const topic = `kcat-${codec}`
    const records = Array.from({ length: 60 }, (_, i) => ({
      key: `key-${i}`,
      value: i % 7 === 6 ? '' : `value-${i * i}`,
    }))
    const produce = [
      '-P',
      '-b',
      broker.bootstrap,
      '-t',
      topic,
      '-p',
      '0',
      '-z',
      codec,
      '-K',
      ':',
      '-Z',
      '-H',
      'h=v',
      '-H',
      'h=w',
    ]
    const idempotent = ['-X', 'enable.idempotence=true', '-X', 'acks=all', '-X', 'linger.ms=20']
    await kcat([...produce, ...idempotent], { stdin: records.map(({ key, value }) => `${key}:${value}\n`).join('') })
    const expected = records.map(({ key, value }, offset) => ({
      offset,
      key,
      payload: value === '' ? null : value,
      headers: ['h', 'v', 'h', 'w'],
    }))
    const received = await consume(topic, 0)
    expect(received.map(({ offset, key, payload, headers }) => ({ offset, key, payload, headers }))).toEqual(expected)
  },
)

test('kcat: a record of 1 MiB', async () => {
  await create('kcat-big', 1, '--config', 'max.message.bytes=1100000')
  const file = join(freshDir('kcat-big'), 'value')
  const value = bigRecord(1).value!.toString('latin1').replaceAll('\n', 'x')
  writeFileSync(file, value, 'latin1')
  await kcat([
    '-P',
    '-b',
    broker.bootstrap,
    '-t',
    'kcat-big',
    '-p',
    '0',
    '-X',
    'message.max.bytes=1200000',
    '-D',
    '\n',
    file,
  ])
  const sized = await kcat(['-C', '-b', broker.bootstrap, '-t', 'kcat-big', '-e', '-q', '-f', '%S'])
  expect(sized).toBe(String(value.length))
  const content = await kcat(['-C', '-b', broker.bootstrap, '-t', 'kcat-big', '-e', '-q', '-f', '%s'])
  expect(digest([content])).toBe(digest([Buffer.from(value, 'latin1').toString()]))
})

test('kcat: the offset of a time', async () => {
  const produce = ['-P', '-b', broker.bootstrap, '-t', 'kcat-times', '-p', '0', '-z', 'zstd']
  await kcat(produce, { stdin: 'a\nb\nc\n' })
  await kcat(produce, { stdin: 'd\ne\n' })
  const times = (await consume('kcat-times', 0)).map(({ ts }) => ts)
  const queries = [times[0]!, times[2]! + 1, times[4]! + 1]
  const answers: string[] = []
  for (const time of queries) answers.push(await kcat(['-Q', '-b', broker.bootstrap, '-t', `kcat-times:0:${time}`]))
  expect(times[3]).toBeGreaterThan(times[2]!)
  expect(answers.map((answer) => answer.trim())).toEqual([
    'kcat-times [0] offset 0',
    'kcat-times [0] offset 3',
    'kcat-times [0] offset -1',
  ])
})

test('kcat: metadata names the broker, the topic and its leader', async () => {
  await create('kcat-metadata', 3)
  const metadata = JSON.parse(await kcat(['-L', '-J', '-b', broker.bootstrap, '-t', 'kcat-metadata']))
  expect(metadata.brokers).toEqual([{ id: 1, name: broker.bootstrap }])
  const partition = (id: number) => ({ partition: id, leader: 1, replicas: [{ id: 1 }], isrs: [{ id: 1 }] })
  expect(metadata.topics).toEqual([{ topic: 'kcat-metadata', partitions: [partition(0), partition(1), partition(2)] }])
})

/** The partitions of the member's last rebalance, from what kcat prints of it. */
function assignmentOf(member: Daemon): number[] {
  const last = member
    .output('stderr')
    .split('\n')
    .findLast((line) => line.includes('rebalanced'))
  if (!last?.includes('assigned:') || last.includes('revoked:')) return []
  return [...last.matchAll(/\[(\d+)\]/g)].map((match) => Number(match[1])).sort()
}

function seenBy(...members: Daemon[]): string[] {
  const all = members.flatMap((member) => messagesOf(completeLines(member.output('stdout'))))
  return [...new Set(all.map(({ partition, offset }) => `${partition}:${offset}`))].sort()
}

function completeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1)
}

test('kcat: a group of two shares the partitions, and resumes from its commits', async () => {
  const topic = 'kcat-group'
  await create(topic, 4)
  const fill = async (tag: string, perPartition: number) => {
    for (let partition = 0; partition < 4; partition++) {
      const values = Array.from({ length: perPartition }, (_, i) => `${tag}-${i}\n`).join('')
      await kcat(['-P', '-b', broker.bootstrap, '-t', topic, '-p', String(partition)], { stdin: values })
    }
  }
  const group = ['-b', broker.bootstrap, '-J', '-u', ...timing, '-X', 'auto.offset.reset=earliest', '-G', topic, topic]
  const becomes = async (what: string, condition: () => boolean) => {
    await eventually(what, 30_000, async () => (condition() ? true : undefined))
  }
  await fill('first', 50)
  const a = kcatDaemon(group)
  await becomes('a alone', () => assignmentOf(a).length === 4)
  const b = kcatDaemon(group)
  await becomes('a and b', () => assignmentOf(a).length === 2 && assignmentOf(b).length === 2)
  expect([...assignmentOf(a), ...assignmentOf(b)].sort()).toEqual([0, 1, 2, 3])
  await fill('second', 50)
  await becomes('all records', () => seenBy(a, b).length === 400)
  await b.end('SIGTERM', 20_000)
  await becomes('a after b', () => assignmentOf(a).length === 4)
  await a.end('SIGTERM', 20_000)
  await fill('third', 10)
  const resumed = messagesOf(await kcat(['-c', '40', ...group]))
  const expected = [0, 1, 2, 3].flatMap((p) => Array.from({ length: 10 }, (_, i) => `${p}:${100 + i}`))
  expect(resumed.map(({ partition, offset }) => `${partition}:${offset}`).sort()).toEqual(expected.sort())
  expect(new Set(resumed.map(({ payload }) => payload?.split('-')[0]))).toEqual(new Set(['third']))
})
