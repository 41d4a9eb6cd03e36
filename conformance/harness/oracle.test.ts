import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from './broker.ts'
import { runKafkaTool, startOracle } from './oracle.ts'

let oracle: Broker
beforeAll(async () => {
  oracle = await startOracle()
})
afterAll(async () => {
  await oracle?.stop()
})

test('Apache Kafka starts, serves its tools, stops, and starts again on its directory', async () => {
  const create = ['--bootstrap-server', oracle.bootstrap, '--create', '--topic', 'kept', '--partitions', '3']
  expect((await runKafkaTool('org.apache.kafka.tools.TopicCommand', create)).stdout).toContain('Created topic kept')
  expect(await oracle.stop()).toBe(143)
  oracle = await startOracle({ home: oracle.home })
  const list = await runKafkaTool('org.apache.kafka.tools.TopicCommand', [
    '--bootstrap-server',
    oracle.bootstrap,
    '--list',
  ])
  expect(list.stdout.trim()).toBe('kept')
})
