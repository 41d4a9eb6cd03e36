import { expect, test } from 'vitest'
import { errorOfCode, errors } from './errors.ts'

test('codes run from -1 without a gap, each once', () => {
  const codes = Object.values(errors).map(({ code }) => code)
  expect([...codes].sort((a, b) => a - b)).toEqual(Array.from(codes, (_, i) => i - 1))
})

test('an error is found by its name and by its code', () => {
  expect(errors.UNKNOWN_TOPIC_OR_PARTITION).toMatchObject({
    code: 3,
    name: 'UNKNOWN_TOPIC_OR_PARTITION',
    retriable: true,
  })
  expect(errorOfCode(3)).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION)
  expect(errorOfCode(-1)).toBe(errors.UNKNOWN_SERVER_ERROR)
})

test('a code that nobody knows is an unknown error, as in the Java client', () => {
  expect(errorOfCode(9999)).toBe(errors.UNKNOWN_SERVER_ERROR)
})
