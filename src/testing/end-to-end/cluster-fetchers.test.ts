import { afterEach, expect, test } from 'vitest'
import { TestCluster } from './cluster.testkit.ts'
import { BROKER_CONFIG, TestPartition } from './cluster-partition.testkit.ts'

const SEED = 61
const TOPICS = 6
const LONG_MS = 1000
const PAUSE_MS = 100

let cluster: TestCluster
let partitions: TestPartition[]

afterEach(() => cluster.close())

/** The connections by which a broker fetches, of those that it has used since, by their client ids. */
class Fetchers {
  readonly #seen = new Set<string>()

  constructor() {
    const { network } = cluster.world
    const before = network.onBytes
    network.onBytes = (from, to, chunk, connection, isRequest) => {
      const [name] = /broker-\d-fetcher-\d+/.exec(chunk.subarray(0, 64).toString('latin1')) ?? []
      if (isRequest && name !== undefined) this.#seen.add(`${name} to ${to}`)
      before(from, to, chunk, connection, isRequest)
    }
  }

  /** In a while in which every one of them fetches. */
  async numbersOf(brokerId: number, leaderId: number): Promise<string[]> {
    this.#seen.clear()
    await cluster.pass(LONG_MS)
    const [prefix, suffix] = [`broker-${brokerId}-fetcher-`, ` to node-${leaderId}`]
    const own = [...this.#seen].filter((name) => name.startsWith(prefix) && name.endsWith(suffix))
    return own.map((name) => name.slice(prefix.length, -suffix.length)).sort()
  }
}

/** All of a topic each, with the same replicas, of which the first one leads. */
async function start(fetchers: number): Promise<void> {
  const settings = { 'num.replica.fetchers': String(fetchers) }
  cluster = await TestCluster.started(SEED, settings, undefined, { brokers: 3, controllers: 1 })
  partitions = Array.from({ length: TOPICS }, (_, index) => new TestPartition(cluster, `topic-${index}`))
  for (const partition of partitions) await partition.create([1, 2, 3])
}

async function expectEqual(): Promise<void> {
  for (const partition of partitions) {
    await partition.untilEqual(1, 2, 3)
    const [first, ...others] = await Promise.all([1, 2, 3].map((id) => partition.valuesOf(id)))
    for (const other of others) expect(other).toEqual(first)
    expect([...new Set(first)]).toEqual(partition.acknowledged)
  }
}

test('num.replica.fetchers: the partitions of a leader are spread over so many connections, which may become others', async () => {
  await start(3)
  const fetchers = new Fetchers()
  expect(await fetchers.numbersOf(2, 1)).toEqual(['0', '1', '2'])
  let isOver = false
  const producing = partitions.map(async (partition) => {
    while (!isOver) {
      await partition.produceOne()
      await cluster.world.sleep(PAUSE_MS)
    }
  })
  await cluster.pass(LONG_MS)
  await partitions[0]!.configure(BROKER_CONFIG, { 'num.replica.fetchers': '2' })
  await cluster.pass(LONG_MS)
  expect(await fetchers.numbersOf(2, 1)).toEqual(['0', '1'])
  await partitions[0]!.configure(BROKER_CONFIG, { 'num.replica.fetchers': '4' })
  await cluster.pass(LONG_MS)
  expect(await fetchers.numbersOf(3, 1)).toEqual(['0', '1', '2', '3'])
  cluster.kill(1)
  await cluster.until(() => partitions.every((partition) => partition.leaderId === 2))
  expect(await fetchers.numbersOf(3, 2)).toEqual(['0', '1', '2', '3'])
  await cluster.restart(1)
  await cluster.until(() => partitions.every((partition) => partition.isr.join() === '1,2,3'))
  isOver = true
  await cluster.done(Promise.all(producing))
  await expectEqual()
})
