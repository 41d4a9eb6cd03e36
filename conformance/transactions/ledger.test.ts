import { afterAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { launchCopiers, runCopiers } from '../harness/java.ts'
import { kafkaVersion } from '../harness/maven.ts'
import { startOttla } from '../harness/ottla.ts'
import { type Daemon, sleep } from '../harness/process.ts'
import { toolOn } from '../harness/tools.ts'
import { createTopics, readTopic } from './topics.ts'

const PARTITIONS = 3
const COUNT = 4000
const KILLS = 6

const overrides = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500' }

let broker: Broker | undefined
const copiers = new Map<string, Daemon>()
afterAll(async () => {
  for (const copier of copiers.values()) await copier.end('SIGKILL', 5_000)
  await broker?.stop()
})

async function launch(name: string): Promise<void> {
  copiers.set(name, await launchCopiers(kafkaVersion, ['copy', broker!.bootstrap, 'in', 'out', name, '2']))
}

test('copiers and their broker are killed, again and again: the copy is exact', async () => {
  broker = await startOttla({ overrides })
  await createTopics(broker, ['in', 'out'], PARTITIONS)
  const filled = await runCopiers(kafkaVersion, ['fill', broker.bootstrap, 'in', String(PARTITIONS), String(COUNT)])
  expect(filled.status, filled.stderr).toBe(0)
  await Promise.all(['one', 'two'].map(launch))
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(1500 + 700 * (kill % 3))
    if (kill % 3 === 2) {
      await copiers.get('one')!.end('SIGKILL', 5_000)
      await launch('one')
    }
    await broker.kill()
    broker = await startOttla({ home: broker.home, overrides })
  }
  for (const copier of copiers.values()) expect(await copier.exited, copier.output().slice(-4000)).toBe(0)
  const expected = Array.from({ length: PARTITIONS }, (_, partition) =>
    Array.from({ length: COUNT }, (_, index) => `${partition}:${index}`),
  )
  expect(await readTopic(kafkaVersion, broker, 'out', 'read_committed', PARTITIONS)).toEqual(expected)
  const hanging = await toolOn(broker, 'kafka-transactions', ['find-hanging', '--broker-id', '1'])
  expect(hanging.trim().split('\n')).toHaveLength(1)
})
