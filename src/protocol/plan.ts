import {
  type Field,
  type FieldType,
  includesVersion,
  type Message,
  type PrimitiveKind,
  type StructFields,
} from './schema.ts'

/** A name of a method that Reader and Writer share, such as `compactStringOrNull`. */
export type PrimitiveMethod =
  | PrimitiveKind
  | 'stringOrNull'
  | 'bytesOrNull'
  | 'recordsOrNull'
  | `compact${'String' | 'Bytes' | 'Records'}${'' | 'OrNull'}`

export type ValuePlan =
  | { readonly kind: 'primitive'; readonly method: PrimitiveMethod }
  | { readonly kind: 'array'; readonly nullable: boolean; readonly compact: boolean; readonly element: ValuePlan }
  | { readonly kind: 'struct'; readonly presence: Presence | null; readonly struct: StructPlan }

/** How a struct that may be null says whether it is there: -1 or 1 in a byte, or, in a tagged field, 0 or 1 in a varint. */
export type Presence = 'int8' | 'uvarint'
export const NULL_STRUCT: { readonly [P in Presence]: number } = { int8: -1, uvarint: 0 }

export interface FieldPlan {
  readonly name: string
  /** Whether this version has the field. */
  readonly present: boolean
  /** -1 for a field in the struct's body. */
  readonly tag: number
  /** Whether a value may be dropped where the version lacks the field. */
  readonly ignored: boolean
  readonly value: ValuePlan
  /** The default; undefined for a struct of defaults. */
  readonly fallback: unknown
}

/** A struct in one version: everything that depends on the version is decided here, once, for both kinds of codec. */
export interface StructPlan {
  readonly flexible: boolean
  readonly fields: readonly FieldPlan[]
}

export function planOf(message: Message, version: number): StructPlan {
  return planStruct(message.fields, version, includesVersion(message.flexible, version))
}

function planStruct(fields: StructFields, version: number, flexible: boolean): StructPlan {
  return { flexible, fields: Object.entries(fields).map(([name, field]) => planField(name, field, version, flexible)) }
}

function planField(name: string, field: Field<unknown, unknown>, version: number, flexible: boolean): FieldPlan {
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) throw new Error(`not a field name: ${name}`)
  const { options } = field
  const tag = includesVersion(options.tagged, version) ? options.tag : -1
  const encoding = {
    version,
    flexible,
    nullable: includesVersion(options.nullable, version),
    compact: flexible && options.compactable,
    presence: tag === -1 ? 'int8' : 'uvarint',
  } as const
  return {
    name,
    present: includesVersion(options.versions, version),
    tag,
    ignored: options.ignored,
    value: planValue(field.type, encoding),
    fallback: options.fallback,
  }
}

interface Encoding {
  readonly version: number
  readonly flexible: boolean
  readonly nullable: boolean
  readonly compact: boolean
  readonly presence: Presence
}

function planValue(type: FieldType, encoding: Encoding): ValuePlan {
  const { version, flexible, nullable, compact } = encoding
  if (type.kind === 'array') {
    return { kind: 'array', nullable, compact, element: planValue(type.element, { ...encoding, nullable: false }) }
  }
  if (type.kind === 'struct') {
    const presence = nullable ? encoding.presence : null
    return { kind: 'struct', presence, struct: planStruct(type.fields, version, flexible) }
  }
  return { kind: 'primitive', method: primitiveMethod(type.kind, nullable, compact) }
}

function primitiveMethod(kind: PrimitiveKind, nullable: boolean, compact: boolean): PrimitiveMethod {
  const orNull = nullable ? 'OrNull' : ''
  switch (kind) {
    case 'string':
      return compact ? `compactString${orNull}` : `string${orNull}`
    case 'bytes':
      return compact ? `compactBytes${orNull}` : `bytes${orNull}`
    case 'records':
      return compact ? `compactRecords${orNull}` : `records${orNull}`
    default:
      return kind
  }
}

/** Bytes a value takes on the wire at least. */
export function minWireBytes(value: ValuePlan): number {
  if (value.kind === 'array') return value.compact ? 1 : 4
  if (value.kind === 'primitive') return PRIMITIVE_WIRE_BYTES[value.method]
  if (value.presence !== null) return 1
  let size = value.struct.flexible ? 1 : 0
  for (const field of value.struct.fields) {
    if (field.present && field.tag === -1) size += minWireBytes(field.value)
  }
  return size
}

/** What a decoded value roughly weighs on the heap of a 64-bit V8, without the elements of arrays inside it. */
export function heapBytes(value: ValuePlan): number {
  if (value.kind === 'array') return 32
  if (value.kind === 'primitive') return PRIMITIVE_HEAP_BYTES[value.method] ?? 0
  return value.struct.fields.reduce((sum, field) => sum + 8 + heapBytes(field.value), 24)
}

const PRIMITIVE_WIRE_BYTES: { readonly [M in PrimitiveMethod]: number } = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  int64big: 8,
  float64: 8,
  uuid: 16,
  string: 2,
  stringOrNull: 2,
  compactString: 1,
  compactStringOrNull: 1,
  bytes: 4,
  bytesOrNull: 4,
  compactBytes: 1,
  compactBytesOrNull: 1,
  records: 4,
  recordsOrNull: 4,
  compactRecords: 1,
  compactRecordsOrNull: 1,
}

const BUFFER_HEAP_BYTES = 96

const PRIMITIVE_HEAP_BYTES: { readonly [M in PrimitiveMethod]?: number } = {
  int64: 16,
  int64big: 24,
  float64: 16,
  uuid: 40,
  string: 24,
  stringOrNull: 24,
  compactString: 24,
  compactStringOrNull: 24,
  bytes: BUFFER_HEAP_BYTES,
  bytesOrNull: BUFFER_HEAP_BYTES,
  compactBytes: BUFFER_HEAP_BYTES,
  compactBytesOrNull: BUFFER_HEAP_BYTES,
  records: BUFFER_HEAP_BYTES + 32,
  recordsOrNull: BUFFER_HEAP_BYTES + 32,
  compactRecords: BUFFER_HEAP_BYTES + 32,
  compactRecordsOrNull: BUFFER_HEAP_BYTES + 32,
}
