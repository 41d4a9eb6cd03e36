import { afterAll, beforeAll, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { startTarget } from '../harness/target.ts'
import { KafkajsRoundTrip } from './kafkajs-round-trip.ts'
import { verifyReport } from './scenario.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget()
})
afterAll(async () => {
  await broker?.stop()
})

// kafkajs brings no other codec; those that users add to it run in our own process, so they would prove little.
const codecs = ['none', 'gzip']

test('kafkajs: round trip', async () => {
  const roundTrip = new KafkajsRoundTrip(broker.bootstrap, 'kafkajs', codecs, Date.now() - 3_600_000)
  verifyReport(await roundTrip.report(), codecs)
})
