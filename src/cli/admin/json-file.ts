import type { Disk } from '../../platform/disk.ts'
import { CommandError } from '../console.ts'
import { readText } from './command.ts'
import type { TopicPartition } from './group-info.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** The JSON object in a file. Throws CommandError. */
export function readJsonObject(disk: Disk, path: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(readText(disk, path))
  } catch (error) {
    if (error instanceof SyntaxError) throw new CommandError(`${path} is not JSON: ${error.message}`)
    throw error
  }
  return asObject(value, path)
}

function asObject(value: unknown, what: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new CommandError(`${what} is not a JSON object`)
}

/** The objects of the list called `field`; none where the field is missing. Throws CommandError. */
export function objectsOf(object: JsonObject, field: string): JsonObject[] {
  const list = object[field] ?? []
  if (!Array.isArray(list)) throw new CommandError(`"${field}" is not a list`)
  return list.map((entry) => asObject(entry, `an entry of "${field}"`))
}

/** The topic and partition of an entry. Throws CommandError. */
export function partitionOf(entry: JsonObject): TopicPartition {
  const { topic, partition } = entry
  if (typeof topic !== 'string' || topic === '') throw new CommandError('an entry has no "topic"')
  if (!isCount(partition)) throw new CommandError(`an entry for topic ${topic} has no "partition"`)
  return { topic, partition }
}

/** A whole number that fits into 31 bits. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31
}

/** The first of `names` that is there twice. */
export function duplicateOf<T>(names: readonly T[]): T | undefined {
  return names.find((name, index) => names.indexOf(name) !== index)
}
