import type { Disk } from '../platform/disk.ts'
import { readIfThere, replaceUnsynced } from './files.ts'

const FILE_NAME = 'partition.metadata'

/** The topic id in `partition.metadata`; '' where there is none. */
export function readTopicId(disk: Disk, directory: string): string {
  const text = readIfThere(disk, `${directory}/${FILE_NAME}`)?.toString('utf8') ?? ''
  return /^version: ?0\ntopic_id: ?([\w-]{22})\s*$/.exec(text)?.[1] ?? ''
}

export function writeTopicId(disk: Disk, directory: string, topicId: string): void {
  replaceUnsynced(disk, `${directory}/${FILE_NAME}`, Buffer.from(`version: 0\ntopic_id: ${topicId}`, 'utf8'))
}
