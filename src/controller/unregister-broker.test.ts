import { expect, test } from 'vitest'
import { apply, clusterOf, directoryOf } from './partitions.testkit.ts'
import { unregisterRecords } from './unregister-broker.ts'

test('what another broker led is led by one in sync, and the last in sync stays so', () => {
  const context = clusterOf({ elr: 0, partitions: [{ leader: 2 }, { replicas: [2, 3], isr: [2] }] })
  expect(apply(context, unregisterRecords(context, 2, 50))).toMatchObject({ leader: 1, isr: [1, 3] })
  expect(apply(context, [], 1)).toMatchObject({ leader: -1, isr: [2] })
  expect(context.head.brokers.has(2)).toBe(false)
})

test('the node that is asked is registered again, with the offset of that record as its epoch', () => {
  const context = clusterOf()
  apply(context, unregisterRecords(context, 1, 50))
  expect(context.head.brokers.get(1)).toMatchObject({ epoch: 51, fenced: false, directories: [directoryOf(1)] })
  expect(() => unregisterRecords(context, 9, 52)).toThrow('not currently registered')
})
