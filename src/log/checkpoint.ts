import type { Disk } from '../platform/disk.ts'
import { readIfThere } from './files.ts'

const VERSION = '0'

/** The text of a checkpoint file: version, number of entries, entries; a line each. */
export function renderCheckpoint(lines: readonly string[]): Buffer {
  return Buffer.from([VERSION, String(lines.length), ...lines, ''].join('\n'), 'utf8')
}

/** The words of each entry, of which there must be `words`; undefined for a file that is no whole checkpoint. */
export function parseCheckpoint(bytes: Buffer, words: number): string[][] | undefined {
  const lines = bytes.toString('utf8').split('\n')
  if (lines.pop() !== '' || lines[0] !== VERSION || lines.length < 2) return undefined
  const entries = lines.slice(2).map((line) => line.split(/\s+/))
  if (String(entries.length) !== lines[1]) return undefined
  const sound = entries.every((entry) => entry.length === words && entry.slice(-2).every((word) => /^\d+$/.test(word)))
  return sound ? entries : undefined
}

export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** Key of a partition's entry in the maps below; also the name of its directory. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** Reads "topic partition offset" entries. undefined for a damaged file, an empty map for a missing one. */
export function readOffsets(disk: Disk, path: string): Map<string, number> | undefined {
  const bytes = readIfThere(disk, path)
  if (!bytes || bytes.length === 0) return new Map()
  const entries = parseCheckpoint(bytes, 3)
  if (!entries) return undefined
  return new Map(entries.map(([topic, partition, offset]) => [`${topic}-${partition}`, Number(offset)]))
}

/** The content of such a file. */
export function renderOffsets(offsets: readonly PartitionOffset[]): Buffer {
  return renderCheckpoint(offsets.map(({ topic, partition, offset }) => `${topic} ${partition} ${offset}`))
}
