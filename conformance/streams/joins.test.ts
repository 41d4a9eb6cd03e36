import { rmSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { kafkaVersion } from '../harness/maven.ts'
import { sleep } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { randomFrom } from '../kill/ledger.ts'
import { createTopics } from '../transactions/topics.ts'
import { brokerSettings, Driver, groupProtocols, groupSettings, Instance } from './apps.ts'
import { type InputRecord, JoinsModel, linesOf, tableOf, valuesOf } from './joins-model.ts'

const PARTITIONS = 4
const STEPS = 6
const seed = Number(process.env.OTTLA_KILL_SEED ?? Date.now() % 1_000_000)
const longestPauseMs = 600

const inputs = ['orders', 'prices', 'people', 'towns']
const outputs = ['priced', 'sold', 'homes', 'both']

let broker: Broker | undefined
let driver: Driver | undefined
let instances: Instance[] = []
afterEach(async () => {
  for (const instance of instances) await instance.kill()
  await driver?.stop()
  await broker?.stop()
})

function write(records: readonly InputRecord[]): void {
  for (const { topic, partition, timestampMs, key, value } of records) {
    driver!.write(topic, partition, timestampMs, key, value)
  }
}

/** Waits until all that was written is in the output: then a later step makes nothing of it late. */
async function untilJoined(what: string, model: JoinsModel): Promise<void> {
  await driver!.flush()
  const isThere = () => {
    const { records } = driver!
    const priced = new Set(valuesOf(records, 'priced'))
    const areTables = isDeepStrictEqual(
      [tableOf(records, 'homes'), tableOf(records, 'both')],
      [model.homes, model.both],
    )
    return areTables && model.due.every((value) => priced.has(value))
  }
  await driver!.until(what, isThere, instances)
}

/** Orders without a price are told apart once a second at most, when a record comes: so steps come until all is there. */
async function close(model: JoinsModel): Promise<void> {
  const isAllThere = () => {
    const { records } = driver!
    return (
      linesOf(records, 'sold').length >= model.sold.length && valuesOf(records, 'priced').length >= model.priced.length
    )
  }
  write(model.barrier())
  await untilJoined('all orders', model)
  for (let i = 0; i === 0 || (i < 60 && !isAllThere()); i++) {
    write(model.closingStep())
    await untilJoined(`closing step ${i}`, model)
    await sleep(500)
  }
}

async function stopAndCheck(model: JoinsModel): Promise<void> {
  for (const instance of instances) await instance.stop()
  const all = await driver!.readAgain()
  expect(valuesOf(all, 'priced')).toEqual(model.priced)
  expect(linesOf(all, 'sold')).toEqual(model.sold)
  expect(tableOf(all, 'homes')).toEqual(model.homes)
  expect(tableOf(all, 'both')).toEqual(model.both)
}

test.each(groupProtocols)(
  'group.protocol=%s: joins and closed windows are exact though all are killed',
  async (protocol) => {
    console.log(`seed ${seed}`)
    const random = randomFrom(seed)
    broker = await startTarget({ overrides: brokerSettings })
    await createTopics(broker, [...inputs, ...outputs], PARTITIONS)
    driver = await Driver.start(kafkaVersion, broker, outputs)
    const settings = { ...groupSettings(protocol), 'processing.guarantee': 'exactly_once_v2' }
    instances = [1, 2].map(() => new Instance('Joins', broker!, 'joins', kafkaVersion, settings))
    for (const instance of instances) await instance.start()
    const model = new JoinsModel(random, PARTITIONS, Date.now())
    for (let step = 0; step < STEPS; step++) {
      write(model.step())
      await sleep(random() * longestPauseMs)
      await broker.kill()
      if (step === 2) await instances[1]!.kill()
      broker = await startTarget({ home: broker.home, overrides: brokerSettings })
      if (step === 2) await instances[1]!.start()
      await untilJoined(`step ${step}`, model)
    }
    await close(model)
    await stopAndCheck(model)

    // One of them goes on alone, without what it had on its disk.
    instances.length = 1
    rmSync(instances[0]!.stateDir, { recursive: true })
    await instances[0]!.start()
    write(model.step())
    await untilJoined('a step after the restoration', model)
    write(model.late())
    await untilJoined('the late order', model)
    await close(model)
    await stopAndCheck(model)
  },
  600_000,
)
