import { describe, expect, test } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import { MemoryPersister, ShareBench } from './share-partition.testkit.ts'
import { AcknowledgeType } from './share-partition.ts'

const { gap, accept, release, reject, renew } = AcknowledgeType

async function bench(...counts: readonly number[]): Promise<ShareBench> {
  return await new ShareBench(new MemoryPersister()).append(...counts).load()
}

function refusal(error: { readonly name: string }) {
  return expect.objectContaining({ error })
}

describe('acquiring (KIP-932)', () => {
  test('whole batches, and more records than asked for where a batch is larger', async () => {
    const b = await bench(5, 5, 5)
    expect(b.fetch('a', { maxRecords: 6 })).toEqual([[0, 9, 1]])
    expect(b.fetch('b')).toEqual([[10, 14, 1]])
    expect(b.fetch('c')).toEqual([])
  })

  test('in ranges of about the batch size, cut where batches begin', async () => {
    const b = await bench(4, 4, 4)
    expect(b.fetch('a', { batchSize: 5 })).toEqual([
      [0, 7, 1],
      [8, 11, 1],
    ])
  })

  test('never more than asked for with a record limit; the rest of the batch is for others (KIP-1206)', async () => {
    const b = await bench(10)
    expect(b.fetch('a', { maxRecords: 3, isRecordLimit: true })).toEqual([[0, 2, 1]])
    expect(b.fetch('b', { maxRecords: 4, isRecordLimit: true })).toEqual([[3, 6, 1]])
    expect(b.fetch('c')).toEqual([[7, 9, 1]])
  })

  test('no more than the most record locks, unless in the last batch', async () => {
    const b = await bench(60, 60, 60)
    b.limits = { ...b.limits, recordLocks: 100 }
    expect(b.fetch('a')).toEqual([[0, 119, 1]])
    expect(b.fetch('b')).toEqual([])
    await b.acknowledge('a', 0, 119, accept)
    expect(b.fetch('b')).toEqual([[120, 179, 1]])
  })

  test('a group begins where it is told to, not where the log does', async () => {
    const b = new ShareBench(new MemoryPersister()).append(5, 5)
    b.persister.startOffset = 7
    await b.load()
    expect(b.fetch('a')).toEqual([[7, 9, 1]])
  })

  test('what an aborted transaction wrote is not handed out', async () => {
    const b = await bench(3, 3, 3)
    expect(b.fetch('a', { aborted: [{ baseOffset: 3, lastOffset: 5 }] })).toEqual([
      [0, 2, 1],
      [6, 8, 1],
    ])
    await b.acknowledge('a', 0, 2, accept)
    expect(b.share.window.startOffset).toBe(6)
  })

  test('records that are gone by compaction are done', async () => {
    const b = await bench(3, 3, 3)
    b.fetch('a')
    await b.acknowledge('a', 0, 8, release)
    b.log.shift()
    expect(b.fetch('a')).toEqual([[3, 8, 2]])
    await b.acknowledge('a', 3, 8, accept)
    expect(b.share.window.startOffset).toBe(9)
  })
})

describe('acknowledging', () => {
  test('the start offset follows what is done, whoever did it', async () => {
    const b = await bench(5, 5)
    b.fetch('a', { maxRecords: 5 })
    b.fetch('b')
    await b.acknowledge('b', 5, 9, accept)
    expect(b.share.window).toMatchObject({ startOffset: 0, completeCount: 5 })
    await b.acknowledge('a', 0, 4, reject)
    expect(b.share.window).toMatchObject({ startOffset: 10, endOffset: 10, completeCount: 0 })
  })

  test('one type for each record', async () => {
    const b = await bench(5)
    b.fetch('a')
    await b.acknowledge('a', 0, 4, accept, release, gap, reject, accept)
    expect(b.share.window.startOffset).toBe(1)
    expect(b.fetch('b')).toEqual([[1, 1, 2]])
    await b.acknowledge('b', 1, 1, accept)
    expect(b.share.window.startOffset).toBe(5)
  })

  test('only by whom it was given to, only once, and only what was given', async () => {
    const b = await bench(5)
    await expect(b.acknowledge('a', 0, 4, accept)).rejects.toEqual(refusal(errors.INVALID_RECORD_STATE))
    b.fetch('a')
    await expect(b.acknowledge('b', 0, 4, accept)).rejects.toEqual(refusal(errors.INVALID_RECORD_STATE))
    await expect(b.acknowledge('a', 0, 5, accept)).rejects.toEqual(refusal(errors.INVALID_REQUEST))
    await b.acknowledge('a', 1, 2, accept)
    await expect(b.acknowledge('a', 0, 2, accept)).rejects.toEqual(refusal(errors.INVALID_RECORD_STATE))
    await b.acknowledge('a', 0, 0, accept)
    await b.acknowledge('a', 3, 4, accept)
    expect(b.share.window.startOffset).toBe(5)
  })

  test('what cannot be stored is as if it had not been', async () => {
    const b = await bench(5)
    b.fetch('a')
    b.persister.failures.push(errors.COORDINATOR_NOT_AVAILABLE)
    await expect(b.acknowledge('a', 0, 4, accept)).rejects.toEqual(refusal(errors.COORDINATOR_NOT_AVAILABLE))
    expect(b.share.window).toMatchObject({ startOffset: 0, completeCount: 0 })
    await b.acknowledge('a', 0, 4, accept)
    expect(b.share.window.startOffset).toBe(5)
  })

  test('a fenced leader is told so', async () => {
    const b = await bench(5)
    b.fetch('a')
    b.persister.failures.push(errors.FENCED_STATE_EPOCH)
    await expect(b.acknowledge('a', 0, 4, accept)).rejects.toEqual(refusal(errors.NOT_LEADER_OR_FOLLOWER))
  })
})

describe('delivering again', () => {
  test('when the lock ends, and not before', async () => {
    const b = await bench(5)
    b.fetch('a')
    await b.time.advance(29_999)
    expect(b.fetch('b')).toEqual([])
    await b.time.advance(1)
    expect(b.fetch('b')).toEqual([[0, 4, 2]])
    await expect(b.acknowledge('a', 0, 4, accept)).rejects.toEqual(refusal(errors.INVALID_RECORD_STATE))
  })

  test('later when the lock is renewed, unless the group forbids it (KIP-1222)', async () => {
    const b = await bench(5)
    b.fetch('a')
    await b.time.advance(20_000)
    await b.acknowledge('a', 0, 1, renew)
    await b.time.advance(10_000)
    expect(b.fetch('b')).toEqual([[2, 4, 2]])
    b.limits = { ...b.limits, mayRenew: false }
    await expect(b.acknowledge('a', 0, 1, renew)).rejects.toEqual(refusal(errors.INVALID_RECORD_STATE))
    await b.time.advance(20_000)
    expect(b.fetch('b')).toEqual([[0, 1, 2]])
  })

  test('when the member leaves', async () => {
    const b = await bench(5, 5)
    b.fetch('a', { maxRecords: 5 })
    b.fetch('b')
    await b.share.release('a')
    expect(b.fetch('b')).toEqual([[0, 4, 2]])
  })

  test('in smaller and smaller portions, at last alone, and then not any more', async () => {
    const b = await bench(8)
    const seen: [number, number, number][][] = []
    for (let i = 0; i < 3; i++) {
      const acquired = b.fetch('a')
      expect(acquired).toEqual([[0, 7, i + 1]])
      await b.acknowledge('a', 0, 7, release)
    }
    for (let i = 0; i < 2; i++) {
      const [acquired] = b.fetch('a')
      seen.push([acquired!])
      await b.acknowledge('a', acquired![0], acquired![1], release)
    }
    expect(seen).toEqual([[[0, 3, 4]], [[0, 0, 5]]])
    expect(b.share.window.startOffset).toBe(1)
  })

  test('by the next leader, but for what is done', async () => {
    const b = await bench(5, 5)
    b.fetch('a')
    await b.acknowledge('a', 5, 9, accept)
    await b.acknowledge('a', 0, 1, release)
    await b.takeOver()
    expect(b.share.window.completeCount).toBe(5)
    expect(b.fetch('b')).toEqual([
      [0, 1, 2],
      [2, 4, 1],
    ])
    await b.acknowledge('b', 0, 4, accept)
    // Only what comes after the stored state shows that there was no gap in it.
    expect(b.share.window.startOffset).toBe(5)
    expect(b.append(1).fetch('b')).toEqual([[10, 10, 1]])
    await b.acknowledge('b', 10, 10, accept)
    expect(b.share.window.startOffset).toBe(11)
  })
})

test('when the log starts later, what was before is done; who has it may still say so', async () => {
  const b = await bench(5, 5)
  b.fetch('a', { maxRecords: 5 })
  b.log.shift()
  b.share.window.moveToLogStart(5)
  expect(b.share.window.startOffset).toBe(5)
  await b.acknowledge('a', 0, 4, accept)
  expect(b.fetch('b')).toEqual([[5, 9, 1]])
})

test('one read at a time', async () => {
  const b = await bench(5)
  expect(b.share.tryBeginRead()).toBe(true)
  expect(b.fetch('b')).toEqual([])
  b.share.endRead()
  expect(b.fetch('b')).toEqual([[0, 4, 1]])
})

test('what does not reach the member is there for others at once, and does not count as delivered', async () => {
  const b = await bench(5, 5)
  const taken = { maxRecords: 5 }
  b.fetch('a', taken)
  b.share.giveBack('a', [{ firstOffset: 0, lastOffset: 4, deliveryCount: 1 }])
  expect(b.fetch('b', taken)).toEqual([[0, 4, 1]])
  // Not what another one has, nor what is acquired anew.
  b.share.giveBack('a', [{ firstOffset: 0, lastOffset: 4, deliveryCount: 1 }])
  await b.acknowledge('b', 1, 2, accept)
  await b.acknowledge('b', 3, 3, release)
  expect(b.fetch('b', taken)).toEqual([
    [3, 3, 2],
    [5, 9, 1],
  ])
  b.share.giveBack('b', [{ firstOffset: 3, lastOffset: 3, deliveryCount: 2 }])
  b.share.giveBack('b', [{ firstOffset: 5, lastOffset: 9, deliveryCount: 1 }])
  expect(b.fetch('a')).toEqual([
    [3, 3, 2],
    [5, 9, 1],
  ])
  await b.acknowledge('a', 5, 9, accept)
  await b.time.advance(30_000)
  expect(b.fetch('a')).toEqual([
    [0, 0, 2],
    [3, 3, 3],
    [4, 4, 2],
  ])
})
