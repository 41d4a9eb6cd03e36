import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { runPython } from '../harness/python.ts'
import { startTarget } from '../harness/target.ts'
import { parseReport, verifyReport } from './scenario.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget()
})
afterAll(async () => {
  await broker?.stop()
})

test.each([
  ['confluent-kafka', 'confluent_round_trip.py'],
  ['kafka-python', 'kafka_python_round_trip.py'],
  ['aiokafka', 'aiokafka_round_trip.py'],
])('%s: round trip', async (client, script) => {
  const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
  const startMs = Date.now() - 3_600_000
  const result = await runPython(script, [broker.bootstrap, client, codecs.join(','), String(startMs)])
  expect(result.status, result.stderr).toBe(0)
  verifyReport(parseReport(result.stdout), codecs)
})
