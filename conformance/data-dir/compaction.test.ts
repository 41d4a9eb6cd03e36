import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Broker, BrokerHome } from '../harness/broker.ts'
import { kcat } from '../harness/kcat.ts'
import { startOracle } from '../harness/oracle.ts'
import { eventually } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { tool, toolOn } from '../harness/tools.ts'

const TOPIC = 'compacted'
const KEYS = 400
const ROUNDS = 20
const overrides = { 'log.cleaner.backoff.ms': '100', 'log.cleaner.dedupe.buffer.size': '4194304' }

type Start = (options: { home?: BrokerHome; overrides?: Record<string, string> }) => Promise<Broker>

/** Writes every key many times; what should be left of it in the end, by key. */
async function fillKeys(broker: Broker, codec: string, seed: number): Promise<Map<string, string>> {
  const left = new Map<string, string>()
  const lines: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (let key = 0; key < KEYS; key++) {
      const isTombstone = round === ROUNDS - 1 && key % 10 === 0
      const value = isTombstone ? '' : `${seed}-${round}-${key}-${'z'.repeat(600)}`
      lines.push(`key-${key}:${value}\n`)
      if (isTombstone) left.delete(`key-${key}`)
      else left.set(`key-${key}`, value)
    }
  }
  const to = ['-P', '-b', broker.bootstrap, '-t', TOPIC, '-K', ':', '-Z', '-z', codec]
  await kcat([...to, '-X', 'linger.ms=20', '-X', 'batch.size=50000'], { stdin: lines.join('') })
  // The active segment is not compacted: something else becomes that.
  await kcat(to.slice(0, -2), { stdin: `filler:${'f'.repeat(900_000)}\nfiller:${'g'.repeat(900_000)}\n` })
  return left
}

async function createTopic(broker: Broker): Promise<void> {
  const configs = ['cleanup.policy=compact', 'segment.bytes=1048576', 'min.cleanable.dirty.ratio=0.01']
  const args = ['--create', '--topic', TOPIC, '--partitions', '1', ...configs.flatMap((each) => ['--config', each])]
  await toolOn(broker, 'kafka-topics', args)
}

/** Waits until all but the active segment is compacted. */
async function compactedBy(broker: Broker): Promise<void> {
  await eventually('the topic is compacted', 30_000, async () => {
    const file = join(broker.dataDir, 'cleaner-offset-checkpoint')
    const line = existsSync(file) ? new RegExp(`^${TOPIC} 0 (\\d+)$`, 'm').exec(readFileSync(file, 'utf8')) : null
    const bases = logsOf(broker).map((name) => Number(name.slice(0, 20)))
    return line !== null && Number(line[1]) === Math.max(...bases) ? true : undefined
  })
}

function logsOf(broker: Broker): string[] {
  return readdirSync(join(broker.dataDir, `${TOPIC}-0`)).filter((name) => name.endsWith('.log'))
}

interface Message {
  offset: number
  key: string
  payload: string | null
}

async function readAll(broker: Broker): Promise<Message[]> {
  const from = ['-C', '-b', broker.bootstrap, '-t', TOPIC, '-p', '0', '-o', 'beginning', '-e', '-q', '-J']
  const output = await kcat([...from, '-X', 'check.crcs=true'])
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Message)
}

function lastValues(messages: readonly Message[]): Map<string, string> {
  const values = new Map<string, string>()
  for (const { key, payload } of messages) {
    if (key === 'filler') continue
    if (payload === null) values.delete(key)
    else values.set(key, payload)
  }
  return values
}

/** Every file of the partition, decoded by Apache Kafka's own tool. That offsets have gaps is the point. */
async function dumpAll(broker: Broker): Promise<void> {
  const dir = join(broker.dataDir, `${TOPIC}-0`)
  const files = readdirSync(dir).filter((name) => /\.(log|index|timeindex|snapshot)$/.test(name))
  const paths = files.map((name) => join(dir, name)).join(',')
  const output = await tool('kafka-dump-log', ['--deep-iteration', '--files', paths])
  const complaints = /mismatch|invalid|corrupt|exception|out of order|could not|isvalid: false|error/i
  expect(output.split('\n').filter((line) => complaints.test(line.replace(/payload: .*/, '')))).toEqual([])
}

/** The first fills and compacts, the second reads the same and compacts more, the first reads that. */
async function handOver(first: Start, second: Start, codec: string): Promise<void> {
  let broker = await first({ overrides })
  onTestFinished(async () => {
    await broker.kill()
  })
  await createTopic(broker)
  const left = await fillKeys(broker, codec, 1)
  await compactedBy(broker)
  const read = await readAll(broker)
  expect(lastValues(read)).toEqual(left)
  expect(read.length).toBeLessThan(3 * KEYS)
  await broker.stop()
  await dumpAll(broker)
  broker = await second({ home: broker.home, overrides })
  expect(await readAll(broker)).toEqual(read)
  const leftNow = await fillKeys(broker, codec, 2)
  await compactedBy(broker)
  const readNow = await readAll(broker)
  expect(lastValues(readNow)).toEqual(leftNow)
  expect(readNow.length).toBeLessThan(3 * KEYS)
  await broker.stop()
  await dumpAll(broker)
  broker = await first({ home: broker.home, overrides })
  expect(await readAll(broker)).toEqual(readNow)
}

test.each(['none', 'zstd'])('what Ottla compacts, Apache Kafka reads and compacts further (%s)', (codec) =>
  handOver(startTarget, startOracle, codec),
)

test('what Apache Kafka compacts, Ottla reads and compacts further', () => handOver(startOracle, startTarget, 'gzip'))
