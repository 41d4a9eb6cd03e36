import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { runOldJavaRoundTrip } from '../harness/java.ts'
import { startTarget } from '../harness/target.ts'

const PARTITIONS = 4

let broker: Broker
beforeAll(async () => {
  broker = await startTarget({ overrides: { 'num.partitions': String(PARTITIONS) } })
})
afterAll(async () => {
  await broker?.stop()
})

/** What is read of `count` records that went to the partitions in turn, from the record `from` on. */
function expected(what: string, from: number, count: number, valueChars: number): string[] {
  return Array.from({ length: count }, (_, n) => {
    const i = from + n
    const value = i % 7 === 6 ? 'null' : `${i}/${String(i).length + 1 + valueChars}`
    return `${what} ${i % PARTITIONS} ${Math.floor(i / PARTITIONS)} key-${i} ${value}`
  }).sort()
}

// Message sets of magic 0 (0.9), magic 1 (0.10) and the first record batches (0.11).
test.each(['0.9.0.1', '0.10.2.2', '0.11.0.3'])('kafka-clients %s: round trip', async (version) => {
  const codecs = ['none', 'gzip', 'snappy', 'lz4']
  const result = await runOldJavaRoundTrip(version, [broker.bootstrap, `old-${version}`, codecs.join(',')])
  expect(result.status, result.stderr).toBe(0)
  const lines = result.stdout.trim().split('\n')
  const of = (what: string) => lines.filter((line) => line.startsWith(`${what} `)).sort()
  for (const codec of codecs) expect(of(codec)).toEqual(expected(codec, 0, 100, 1000))
  expect(of('big')).toEqual(expected('big', 0, 3, 900_000))
  // A record may come twice where the group is rearranged before the commit.
  expect([...new Set(of('shared'))]).toEqual(expected('shared', 0, 200, 10))
  expect(of('resumed')).toEqual(expected('resumed', 200, 40, 10))
  expect(of('member').slice(0, 1)).toEqual([`member resumed ${PARTITIONS}`])
  expect(of('member').slice(1)).toEqual(['member shared 2', 'member shared 2'])
})
