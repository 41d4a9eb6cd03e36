import { ZERO_UUID } from './uuid.ts'

/** Inclusive; `high` is Infinity for "from low on". No version at all is `low > high`. */
export interface VersionRange {
  readonly low: number
  readonly high: number
}

const NO_VERSIONS: VersionRange = { low: 0, high: -1 }
const ALL_VERSIONS: VersionRange = { low: 0, high: Number.POSITIVE_INFINITY }

const parsedVersions = new Map<string, VersionRange>()

/** Kafka's notation: `3`, `0-3`, `2+` or `none`. Equal texts give one object: thousands of fields share few ranges. */
export function parseVersions(text: string): VersionRange {
  let range = parsedVersions.get(text)
  if (range === undefined) {
    range = parseRange(text)
    parsedVersions.set(text, range)
  }
  return range
}

function parseRange(text: string): VersionRange {
  if (text === 'none') return NO_VERSIONS
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text)
  if (!match) throw new Error(`not a version range: ${text}`)
  const low = Number(match[1])
  if (match[2]) return { low, high: Number.POSITIVE_INFINITY }
  return { low, high: match[3] === undefined ? low : Number(match[3]) }
}

export function includesVersion(range: VersionRange, version: number): boolean {
  return version >= range.low && version <= range.high
}

/** The types that are written by one method of the Reader and Writer. */
export type PrimitiveKind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'int64big'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records'

export type FieldType =
  | { readonly kind: PrimitiveKind }
  | { readonly kind: 'array'; readonly element: FieldType }
  | { readonly kind: 'struct'; readonly fields: StructFields }

interface FieldOptions {
  readonly versions: VersionRange
  readonly nullable: VersionRange
  readonly tag: number
  readonly tagged: VersionRange
  readonly ignored: boolean
  /** False where the classic encoding is used even in flexible versions. */
  readonly compactable: boolean
  readonly fallback: unknown
}

/**
 * One field of a message: its type, and for which versions it exists, may be null, is tagged. `T` is what decoding gives,
 * `I` what encoding takes. Immutable: each method gives a new field.
 */
export class Field<T, I = T> {
  /** Only for the type checker. */
  declare readonly decoded: T
  declare readonly input: I
  readonly type: FieldType
  readonly options: FieldOptions

  constructor(type: FieldType, options: FieldOptions) {
    this.type = type
    this.options = options
  }

  #with(change: Partial<FieldOptions>): Field<T, I> {
    return new Field(this.type, { ...this.options, ...change })
  }

  /** The versions that have the field; all by default. */
  in(versions: string): Field<T, I> {
    return this.#with({ versions: parseVersions(versions) })
  }

  /** The versions in which it may be null; with `null` as second argument that is also its default. */
  nullableIn(versions: string, fallback?: null): Field<T | null, I | null> {
    const nullable = parseVersions(versions)
    const field: Field<T | null, I | null> = this.#with(fallback === null ? { nullable, fallback } : { nullable })
    return field
  }

  /** Carried as a tagged field in these versions (all by default): left out where it has its default value. */
  taggedAs(tag: number, versions = '0+'): Field<T, I> {
    return this.#with({ tag, tagged: parseVersions(versions) })
  }

  /** The default: what a reader gets in versions without the field, and what is written when it is left out. */
  or(fallback: T): Field<T, I> {
    return this.#with({ fallback })
  }

  /** A value other than the default is silently dropped in versions without the field, instead of being refused. */
  ignorable(): Field<T, I> {
    return this.#with({ ignored: true })
  }

  /** Keeps the classic encoding in flexible versions. */
  neverCompact(): Field<T, I> {
    return this.#with({ compactable: false })
  }
}

export type StructFields = { readonly [name: string]: Field<unknown, unknown> }

/** What decoding a struct of these fields gives: every field, with its default in versions that lack it. */
export type Decoded<F extends StructFields> = { -readonly [K in keyof F]: F[K]['decoded'] }
/** What encoding takes: a field left out gets its default. */
export type Input<F extends StructFields> = { readonly [K in keyof F]?: F[K]['input'] | undefined }

function field<T>(type: FieldType, fallback: T): Field<T> {
  return new Field(type, {
    versions: ALL_VERSIONS,
    nullable: NO_VERSIONS,
    tag: -1,
    tagged: NO_VERSIONS,
    ignored: false,
    compactable: true,
    fallback,
  })
}

const EMPTY = Buffer.alloc(0)

export const bool = field({ kind: 'bool' }, false as boolean)
export const int8 = field({ kind: 'int8' }, 0 as number)
export const int16 = field({ kind: 'int16' }, 0 as number)
export const uint16 = field({ kind: 'uint16' }, 0 as number)
export const int32 = field({ kind: 'int32' }, 0 as number)
export const uint32 = field({ kind: 'uint32' }, 0 as number)
/** A number: exact within the safe integers and at the two extremes, which read as `INT64_MAX` and `INT64_MIN`. */
export const int64 = field({ kind: 'int64' }, 0 as number)
/** For the few fields that use all 64 bits, such as hashes. */
export const int64big = field({ kind: 'int64big' }, 0n as bigint)
export const float64 = field({ kind: 'float64' }, 0 as number)
/** 22 characters of base64url, as Kafka prints ids. */
export const uuid = field({ kind: 'uuid' }, ZERO_UUID as string)
export const string = field({ kind: 'string' }, '' as string)
/** Decoded as a slice of the frame, not a copy. */
export const bytes = field({ kind: 'bytes' }, EMPTY as Buffer)
/** Decoded as one slice of the frame; written as all chunks in order, large ones by reference. */
export const records = field({ kind: 'records' }, [EMPTY] as readonly Buffer[])

/** An array of a field type, or of structs of the fields given. */
export function array<T, I>(element: Field<T, I>): Field<T[], readonly I[]>
export function array<const F extends StructFields>(fields: F): Field<Decoded<F>[], readonly Input<F>[]>
export function array(element: Field<unknown, unknown> | StructFields): Field<unknown[], readonly unknown[]> {
  const type: FieldType = element instanceof Field ? element.type : { kind: 'struct', fields: element }
  return field({ kind: 'array', element: type }, [] as unknown[])
}

export function struct<const F extends StructFields>(fields: F): Field<Decoded<F>, Input<F>> {
  return field({ kind: 'struct', fields }, undefined) as Field<unknown, unknown> as Field<Decoded<F>, Input<F>>
}

export interface MessageOptions {
  /** Apache Kafka marks the latest version as unstable: it is not served unless asked for. */
  readonly latestVersionUnstable?: boolean
}

/** A request, response or record in all its versions. */
export class Message<F extends StructFields = StructFields> {
  readonly name: string
  /** API key of a request or response, type of a record; -1 where there is none. */
  readonly key: number
  readonly versions: VersionRange
  readonly flexible: VersionRange
  readonly latestVersionUnstable: boolean
  readonly fields: F

  constructor(name: string, key: number, versions: string, flexible: string, fields: F, options: MessageOptions) {
    this.name = name
    this.key = key
    this.versions = parseVersions(versions)
    this.flexible = parseVersions(flexible)
    this.latestVersionUnstable = options.latestVersionUnstable ?? false
    this.fields = fields
  }
}

/**
 * Declares a message. `versions`: all those known here, which is what 4.3 has and what 3.9 had below that. `flexible`: the
 * versions with compact lengths and tagged fields.
 */
export function message<const F extends StructFields>(
  name: string,
  key: number,
  versions: string,
  flexible: string,
  fields: F,
  options: MessageOptions = {},
): Message<F> {
  return new Message(name, key, versions, flexible, fields, options)
}

/** The type of a decoded message: all fields there. */
export type MessageOf<M extends Message> = Decoded<M['fields']>
/** What encoding a message takes: fields left out get their defaults. */
export type InputOf<M extends Message> = Input<M['fields']>
