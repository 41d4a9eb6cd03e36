import * as fs from 'node:fs'
import { resolve as absolutePath, dirname, join } from 'node:path'
import { lockDirectory } from './directory-lock.ts'
import { type DirectoryLock, type Disk, type DiskEntry, type DiskFile, type DiskStat, diskErrorCode } from './disk.ts'

const { O_RDONLY, O_RDWR, O_CREAT } = fs.constants
const OPEN_FLAGS = { read: O_RDONLY, write: O_RDWR, create: O_RDWR | O_CREAT }

/** writev takes at most IOV_MAX (1024 on Linux) pieces a call. */
const MAX_PIECES = 1024

class NodeFile implements DiskFile {
  readonly path: string
  readonly #fd: number

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  sizeBytes(): number {
    return fs.fstatSync(this.#fd).size
  }

  readSync(target: Buffer, positionBytes: number): number {
    let done = 0
    while (done < target.length) {
      const count = fs.readSync(this.#fd, target, done, target.length - done, positionBytes + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  read(target: Buffer, positionBytes: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const step = (done: number) => {
        fs.read(this.#fd, target, done, target.length - done, positionBytes + done, (error, count) => {
          if (error) reject(error)
          else if (count === 0 || done + count === target.length) resolve(done + count)
          else step(done + count)
        })
      }
      if (target.length === 0) resolve(0)
      else step(0)
    })
  }

  writeSync(chunks: readonly Buffer[], positionBytes: number): void {
    let position = positionBytes
    let rest = chunks
    while (rest.length > 0) {
      const written = fs.writevSync(this.#fd, rest.length > MAX_PIECES ? rest.slice(0, MAX_PIECES) : rest, position)
      position += written
      rest = afterWritten(rest, written)
    }
  }

  write(chunks: readonly Buffer[], positionBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (rest: readonly Buffer[], position: number) => {
        if (rest.length === 0) {
          resolve()
          return
        }
        const piece = rest.length > MAX_PIECES ? rest.slice(0, MAX_PIECES) : rest
        fs.writev(this.#fd, piece, position, (error, written) => {
          if (error) reject(error)
          else step(afterWritten(rest, written), position + written)
        })
      }
      step(afterWritten(chunks, 0), positionBytes)
    })
  }

  truncate(sizeBytes: number): void {
    fs.ftruncateSync(this.#fd, sizeBytes)
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => fs.fdatasync(this.#fd, (error) => (error ? reject(error) : resolve())))
  }

  syncNow(): void {
    fs.fdatasyncSync(this.#fd)
  }

  close(): void {
    fs.closeSync(this.#fd)
  }
}

/** What is left of `chunks` once `written` bytes of them are out; empty chunks are dropped. */
function afterWritten(chunks: readonly Buffer[], written: number): readonly Buffer[] {
  let skip = written
  let index = 0
  while (index < chunks.length && skip >= chunks[index]!.length) {
    skip -= chunks[index]!.length
    index += 1
  }
  if (index === 0 && skip === 0) return chunks
  const rest = chunks.slice(index)
  if (skip > 0) rest[0] = rest[0]!.subarray(skip)
  return rest
}

/** The file system by node:fs. */
export class NodeDisk implements Disk {
  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile {
    return new NodeFile(path, fs.openSync(path, OPEN_FLAGS[mode], 0o644))
  }

  exists(path: string): boolean {
    return fs.existsSync(path)
  }

  stat(path: string): DiskStat | undefined {
    const stat = fs.statSync(path, { throwIfNoEntry: false })
    if (!stat) return undefined
    return {
      sizeBytes: stat.size,
      modifiedMs: stat.mtimeMs,
      isDirectory: stat.isDirectory(),
    }
  }

  list(directory: string): DiskEntry[] {
    const entries = fs.readdirSync(directory, { withFileTypes: true })
    const named = entries.map((entry) => ({
      name: entry.name,
      isDirectory: entry.isDirectory(),
    }))
    return named.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  makeDirectory(path: string): void {
    // Not with `recursive`: where a parent cannot be made, as below /proc, Node 20 never comes back from that.
    try {
      fs.mkdirSync(path)
    } catch (error) {
      const code = diskErrorCode(error)
      if (code === 'EEXIST' && fs.statSync(path).isDirectory()) return
      const parent = dirname(path)
      if (code !== 'ENOENT' || parent === path) throw error
      this.makeDirectory(parent)
      fs.mkdirSync(path)
    }
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to)
  }

  remove(path: string): void {
    fs.rmSync(path, { force: true })
  }

  removeTree(path: string): void {
    fs.rmSync(path, { force: true, recursive: true })
  }

  readFile(path: string): Buffer {
    return fs.readFileSync(path)
  }

  replaceFile(path: string, data: Buffer): void {
    const temporary = `${path}.tmp`
    const fd = fs.openSync(temporary, 'w')
    try {
      fs.writeFileSync(fd, data)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    fs.renameSync(temporary, path)
    this.syncDirectory(dirname(path))
  }

  syncDirectory(path: string): void {
    // Windows cannot open a directory; its renames are journalled without it.
    if (process.platform === 'win32') return
    const fd = fs.openSync(path, O_RDONLY)
    try {
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  }

  absolutePath(path: string): string {
    return absolutePath(path)
  }

  realPath(path: string): string {
    return fs.realpathSync.native(path)
  }

  space(path: string): { totalBytes: number; usableBytes: number } {
    const stat = fs.statfsSync(path)
    return {
      totalBytes: stat.blocks * stat.bsize,
      usableBytes: stat.bavail * stat.bsize,
    }
  }

  lockDirectory(directory: string): DirectoryLock | undefined {
    return lockDirectory(join(directory, '.lock'))
  }
}
