import { rmSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { kafkaVersion } from '../harness/maven.ts'
import { sleep } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { randomFrom } from '../kill/ledger.ts'
import { createTopics } from '../transactions/topics.ts'
import { brokerSettings, Driver, groupProtocols, groupSettings, Instance, type OutputRecord } from './apps.ts'

const PARTITIONS = 4
const KILLS = Number(process.env.OTTLA_STREAMS_KILLS ?? 20)
const seed = Number(process.env.OTTLA_KILL_SEED ?? Date.now() % 1_000_000)
const longestPauseMs = 400

let broker: Broker | undefined
let driver: Driver | undefined
let instances: Instance[] = []
afterEach(async () => {
  for (const instance of instances) await instance.kill()
  await driver?.stop()
  await broker?.stop()
})

/** Lines of words, some of which are more frequent than others; and how often each word was written. */
class Text {
  readonly counts: Map<string, number> = new Map()
  wordCount = 0
  private lineCount = 0
  private readonly random: () => number

  constructor(random: () => number) {
    this.random = random
  }

  write(lines: number): void {
    for (let i = 0; i < lines; i++) {
      const words = Array.from({ length: 4 }, () => `w${Math.floor(300 * this.random() ** 2)}`)
      for (const word of words) this.counts.set(word, (this.counts.get(word) ?? 0) + 1)
      this.wordCount += words.length
      // Times of today: a broker that starts knows no producer any more whose last record is older than a day.
      driver!.write('lines', this.lineCount++ % PARTITIONS, Date.now(), '', words.join(' '))
    }
  }
}

/** The counts of each word in the order of the output: 1, 2, 3 ... if every word was counted exactly once. */
function countsOf(records: readonly OutputRecord[]): Map<string, number[]> {
  const counts = new Map<string, number[]>()
  for (const { key, value } of records) {
    const soFar = counts.get(key) ?? []
    soFar.push(Number(value))
    counts.set(key, soFar)
  }
  return counts
}

function expectedCounts(text: Text): Map<string, number[]> {
  return new Map([...text.counts].map(([word, count]) => [word, Array.from({ length: count }, (_, i) => i + 1)]))
}

function inOrder(records: readonly OutputRecord[]): OutputRecord[] {
  return [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

async function allCounted(text: Text): Promise<void> {
  await driver!.flush()
  await driver!.until(`${text.wordCount} words`, () => driver!.records.length >= text.wordCount, instances)
  for (const instance of instances) await instance.stop()
  const again = await driver!.readAgain()
  expect(countsOf(again)).toEqual(expectedCounts(text))
  expect(inOrder(driver!.records)).toEqual(inOrder(again))
}

/** Kills the broker again and again at random moments; and twice an instance of the application as well. */
async function killAgainAndAgain(random: () => number): Promise<void> {
  for (let kill = 1; kill <= KILLS; kill++) {
    const seen = driver!.records.length
    // Now and then a kill hits a broker to which the clients are only coming back.
    if (kill % 4 !== 0)
      await driver!.until(`output before kill ${kill}`, () => driver!.records.length > seen, instances)
    await sleep(random() * longestPauseMs)
    await broker!.kill()
    if (kill % 8 === 5) await instances[1]!.kill()
    broker = await startTarget({ home: broker!.home, overrides: brokerSettings })
    if (kill % 8 === 5) await instances[1]!.start()
  }
}

async function writeUntil(done: Promise<void>, text: Text): Promise<void> {
  let isDone = false
  const finished = done.finally(() => {
    isDone = true
  })
  finished.catch(() => {})
  while (!isDone) {
    // No more than a slow machine can follow.
    if (text.wordCount - driver!.records.length < 4000) text.write(4)
    await sleep(10)
  }
  await finished
}

test.each(groupProtocols)(
  `group.protocol=%s: every word is counted once through ${KILLS} kills`,
  async (protocol) => {
    console.log(`seed ${seed}`)
    const random = randomFrom(seed)
    broker = await startTarget({ overrides: brokerSettings })
    await createTopics(broker, ['lines', 'counts'], PARTITIONS)
    driver = await Driver.start(kafkaVersion, broker, ['counts'])
    const settings = { ...groupSettings(protocol), 'processing.guarantee': 'exactly_once_v2' }
    instances = [1, 2].map(() => new Instance('WordCount', broker!, 'word-count', kafkaVersion, settings))
    const text = new Text(random)
    text.write(100)
    for (const instance of instances) await instance.start()
    await writeUntil(killAgainAndAgain(random), text)
    await allCounted(text)

    // The state is gone, and comes back from the changelog.
    for (const instance of instances) {
      rmSync(instance.stateDir, { recursive: true })
      await instance.start()
    }
    text.write(200)
    await allCounted(text)
    console.log(`seed ${seed}: ${text.wordCount} words`)
  },
  600_000,
)
