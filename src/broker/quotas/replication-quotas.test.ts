import { beforeEach, describe, expect, it } from 'vitest'
import type { MetadataImage } from '../../metadata/image.ts'
import { ConfigResourceType, type MetadataDelta } from '../../metadata/types.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { ReplicationQuotas } from './replication-quotas.ts'

const NODE = 2
const LEADER_RATE = 'leader.replication.throttled.rate'
const LEADER_REPLICAS = 'leader.replication.throttled.replicas'

let time: VirtualTime
let configs: Map<string, ReadonlyMap<string, string>>
let quotas: ReplicationQuotas

beforeEach(() => {
  time = new VirtualTime()
  configs = new Map()
  const image = { configs: { of: (type: number, name: string) => configs.get(`${type}:${name}`) ?? new Map() } }
  quotas = new ReplicationQuotas(NODE, image as unknown as MetadataImage, time, { count: 11, windowMs: 1000 })
})

function set(type: number, name: string, values: Record<string, string>, isInitial = false): void {
  configs.set(`${type}:${name}`, new Map(Object.entries(values)))
  const delta = { isInitial, configsChanged: [{ type, name }], topicsDeleted: new Map() }
  quotas.onMetadataChange(delta as unknown as MetadataDelta)
}

const setTopic = (text: string) => set(ConfigResourceType.topic, 't', { [LEADER_REPLICAS]: text })
const throttled = () => [0, 1, 2].filter((partition) => quotas.leader.isThrottled('t', partition))

describe('partitions are throttled (KIP-73)', () => {
  it.each([
    ['*', [0, 1, 2]],
    ['0:2,1:1,2:2', [0, 2]],
    ['0:1,1:12', []],
    ['', []],
  ])('%s', (text, partitions) => {
    setTopic(text)
    expect(throttled()).toEqual(partitions)
    expect(quotas.leader.isInUse).toBe(partitions.length > 0)
    expect(quotas.follower.isInUse).toBe(false)
  })

  it('no longer when the setting goes, or the topic', () => {
    setTopic('*')
    set(ConfigResourceType.topic, 't', {})
    expect(quotas.leader.isInUse).toBe(false)
    setTopic('*')
    configs.clear()
    const topicsDeleted = new Map([['id', { name: 't' }]])
    quotas.onMetadataChange({ isInitial: false, configsChanged: [], topicsDeleted } as unknown as MetadataDelta)
    expect(quotas.leader.isInUse).toBe(false)
  })
})

describe('the rate', () => {
  it('is without a limit at first', () => {
    quotas.leader.record(2 ** 40)
    expect(quotas.leader.isExceeded()).toBe(false)
  })

  it('of moves between log directories has a setting of its own (KIP-113)', () => {
    quotas.moves.record(150)
    set(ConfigResourceType.broker, '', { [LEADER_RATE]: '100' })
    expect(quotas.moves.isExceeded()).toBe(false)
    set(ConfigResourceType.broker, '', { 'replica.alter.log.dirs.io.max.bytes.per.second': '100' })
    expect([quotas.moves, quotas.leader].map((quota) => quota.isExceeded())).toEqual([true, false])
  })

  it('is that of the broker before that of all brokers', () => {
    quotas.leader.record(150)
    set(ConfigResourceType.broker, '', { [LEADER_RATE]: '100' })
    expect(quotas.leader.isExceeded()).toBe(true)
    set(ConfigResourceType.broker, String(NODE), { [LEADER_RATE]: '200' })
    expect(quotas.leader.isExceeded()).toBe(false)
    set(ConfigResourceType.broker, String(NODE), {})
    expect(quotas.leader.isExceeded()).toBe(true)
  })

  it('is known from the start', () => {
    set(ConfigResourceType.broker, '', { [LEADER_RATE]: '100' }, true)
    quotas.leader.record(101)
    expect(quotas.leader.isExceeded()).toBe(true)
  })

  it('takes all that is younger than a second for a second, and gives no credit for idleness', async () => {
    set(ConfigResourceType.broker, '', { [LEADER_RATE]: '100' })
    await time.advance(60_000)
    quotas.leader.record(100)
    expect(quotas.leader.isExceeded()).toBe(false)
    quotas.leader.record(100)
    expect(quotas.leader.isExceeded()).toBe(true)
    await time.advance(1999)
    expect(quotas.leader.isExceeded()).toBe(true)
    await time.advance(1)
    expect(quotas.leader.isExceeded()).toBe(false)
  })

  it('of followers is another one', () => {
    set(ConfigResourceType.broker, '', { [LEADER_RATE]: '100', 'follower.replication.throttled.rate': '10' })
    quotas.leader.record(50)
    quotas.follower.record(50)
    expect([quotas.leader.isExceeded(), quotas.follower.isExceeded()]).toEqual([false, true])
  })
})
