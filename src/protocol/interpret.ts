import {
  type FieldPlan,
  heapBytes,
  minWireBytes,
  NULL_STRUCT,
  planOf,
  type StructPlan,
  type ValuePlan,
} from './plan.ts'
import type { Message } from './schema.ts'
import type { Reader, Writer } from './wire.ts'

type Values = { [name: string]: unknown }

/**
 * The codec as a walk over the plan: the readable reference that the generated code is held against, and the fallback where
 * code generation is forbidden.
 */
export function interpret(message: Message, version: number) {
  const plan = planOf(message, version)
  return {
    read: (reader: Reader) => readStruct(reader, plan),
    write: (writer: Writer, value: Values) => writeStruct(writer, plan, value),
  }
}

function readStruct(reader: Reader, plan: StructPlan): Values {
  const out: Values = {}
  for (const field of plan.fields) {
    out[field.name] = field.present && field.tag === -1 ? readValue(reader, field.value) : defaultOf(field)
  }
  if (!plan.flexible) return out
  for (let left = reader.tagCount(); left > 0; left--) {
    const tag = reader.uvarint()
    const end = reader.tagEnd()
    const field = plan.fields.find((candidate) => candidate.present && candidate.tag === tag)
    if (field) out[field.name] = readValue(reader, field.value)
    else reader.pos = end
    reader.closeTag(end)
  }
  return out
}

function readValue(reader: Reader, value: ValuePlan): unknown {
  if (value.kind === 'primitive') return reader[value.method]()
  if (value.kind === 'struct') {
    // In a byte only a negative number says null, in a varint 0 does.
    const isNull = value.presence !== null && reader[value.presence]() < (value.presence === 'int8' ? 0 : 1)
    return isNull ? null : readStruct(reader, value.struct)
  }
  const { element } = value
  const least = Math.max(1, minWireBytes(element))
  const heap = 8 + heapBytes(element)
  const count = value.compact ? reader.compactArrayCount(least, heap) : reader.arrayCount(least, heap)
  if (count < 0) return value.nullable ? null : reader.nullInNonNullable('array')
  return Array.from({ length: count }, () => readValue(reader, element))
}

function writeStruct(writer: Writer, plan: StructPlan, values: Values): void {
  const tagged: FieldPlan[] = []
  for (const field of plan.fields) {
    const value = values[field.name]
    if (field.present && field.tag === -1)
      writeValue(writer, field.value, value === undefined ? defaultOf(field) : value)
    else if (isDefault(field, value)) continue
    else if (field.present) tagged.push(field)
    else if (!field.ignored) throw new Error(`${field.name} is set, but this version does not have it`)
  }
  if (!plan.flexible) return
  writer.uvarint(tagged.length)
  for (const field of tagged.sort((a, b) => a.tag - b.tag)) {
    const from = writer.openTag(field.tag)
    writeValue(writer, field.value, values[field.name])
    writer.closeTag(from)
  }
}

function writeValue(writer: Writer, plan: ValuePlan, value: unknown): void {
  if (plan.kind === 'primitive') {
    const write = writer[plan.method] as (value: unknown) => void
    write.call(writer, value)
  } else if (plan.kind === 'struct') {
    if (plan.presence !== null) writer[plan.presence](value === null ? NULL_STRUCT[plan.presence] : 1)
    if (value !== null || plan.presence === null) writeStruct(writer, plan.struct, value as Values)
  } else {
    const elements = plan.nullable && value === null ? null : (value as readonly unknown[])
    const count = elements === null ? -1 : elements.length
    if (plan.compact) writer.compactArrayCount(count)
    else writer.arrayCount(count)
    for (const element of elements ?? []) writeValue(writer, plan.element, element)
  }
}

function defaultOf(field: FieldPlan): unknown {
  if (field.fallback === undefined && field.value.kind === 'struct') {
    return Object.fromEntries(field.value.struct.fields.map((inner) => [inner.name, defaultOf(inner)]))
  }
  return field.value.kind === 'array' && field.fallback !== null ? [] : field.fallback
}

function isDefault(field: FieldPlan, value: unknown): boolean {
  if (value === undefined || value === field.fallback) return true
  if (value === null || field.fallback === null) return false
  if (field.value.kind === 'struct') {
    return field.value.struct.fields.every((inner) => isDefault(inner, (value as Values)[inner.name]))
  }
  if (field.value.kind === 'array') return (value as readonly unknown[]).length === 0
  if (Buffer.isBuffer(value)) return value.length === 0
  return Array.isArray(value) && value.every((chunk: Buffer) => chunk.length === 0)
}
