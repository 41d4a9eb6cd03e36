import { describe, expect, test } from 'vitest'
import { diskErrorCode } from './disk.ts'
import { MemoryDisk } from './memory-disk.ts'
import { randomUuid } from './random.ts'
import { VirtualTime } from './virtual-time.ts'

describe('virtual time', () => {
  test('runs what falls due, in order, at its time', async () => {
    const time = new VirtualTime(1000)
    const seen: string[] = []
    time.after(20, () => seen.push(`b@${time.nowMs()}`))
    time.after(10, () => {
      seen.push(`a@${time.nowMs()}`)
      time.after(5, () => seen.push(`a2@${time.nowMs()}`))
    })
    time.after(10, () => seen.push(`a1@${time.nowMs()}`))
    time.after(30, () => seen.push('never')).cancel()
    await time.advance(29)
    expect(seen).toEqual(['a@1010', 'a1@1010', 'a2@1015', 'b@1020'])
    expect(time.monotonicMs()).toBe(29)
    expect(time.pendingTasks).toBe(0)
  })
})

describe('a disk in memory', () => {
  test('a crash loses what was not synced, but for what it is told to keep', () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/data')
    const file = disk.open('/data/log', 'create')
    file.writeSync([Buffer.from('synced')], 0)
    file.syncNow()
    file.writeSync([Buffer.from('lost')], 6)
    disk.crash(() => 2)
    expect(disk.readFile('/data/log').toString()).toBe('syncedlo')
  })

  test('of writes that were not synced a crash keeps the first, and a part of the next', () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/data')
    const file = disk.open('/data/log', 'create')
    file.writeSync([Buffer.from('synced')], 0)
    file.syncNow()
    file.writeSync([Buffer.from('SYN')], 0)
    file.truncate(4)
    file.writeSync([Buffer.from('torn')], 4)
    const left = (kept: number) =>
      disk
        .afterCrash({ kept: () => kept, keptNames: (changes) => changes, isSynced: true })
        .readFile('/data/log')
        .toString()
    expect([0, 1, 2, 2.5, 3].map(left)).toEqual(['synced', 'SYNced', 'SYNc', 'SYNcto', 'SYNctorn'])
    // Who has not noticed goes on with the old disk.
    file.writeSync([Buffer.from('!')], 0)
    expect(disk.readFile('/data/log').toString()).toBe('!YNctorn')
  })

  test('of names that were not synced a crash keeps the first', () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/data')
    disk.open('/data/a', 'create')
    disk.syncDirectory('/data')
    disk.rename('/data/a', '/data/b')
    disk.open('/data/c', 'create')
    disk.removeTree('/data/b')
    const left = (kept: number) =>
      disk
        .afterCrash({ kept: (_, changes) => changes, keptNames: () => kept, isSynced: true })
        .list('/data')
        .map(({ name }) => name)
        .join()
    expect([0, 1, 2, 3].map(left)).toEqual(['a', 'b', 'b,c', 'c'])
  })

  test('after the end of a process alone, what it had not synced still is not', () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/data')
    disk.open('/data/log', 'create').writeSync([Buffer.from('written')], 0)
    disk.syncNames()
    const keepAll = { kept: (_: string, changes: number) => changes, keptNames: (changes: number) => changes }
    const killed = disk.afterCrash({ ...keepAll, isSynced: false })
    expect(killed.readFile('/data/log').toString()).toBe('written')
    expect(killed.afterCrash({ ...keepAll, kept: () => 0, isSynced: true }).readFile('/data/log')).toHaveLength(0)
  })

  test('a full disk takes what fits and fails with ENOSPC', () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/data')
    const file = disk.open('/data/log', 'create')
    disk.capacityBytes = 4
    expect(() => file.writeSync([Buffer.from('hello')], 0)).toThrow(/ENOSPC/)
    expect(disk.readFile('/data/log').toString()).toBe('hell')
    expect(disk.space().usableBytes).toBe(0)
  })

  test('renames and removes whole directories', () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/data/t-0')
    disk.open('/data/t-0/log', 'create').writeSync([Buffer.from('x')], 0)
    disk.rename('/data/t-0', '/data/t-0-delete')
    expect(disk.list('/data')).toEqual([{ name: 't-0-delete', isDirectory: true }])
    expect(disk.list('/data/t-0-delete')).toEqual([{ name: 'log', isDirectory: false }])
    disk.removeTree('/data/t-0-delete')
    expect(disk.list('/data')).toEqual([])
  })
})

test('an error of the operating system is told from one of ours', () => {
  expect(diskErrorCode(Object.assign(new Error('x'), { code: 'EIO' }))).toBe('EIO')
  expect(diskErrorCode(Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' }))).toBeUndefined()
  expect(diskErrorCode(new Error('EIO'))).toBeUndefined()
})

test('a random UUID is of version 4 and does not start with a dash', () => {
  let first = 0
  const random = { bytes: (length: number) => Buffer.alloc(length, first++ === 0 ? 0xfb : 1), below: () => 0 }
  const id = randomUuid(random)
  expect(id).toHaveLength(22)
  expect(id.startsWith('-')).toBe(false)
  expect(Buffer.from(id, 'base64url')[6]! >> 4).toBe(4)
  expect(first).toBe(2)
})
