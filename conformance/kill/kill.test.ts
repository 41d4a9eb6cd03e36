import { expect, test } from 'vitest'
import { type Broker, type BrokerHome, newHome } from '../harness/broker.ts'
import { launchOttla } from '../harness/ottla.ts'
import { eventually, sleep } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { LedgerClient } from './client.ts'
import { Ledger, randomFrom } from './ledger.ts'
import { LedgerProducer } from './producer.ts'

const cycleCount = Number(process.env.OTTLA_KILL_CYCLES ?? 200)
const checkEvery = 20
const seed = Number(process.env.OTTLA_KILL_SEED ?? Date.now() % 1_000_000)
const longestLifeMs = 300
/** Small segments, so that kills also hit a roll. */
const topicConfigs = { 'segment.bytes': '1048576' }

const topic = 'ledger'
const group = 'ledger-group'

/** Commits 1, 2, 3 ... and creates topics, one at a time, noting what was acknowledged. */
class Bystander {
  committed = 0
  attempted = 0
  readonly topics: Set<string> = new Set([topic])

  async run(port: number, newTopic: string | undefined): Promise<void> {
    const client = await LedgerClient.open(port).catch(() => undefined)
    if (!client) return
    try {
      if (newTopic && (await client.createTopic(newTopic, 1)) === 0) this.topics.add(newTopic)
      for (;;) {
        const next = this.attempted + 1
        this.attempted = next
        if ((await client.commitOffset(group, topic, 0, next)) === 0) this.committed = next
      }
    } catch {
      // The broker is gone.
    } finally {
      client.close()
    }
  }

  /** What a broker that just started says of the commits: at least the acknowledged one, never one not asked for. */
  async check(port: number): Promise<void> {
    const client = await LedgerClient.open(port)
    try {
      const found = await eventually('the committed offset', 20_000, async () => {
        const answer = await client.committedOffset(group, topic, 0)
        return answer.error === 0 ? answer : undefined
      })
      const offset = Math.max(0, found.offset)
      expect(offset).toBeGreaterThanOrEqual(this.committed)
      expect(offset).toBeLessThanOrEqual(this.attempted)
      if (offset > 0) expect(found.metadata).toBe(`at ${offset}`)
      const names = await client.topicNames()
      expect(names).toEqual(expect.arrayContaining([...this.topics]))
    } finally {
      client.close()
    }
  }
}

async function createLedgerTopic(broker: Broker, partitionCount: number): Promise<void> {
  const client = await LedgerClient.open(broker.port)
  expect(await client.createTopic(topic, partitionCount, topicConfigs)).toBe(0)
  await eventually('the coordinator', 30_000, async () =>
    (await client.findCoordinator(group)) === 0 ? true : undefined,
  )
  client.close()
}

/** A start that is cut short: during the start itself, or during recovery. */
async function killDuringStart(home: BrokerHome, afterMs: number): Promise<void> {
  const { daemon } = await launchOttla({ home })
  await sleep(afterMs)
  await daemon.end('SIGKILL', 10_000)
}

async function drain(producers: readonly LedgerProducer[], port: number): Promise<void> {
  for (const producer of producers) {
    await eventually(`${producer.name} drained`, 60_000, async () => {
      await producer.run(port, true)
      return producer.unackedCount === 0 ? true : undefined
    })
  }
}

test(`${cycleCount} times kill -9 under load: nothing acknowledged is lost, nothing is there twice`, async () => {
  const random = randomFrom(seed)
  const ledger = new Ledger(topic, 4)
  const producers = ['a', 'b', 'c'].map((name) => new LedgerProducer(name, ledger, random))
  const bystander = new Bystander()
  const home = await newHome('kill')
  let broker = await startTarget({ home })
  try {
    await createLedgerTopic(broker, ledger.partitionCount)
    for (let cycle = 1; cycle <= cycleCount; cycle++) {
      // Settled before the kill or after it: a wrong answer is looked at when all of them are done.
      const load = Promise.allSettled([
        ...producers.map((producer) => producer.run(broker.port)),
        bystander.run(broker.port, cycle % 5 === 0 ? `made-${cycle}` : undefined),
      ])
      await sleep(random() * longestLifeMs)
      await broker.kill()
      for (const result of await load) if (result.status === 'rejected') throw result.reason
      if (broker.kind === 'ottla' && cycle % 4 === 0) await killDuringStart(home, random() * longestLifeMs)
      broker = await startTarget({ home })
      await bystander.check(broker.port)
      if (cycle % checkEvery !== 0 && cycle !== cycleCount) continue
      await drain(producers, broker.port)
      const client = await LedgerClient.open(broker.port)
      await ledger.check(client)
      client.close()
    }
    console.log(`seed ${seed}: ${ledger.ackedCount} records and ${bystander.committed} commits acknowledged`)
    expect(ledger.ackedCount).toBeGreaterThan(cycleCount * 10)
  } catch (error) {
    throw new Error(`seed ${seed}\n${broker.log().slice(-3000)}`, { cause: error })
  } finally {
    await broker.kill()
  }
}, 1_500_000)
