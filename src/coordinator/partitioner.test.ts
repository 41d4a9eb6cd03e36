import { expect, test } from 'vitest'
import { javaHashCode, partitionFor } from './partitioner.ts'

test('hashes as java.lang.String does', () => {
  // The expected values are what Java prints.
  expect(javaHashCode('')).toBe(0)
  expect(javaHashCode('my-group')).toBe(-1_906_497_762)
  expect(javaHashCode('console-consumer-12345')).toBe(158_455_506)
  expect(javaHashCode('polygenelubricants')).toBe(-(2 ** 31))
  expect(javaHashCode('grüße-🎈')).toBe(347_391_938)
})

test('the partition is the absolute hash modulo the count, and 0 for the hash that has no absolute value', () => {
  expect(partitionFor('my-group', 50)).toBe(12)
  expect(partitionFor('grüße-🎈', 50)).toBe(38)
  expect(partitionFor('polygenelubricants', 50)).toBe(0)
})
