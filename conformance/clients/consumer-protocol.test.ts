import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { runConsumerProtocol } from '../harness/java.ts'
import { runPython } from '../harness/python.ts'
import { startTarget } from '../harness/target.ts'
import { tool, toolOn } from '../harness/tools.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget({ overrides: { 'offsets.topic.num.partitions': '1' } })
})
afterAll(async () => {
  await broker?.stop()
})

test('KIP-848: consumers of kafka-clients 4.3.1 with group.protocol=consumer', async () => {
  const result = await runConsumerProtocol('4.3.1', [broker.bootstrap, 'kip848'])
  expect(result.status, result.stderr).toBe(0)
  expect(result.stdout.trim().split('\n')).toEqual([
    'shared Stable Consumer 2',
    'seen 40',
    'again 0',
    'matched 1',
    'refused',
    'fixed true',
    'mixed Consumer',
    'back Classic',
  ])
}, 240_000)

test('KIP-848: consumers of confluent-kafka with group.protocol=consumer', async () => {
  const result = await runPython('confluent_consumer_protocol.py', [broker.bootstrap, 'kip848-librdkafka'])
  expect(result.status, result.stderr).toBe(0)
  expect(result.stdout.trim().split('\n')).toEqual(['seen 40', 'shared', 'alone'])
}, 240_000)

test('kafka-consumer-groups and the decoder of the offsets topic know such groups', async () => {
  const described = await toolOn(broker, 'kafka-consumer-groups', ['--describe', '--group', 'kip848-shared'])
  expect(described.split('\n').filter((line) => line.includes('kip848-shared')).length).toBeGreaterThanOrEqual(4)
  const state = await toolOn(broker, 'kafka-consumer-groups', ['--describe', '--state', '--group', 'kip848-shared'])
  expect(state).toContain('uniform')
  expect(state).toContain('Empty')
  const types = await toolOn(broker, 'kafka-consumer-groups', ['--list', '--type', 'consumer'])
  expect(types).toMatch(/^kip848-shared\s+Consumer\b/m)
  const dir = join(broker.dataDir, '__consumer_offsets-0')
  const files = readdirSync(dir).filter((name) => name.endsWith('.log') && statSync(join(dir, name)).size > 0)
  const dump = await tool('kafka-dump-log', ['--files', join(dir, files[0]!), '--offsets-decoder', '--print-data-log'])
  for (const type of [3, 5, 6, 7, 8, 16]) expect(dump).toContain(`"type":"${type}"`)
  expect(dump).toMatch(/"groupId":"kip848-shared"/)
  expect(dump).toMatch(/"metadataHash":-?\d{10,}/)
}, 120_000)
