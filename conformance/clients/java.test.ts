import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { runJavaRoundTrip } from '../harness/java.ts'
import { startTarget } from '../harness/target.ts'
import { parseReport, verifyReport } from './scenario.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget()
})
afterAll(async () => {
  await broker?.stop()
})

const beforeZstd = ['none', 'gzip', 'snappy', 'lz4']
test.each([
  ['4.3.1', [...beforeZstd, 'zstd']],
  ['3.9.1', [...beforeZstd, 'zstd']],
  ['2.8.2', [...beforeZstd, 'zstd']],
  ['1.1.1', beforeZstd],
])('kafka-clients %s: round trip', async (version, codecs) => {
  const startMs = Date.now() - 3_600_000
  const result = await runJavaRoundTrip(version, [
    broker.bootstrap,
    `java-${version}`,
    codecs.join(','),
    String(startMs),
  ])
  expect(result.status, result.stderr).toBe(0)
  verifyReport(parseReport(result.stdout), codecs)
})
