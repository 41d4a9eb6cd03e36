import { beforeEach, describe, expect, it } from 'vitest'
import type { BrokerConfig } from '../config/broker-config.ts'
import { StartupError } from '../config/startup-error.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { LedPartitionHarness } from '../replication/leader.testkit.ts'
import { ReadReplicas } from './read-replicas.ts'

const RACK_AWARE = 'org.apache.kafka.common.replica.RackAwareReplicaSelector'

let led: LedPartitionHarness
let racks: (string | null)[]
let listeners: string[][]

beforeEach(async () => {
  led = new LedPartitionHarness()
  racks = ['a', 'b', 'b']
  listeners = [['PLAINTEXT'], ['PLAINTEXT'], ['PLAINTEXT']]
  await led.write(4)
  led.fetch(2, 4)
  led.fetch(3, 3)
})

function choice(rackId: string, offset = 0, selector: string | null = RACK_AWARE): number | undefined {
  const config = { nodeId: 1, get: () => selector } as unknown as BrokerConfig
  const brokers = new Map(
    racks.map((rack, index) => {
      const endPoints = listeners[index]!.map((name) => ({ name }))
      return [index + 1, { rack, fenced: led.brokers.get(index + 1)!.fenced, endPoints }]
    }),
  )
  const replicas = new ReadReplicas(config, { brokers } as unknown as MetadataImage)
  return replicas.chooserFor(rackId, 'PLAINTEXT')?.(led.partition, offset)
}

describe('a consumer reads from (KIP-392)', () => {
  it('the replica in its rack that has most', () => {
    expect(choice('b')).toBe(2)
    led.fetch(3, 4)
    led.fetch(2, 3)
    expect(choice('b')).toBe(3)
  })

  it('one that has the record it wants, and is in sync', () => {
    racks = ['a', 'a', 'b']
    expect([choice('b', 3), choice('b', 4)]).toEqual([3, -1])
    led.update({ isr: [1, 2] })
    expect(choice('b')).toBe(-1)
  })

  it('the leader, if that is in its rack, or nobody is', () => {
    expect([choice('a'), choice('c')]).toEqual([-1, -1])
  })

  it('nobody who is fenced, or has no such listener', () => {
    led.brokers.get(2)!.fenced = true
    expect(choice('b')).toBe(3)
    listeners[2] = ['OTHER']
    expect(choice('b')).toBe(-1)
  })

  it('where it asks, if that is no leader', () => {
    led.update({ leader: 2, leaderEpoch: 5 })
    expect(choice('b')).toBe(-1)
  })

  it('leaders, without a rack or a selector', () => {
    expect(choice('')).toBeUndefined()
    expect(choice('b', 0, null)).toBeUndefined()
  })
})

it('refuses a class that it cannot load', () => {
  expect(() => choice('b', 0, 'com.example.Selector')).toThrow(StartupError)
})
