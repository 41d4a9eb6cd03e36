import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { kcat } from '../harness/kcat.ts'
import { startTarget } from '../harness/target.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget({ overrides: { 'num.partitions': '1' } })
})
afterAll(async () => {
  await broker?.stop()
})

const old = ['-X', 'api.version.request=false', '-X', 'broker.version.fallback=0.9.0']
const values = Array.from({ length: 500 }, (_, i) => `value-${i}-${'x'.repeat(i)}`)
const text = values.map((value) => `${value}\n`).join('')

test.each(['none', 'gzip', 'snappy', 'lz4'])('librdkafka at 0.9: codec %s, written and read', async (codec) => {
  const topic = `old-${codec}`
  const to = ['-P', '-b', broker.bootstrap, '-t', topic, '-z', codec, '-X', 'linger.ms=20']
  const from = ['-C', '-b', broker.bootstrap, '-t', topic, '-p', '0', '-e', '-q', '-X', 'check.crcs=true']
  await kcat([...old, ...to], { stdin: text })
  expect(await kcat([...old, ...from, '-o', 'beginning'])).toBe(text)
  // What one of them writes the other reads.
  expect(await kcat([...from, '-o', 'beginning'])).toBe(text)
  await kcat(to, { stdin: text })
  expect(await kcat([...old, ...from, '-o', '500'])).toBe(text)
  expect(await kcat([...old, ...from, '-o', '-1'])).toBe(`${values[499]}\n`)
})

test('librdkafka at 0.9: records larger than what is fetched at once', async () => {
  const big = Array.from({ length: 5 }, (_, i) => `${i}${'y'.repeat(200_000)}`)
  const to = ['-P', '-b', broker.bootstrap, '-t', 'old-big', '-X', 'linger.ms=50']
  await kcat(to, { stdin: big.map((value) => `${value}\n`).join('') })
  const from = ['-C', '-b', broker.bootstrap, '-t', 'old-big', '-p', '0', '-e', '-q', '-o', 'beginning']
  const small = ['-X', 'fetch.message.max.bytes=50000']
  expect(await kcat([...old, ...small, ...from])).toBe(big.map((value) => `${value}\n`).join(''))
})

test('librdkafka at 0.9: a group goes on where it stopped', async () => {
  const to = ['-P', '-b', broker.bootstrap, '-t', 'old-group']
  const group = ['-G', 'old-group', '-b', broker.bootstrap, '-q', '-X', 'auto.offset.reset=earliest', '-c', '500']
  for (let round = 0; round < 2; round++) {
    await kcat([...old, ...to], { stdin: text })
    expect(await kcat([...old, ...group, 'old-group'])).toBe(text)
  }
})
