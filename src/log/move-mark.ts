import type { Disk } from '../platform/disk.ts'

/** Apache Kafka knows nothing of this file, and leaves it alone. */
const FILE_NAME = 'ottla-move'

/** Says, durably, that the log in `directory` is complete and takes the place of the one at `replaced`. */
export function writeMoveMark(disk: Disk, directory: string, replaced: string): void {
  disk.replaceFile(`${directory}/${FILE_NAME}`, Buffer.from(`version: 0\nreplaces: ${replaced}\n`, 'utf8'))
}

export function hasMoveMark(disk: Disk, directory: string): boolean {
  return disk.exists(`${directory}/${FILE_NAME}`)
}

/** To be called when the replaced log is gone. */
export function removeMoveMark(disk: Disk, directory: string): void {
  disk.remove(`${directory}/${FILE_NAME}`)
}
