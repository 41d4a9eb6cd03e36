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

interface GeneratedCodec {
  read(reader: Reader): { [name: string]: unknown }
  write(writer: Writer, value: { readonly [name: string]: unknown }): void
}

/**
 * The codec as straight-line code: one function to read and one to write per struct, so that the engine sees objects of
 * one shape and calls it can inline. The source is made of field names (checked by the plan), method names and numbers only;
 * default values that are objects are passed in.
 */
export function compile(message: Message, version: number): GeneratedCodec {
  const source = new CodecSource()
  const root = source.struct(planOf(message, version))
  const body = `'use strict'\n${source.text()}\nreturn { read: read${root}, write: write${root} }`
  return new Function('constants', body)(source.constants) as GeneratedCodec
}

class CodecSource {
  /** Default values that have no literal. */
  readonly constants: unknown[] = []
  readonly #functions: string[] = []
  #count = 0

  text(): string {
    return this.#functions.join('\n')
  }

  /** Adds the functions of a struct; returns the number that ends their names. */
  struct(plan: StructPlan): number {
    const id = this.#count++
    const nested = new Map<FieldPlan, number>()
    for (const field of plan.fields) nested.set(field, this.#valueId(field.value))
    this.#functions.push(
      this.#readStruct(id, plan, nested),
      this.#writeStruct(id, plan, nested),
      this.#makeDefault(id, plan, nested),
      this.#isDefaultStruct(id, plan, nested),
    )
    return id
  }

  #valueId(value: ValuePlan): number {
    if (value.kind === 'primitive') return -1
    return value.kind === 'struct' ? this.struct(value.struct) : this.#array(value)
  }

  #array(plan: ValuePlan & { kind: 'array' }): number {
    const element = this.#valueId(plan.element)
    const id = this.#count++
    const method = plan.compact ? 'compactArrayCount' : 'arrayCount'
    const least = Math.max(1, minWireBytes(plan.element))
    const heap = 8 + heapBytes(plan.element)
    this.#functions.push(
      `function read${id}(r) {
  const count = r.${method}(${least}, ${heap})
  if (count < 0) return ${plan.nullable ? 'null' : "r.nullInNonNullable('array')"}
  const out = new Array(count)
  for (let i = 0; i < count; i++) out[i] = ${readExpression(plan.element, element)}
  return out
}
function write${id}(w, v) {
  ${plan.nullable ? `if (v === null) return w.${method}(-1)` : ''}
  w.${method}(v.length)
  for (let i = 0; i < v.length; i++) { ${writeStatement(plan.element, element, 'v[i]')} }
}`,
    )
    return id
  }

  #readStruct(id: number, plan: StructPlan, nested: ReadonlyMap<FieldPlan, number>): string {
    const lines = plan.fields.map((field, i) => {
      const here = field.present && field.tag === -1
      const value = here ? readExpression(field.value, nested.get(field)!) : this.#default(field, nested.get(field)!)
      return `  let f${i} = ${value}`
    })
    const tagged = plan.fields.filter((field) => field.present && field.tag !== -1)
    if (plan.flexible && tagged.length === 0) lines.push('  r.skipTags()')
    else if (plan.flexible) {
      const cases = tagged.map((field) => {
        const value = readExpression(field.value, nested.get(field)!)
        return `      case ${field.tag}: f${plan.fields.indexOf(field)} = ${value}; break`
      })
      lines.push(`  for (let left = r.tagCount(); left > 0; left--) {
    const tag = r.uvarint(), end = r.tagEnd()
    switch (tag) {
${cases.join('\n')}
      default: r.pos = end
    }
    r.closeTag(end)
  }`)
    }
    const properties = plan.fields.map((field, i) => `${field.name}: f${i}`)
    return `function read${id}(r) {\n${lines.join('\n')}\n  return { ${properties.join(', ')} }\n}`
  }

  #writeStruct(id: number, plan: StructPlan, nested: ReadonlyMap<FieldPlan, number>): string {
    const lines: string[] = []
    const tagged: string[] = []
    const order = plan.fields.map((field, i) => ({ field, i })).sort((a, b) => a.field.tag - b.field.tag)
    for (const { field, i } of order) {
      const inner = nested.get(field)!
      if (!field.present && field.ignored) continue
      lines.push(`  let f${i} = v.${field.name}`)
      if (field.present && field.tag === -1) {
        lines.push(`  if (f${i} === undefined) f${i} = ${this.#default(field, inner)}`)
        lines.push(`  ${writeStatement(field.value, inner, `f${i}`)}`)
        continue
      }
      const set = `!(f${i} === undefined || ${this.#isDefault(field, inner, `f${i}`)})`
      if (field.present) {
        lines.push(`  const has${i} = ${set}`, `  if (has${i}) tags++`)
        tagged.push(`  if (has${i}) {
    const from = w.openTag(${field.tag})
    ${writeStatement(field.value, inner, `f${i}`)}
    w.closeTag(from)
  }`)
      } else lines.push(`  if (${set}) throw new Error('${field.name} is set, but this version does not have it')`)
    }
    if (plan.flexible) lines.push('  w.uvarint(tags)', ...tagged)
    return `function write${id}(w, v) {\n  let tags = 0\n${lines.join('\n')}\n}`
  }

  #makeDefault(id: number, plan: StructPlan, nested: ReadonlyMap<FieldPlan, number>): string {
    const properties = plan.fields.map((field) => `${field.name}: ${this.#default(field, nested.get(field)!)}`)
    return `function default${id}() {\n  return { ${properties.join(', ')} }\n}`
  }

  #isDefaultStruct(id: number, plan: StructPlan, nested: ReadonlyMap<FieldPlan, number>): string {
    const tests = plan.fields.map((field) => {
      const value = `v.${field.name}`
      return `(${value} === undefined || ${this.#isDefault(field, nested.get(field)!, value)})`
    })
    return `function isDefault${id}(v) {\n  return ${['true', ...tests].join(' && ')}\n}`
  }

  /** An expression that gives a field's default. */
  #default(field: FieldPlan, inner: number): string {
    const { fallback, value } = field
    if (fallback === null) return 'null'
    if (value.kind === 'struct') return `default${inner}()`
    if (value.kind === 'array') return '[]'
    if (typeof fallback === 'string') return JSON.stringify(fallback)
    if (typeof fallback === 'bigint') return `${fallback}n`
    if (typeof fallback === 'number' || typeof fallback === 'boolean') return String(fallback)
    return `constants[${this.constants.push(fallback) - 1}]`
  }

  /** An expression that tells whether `v`, which is not undefined, is a field's default. */
  #isDefault(field: FieldPlan, inner: number, v: string): string {
    const { fallback, value } = field
    if (fallback === null) return `${v} === null`
    if (value.kind === 'struct') return `(${v} !== null && isDefault${inner}(${v}))`
    if (value.kind === 'array') return `(${v} !== null && ${v}.length === 0)`
    if (Buffer.isBuffer(fallback)) return `(${v} !== null && ${v}.length === 0)`
    if (Array.isArray(fallback)) return `(${v} !== null && ${v}.every((chunk) => chunk.length === 0))`
    return `${v} === ${this.#default(field, inner)}`
  }
}

function readExpression(value: ValuePlan, id: number): string {
  if (value.kind === 'primitive') return `r.${value.method}()`
  if (value.kind === 'struct' && value.presence)
    return `r.${value.presence}() ${value.presence === 'int8' ? '<' : '<='} 0 ? null : read${id}(r)`
  return `read${id}(r)`
}

function writeStatement(value: ValuePlan, id: number, v: string): string {
  if (value.kind === 'primitive') return `w.${value.method}(${v})`
  if (value.kind !== 'struct' || value.presence === null) return `write${id}(w, ${v})`
  const mark = `w.${value.presence}`
  return `if (${v} === null) ${mark}(${NULL_STRUCT[value.presence]}); else { ${mark}(1); write${id}(w, ${v}) }`
}
