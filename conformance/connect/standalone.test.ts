import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { type Daemon, eventually, freePort } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { linesOf, numbered, topicValues } from './lines.ts'
import { launchConnect, propertiesFile, settleMs, workerProperties } from './worker.ts'

let broker: Broker | undefined
let worker: Daemon | undefined
afterAll(async () => {
  await worker?.end('SIGKILL', 10_000)
  await broker?.stop()
})

test('the lines of a file arrive in another, and a worker that is started again goes on where it stopped', async () => {
  broker = await startTarget()
  const dir = freshDir('standalone')
  const [input, output] = [join(dir, 'in.txt'), join(dir, 'out.txt')]
  const offsets = { 'offset.storage.file.filename': join(dir, 'offsets') }
  const json = ['key', 'value'].map((side) => [`${side}.converter`, 'org.apache.kafka.connect.json.JsonConverter'])
  const args = [
    propertiesFile(dir, 'worker', {
      ...workerProperties(broker.bootstrap, await freePort()),
      ...Object.fromEntries(json),
      ...offsets,
    }),
    propertiesFile(dir, 'source', {
      name: 'source',
      'connector.class': 'FileStreamSource',
      file: input,
      topic: 'lines',
    }),
    propertiesFile(dir, 'sink', { name: 'sink', 'connector.class': 'FileStreamSink', file: output, topics: 'lines' }),
  ]
  const expected: string[] = []
  for (const [run, count] of [3000, 50, 1].entries()) {
    const lines = numbered(`run-${run}`, count)
    expected.push(...lines)
    const write = run === 0 ? writeFileSync : appendFileSync
    write(input, `${lines.join('\n')}\n`)
    worker = await launchConnect('org.apache.kafka.connect.cli.ConnectStandalone', args)
    await eventually(`run ${run}`, settleMs, async () => {
      if (!worker!.running) throw new Error(worker!.output().slice(-4000))
      return linesOf(output).length >= expected.length || undefined
    })
    await worker.end('SIGTERM', 60_000)
    expect(readFileSync(output, 'utf8')).toBe(`${expected.join('\n')}\n`)
  }
  const stored = (await topicValues(broker, 'lines')).map((value) => JSON.parse(value))
  expect(stored).toEqual(expected.map((payload) => ({ schema: { type: 'string', optional: false }, payload })))
})
