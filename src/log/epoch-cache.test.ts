import { expect, test } from 'vitest'
import { MemoryDisk } from '../platform/memory-disk.ts'
import { EpochCache } from './epoch-cache.ts'

function reopened(disk: MemoryDisk): EpochCache {
  const cache = new EpochCache(disk, '/t-0')
  expect(cache.load()).toBe(true)
  return cache
}

test('an epoch that is dropped at the start of a log without records and led again costs no write', () => {
  const disk = new MemoryDisk()
  disk.makeDirectory('/t-0')
  reopened(disk).assign(3, 0)
  let writes = 0
  disk.fault = (operation) => {
    if (operation === 'write') writes += 1
    return undefined
  }
  const cache = reopened(disk)
  cache.truncateFromEndInMemory(0)
  expect(cache.latest).toBeUndefined()
  expect(cache.assign(3, 0)).toBe(true)
  expect(writes).toBe(0)
  cache.truncateFromEndInMemory(0)
  expect(cache.assign(4, 0)).toBe(true)
  expect(writes).toBe(1)
  expect(reopened(disk).entries).toEqual([{ epoch: 4, startOffset: 0 }])
})

test('a real truncation is in the file', () => {
  const disk = new MemoryDisk()
  disk.makeDirectory('/t-0')
  const cache = reopened(disk)
  cache.assign(1, 0)
  cache.assign(2, 10)
  cache.truncateFromEnd(10)
  expect(reopened(disk).entries).toEqual([{ epoch: 1, startOffset: 0 }])
})

test('is there after a power failure once it is to be synced, and so is all that is written from then on', () => {
  const disk = new MemoryDisk()
  disk.makeDirectory('/t-0')
  disk.syncDirectory('/t-0')
  const cache = reopened(disk)
  cache.assign(1, 0)
  expect(reopened(disk.onStableStorage()).entries).toEqual([])
  cache.sync()
  expect(reopened(disk.onStableStorage()).entries).toEqual([{ epoch: 1, startOffset: 0 }])
  cache.assign(2, 10)
  expect(reopened(disk.onStableStorage()).entries).toHaveLength(2)
  let changes = 0
  disk.onChange = () => {
    changes += 1
  }
  cache.sync()
  expect(changes).toBe(0)
})
