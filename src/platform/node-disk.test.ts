import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { diskErrorCode } from './disk.ts'
import { NodeDisk } from './node-disk.ts'

let directory: string
const disk = new NodeDisk()

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ottla-disk-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('files', () => {
  test('writes more pieces than one writev takes, sync and async, at the position asked for', async () => {
    const pieces = Array.from({ length: 2500 }, (_, index) => Buffer.from(`${index},`))
    const text = Buffer.concat(pieces)
    const file = disk.open(join(directory, 'a'), 'create')
    file.writeSync(pieces, 3)
    await file.write([Buffer.alloc(0), ...pieces, Buffer.alloc(0)], 3 + text.length)
    await file.sync()
    expect(file.sizeBytes()).toBe(3 + 2 * text.length)
    file.close()
    expect(readFileSync(join(directory, 'a')).subarray(3)).toEqual(Buffer.concat([text, text]))
  })

  test('reads what is there and says how much, sync and async', async () => {
    writeFileSync(join(directory, 'a'), 'hello')
    const file = disk.open(join(directory, 'a'), 'read')
    const target = Buffer.alloc(10)
    expect(file.readSync(target, 1)).toBe(4)
    expect(await file.read(target, 3)).toBe(2)
    expect(await file.read(target, 5)).toBe(0)
    expect(await file.read(Buffer.alloc(0), 0)).toBe(0)
    file.close()
  })

  test('opening for reading or writing does not make a file', () => {
    for (const mode of ['read', 'write'] as const) {
      let code: string | undefined
      try {
        disk.open(join(directory, 'none'), mode)
      } catch (error) {
        code = diskErrorCode(error)
      }
      expect(code).toBe('ENOENT')
    }
    expect(disk.list(directory)).toEqual([])
  })

  test('makes directories with their parents, and says where it cannot', () => {
    const path = join(directory, 'a', 'b', 'c')
    disk.makeDirectory(path)
    disk.makeDirectory(path)
    expect(disk.stat(path)).toBeDefined()
    writeFileSync(join(directory, 'file'), '')
    expect(() => disk.makeDirectory(join(directory, 'file'))).toThrow('EEXIST')
    expect(() => disk.makeDirectory(join(directory, 'file', 'b'))).toThrow('ENOTDIR')
  })

  test.skipIf(!existsSync('/proc/self'))('does not hang where nothing can be made', () => {
    expect(() => disk.makeDirectory('/proc/none/b')).toThrow('ENOENT')
  })

  test('replaceFile leaves the new content and no temporary file', () => {
    const path = join(directory, 'checkpoint')
    disk.replaceFile(path, Buffer.from('one'))
    disk.replaceFile(path, Buffer.from('two'))
    expect(disk.readFile(path).toString()).toBe('two')
    expect(disk.list(directory).map((entry) => entry.name)).toEqual(['checkpoint'])
  })
})

describe('the lock of a directory', () => {
  test('is held once, can be released and taken again', () => {
    const lock = disk.lockDirectory(directory)
    expect(lock).toBeDefined()
    expect(disk.lockDirectory(directory)).toBeUndefined()
    lock?.release()
    const again = disk.lockDirectory(directory)
    expect(again).toBeDefined()
    again?.release()
  })

  test('of a process that has died is taken over', () => {
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    writeFileSync(join(directory, '.lock'), `${pid} 12345\n`)
    expect(disk.lockDirectory(directory)).toBeDefined()
  })

  test('of a dead process whose pid another one has now is taken over', () => {
    writeFileSync(join(directory, '.lock'), `${process.ppid} 1\n`)
    const held = disk.lockDirectory(directory)
    // Only where the start time of a process can be read can the reuse of its pid be told.
    expect(held !== undefined).toBe(existsSync('/proc/self/stat'))
  })

  test('of another living process is respected', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)'], { stdio: 'ignore' })
    try {
      await once(child, 'spawn')
      writeFileSync(join(directory, '.lock'), `${child.pid} \n`)
      expect(disk.lockDirectory(directory)).toBeUndefined()
    } finally {
      child.kill('SIGKILL')
    }
  })

  test('left empty, as Apache Kafka leaves it, is free', () => {
    writeFileSync(join(directory, '.lock'), '')
    expect(disk.lockDirectory(directory)).toBeDefined()
  })

  test('is free when a process died while it was taking it', () => {
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    writeFileSync(join(directory, '.lock.claim'), `${pid} 12345\n`)
    expect(disk.lockDirectory(directory)).toBeDefined()
    expect(existsSync(join(directory, '.lock.claim'))).toBe(false)
  })
})
