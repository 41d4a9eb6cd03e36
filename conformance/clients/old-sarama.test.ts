import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { runSarama } from '../harness/go.ts'
import { startTarget } from '../harness/target.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget()
})
afterAll(async () => {
  await broker?.stop()
})

function expected(what: string, from: number): string[] {
  return Array.from({ length: 100 }, (_, i) => `${what} ${from + i} key-${i} value-${i}`)
}

async function lines(version: string): Promise<(what: string) => string[]> {
  const result = await runSarama([broker.bootstrap, `sarama-${version}`, version])
  expect(result.status, result.stderr).toBe(0)
  const all = result.stdout.trim().split('\n')
  return (what) => all.filter((line) => line.startsWith(`${what} `))
}

test('sarama at 0.9: codecs, and offsets committed for a group', async () => {
  const of = await lines('0.9.0.1')
  for (const codec of ['none', 'gzip', 'snappy']) expect(of(codec)).toEqual(expected(codec, 0))
  expect(of('committed')).toEqual(['committed -2 ', 'committed 42 note'])
})

test.each(['0.10.2.1', '0.11.0.2'])('sarama at %s: codecs and groups', async (version) => {
  const of = await lines(version)
  for (const codec of ['none', 'gzip', 'snappy', 'lz4']) expect(of(codec)).toEqual(expected(codec, 0))
  expect(of('group')).toEqual(expected('group', 0))
  expect(of('resumed')).toEqual(expected('resumed', 100))
})
