import type { DirectoryLock, Disk, DiskEntry, DiskFile, DiskStat } from './disk.ts'
import { MemoryInode } from './memory-inode.ts'

class DiskError extends Error {
  readonly code: string

  constructor(code: string, path: string) {
    super(`${code}: ${path}`)
    this.code = code
  }
}

type Fault = (operation: DiskOperation, path: string) => string | undefined

/** The operations that a fault can be planted in. */
export type DiskOperation = 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'replace'

/** What a name stood for before a change; `undefined` for nothing. */
interface NameChange {
  readonly files: readonly (readonly [path: string, before: MemoryInode | undefined])[]
  readonly directories: readonly (readonly [path: string, wasThere: boolean])[]
}

/** How much is left of what was not synced. */
export interface CrashRemains {
  /** Whether what is left is on stable storage now; otherwise, as after the end of a process alone, it still is not. */
  readonly isSynced: boolean
  /**
   * Of the changes of a file since its last sync, how many are there after the crash, the oldest first: 0 to `changes`.
   * A fraction is the part of the next write that is there, too: 2.5 keeps two changes and half the third.
   */
  readonly kept: (path: string, changes: number) => number
  /** The same of creations, renames and removals since the last sync of a directory or file: whole numbers. */
  readonly keptNames: (changes: number) => number
}

/**
 * A disk in memory, for tests: full disks, I/O errors and crashes at will.
 * `fault` answers the error code an operation is to fail with, or undefined. `capacityBytes` gives ENOSPC beyond it,
 * after writing what still fits, as a real disk does.
 */
export class MemoryDisk implements Disk {
  fault: Fault = () => undefined
  capacityBytes = Number.POSITIVE_INFINITY
  /** Told of every operation that changes something, once it is done and before the caller goes on. */
  onChange: (operation: DiskOperation, path: string, sizeBytes: number) => void = () => {}
  /** What reads, writes and syncs that may take long wait for; undefined for nothing. */
  delay: (operation: DiskOperation, path: string) => Promise<void> | undefined = () => undefined
  readonly #files = new Map<string, MemoryInode>()
  readonly #directories = new Set<string>(['/'])
  readonly #locks = new Set<string>()
  /** Oldest first. */
  #unsyncedNames: NameChange[] = []

  check(operation: DiskOperation, path: string): void {
    const code = this.fault(operation, path)
    if (code) throw new DiskError(code, path)
  }

  usedBytes(): number {
    let used = 0
    for (const inode of this.#files.values()) used += inode.sizeBytes
    return used
  }

  /** Bytes that may still be written. */
  get roomBytes(): number {
    return Number.isFinite(this.capacityBytes) ? this.capacityBytes - this.usedBytes() : Number.POSITIVE_INFINITY
  }

  /** A power failure: what was not synced is lost, up to `keep(path)` bytes of it (0 by default), and locks go. */
  crash(keep: (path: string, unsyncedBytes: number) => number = () => 0): void {
    for (const [path, inode] of this.#files) {
      const written = inode.content()
      inode.undo(0)
      const { sizeBytes } = inode
      const unsynced = Math.max(0, written.length - sizeBytes)
      const kept = written.subarray(sizeBytes, sizeBytes + keep(path, unsynced))
      if (kept.length > 0) inode.write([kept], sizeBytes)
      inode.settle()
    }
    this.#locks.clear()
  }

  /**
   * The disk as a crash leaves it. This one stays as it is, for those who have not noticed: what they do to it from now on
   * is lost.
   */
  afterCrash({ kept, keptNames, isSynced }: CrashRemains): MemoryDisk {
    const after = new MemoryDisk()
    after.capacityBytes = this.capacityBytes
    const files = new Map(this.#files)
    for (const directory of this.#directories) after.#directories.add(directory)
    const names = this.#unsyncedNames
    const namesKept = keptNames(names.length)
    for (let index = names.length - 1; index >= namesKept; index--) {
      const { files: inodes, directories } = names[index]!
      for (const [path, before] of inodes) before === undefined ? files.delete(path) : files.set(path, before)
      for (const [path, wasThere] of directories) {
        if (wasThere) after.#directories.add(path)
        else after.#directories.delete(path)
      }
    }
    const copies = new Map<MemoryInode, MemoryInode>()
    for (const [path, inode] of files) {
      let copy = copies.get(inode)
      if (copy === undefined) {
        copy = inode.copy()
        copy.undo(kept(path, copy.unsyncedChanges))
        if (isSynced) copy.settle()
        copies.set(inode, copy)
      }
      after.#files.set(path, copy)
    }
    // What names stood for before cannot be told of the copies: a journal has them by the time of the next start.
    return after
  }

  /** The disk as it would be if the power failed now, at the worst: with nothing that was not synced. */
  onStableStorage(): MemoryDisk {
    return this.afterCrash({ kept: () => 0, keptNames: () => 0, isSynced: true })
  }

  /** Makes the names durable, as a journal does with every sync. */
  syncNames(): void {
    if (this.#unsyncedNames.length > 0) this.#unsyncedNames = []
  }

  /** Names that are about to change. */
  #note(paths: readonly string[], directories: readonly string[] = []): void {
    this.#unsyncedNames.push({
      files: paths.map((path) => [path, this.#files.get(path)] as const),
      directories: directories.map((path) => [path, this.#directories.has(path)] as const),
    })
  }

  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile {
    this.check('open', path)
    let inode = this.#files.get(path)
    if (!inode) {
      if (mode !== 'create' || !this.#directories.has(parentOf(path))) throw new DiskError('ENOENT', path)
      inode = new MemoryInode()
      this.#note([path])
      this.#files.set(path, inode)
      this.onChange('open', path, 0)
    }
    return new MemoryFile(this, path, inode)
  }

  exists(path: string): boolean {
    return this.#files.has(path) || this.#directories.has(path)
  }

  stat(path: string): DiskStat | undefined {
    const inode = this.#files.get(path)
    if (inode) return { sizeBytes: inode.sizeBytes, modifiedMs: 0, isDirectory: false }
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
    const added: string[] = []
    for (let at = path; at !== '/' && at !== '' && at !== '.'; at = parentOf(at)) {
      if (!this.#directories.has(at)) added.push(at)
    }
    if (added.length === 0) return
    this.#note([], added)
    for (const directory of added) this.#directories.add(directory)
    this.onChange('open', path, 0)
  }

  rename(from: string, to: string): void {
    this.check('rename', from)
    if (!this.exists(from)) throw new DiskError('ENOENT', from)
    const isMoved = (path: string) => path === from || path.startsWith(`${from}/`)
    const files = [...this.#files.keys()].filter(isMoved)
    const directories = [...this.#directories].filter(isMoved)
    const moved = (path: string) => to + path.slice(from.length)
    this.#note([...files, ...files.map(moved)], [...directories, ...directories.map(moved)])
    for (const path of files) {
      this.#files.set(moved(path), this.#files.get(path)!)
      this.#files.delete(path)
    }
    for (const path of directories) {
      this.#directories.add(moved(path))
      this.#directories.delete(path)
    }
    this.onChange('rename', from, 0)
  }

  remove(path: string): void {
    this.check('remove', path)
    if (!this.#files.has(path)) return
    this.#note([path])
    this.#files.delete(path)
    this.onChange('remove', path, 0)
  }

  removeTree(path: string): void {
    this.check('remove', path)
    const isBelow = (each: string) => each === path || each.startsWith(`${path}/`)
    const files = [...this.#files.keys()].filter(isBelow)
    const directories = [...this.#directories].filter(isBelow)
    this.#note(files, directories)
    for (const file of files) this.#files.delete(file)
    for (const directory of directories) this.#directories.delete(directory)
    this.onChange('remove', path, 0)
  }

  readFile(path: string): Buffer {
    this.check('read', path)
    const inode = this.#files.get(path)
    if (!inode) throw new DiskError('ENOENT', path)
    return inode.content()
  }

  replaceFile(path: string, data: Buffer): void {
    this.check('replace', path)
    if (data.length > this.roomBytes) throw new DiskError('ENOSPC', path)
    if (!this.#directories.has(parentOf(path))) throw new DiskError('ENOENT', path)
    const inode = new MemoryInode()
    inode.write([data], 0)
    inode.settle()
    this.#files.set(path, inode)
    this.syncNames()
    this.onChange('replace', path, data.length)
  }

  syncDirectory(path: string): void {
    this.syncNames()
    this.onChange('sync', path, 0)
  }

  absolutePath(path: string): string {
    return path.startsWith('/') ? path : `/${path}`
  }

  realPath(path: string): string {
    return this.absolutePath(path)
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
  readonly #inode: MemoryInode

  constructor(disk: MemoryDisk, path: string, inode: MemoryInode) {
    this.#disk = disk
    this.path = path
    this.#inode = inode
  }

  sizeBytes(): number {
    return this.#inode.sizeBytes
  }

  readSync(target: Buffer, positionBytes: number): number {
    this.#disk.check('read', this.path)
    return this.#inode.read(target, positionBytes)
  }

  async read(target: Buffer, positionBytes: number): Promise<number> {
    const delay = this.#disk.delay('read', this.path)
    if (delay !== undefined) await delay
    return this.readSync(target, positionBytes)
  }

  writeSync(chunks: readonly Buffer[], positionBytes: number): void {
    this.#disk.check('write', this.path)
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    const growth = Math.max(0, positionBytes + sizeBytes - this.#inode.sizeBytes)
    const room = this.#disk.roomBytes
    if (growth <= room) {
      this.#inode.write(chunks, positionBytes)
      this.#disk.onChange('write', this.path, sizeBytes)
      return
    }
    this.#inode.write([Buffer.concat(chunks).subarray(0, Math.max(0, sizeBytes - (growth - room)))], positionBytes)
    throw new DiskError('ENOSPC', this.path)
  }

  async write(chunks: readonly Buffer[], positionBytes: number): Promise<void> {
    this.writeSync(chunks, positionBytes)
    const delay = this.#disk.delay('write', this.path)
    if (delay !== undefined) await delay
  }

  truncate(sizeBytes: number): void {
    this.#disk.check('truncate', this.path)
    this.#inode.truncate(sizeBytes)
    this.#disk.onChange('truncate', this.path, sizeBytes)
  }

  async sync(): Promise<void> {
    const { changes } = this.#inode
    const delay = this.#disk.delay('sync', this.path)
    if (delay !== undefined) await delay
    this.#sync(changes)
  }

  syncNow(): void {
    this.#sync(this.#inode.changes)
  }

  #sync(changes: number): void {
    this.#disk.check('sync', this.path)
    this.#inode.settle(changes)
    this.#disk.syncNames()
    this.#disk.onChange('sync', this.path, this.#inode.sizeBytes)
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
