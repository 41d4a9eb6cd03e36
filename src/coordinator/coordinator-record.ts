import { codecOf, decode } from '../protocol/codec.ts'
import { includesVersion, type Message, type MessageOf } from '../protocol/schema.ts'
import { DecodeError, Writer } from '../protocol/wire.ts'

/** A kind of record in a coordinator's log. `id` leads the key on disk; the key's schema has only version 0. */
export interface RecordType<K extends Message = Message, V extends Message = Message> {
  readonly id: number
  readonly key: K
  readonly value: V
}

/** A change of a coordinator's state, or part of one. A null value is a tombstone: what the key names is gone. */
export interface CoordinatorRecord<K extends Message = Message, V extends Message = Message> {
  readonly type: RecordType<K, V>
  readonly key: MessageOf<K>
  readonly value: MessageOf<V> | null
  /** Meaningless for a tombstone. */
  readonly valueVersion: number
}

const KEY_VERSION = 0
const VERSION_SIZE = 2

export function recordType<K extends Message, V extends Message>(key: K, value: V): RecordType<K, V> {
  return { id: key.key, key, value }
}

export function coordinatorRecord<K extends Message, V extends Message>(
  type: RecordType<K, V>,
  key: MessageOf<K>,
  valueVersion: number,
  value: MessageOf<V>,
): CoordinatorRecord {
  // Erases K and V: the type object that stays in the record says what they were.
  return { type, key, value, valueVersion } as unknown as CoordinatorRecord
}

export function tombstone<K extends Message, V extends Message>(
  type: RecordType<K, V>,
  key: MessageOf<K>,
): CoordinatorRecord {
  return { type, key, value: null, valueVersion: 0 } as unknown as CoordinatorRecord
}

export function isOf<K extends Message, V extends Message>(
  record: CoordinatorRecord,
  type: RecordType<K, V>,
): record is CoordinatorRecord & CoordinatorRecord<K, V> {
  return record.type.id === type.id
}

/** The record's key as it is on disk: int16 type, then the fields. */
export function encodeKey(record: CoordinatorRecord): Buffer {
  return encodeVersioned(record.type.id, record.type.key, KEY_VERSION, record.key)
}

/** The record's value as it is on disk: int16 version, then the fields; null for a tombstone. */
export function encodeValue(record: CoordinatorRecord): Buffer | null {
  if (record.value === null) return null
  return encodeVersioned(record.valueVersion, record.type.value, record.valueVersion, record.value)
}

function encodeVersioned(prefix: number, message: Message, version: number, value: MessageOf<Message>): Buffer {
  const writer = new Writer()
  writer.int16(prefix)
  codecOf(message, version).write(writer, value)
  return writer.finishOne()
}

/**
 * A record read back from the log. undefined for a type that is not in `types`: a later release may have written it, and
 * Apache Kafka passes over it too. Throws DecodeError for bytes that are not such a record.
 */
export function decodeRecord(
  types: ReadonlyMap<number, RecordType>,
  key: Buffer,
  value: Buffer | null,
): CoordinatorRecord | undefined {
  const type = types.get(versionOf(key, 'key'))
  if (type === undefined) return undefined
  const decodedKey = decode(type.key, KEY_VERSION, key.subarray(VERSION_SIZE))
  if (value === null) return tombstone(type, decodedKey)
  const version = versionOf(value, 'value')
  if (!includesVersion(type.value.versions, version)) {
    throw new DecodeError(`${type.value.name} version ${version} is not known`)
  }
  return coordinatorRecord(type, decodedKey, version, decode(type.value, version, value.subarray(VERSION_SIZE)))
}

function versionOf(bytes: Buffer, what: string): number {
  if (bytes.length < VERSION_SIZE) throw new DecodeError(`coordinator record ${what} of ${bytes.length} bytes`)
  return bytes.readInt16BE(0)
}
