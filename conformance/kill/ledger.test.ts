import { expect, test } from 'vitest'
import { type Batch, decodeBatches, encodeBatch } from './bytes.ts'
import { Ledger, type LogReader } from './ledger.ts'

const values = (...ids: string[]) => ids.map((id) => Buffer.from(`${id} xx`))
const batch = (...ids: string[]): Batch => ({
  producerId: 7,
  producerEpoch: 0,
  baseSequence: 3,
  values: values(...ids),
})

/** A broker with one partition, whose batches lie at the given offsets. */
function holding(endOffset: number, ...stored: Array<[number, string[]]>): LogReader {
  const batches = stored.map(([baseOffset, ids]) => ({ baseOffset, ...batch(...ids) }))
  return {
    endOffset: async () => ({ error: 0, offset: endOffset }),
    fetch: async (_topic, _partition, offset) => ({
      error: 0,
      batches: batches.filter(({ baseOffset }) => baseOffset >= offset),
    }),
  }
}

function ledgerOf(...acked: Array<[number, string[]]>): Ledger {
  const ledger = new Ledger('ledger', 1)
  for (const [offset, ids] of acked) ledger.acknowledge(0, offset, values(...ids))
  return ledger
}

const acked: Array<[number, string[]]> = [
  [0, ['a', 'b']],
  [2, ['c']],
]

test('a log that is the ledger passes', async () => {
  await ledgerOf(...acked).check(holding(3, [0, ['a', 'b']], [2, ['c']]))
})

test.each<[string, LogReader, RegExp]>([
  ['a lost record at the end', holding(2, [0, ['a', 'b']]), /only 2 found/],
  ['a lost record in the middle', holding(3, [0, ['a', 'b']], [3, ['c']]), /batch at 3 where 2 was due/],
  ['a record twice', holding(4, [0, ['a', 'b']], [2, ['c']], [3, ['c']]), /offset 3 has c, not undefined/],
  ['another value at an offset', holding(3, [0, ['a', 'x']], [2, ['c']]), /offset 1 has x, not b/],
  ['an end offset past the records', holding(5, [0, ['a', 'b']], [2, ['c']]), /fetch at 3/],
])('the ledger finds %s', async (_what, reader, complaint) => {
  await expect(ledgerOf(...acked).check(reader)).rejects.toThrow(complaint)
})

test('a record acknowledged without its offset is there once, wherever', async () => {
  const ledger = ledgerOf([0, ['a']])
  ledger.acknowledgeSomewhere(0, values('b'))
  await ledger.check(holding(2, [0, ['a']], [1, ['b']]))
  await expect(ledger.check(holding(1, [0, ['a']]))).rejects.toThrow('only 1 found')
  await expect(ledger.check(holding(3, [0, ['a']], [1, ['b']], [2, ['b']]))).rejects.toThrow(
    'b is there twice, again at 2',
  )
})

test('a record of which nobody knows may be there once, or not', async () => {
  const ledger = ledgerOf([0, ['a']])
  ledger.allow(0, values('b'))
  await ledger.check(holding(1, [0, ['a']]))
  await ledger.check(holding(2, [0, ['a']], [1, ['b']]))
  await expect(ledger.check(holding(1, [0, ['b']]))).rejects.toThrow('offset 0 has b, not a')
  await expect(ledger.check(holding(3, [0, ['a']], [1, ['b']], [2, ['b']]))).rejects.toThrow('b is there twice')
})

test('one offset acknowledged for two records is refused', () => {
  expect(() => ledgerOf([0, ['a']], [0, ['b']])).toThrow('0:0 was acknowledged for a and b')
})

test('batches come back from their bytes, and a flipped bit is found', () => {
  const bytes = encodeBatch(batch('a', 'b', 'c'.repeat(200)), 1_700_000_000_000)
  expect(decodeBatches(bytes)).toEqual([{ baseOffset: 0, ...batch('a', 'b', 'c'.repeat(200)) }])
  bytes[80] = bytes[80]! ^ 4
  expect(() => decodeBatches(bytes)).toThrow('wrong CRC')
})
