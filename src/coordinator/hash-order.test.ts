import { expect, test } from 'vitest'
import { inHashOrder, topicIdsInHashOrder } from './hash-order.ts'

test('a few keys come in the order of their buckets', () => {
  const assignors = ['cooperative-sticky', 'sticky', 'roundrobin', 'range']
  expect(inHashOrder(assignors)).toEqual(['sticky', 'range', 'roundrobin', 'cooperative-sticky'])
})

test('the table grows with the keys', () => {
  const keys = Array.from({ length: 13 }, (_, index) => `member-${index}`)
  const order = [5, 6, 3, 4, 12, 9, 11, 10, 7, 8, 1, 2, 0].map((index) => `member-${index}`)
  expect(inHashOrder(keys)).toEqual(order)
})

test('the table does not shrink, and may have been made small', () => {
  expect(inHashOrder(['0', '@'])).toEqual(['0', '@'])
  expect(inHashOrder(['0', '@'], { entryCount: 12 })).toEqual(['0', '@'])
  expect(inHashOrder(['0', '@'], { entryCount: 13 })).toEqual(['@', '0'])
  expect(inHashOrder(['9', 'b'])).toEqual(['b', '9'])
  expect(inHashOrder(['9', 'b'], { capacity: 1 })).toEqual(['9', 'b'])
})

test('keys of one bucket keep their order', () => {
  // Both have the hash code 2112.
  expect(inHashOrder(['Aa', 'BB'])).toEqual(['Aa', 'BB'])
  expect(inHashOrder(['BB', 'Aa'])).toEqual(['BB', 'Aa'])
})

test('ids of topics', () => {
  const ids = [4, 3, 2, 1].map((low) => Buffer.from(`${'00'.repeat(15)}0${low}`, 'hex').toString('base64url'))
  expect(topicIdsInHashOrder(ids)).toEqual(ids.toReversed())
})
