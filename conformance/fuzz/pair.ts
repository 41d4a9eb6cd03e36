import { cpSync } from 'node:fs'
import { Probe } from '../differential/probe.ts'
import { makeTopic, warmedUp } from '../differential/scenario.ts'
import { withCoordinator } from '../differential/scenarios/transaction-tools.ts'
import { type Broker, newHome } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'
import { startOttla } from '../harness/ottla.ts'

/** The topics that groups subscribe to, with their partitions. Their ids are the same on both brokers. */
export const TOPICS: Readonly<Record<string, number>> = { 'fuzz-a': 4, 'fuzz-b': 3, 'fuzz-c': 6 }
/** What Streams applications need besides; there already, or else brokers would make them at a time of their own. */
const INTERNAL_TOPICS: Readonly<Record<string, number>> = {
  'fuzz-a-changelog': 4,
  'fuzz-b-changelog': 3,
  'fuzz-b-by-key': 3,
}

/**
 * Nothing may happen by itself while a sequence runs: no timeout, no delay. And in Apache Kafka requests are handled one
 * after the other, so that it can be known when one waits (see `Side.settle`).
 */
const OVERRIDES = {
  'num.network.threads': '1',
  'num.io.threads': '1',
  'group.coordinator.threads': '1',
  'group.coordinator.append.linger.ms': '0',
  'log.cleaner.dedupe.buffer.size': '4194304',
  'group.max.size': '5',
  'group.consumer.max.size': '5',
  // By default the one that goes by the names of members only.
  'group.consumer.assignors': 'range,uniform',
  'group.consumer.assignment.interval.ms': '0',
  'group.consumer.max.session.timeout.ms': '3600000',
  'group.consumer.session.timeout.ms': '3600000',
  'group.share.assignment.interval.ms': '0',
  'group.share.max.session.timeout.ms': '3600000',
  'group.share.session.timeout.ms': '3600000',
  'group.streams.max.size': '5',
  'group.streams.num.standby.replicas': '1',
  'group.streams.initial.rebalance.delay.ms': '0',
  'group.streams.assignment.interval.ms': '0',
  'group.streams.max.session.timeout.ms': '3600000',
  'group.streams.session.timeout.ms': '3600000',
}

/** Where the ids of topics are in hash tables of 16 buckets, so that a sequence goes the same way every time. */
const BUCKETS: Readonly<Record<string, readonly [low: number, high: number]>> = {
  'fuzz-a': [0, 4],
  'fuzz-b': [5, 9],
  'fuzz-c': [10, 15],
}

/** Makes the topic again and again, until its id is where it should be. */
async function makeTopicInOrder(probe: Probe, topic: string, partitions: number): Promise<string> {
  const [low, high] = BUCKETS[topic] ?? [0, 15]
  for (;;) {
    const id = await makeTopic(probe, topic, { partitions })
    const bucket = bucketOf(id)
    if (bucket >= low && bucket <= high) return id
    await probe.quietly('DeleteTopics', 5, { topicNames: [topic], timeoutMs: 10_000 })
  }
}

/** As Java's HashMap has it. */
function bucketOf(topicId: string): number {
  const bytes = Buffer.from(topicId, 'base64url')
  const hash = bytes.readInt32BE(0) ^ bytes.readInt32BE(4) ^ bytes.readInt32BE(8) ^ bytes.readInt32BE(12)
  return (hash ^ (hash >>> 16)) & 15
}

export interface Pair {
  readonly ottla: Broker
  readonly oracle: Broker
  /** By the name of the topic. */
  readonly topicIds: ReadonlyMap<string, string>
  stop(): Promise<void>
}

/** Both brokers, started on copies of one directory: the ids of topics are the same, and so is what is hashed of them. */
export async function startPair(): Promise<Pair> {
  const home = await newHome('fuzz-ottla')
  const first = await startOttla({ home, overrides: OVERRIDES })
  const topicIds = new Map<string, string>()
  const probe = new Probe(first)
  for (const [topic, partitions] of Object.entries({ ...TOPICS, ...INTERNAL_TOPICS })) {
    topicIds.set(topic, await makeTopicInOrder(probe, topic, partitions))
  }
  probe.close()
  await first.stop()
  const oracleHome = await newHome('fuzz-oracle')
  cpSync(home.dataDir, oracleHome.dataDir, { recursive: true })
  const [ottla, oracle] = await Promise.all([
    startOttla({ home, overrides: OVERRIDES }),
    startOracle({ home: oracleHome, overrides: OVERRIDES }),
  ])
  for (const broker of [ottla, oracle]) {
    const asker = new Probe(broker)
    await warmedUp(asker)
    // Each of the few partitions in which groups and transactional ids are kept is loaded on its own.
    for (let key = 0; key < 24; key++) {
      for (const keyType of [0, 1]) await withCoordinator(asker, keyType, `warm-${key}`)
    }
    asker.close()
  }
  const stop = async () => {
    await Promise.all([ottla.stop(), oracle.stop()])
  }
  return { ottla, oracle, topicIds, stop }
}
