import { expect, onTestFinished, test } from 'vitest'
import { type Broker, type BrokerHome, type BrokerOptions, newHome } from '../harness/broker.ts'
import { fingerprint } from '../harness/java.ts'
import { startOracle } from '../harness/oracle.ts'
import { startTarget } from '../harness/target.ts'
import { fill, fillSegments } from './fill.ts'

type Start = (options: { home?: BrokerHome }) => Promise<Broker>
type End = (broker: Broker) => Promise<unknown>

const stop: End = async (broker) => expect([0, 143]).toContain(await broker.stop())
const kill: End = (broker) => broker.kill()

/**
 * Fills a directory with the first broker, then starts the others on it one after the other: each serves what it found
 * and takes new records.
 */
async function handOver(first: Start, others: readonly Start[], end: End): Promise<void> {
  let broker = await first({})
  onTestFinished(async () => {
    await broker.kill()
  })
  await fill(broker, 'swap-0')
  await fillSegments(broker, 'segments')
  let held = await fingerprint(broker.bootstrap)
  expect(held.filter((line) => line.startsWith('group swap-0-group'))).toHaveLength(4)
  for (const [index, next] of others.entries()) {
    await end(broker)
    broker = await next({ home: broker.home })
    expect(await fingerprint(broker.bootstrap), `${broker.kind}, number ${index + 1}`).toEqual(held)
    await fill(broker, `swap-${index + 1}`, index % 2 === 0 ? ['none', 'zstd'] : ['gzip', 'lz4'])
    held = await fingerprint(broker.bootstrap)
  }
}

test('Apache Kafka goes on where Ottla stopped, then Ottla again', () =>
  handOver(startTarget, [startOracle, startTarget], stop))

test('Ottla goes on where Apache Kafka stopped, then Apache Kafka again', () =>
  handOver(startOracle, [startTarget, startOracle], stop))

test('each recovers what the other left when it was killed', () =>
  handOver(startTarget, [startOracle, startTarget], kill))

test('several log directories: both know in which of them each partition is', () => {
  const inTwo =
    (start: (options: BrokerOptions) => Promise<Broker>): Start =>
    async (options) => {
      const home = options.home ?? (await newHome('swap'))
      return start({ home, overrides: { 'log.dirs': `${home.dataDir},${home.dataDir}-2` } })
    }
  return handOver(inTwo(startTarget), [inTwo(startOracle), inTwo(startTarget)], stop)
})
