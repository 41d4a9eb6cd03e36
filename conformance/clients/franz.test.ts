import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { runFranz } from '../harness/go.ts'
import { startTarget } from '../harness/target.ts'
import { parseReport, verifyReport } from './scenario.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget()
})
afterAll(async () => {
  await broker?.stop()
})

test('franz-go: round trip', async () => {
  const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
  const startMs = Date.now() - 3_600_000
  const result = await runFranz([broker.bootstrap, 'franz', codecs.join(','), String(startMs)])
  expect(result.status, result.stderr).toBe(0)
  verifyReport(parseReport(result.stdout), codecs)
})
