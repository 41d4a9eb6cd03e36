import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { launchJava } from '../harness/java.ts'
import { flinkCoordinates, kafkaVersion } from '../harness/maven.ts'
import { type Daemon, eventually } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { toolOn } from '../harness/tools.ts'
import { createTopics, readTopic } from '../transactions/topics.ts'

const PARTITIONS = 3
const KILLS = 3
/** One for each way in which the sink names its transactions: names that count up, and a pool of them. */
const outputs = ['out-incrementing', 'out-pooling']

let broker: Broker | undefined
const jobs: Daemon[] = []
afterAll(async () => {
  for (const job of jobs) await job.end('SIGKILL', 5_000)
  await broker?.stop()
})

/** Flink looks into classes of the JDK to serialize and to clean what it is given. */
const opens = ['java.lang', 'java.util', 'java.util.concurrent', 'java.util.concurrent.atomic', 'java.net', 'java.time']
const flags = ['-Xmx384m', ...opens.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`)]

async function launch(command: string, dir: string, more: readonly string[] = []): Promise<Daemon> {
  const args = [command, broker!.bootstrap, dir, String(PARTITIONS), ...more]
  const job = await launchJava('conformance/flink/CopyJob.java', flinkCoordinates, args, flags)
  jobs.push(job)
  return job
}

/** Waits until the job has printed `line`. */
async function says(job: Daemon, line: string): Promise<void> {
  await eventually(`the line '${line}'`, 200_000, async () => {
    return !job.running || job.output('stdout').split('\n').includes(line) ? true : undefined
  })
  expect(job.running, job.output().slice(-6000)).toBe(true)
}

test('a copy by Flink is exact when the job fails, the broker is killed again and again, and then both', async () => {
  broker = await startTarget()
  const dir = freshDir('flink')
  await createTopics(broker, ['in', ...outputs], PARTITIONS)
  const first = await launch('begin', dir, [String(KILLS)])
  for (let kill = 0; kill < KILLS; kill++) {
    await says(first, `broker ${kill}`)
    await broker.kill()
    broker = await startTarget({ home: broker.home })
    writeFileSync(join(dir, `back-${kill}`), '')
  }
  await says(first, 'job')
  await first.end('SIGKILL', 10_000)
  await broker.kill()
  broker = await startTarget({ home: broker.home })
  const second = await launch('resume', dir)
  expect(await second.exited, second.output().slice(-6000)).toBe(0)
  const counts = second.output('stdout').trim().split('\n').map(Number)
  const expected = counts.map((count, p) => Array.from({ length: count }, (_, index) => `${p}:${index}`))
  expect(expected).toHaveLength(PARTITIONS)
  for (const output of outputs) {
    expect(await readTopic(kafkaVersion, broker, output, 'read_committed', PARTITIONS)).toEqual(expected)
  }
  const hanging = await toolOn(broker, 'kafka-transactions', ['find-hanging', '--broker-id', '1'])
  expect(hanging.trim().split('\n')).toHaveLength(1)
})
