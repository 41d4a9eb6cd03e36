import { type Field, type FieldType, includesVersion, type Message, type StructFields } from './schema.ts'
import { INT64_MAX, INT64_MIN } from './wire.ts'

type Values = { [name: string]: unknown }

/** A small deterministic generator (mulberry32): the same seed gives the same numbers on every machine. */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound)
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }
}

/**
 * A valid message of the version: fields that it lacks have their defaults, as decoding gives them; extremes, empty values and
 * nulls are frequent. Equal seeds give equal messages.
 */
export function randomMessage(message: Message, version: number, seed: number): Values {
  return randomStruct(message.fields, version, new SeededRandom(seed), 0)
}

function randomStruct(fields: StructFields, version: number, random: SeededRandom, depth: number): Values {
  const values: Values = {}
  for (const [name, field] of Object.entries(fields)) values[name] = randomField(field, version, random, depth)
  return values
}

function randomField(field: Field<unknown, unknown>, version: number, random: SeededRandom, depth: number): unknown {
  const { options, type } = field
  const tagged = includesVersion(options.tagged, version)
  if (!includesVersion(options.versions, version) || (tagged && random.chance(3))) return defaultValue(field)
  if (includesVersion(options.nullable, version) && random.chance(4)) return null
  return randomValue(type, version, random, depth)
}

/** What decoding gives for a field that is not on the wire. */
export function defaultValue(field: Field<unknown, unknown>): unknown {
  const { options, type } = field
  if (options.fallback === null) return null
  if (type.kind === 'array') return []
  if (type.kind !== 'struct') return options.fallback
  return Object.fromEntries(Object.entries(type.fields).map(([name, inner]) => [name, defaultValue(inner)]))
}

function randomValue(type: FieldType, version: number, random: SeededRandom, depth: number): unknown {
  switch (type.kind) {
    case 'struct':
      return randomStruct(type.fields, version, random, depth + 1)
    case 'array': {
      const length = random.chance(3) ? 0 : 1 + random.below(depth > 2 ? 2 : 3)
      return Array.from({ length }, () => randomValue(type.element, version, random, depth + 1))
    }
    case 'bool':
      return random.chance(2)
    case 'int8':
      return randomInteger(random, -(2 ** 7), 2 ** 7 - 1)
    case 'int16':
      return randomInteger(random, -(2 ** 15), 2 ** 15 - 1)
    case 'uint16':
      return randomInteger(random, 0, 2 ** 16 - 1)
    case 'int32':
      return randomInteger(random, -(2 ** 31), 2 ** 31 - 1)
    case 'uint32':
      return randomInteger(random, 0, 2 ** 32 - 1)
    case 'int64':
      if (random.chance(6)) return random.pick([INT64_MAX, INT64_MIN])
      return randomInteger(random, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    case 'int64big':
      return BigInt.asIntN(64, BigInt(random.below(2 ** 32)) * 0x1_0000_0001_0000_0001n)
    case 'float64':
      return random.pick([0, 1.5, -2.25e-10, Number.MAX_VALUE, random.below(1e9) / 7])
    case 'uuid':
      return randomBytes(random, 16).toString('base64url')
    case 'string':
      return randomText(random)
    case 'bytes':
      return randomBytes(random, randomSize(random))
    case 'records':
      return [randomBytes(random, randomSize(random))]
  }
}

function randomInteger(random: SeededRandom, low: number, high: number): number {
  if (random.chance(5)) return random.pick([low, high])
  if (random.chance(3)) return Math.max(low, random.below(3) - 1)
  return low + Math.floor((random.below(2 ** 32) / 2 ** 32) * (high - low))
}

/** Mostly small; now and then across the thresholds of the wire format (a two-byte varint, a chunk by reference). */
function randomSize(random: SeededRandom): number {
  if (random.chance(12)) return random.pick([126, 127, 128, 1023, 1024, 1025, 3000])
  return random.below(12)
}

function randomBytes(random: SeededRandom, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => random.below(256)))
}

function randomText(random: SeededRandom): string {
  const alphabet = random.chance(4) ? ['a', 'é', '水', '😀', '\u0000'] : ['a', 'b', 'Z', '0', '-', '_', '.']
  return Array.from({ length: randomSize(random) }, () => random.pick(alphabet)).join('')
}
