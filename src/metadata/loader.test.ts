import { describe, expect, it } from 'vitest'
import { silentLogger } from '../platform/logger.ts'
import { MetadataLoader } from './loader.ts'
import { metadataRecord } from './records.ts'
import type { MetadataDelta, MetadataPublisher } from './types.ts'

const IDS = ['AAAAAAAAAAAAAAAAAAAABA', 'AAAAAAAAAAAAAAAAAAAABQ', 'AAAAAAAAAAAAAAAAAAAABg', 'AAAAAAAAAAAAAAAAAAAABw']

const NO_MORE = {
  ...{ removingReplicas: [], addingReplicas: [], leaderRecoveryState: 0, directories: [] },
  ...{ eligibleLeaderReplicas: null, lastKnownElr: null },
}

/** Publishers that write down what they hear; the second may take its time. */
async function setUp(isAwaited: boolean) {
  const loader = new MetadataLoader(silentLogger)
  const heard: string[] = []
  const held: (() => void)[] = []
  const publisher = (name: string, promise: () => Promise<void> | undefined): MetadataPublisher => ({
    isAwaited: isAwaited && name === 'slow',
    onMetadataChange: (delta: MetadataDelta) => {
      heard.push(`${name}: ${[...delta.partitionsChanged.keys()].map((id) => IDS.indexOf(id))}`)
      return promise()
    },
  })
  let isSlow = false
  const slow = () => (isSlow ? new Promise<void>((resolve) => held.push(resolve)) : undefined)
  await loader.startPublishing([
    publisher('first', () => undefined),
    publisher('slow', slow),
    publisher('last', () => undefined),
  ])
  heard.length = 0
  isSlow = true
  let offset = 0
  const create = (index: number) => {
    const topicId = IDS[index]!
    const partition = { topicId, partitionId: 0, replicas: [1], isr: [1], leader: 1, leaderEpoch: 0, partitionEpoch: 0 }
    const records = [
      metadataRecord('Topic', { name: `t${index}`, topicId }),
      metadataRecord('Partition', { ...partition, ...NO_MORE }),
    ]
    loader.onCommit(records, { lastOffset: offset++, epoch: 1, appendTimeMs: 0 })
  }
  /** Whether the changes so far are applied, told later. */
  const watch = () => {
    const state = { isApplied: false }
    void loader.applied().then(() => {
      state.isApplied = true
    })
    return state
  }
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }
  return { loader, heard, held, create, watch, settle }
}

describe('publishing of metadata changes', () => {
  it('tells all of a change at once, and waits for what they promise', async () => {
    const { heard, held, create, watch, settle } = await setUp(false)
    create(0)
    create(1)
    expect(heard).toEqual(['first: 0', 'slow: 0', 'last: 0', 'first: 1', 'slow: 1', 'last: 1'])
    const applied = watch()
    held[0]!()
    await settle()
    expect(applied.isApplied).toBe(false)
    held[1]!()
    await settle()
    expect(applied.isApplied).toBe(true)
  })

  it('holds others and later changes back for one that is awaited, and then tells of those as one', async () => {
    const { heard, held, create, watch, settle } = await setUp(true)
    create(0)
    const first = watch()
    create(1)
    create(2)
    const second = watch()
    expect(heard).toEqual(['first: 0', 'slow: 0'])
    held[0]!()
    await settle()
    expect(heard).toEqual(['first: 0', 'slow: 0', 'last: 0', 'first: 1,2', 'slow: 1,2'])
    expect([first.isApplied, second.isApplied]).toEqual([true, false])
    create(3)
    const third = watch()
    held[1]!()
    await settle()
    expect(heard.slice(5)).toEqual(['last: 1,2', 'first: 3', 'slow: 3'])
    expect([second.isApplied, third.isApplied]).toEqual([true, false])
    held[2]!()
    await settle()
    expect([heard.at(-1), third.isApplied]).toEqual(['last: 3', true])
  })
})

describe('a snapshot that a node fetches because it has fallen far behind (KIP-630)', () => {
  const partition = (topicId: string, leaderEpoch: number) => {
    const state = { topicId, partitionId: 0, replicas: [1], isr: [1], leader: 1, leaderEpoch, partitionEpoch: 0 }
    return metadataRecord('Partition', { ...state, ...NO_MORE })
  }
  const topic = (index: number) => [
    metadataRecord('Topic', { name: `t${index}`, topicId: IDS[index]! }),
    partition(IDS[index]!, 0),
  ]

  it('is one change for publishers, with what is gone, and never seen in part', async () => {
    const loader = new MetadataLoader(silentLogger)
    const position = (lastOffset: number) => ({ lastOffset, epoch: 1, appendTimeMs: 0 })
    const heard: MetadataDelta[] = []
    await loader.startPublishing([{ onMetadataChange: (delta) => void heard.push(delta) }])
    const setting = { resourceType: 2, resourceName: 't0', name: 'retention.ms' }
    loader.onCommit([...topic(0), ...topic(1), metadataRecord('Config', { ...setting, value: '1' })], position(4))
    heard.length = 0
    loader.onSnapshotLoad()
    loader.onCommit(topic(1), position(9))
    loader.onCommit(topic(2), position(9))
    expect(heard).toEqual([])
    loader.onSnapshotEnd()
    expect(heard).toHaveLength(1)
    expect(heard[0]!.isInitial).toBe(false)
    expect([...heard[0]!.topicsDeleted.keys()]).toEqual([IDS[0]])
    expect([...heard[0]!.topicsCreated.keys()]).toEqual([IDS[2]])
    expect([...heard[0]!.partitionsChanged.keys()]).toEqual([IDS[1], IDS[2]])
    expect(heard[0]!.configsChanged).toEqual([{ type: 2, name: 't0' }])
    expect(loader.image.offset).toBe(9)
  })

  it('what was not told yet is told with it', async () => {
    const { heard, held, create, settle, loader } = await setUp(true)
    create(0)
    await settle()
    create(1)
    loader.onCommit([metadataRecord('RemoveTopic', { topicId: IDS[0]! })], { lastOffset: 5, epoch: 1, appendTimeMs: 0 })
    loader.onSnapshotLoad()
    loader.onCommit(topic(2), { lastOffset: 9, epoch: 1, appendTimeMs: 0 })
    loader.onSnapshotEnd()
    heard.length = 0
    held.shift()!()
    await settle()
    expect(heard).toContain('first: 2')
    expect(loader.image.topics.size).toBe(1)
  })
})
