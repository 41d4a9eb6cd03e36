import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { NodeDisk } from './node-disk.ts'

/** Calls of node:fs in order; files by name. */
const calls: string[] = []
const names = new Map<number, string>()

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  const name = (path: unknown): string =>
    typeof path === 'number' ? names.get(path)! : String(path).split('/').at(-1)!
  return {
    ...fs,
    openSync: (...args: Parameters<typeof fs.openSync>) => {
      const fd = fs.openSync(...args)
      names.set(fd, name(args[0]))
      return fd
    },
    writeFileSync: (...args: Parameters<typeof fs.writeFileSync>) => {
      calls.push(`write ${name(args[0])}`)
      fs.writeFileSync(...args)
    },
    fsyncSync: (fd: number) => {
      calls.push(`sync ${name(fd)}`)
      fs.fsyncSync(fd)
    },
    renameSync: (from: string, to: string) => {
      calls.push(`rename ${name(from)} to ${name(to)}`)
      fs.renameSync(from, to)
    },
  }
})

afterEach(() => {
  calls.length = 0
})

test.skipIf(process.platform === 'win32')(
  'a file that is replaced is synced before it has its name, and then its directory',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'ottla-disk-'))
    const path = join(directory, 'quorum-state')
    new NodeDisk().replaceFile(path, Buffer.from('{"leaderEpoch":7}'))
    const parent = directory.split('/').at(-1)!
    expect(calls).toEqual([
      'write quorum-state.tmp',
      'sync quorum-state.tmp',
      'rename quorum-state.tmp to quorum-state',
      `sync ${parent}`,
    ])
    expect(readFileSync(path, 'utf8')).toBe('{"leaderEpoch":7}')
  },
)
