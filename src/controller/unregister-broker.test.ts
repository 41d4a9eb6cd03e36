import { expect, test } from 'vitest'
import { brokersOf } from './brokers.testkit.ts'
import { apply, directoryOf } from './partitions.testkit.ts'
import { unregisterRecords } from './unregister-broker.ts'

test('what another broker led is led by one in sync, and the last in sync stays so', () => {
  const context = brokersOf({ elr: 0, partitions: [{ leader: 2 }, { replicas: [2, 3], isr: [2] }] })
  context.sessions.heard(2, 200, 0)
  expect(apply(context, unregisterRecords(context, 2))).toMatchObject({ leader: 1, isr: [1, 3] })
  expect(apply(context, [], 1)).toMatchObject({ leader: -1, isr: [2] })
  expect(context.head.brokers.has(2)).toBe(false)
  expect(context.sessions.isValid(2, 200, 0)).toBe(false)
  expect(() => unregisterRecords(context, 2)).toThrow('not currently registered')
})

test('so does the node that is asked, where there are others', () => {
  const context = brokersOf()
  expect(apply(context, unregisterRecords(context, 1))).toMatchObject({ leader: 2, isr: [2, 3] })
  expect(context.head.brokers.has(1)).toBe(false)
})

test('a node that is alone is registered again, with the offset of that record as its epoch', () => {
  const context = brokersOf({ brokers: [{ id: 1 }], partitions: [{ replicas: [1] }] })
  apply(context, unregisterRecords(context, 1))
  expect(context.head.brokers.get(1)).toMatchObject({ epoch: 1001, fenced: false, directories: [directoryOf(1)] })
  expect(context.sessions.registrationOffset(1)).toBe(1001)
})

test('more than one write takes is refused', () => {
  const partitions = Array.from({ length: 10_000 }, () => ({}))
  expect(() => unregisterRecords(brokersOf({ partitions }), 1)).toThrow('excessively large')
})
