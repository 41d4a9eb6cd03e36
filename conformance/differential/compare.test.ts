import { expect, test } from 'vitest'
import { withoutThoseOf } from './compare.ts'

test('what is left of a story that differed is not looked at, but what is of others, and of the same one told again', () => {
  const groups = ['s12v1', 's12v1-g', 's12v1again', 's12v10', 's1', 's12'].map((groupId) => ({ groupId }))
  const left = ['s12v1again', 's12v10', 's1', 's12'].map((groupId) => ({ groupId }))
  const answer = {
    errorCode: 0,
    groups,
    names: ['s12v1', 'other'],
    topics: [{ topicId: '<id of s12v1>', partitions: [1] }],
  }
  expect(withoutThoseOf(['s12v1'], answer)).toEqual({ errorCode: 0, groups: left, names: ['other'], topics: [] })
  expect(withoutThoseOf([], answer)).toBe(answer)
})
