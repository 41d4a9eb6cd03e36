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

let broker: Broker
let workers: ConnectWorker[] = []
const dir = freshDir('distributed')
const output = join(dir, 'out.txt')
const sources = ['a', 'b'].map((name) => ({ name, file: join(dir, `${name}.txt`), lines: [] as string[] }))
let rounds = 0

beforeAll(async () => {
  broker = await startTarget()
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
 * The lines in the sink's file. The sink writes lines again after a crash, and a line that the crash cut off has what
 * came next behind it.
 */
function sunk(): Set<string> {
  return new Set(linesOf(output).map((line) => /[ab] round \d+ line \d+$/.exec(line)?.[0] ?? line))
}

async function sinkHas(what: string, lines: readonly string[]): Promise<void> {
  await eventually(`${what}: ${lines.length} lines`, settleMs, async () => {
    const found = sunk()
    return lines.every((line) => found.has(line)) || undefined
  })
}

/** Waits until each source has something of the last round in the sink, so that whatever comes next comes in between. */
async function flowing(): Promise<void> {
  await eventually(`round ${rounds} flows`, settleMs, async () => {
    return [...sunk()].some((line) => line.includes(`round ${rounds} `)) || undefined
  })
}

async function allArrived(what: string): Promise<void> {
  await sinkHas(
    what,
    sources.flatMap(({ lines }) => lines),
  )
  for (const { name, lines } of sources) expect(await topicValues(broker, name)).toEqual(lines)
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
  await second.configure('sink', {
    'connector.class': 'FileStreamSink',
    'tasks.max': '1',
    file: output,
    topics: 'a,b',
    'consumer.override.session.timeout.ms': '6000',
    'consumer.override.heartbeat.interval.ms': '500',
    'consumer.override.metadata.max.age.ms': '1000',
  })
  const names = ['sink', 'source-a', 'source-b']
  expect((await second.request<string[]>('GET', '/connectors')).sort()).toEqual(names)
  const ids = await Promise.all(names.map((name) => second.running(name)))
  expect(new Set(ids)).toEqual(new Set(workers.map(({ id }) => id)))
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
  for (const name of ['source-a', 'source-b', 'sink']) expect(await survivor.running(name, victim.id)).toBe(survivor.id)
  await allArrived('after the death of a worker')
  const revived = await launch()
  workers = [survivor, revived]
  await eventually('work is shared again', settleMs, async () => {
    const ids = await Promise.all(['source-a', 'source-b', 'sink'].map((name) => revived.running(name)))
    return ids.includes(revived.id) || undefined
  })
})

test('the broker is killed and comes back: nothing is lost, nothing is there twice', async () => {
  feed(2000)
  await flowing()
  await broker.kill()
  feed(100)
  broker = await startTarget({ home: broker.home })
  feed(100)
  await allArrived('after the death of the broker')
  for (const name of ['source-a', 'source-b', 'sink']) await workers[1]!.running(name)
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

test('offsets of a sink are those of its group: read, altered and deleted by REST', async () => {
  const [worker] = workers as [ConnectWorker, ConnectWorker]
  const { name, lines } = sources[1]!
  const partition = { kafka_topic: name, kafka_partition: 0 }
  const path = '/connectors/sink/offsets'
  await worker.stopConnector('sink')
  const before = await worker.offsets('sink')
  expect(before.map((entry) => entry.partition.kafka_topic).sort()).toEqual(['a', 'b'])
  const count = () => linesOf(output).filter((line) => line === lines.at(-1)).length
  const [counted, size] = [count(), linesOf(output).length]
  // One record of the end again, whatever lies behind it: the marker of its transaction.
  const end = Number(before.find((entry) => entry.partition.kafka_topic === name)!.offset!.kafka_offset)
  await worker.request('PATCH', path, { offsets: [{ partition, offset: { kafka_offset: end - 2 } }] })
  await worker.resumeConnector('sink')
  await eventually('the last line again', settleMs, async () => count() > counted || undefined)
  expect(linesOf(output).length - size).toBeLessThanOrEqual(2)
  await worker.stopConnector('sink')
  await worker.request('DELETE', path)
  expect(await worker.offsets('sink')).toEqual([])
  await worker.resumeConnector('sink')
  await eventually('everything again', settleMs, async () => count() > counted + 1 || undefined)
  await worker.request('DELETE', '/connectors/sink')
  expect((await worker.request<string[]>('GET', '/connectors')).sort()).toEqual(['source-a', 'source-b'])
})
