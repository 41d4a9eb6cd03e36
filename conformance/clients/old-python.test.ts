import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { runOldPython } from '../harness/python.ts'
import { startTarget } from '../harness/target.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget()
})
afterAll(async () => {
  await broker?.stop()
})

function expected(what: string, from: number): string[] {
  const value = (i: number) => (i % 7 === 6 ? 'null' : `value-${i}`)
  return Array.from({ length: 100 }, (_, i) => `${what} ${from + i} key-${i} ${value(i)}`)
}

test('kafka-python 1.3 at 0.9: round trip', async () => {
  const result = await runOldPython('old_kafka_python.py', [broker.bootstrap, 'old-python'])
  expect(result.status, result.stderr).toBe(0)
  const all = result.stdout.trim().split('\n')
  const of = (what: string) => all.filter((line) => line.startsWith(`${what} `))
  for (const codec of ['none', 'gzip']) expect(of(codec)).toEqual(expected(codec, 0))
  expect(of('group')).toEqual(expected('group', 0))
  expect(of('resumed')).toEqual(expected('resumed', 100))
})
