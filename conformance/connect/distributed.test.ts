import { appendFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { eventually } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { linesOf, numbered, topicValues } from './lines.ts'
import { type ConnectWorker, launchDistributed, settleMs } from './worker.ts'

const workerConfig = {
  'exactly.once.source.support': 'enabled',
  // A dead worker's tasks are given away as soon as its session is over, which is as short as brokers allow.
  'scheduled.rebalance.max.delay.ms': '0',
  'session.timeout.ms': '6000',
  'heartbeat.interval.ms': '500',
}

/** The same for the members of groups whose sessions brokers decide on. */
const overrides = {
  'group.consumer.min.session.timeout.ms': '6000',
  'group.consumer.session.timeout.ms': '6000',
  'group.consumer.min.heartbeat.interval.ms': '500',
  'group.consumer.heartbeat.interval.ms': '500',
}

/** One sink's consumer is of the classic protocol, the other's of KIP-848. */
const sinkConfigs: Record<string, Record<string, string>> = {
  sink: { 'session.timeout.ms': '6000', 'heartbeat.interval.ms': '500' },
  'new-sink': { 'group.protocol': 'consumer' },
}
const names = [...Object.keys(sinkConfigs), 'source-a', 'source-b']

let broker: Broker
let workers: ConnectWorker[] = []
const dir = freshDir('distributed')
const outputOf = (sink: string) => join(dir, `${sink}.txt`)
const sources = ['a', 'b'].map((name) => ({ name, file: join(dir, `${name}.txt`), lines: [] as string[] }))
let rounds = 0

beforeAll(async () => {
  broker = await startTarget({ overrides })
  workers = await Promise.all([launch(), launch()])
})
afterAll(async () => {
  for (const worker of workers) await worker.daemon.end('SIGKILL', 10_000)
  await broker?.stop()
})

function launch(): Promise<ConnectWorker> {
  return launchDistributed(broker.bootstrap, 'connect', workerConfig)
}

/** Appends `count` lines to each source's file. */
function feed(count: number): void {
  rounds += 1
  for (const { name, file, lines } of sources) {
    const more = numbered(`${name} round ${rounds}`, count)
    lines.push(...more)
    appendFileSync(file, `${more.join('\n')}\n`)
  }
}

/**
 * The lines in a sink's file. It writes lines again after a crash, and a line that the crash cut off has what
 * came next behind it.
 */
function sunk(sink: string): Set<string> {
  return new Set(linesOf(outputOf(sink)).map((line) => /[ab] round \d+ line \d+$/.exec(line)?.[0] ?? line))
}

/** Waits until both sinks have everything, then compares the topics. */
async function allArrived(what: string): Promise<void> {
  const lines = sources.flatMap((source) => source.lines)
  for (const sink of Object.keys(sinkConfigs)) {
    await eventually(`${what}: ${lines.length} lines in ${sink}`, settleMs, async () => {
      const found = sunk(sink)
      return lines.every((line) => found.has(line)) || undefined
    })
  }
  for (const source of sources) expect(await topicValues(broker, source.name)).toEqual(source.lines)
}

/** Waits until something of the last round is in a sink, so that whatever comes next comes in between. */
async function flowing(): Promise<void> {
  await eventually(`round ${rounds} flows`, settleMs, async () => {
    return [...sunk('sink')].some((line) => line.includes(`round ${rounds} `)) || undefined
  })
}

test('connectors made by REST run on two workers, and the lines of both files arrive once and in order', async () => {
  feed(500)
  const [first, second] = workers as [ConnectWorker, ConnectWorker]
  const created = {
    'topic.creation.default.partitions': '1',
    'topic.creation.default.replication.factor': '1',
    'exactly.once.support': 'required',
  }
  for (const { name, file } of sources) {
    const config = { 'connector.class': 'FileStreamSource', 'tasks.max': '1', file, topic: name, ...created }
    await first.configure(`source-${name}`, config)
  }
  for (const [sink, consumer] of Object.entries(sinkConfigs)) {
    const common = { 'metadata.max.age.ms': '1000', 'isolation.level': 'read_committed' }
    const overridden = Object.entries({ ...consumer, ...common })
    await second.configure(sink, {
      'connector.class': 'FileStreamSink',
      'tasks.max': '1',
      file: outputOf(sink),
      topics: 'a,b',
      ...Object.fromEntries(overridden.map(([name, value]) => [`consumer.override.${name}`, value])),
    })
  }
  expect((await second.request<string[]>('GET', '/connectors')).sort()).toEqual([...names].sort())
  await eventually('both workers have work', settleMs, async () => {
    const ids = await Promise.all(names.map((name) => second.running(name)))
    return workers.every(({ id }) => ids.includes(id)) || undefined
  })
  await allArrived('first round')
})

test('what a killed worker ran, the other one takes over; a worker that comes back gets work again', async () => {
  const id = await workers[0]!.running('source-a')
  const victim = workers.find((worker) => worker.id === id)!
  const survivor = workers.find((worker) => worker !== victim)!
  feed(2000)
  await flowing()
  await victim.daemon.end('SIGKILL', 10_000)
  feed(100)
  for (const name of names) expect(await survivor.running(name, victim.id)).toBe(survivor.id)
  await allArrived('after the death of a worker')
  const revived = await launch()
  workers = [survivor, revived]
  await eventually('work is shared again', settleMs, async () => {
    const ids = await Promise.all(names.map((name) => revived.running(name)))
    return ids.includes(revived.id) || undefined
  })
})

test('the broker is killed and comes back: nothing is lost, nothing is there twice', async () => {
  feed(2000)
  await flowing()
  await broker.kill()
  feed(100)
  broker = await startTarget({ home: broker.home, overrides })
  feed(100)
  await allArrived('after the death of the broker')
  for (const name of names) await workers[1]!.running(name)
})

test('offsets of a source are read, altered and deleted by REST', async () => {
  const [, worker] = workers as [ConnectWorker, ConnectWorker]
  const { file, lines } = sources[0]!
  const partition = { filename: file }
  const at = (position: number) => [{ partition, offset: { position } }]
  const path = '/connectors/source-a/offsets'
  const end = statSync(file).size
  expect(await worker.offsets('source-a')).toEqual(at(end))
  await worker.stopConnector('source-a')
  const back = lines.slice(-7)
  await worker.request('PATCH', path, { offsets: at(end - Buffer.byteLength(`${back.join('\n')}\n`)) })
  await worker.resumeConnector('source-a')
  await eventually('the end is read again', settleMs, async () => {
    return (await topicValues(broker, 'a')).length >= lines.length + back.length || undefined
  })
  expect(await topicValues(broker, 'a')).toEqual([...lines, ...back])
  await worker.stopConnector('source-a')
  await worker.request('DELETE', path)
  expect(await worker.offsets('source-a')).toEqual([])
  await worker.resumeConnector('source-a')
  await eventually('everything is read again', settleMs, async () => {
    return (await topicValues(broker, 'a')).length >= 2 * lines.length + back.length || undefined
  })
  expect(await topicValues(broker, 'a')).toEqual([...lines, ...back, ...lines])
})

test.each(Object.keys(sinkConfigs))('offsets of %s are those of its group, for REST', async (sink) => {
  const [worker] = workers as [ConnectWorker, ConnectWorker]
  const { name, lines } = sources[1]!
  const partition = { kafka_topic: name, kafka_partition: 0 }
  const path = `/connectors/${sink}/offsets`
  await worker.stopConnector(sink)
  const before = await worker.offsets(sink)
  expect(before.map((entry) => entry.partition.kafka_topic).sort()).toEqual(['a', 'b'])
  const count = () => linesOf(outputOf(sink)).filter((line) => line === lines.at(-1)).length
  const [counted, size] = [count(), linesOf(outputOf(sink)).length]
  // One record of the end again, whatever lies behind it: the marker of its transaction.
  const end = Number(before.find((entry) => entry.partition.kafka_topic === name)!.offset!.kafka_offset)
  await worker.request('PATCH', path, { offsets: [{ partition, offset: { kafka_offset: end - 2 } }] })
  await worker.resumeConnector(sink)
  await eventually('the last line again', settleMs, async () => count() > counted || undefined)
  expect(linesOf(outputOf(sink)).length - size).toBeLessThanOrEqual(2)
  await worker.stopConnector(sink)
  await worker.request('DELETE', path)
  expect(await worker.offsets(sink)).toEqual([])
  await worker.resumeConnector(sink)
  await eventually('everything again', settleMs, async () => count() > counted + 1 || undefined)
  await worker.request('DELETE', `/connectors/${sink}`)
  expect(await worker.request<string[]>('GET', '/connectors')).not.toContain(sink)
})
