import { expect, test } from 'vitest'
import { DecodeError } from '../protocol/wire.ts'
import { decodeRecord, encodeKey, encodeValue } from './coordinator-record.ts'
import { groupRecordTypes } from './group-records.ts'
import { subscription } from './harness.testkit.ts'

/** Records that Apache Kafka 4.3.1 wrote. */
const byKafka = {
  newGroup: ['00020009677a356d316d317632', '0003000000000000ffffffff000001a201dba14e00000000'],
  stableGroup: [
    '00020009677a356d316d317632',
    '00030008636f6e73756d657200000001000572616e67650031646966666572656e7469616c2d36393133363866342d346262352d343762342d' +
      '386230362d313562656364326466393065000001a201dba15c000000010031646966666572656e7469616c2d36393133363866342d346262' +
      '352d343762342d386230362d313562656364326466393065ffff000c646966666572656e7469616c000a2f3132372e302e302e3100001388' +
      '000075300000000f0001000000010001740000000000000000000861737369676e6564',
  ],
  offset: [
    '0001000f677a356d316d3776362d616c6f6e650009677a356d316d37763600000000',
    '0004000000000000000500000000056e6f7465000001a201dbadc501001080f4ac9de48a4185a6d9855fb8a3ddca',
  ],
  deletedGroup: ['0002000a677a356d316d31337631', null],
  deletedOffset: ['00010000000a677a356d316d3136763800000000', null],
} satisfies { readonly [name: string]: readonly [string, string | null] }

function read(name: keyof typeof byKafka) {
  const [key, value] = byKafka[name]
  return decodeRecord(groupRecordTypes, Buffer.from(key!, 'hex'), value === null ? null : Buffer.from(value!, 'hex'))!
}

test.each(Object.keys(byKafka) as (keyof typeof byKafka)[])('%s: read and written, the bytes are the same', (name) => {
  const [key, value] = byKafka[name]
  const record = read(name)
  expect(encodeKey(record).toString('hex')).toBe(key)
  expect(encodeValue(record)?.toString('hex') ?? null).toBe(value)
})

test('a record says what it is about', () => {
  expect(read('stableGroup').key).toEqual({ group: 'gz5m1m1v2' })
  expect(read('stableGroup').value).toMatchObject({
    protocolType: 'consumer',
    generation: 1,
    protocol: 'range',
    members: [
      {
        groupInstanceId: null,
        clientId: 'differential',
        clientHost: '/127.0.0.1',
        rebalanceTimeout: 5000,
        sessionTimeout: 30_000,
        assignment: Buffer.from('assigned'),
      },
    ],
  })
  expect(read('offset').value).toMatchObject({ offset: 5, leaderEpoch: 0, metadata: 'note', expireTimestamp: -1 })
})

test('records of other types are none of ours; broken ones are an error', () => {
  expect(decodeRecord(groupRecordTypes, Buffer.from([0, 99, 1]), null)).toBeUndefined()
  const key = Buffer.from(byKafka.newGroup[0]!, 'hex')
  for (const [badKey, badValue] of [
    [Buffer.from([0]), null],
    [key.subarray(0, 6), null],
    [key, Buffer.from([0, 9])],
    [key, Buffer.from([0])],
    [key, subscription('x')],
  ] as const) {
    expect(() => decodeRecord(groupRecordTypes, badKey, badValue)).toThrow(DecodeError)
  }
})
