import { StartupError } from '../../config/startup-error.ts'
import type { DirectoryLock, Disk } from '../../platform/disk.ts'

/**
 * Makes the directory, and locks it. Throws StartupError where another process has it, or this one, as one of `taken` by
 * another name, and what the disk throws.
 */
export function takeDirectory(disk: Disk, directory: string, taken: Iterable<string>): DirectoryLock {
  disk.makeDirectory(directory)
  const path = disk.realPath(directory)
  for (const other of taken) {
    if (disk.realPath(other) !== path) continue
    throw new StartupError(
      `${other} and ${directory} are one directory: log.dirs and metadata.log.dir may not name it in two ways`,
    )
  }
  const lock = disk.lockDirectory(directory)
  if (lock === undefined) throw new StartupError(`${directory} is in use by another process`)
  return lock
}
