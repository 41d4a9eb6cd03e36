import type { Disk } from '../platform/disk.ts'

export const LOG_SUFFIX = '.log'
export const INDEX_SUFFIX = '.index'
export const TIME_INDEX_SUFFIX = '.timeindex'
export const TXN_INDEX_SUFFIX = '.txnindex'
export const SNAPSHOT_SUFFIX = '.snapshot'
export const DELETED_SUFFIX = '.deleted'
export const CLEANED_SUFFIX = '.cleaned'
export const SWAP_SUFFIX = '.swap'

/** What a segment consists of. */
export const SEGMENT_SUFFIXES = [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX]

const OFFSET_DIGITS = 20

/** `directory/00000000000000000042.log` */
export function offsetPath(directory: string, offset: number, suffix: string): string {
  return `${directory}/${String(offset).padStart(OFFSET_DIGITS, '0')}${suffix}`
}

/** The offset that a file name begins with, undefined where it begins with none or is no name of the wanted suffix. */
export function offsetOfName(name: string, suffix: string): number | undefined {
  if (!name.endsWith(suffix)) return undefined
  const digits = name.slice(0, name.length - suffix.length)
  return /^\d{1,20}$/.test(digits) ? Number(digits) : undefined
}

/** The offset before the first dot of any file name of a log, whatever its suffixes. */
export function leadingOffset(name: string): number | undefined {
  const match = /^(\d{1,20})\./.exec(name)
  return match ? Number(match[1]) : undefined
}

/**
 * Replaces a small file whole, so that a process that dies leaves the old or the new one. It is not synced: what is
 * written so can be made anew from the log, but for what compaction takes (`EpochCache.sync`), and a sync for each would
 * make the creation of many partitions slow.
 */
export function replaceUnsynced(disk: Disk, path: string, data: Buffer): void {
  const temporary = `${path}.tmp`
  writeWhole(disk, temporary, data)
  disk.rename(temporary, path)
}

/** Makes `data` the content of a file. */
export function writeWhole(disk: Disk, path: string, data: Buffer): void {
  const file = disk.open(path, 'create')
  try {
    file.truncate(0)
    file.writeSync([data], 0)
  } finally {
    file.close()
  }
}

/** The content of a file, undefined when there is none. */
export function readIfThere(disk: Disk, path: string): Buffer | undefined {
  try {
    return disk.readFile(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
