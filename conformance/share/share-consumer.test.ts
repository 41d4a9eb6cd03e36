import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { runShareStory } from '../harness/java.ts'
import { startTarget } from '../harness/target.ts'
import { tool } from '../harness/tools.ts'
import { quickShareGroups } from './settings.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget({ overrides: quickShareGroups })
})
afterAll(async () => {
  await broker?.stop()
})

test('KIP-932: what KafkaShareConsumer of kafka-clients 4.3.1 can do', async () => {
  const result = await runShareStory('4.3.1', [broker.bootstrap])
  expect(result.status, result.stderr).toBe(0)
  expect(result.stdout.trim().split('\n')).toEqual([
    'implicit 20 ok',
    'implicit again [last#1]',
    'explicit ok',
    'explicit again [b#2, last#1]',
    'unacknowledged refused',
    'unacknowledged ok',
    'shared 300 by 3, each 1',
    'record_limit [3, 3, 3, 1]',
    'batch_optimized [10]',
    'locked a#1 true',
    'locked late InvalidRecordStateException',
    'renewed [a#1, a#1, a#1] ok []',
    'renewed again [last#1]',
    'limited [a#1, a#2, a#3] [last#1]',
    'left b 2',
  ])
}, 240_000)

/** The segments of all partitions of a topic. */
function segmentsOf(topic: string): string {
  const partitions = readdirSync(broker.dataDir).filter((name) => name.startsWith(`${topic}-`))
  const files = partitions.flatMap((name) => readdirSync(join(broker.dataDir, name)).map((file) => join(name, file)))
  return files
    .filter((file) => file.endsWith('.log'))
    .map((file) => join(broker.dataDir, file))
    .join(',')
}

test('kafka-dump-log knows the records of share groups and of their state', async () => {
  const groups = await tool('kafka-dump-log', ['--files', segmentsOf('__consumer_offsets'), '--offsets-decoder'])
  for (const type of [10, 11, 12, 13, 14, 15]) expect(groups).toContain(`"type":"${type}","data":{"groupId":"shared"`)
  expect(groups).toMatch(/"initializedTopics":\[{"topicId":"[\w-]{22}","topicName":"shared","partitions":\[0\]}\]/)
  const files = segmentsOf('__share_group_state')
  const states = await tool('kafka-dump-log', ['--files', files, '--share-group-state-decoder'])
  expect(states).toMatch(
    /"type":"0","data":{"groupId":"explicit".*"snapshotEpoch":0,"stateEpoch":\d+.*"startOffset":-1/,
  )
  expect(states).toMatch(/"type":"1","data":{"groupId":"explicit".*"deliveryState":4,"deliveryCount":1}/)
}, 120_000)
