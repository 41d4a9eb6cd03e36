import type { DirectoryLock, Disk, DiskEntry, DiskFile, DiskStat } from './disk.ts'

class DiskError extends Error {
  readonly code: string

  constructor(code: string, path: string) {
    super(`${code}: ${path}`)
    this.code = code
  }
}

class Inode {
  data = Buffer.alloc(0)
  /** What a power failure leaves; kept up to date by sync. */
  durable = Buffer.alloc(0)
}

type Fault = (operation: DiskOperation, path: string) => string | undefined

/** The operations that a fault can be planted in. */
export type DiskOperation = 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'replace'

/**
 * A disk in memory, for tests: full disks, I/O errors and crashes at will.
 * `fault` answers the error code an operation is to fail with, or undefined. `capacityBytes` gives ENOSPC beyond it,
 * after writing what still fits, as a real disk does.
 */
export class MemoryDisk implements Disk {
  fault: Fault = () => undefined
  capacityBytes = Number.POSITIVE_INFINITY
  readonly #files = new Map<string, Inode>()
  readonly #directories = new Set<string>(['/'])
  readonly #locks = new Set<string>()

  check(operation: DiskOperation, path: string): void {
    const code = this.fault(operation, path)
    if (code) throw new DiskError(code, path)
  }

  usedBytes(): number {
    let used = 0
    for (const inode of this.#files.values()) used += inode.data.length
    return used
  }

  /** A power failure: what was not synced is lost, up to `keep(path)` bytes of it (0 by default), and locks go. */
  crash(keep: (path: string, unsyncedBytes: number) => number = () => 0): void {
    for (const [path, inode] of this.#files) {
      const unsynced = Math.max(0, inode.data.length - inode.durable.length)
      const kept = inode.data.subarray(inode.durable.length, inode.durable.length + keep(path, unsynced))
      inode.data = Buffer.concat([inode.durable, kept])
      inode.durable = inode.data
    }
    this.#locks.clear()
  }

  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile {
    this.check('open', path)
    let inode = this.#files.get(path)
    if (!inode) {
      if (mode !== 'create' || !this.#directories.has(parentOf(path))) throw new DiskError('ENOENT', path)
      inode = new Inode()
      this.#files.set(path, inode)
    }
    return new MemoryFile(this, path, inode)
  }

  exists(path: string): boolean {
    return this.#files.has(path) || this.#directories.has(path)
  }

  stat(path: string): DiskStat | undefined {
    const inode = this.#files.get(path)
    if (inode)
      return {
        sizeBytes: inode.data.length,
        modifiedMs: 0,
        isDirectory: false,
      }
    return this.#directories.has(path) ? { sizeBytes: 0, modifiedMs: 0, isDirectory: true } : undefined
  }

  list(directory: string): DiskEntry[] {
    if (!this.#directories.has(directory)) throw new DiskError('ENOENT', directory)
    const entries: DiskEntry[] = []
    for (const path of this.#files.keys()) {
      if (parentOf(path) === directory) entries.push({ name: nameOf(path), isDirectory: false })
    }
    for (const path of this.#directories) {
      if (path !== '/' && parentOf(path) === directory) entries.push({ name: nameOf(path), isDirectory: true })
    }
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  makeDirectory(path: string): void {
    for (let at = path; at !== '/' && at !== '' && at !== '.'; at = parentOf(at)) this.#directories.add(at)
  }

  rename(from: string, to: string): void {
    this.check('rename', from)
    if (!this.exists(from)) throw new DiskError('ENOENT', from)
    for (const path of [...this.#files.keys()]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.#files.set(to + path.slice(from.length), this.#files.get(path)!)
      this.#files.delete(path)
    }
    for (const path of [...this.#directories]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.#directories.add(to + path.slice(from.length))
      this.#directories.delete(path)
    }
  }

  remove(path: string): void {
    this.check('remove', path)
    this.#files.delete(path)
  }

  removeTree(path: string): void {
    this.check('remove', path)
    for (const file of [...this.#files.keys()]) {
      if (file === path || file.startsWith(`${path}/`)) this.#files.delete(file)
    }
    for (const directory of [...this.#directories]) {
      if (directory === path || directory.startsWith(`${path}/`)) this.#directories.delete(directory)
    }
  }

  readFile(path: string): Buffer {
    this.check('read', path)
    const inode = this.#files.get(path)
    if (!inode) throw new DiskError('ENOENT', path)
    return Buffer.from(inode.data)
  }

  replaceFile(path: string, data: Buffer): void {
    this.check('replace', path)
    if (this.usedBytes() + data.length > this.capacityBytes) throw new DiskError('ENOSPC', path)
    if (!this.#directories.has(parentOf(path))) throw new DiskError('ENOENT', path)
    const inode = new Inode()
    inode.data = Buffer.from(data)
    inode.durable = inode.data
    this.#files.set(path, inode)
  }

  syncDirectory(): void {}

  absolutePath(path: string): string {
    return path.startsWith('/') ? path : `/${path}`
  }

  space(): { totalBytes: number; usableBytes: number } {
    const totalBytes = Math.min(this.capacityBytes, 2 ** 40)
    return {
      totalBytes,
      usableBytes: Math.max(0, totalBytes - this.usedBytes()),
    }
  }

  lockDirectory(directory: string): DirectoryLock | undefined {
    if (this.#locks.has(directory)) return undefined
    this.#locks.add(directory)
    return { release: () => this.#locks.delete(directory) }
  }
}

class MemoryFile implements DiskFile {
  readonly path: string
  readonly #disk: MemoryDisk
  readonly #inode: Inode

  constructor(disk: MemoryDisk, path: string, inode: Inode) {
    this.#disk = disk
    this.path = path
    this.#inode = inode
  }

  sizeBytes(): number {
    return this.#inode.data.length
  }

  readSync(target: Buffer, positionBytes: number): number {
    this.#disk.check('read', this.path)
    return this.#inode.data.copy(target, 0, positionBytes)
  }

  async read(target: Buffer, positionBytes: number): Promise<number> {
    return this.readSync(target, positionBytes)
  }

  writeSync(chunks: readonly Buffer[], positionBytes: number): void {
    this.#disk.check('write', this.path)
    const bytes = Buffer.concat(chunks)
    const growth = Math.max(0, positionBytes + bytes.length - this.#inode.data.length)
    const room = this.#disk.capacityBytes - this.#disk.usedBytes()
    const fits = growth <= room ? bytes : bytes.subarray(0, Math.max(0, bytes.length - (growth - room)))
    const size = Math.max(this.#inode.data.length, positionBytes + fits.length)
    const data = Buffer.alloc(size)
    this.#inode.data.copy(data)
    fits.copy(data, positionBytes)
    this.#inode.data = data
    if (fits.length < bytes.length) throw new DiskError('ENOSPC', this.path)
  }

  async write(chunks: readonly Buffer[], positionBytes: number): Promise<void> {
    this.writeSync(chunks, positionBytes)
  }

  truncate(sizeBytes: number): void {
    this.#disk.check('truncate', this.path)
    const data = Buffer.alloc(sizeBytes)
    this.#inode.data.copy(data)
    this.#inode.data = data
  }

  async sync(): Promise<void> {
    this.syncNow()
  }

  syncNow(): void {
    this.#disk.check('sync', this.path)
    this.#inode.durable = Buffer.from(this.#inode.data)
  }

  close(): void {}
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
