import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { launchShareLedger, runShareLedger } from '../harness/java.ts'
import { kafkaVersion } from '../harness/maven.ts'
import { startOttla } from '../harness/ottla.ts'
import { type Daemon, eventually } from '../harness/process.ts'
import { tool } from '../harness/tools.ts'
import { quickShareGroups } from './settings.ts'

const TOPIC = 'ledger'
const PARTITIONS = 2
const COUNT = 1500
const KILLS = 4

/** Snapshots and prunings happen often enough to be met by the kills. */
const overrides = {
  ...quickShareGroups,
  'share.coordinator.snapshot.update.records.per.snapshot': '20',
  'share.coordinator.state.topic.prune.interval.ms': '500',
  'share.coordinator.cold.partition.snapshot.interval.ms': '1000',
}

let broker: Broker | undefined
let members: Daemon | undefined
afterAll(async () => {
  await members?.end('SIGKILL', 5000)
  await broker?.stop()
})

test('the broker is killed under a share group: all is delivered, and what is confirmed is not given out again', async () => {
  broker = await startOttla({ overrides })
  const total = PARTITIONS * COUNT
  const filled = await runShareLedger(kafkaVersion, ['fill', broker.bootstrap, TOPIC, `${PARTITIONS}`, `${COUNT}`])
  expect(filled.status, filled.stderr).toBe(0)
  members = await launchShareLedger(kafkaVersion, ['run', broker.bootstrap, TOPIC, `${PARTITIONS}`])
  for (let kill = 1; kill <= KILLS; kill++) {
    const due = Math.floor((total * kill) / (KILLS + 2) / 100) * 100
    await eventually(`${due} records confirmed`, 120_000, async () => {
      if (!members!.running) throw new Error(members!.output().slice(-4000))
      return confirmedCount(members!) >= due ? true : undefined
    })
    await broker.kill()
    broker = await startOttla({ home: broker.home, overrides })
  }
  expect(await members.exited, members.output().slice(-4000)).toBe(0)
  expect(members.output().trim().split('\n').at(-1)).toBe(`delivered ${total}`)
  await broker.stop()
  const log = logOf('__share_group_state')
  const dump = await tool('kafka-dump-log', ['--files', log, '--share-group-state-decoder'])
  expect(dump).toMatch(/"type":"0".*"startOffset":/)
}, 300_000)

function confirmedCount(daemon: Daemon): number {
  const counts = [...daemon.output().matchAll(/^confirmed (\d+)$/gm)]
  return counts.length === 0 ? 0 : Math.max(...counts.map((match) => Number(match[1])))
}

/** The segments of the partitions of a topic. */
function logOf(topic: string): string {
  const partitions = readdirSync(broker!.dataDir).filter((name) => name.startsWith(`${topic}-`))
  return partitions
    .flatMap((name) => readdirSync(join(broker!.dataDir, name)).map((file) => join(broker!.dataDir, name, file)))
    .filter((file) => file.endsWith('.log'))
    .join(',')
}
