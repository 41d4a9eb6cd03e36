import { rmSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { startTarget } from '../harness/target.ts'
import { toolOn } from '../harness/tools.ts'
import { randomFrom } from '../kill/ledger.ts'
import { createTopics } from '../transactions/topics.ts'
import { brokerSettings, Driver, groupSettings, Instance } from './apps.ts'
import { countsOf, expectedCounts, partitionCount, Text } from './words.ts'

let broker: Broker | undefined
let driver: Driver | undefined
let instance: Instance | undefined
afterEach(async () => {
  await instance?.kill()
  await driver?.stop()
  await broker?.stop()
})

test.each([
  ['3.9.1', 'exactly_once_v2'],
  ['2.8.2', 'exactly_once_beta'],
])(
  'Kafka Streams %s counts words (%s), and all over again when the application is reset',
  async (version, guarantee) => {
    broker = await startTarget({ overrides: brokerSettings })
    await createTopics(broker, ['lines', 'counts'], partitionCount)
    driver = await Driver.start(version, broker, ['counts'])
    const settings = { ...groupSettings('classic'), 'processing.guarantee': guarantee }
    instance = new Instance('WordCount', broker, 'word-count', version, settings)
    const text = new Text(driver, randomFrom(1))
    text.write(300)
    await driver.flush()
    await instance.start()
    await driver.until('all words', () => driver!.records.length >= text.wordCount, [instance])
    await instance.stop()
    const once = expectedCounts(text)
    expect(countsOf(await driver.readAgain())).toEqual(once)

    // Offsets of the input to its beginning, internal topics deleted, and what the instance keeps on its disk.
    await toolOn(broker, 'kafka-streams-application-reset', [
      ...['--application-id', 'word-count', '--input-topics', 'lines', '--force'],
    ])
    rmSync(instance.stateDir, { recursive: true })
    await instance.start()
    await driver.until('all words again', () => driver!.records.length >= 2 * text.wordCount, [instance])
    await instance.stop()
    const twice = [...once].map(([word, counts]) => [word, [...counts, ...counts]] as const)
    expect(countsOf(await driver.readAgain())).toEqual(new Map(twice))
  },
)
