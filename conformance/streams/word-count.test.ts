import { rmSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { kafkaVersion } from '../harness/maven.ts'
import { sleep } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { randomFrom } from '../kill/ledger.ts'
import { createTopics } from '../transactions/topics.ts'
import { brokerSettings, Driver, groupProtocols, groupSettings, Instance } from './apps.ts'
import { countsOf, expectedCounts, inOrder, partitionCount, Text } from './words.ts'

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
    await createTopics(broker, ['lines', 'counts'], partitionCount)
    driver = await Driver.start(kafkaVersion, broker, ['counts'])
    const settings = { ...groupSettings(protocol), 'processing.guarantee': 'exactly_once_v2' }
    instances = [1, 2].map(() => new Instance('WordCount', broker!, 'word-count', kafkaVersion, settings))
    const text = new Text(driver, random)
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
