/**
 * The disk, as the log store needs it.
 *
 * Small things (opening, renaming, checkpoints, indexes at start) are synchronous: they take microseconds, and a start
 * with thousands of files would spend its time in thread hops otherwise. Data goes either way: `writeSync`/`readSync`
 * for what is small, `write`/`read`/`sync` for what may take long.
 *
 * Every operation throws (or rejects with) an Error whose `code` is the operating system's: ENOENT, ENOSPC, EIO, EACCES...
 */
export interface Disk {
  /** 'read': must exist. 'write': reading and writing, must exist. 'create': reading and writing, made if missing. */
  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile
  exists(path: string): boolean
  /** `path` from the root on; a relative one begins at the working directory. */
  absolutePath(path: string): string
  /** The one path of what is at `path`, by no link; it must exist. */
  realPath(path: string): string
  /** undefined when there is nothing at `path`. */
  stat(path: string): DiskStat | undefined
  /** Names in a directory, sorted. */
  list(directory: string): DiskEntry[]
  makeDirectory(path: string): void
  /** Atomic replacement of `to`. */
  rename(from: string, to: string): void
  /** Removes a file; a missing one is no error. */
  remove(path: string): void
  /** Removes a directory with all below it; a missing one is no error. */
  removeTree(path: string): void
  readFile(path: string): Buffer
  /** Writes a temporary file, syncs it, renames it over `path` and syncs the directory: all or nothing after a crash. */
  replaceFile(path: string, data: Buffer): void
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): void
  /** Room on the file system that holds `path`, in bytes. */
  space(path: string): { totalBytes: number; usableBytes: number }
  /**
   * Takes the directory for this process alone, by its `.lock` file, until `release`.
   * Returns undefined if another living process holds it. A lock of a process that died is taken over.
   */
  lockDirectory(directory: string): DirectoryLock | undefined
}

export interface DiskStat {
  sizeBytes: number
  modifiedMs: number
  isDirectory: boolean
}

export interface DiskEntry {
  name: string
  isDirectory: boolean
}

export interface DirectoryLock {
  release(): void
}

export interface DiskFile {
  readonly path: string
  sizeBytes(): number
  /** Reads until `target` is full or the file ends; answers the bytes read. */
  readSync(target: Buffer, positionBytes: number): number
  read(target: Buffer, positionBytes: number): Promise<number>
  /** Writes all chunks at `positionBytes`, or throws; after a throw the range's content is unknown. */
  writeSync(chunks: readonly Buffer[], positionBytes: number): void
  write(chunks: readonly Buffer[], positionBytes: number): Promise<void>
  /** Cuts or extends (with zeros) the file. */
  truncate(sizeBytes: number): void
  /** fdatasync: returns when what was written before the call is on stable storage. */
  sync(): Promise<void>
  syncNow(): void
  close(): void
}

/** The operating system's code of an I/O error (ENOSPC, EIO...), or undefined if `error` is none. */
export function diskErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined
}
