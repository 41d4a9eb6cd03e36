import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { runShareStory } from '../harness/java.ts'
import { startTarget } from '../harness/target.ts'
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
