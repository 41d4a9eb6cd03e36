import { beforeAll, describe, expect, test } from 'vitest'
import { allMessages } from '../../src/protocol/all-messages.testkit.ts'
import { apis, requestHeaderVersion, responseHeaderVersion } from '../../src/protocol/api-keys.ts'
import {
  type Field,
  type FieldType,
  includesVersion,
  type Message,
  parseVersions,
  type StructFields,
  type VersionRange,
} from '../../src/protocol/schema.ts'
import { ZERO_UUID } from '../../src/protocol/uuid.ts'
import { clientCoordinates, kafkaCoordinates } from '../harness/maven.ts'
import { definitions, type JsonField, type JsonMessage } from './definitions.ts'

/** What a field is in one version, whichever side it was read from. */
interface FieldView {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly tag: number | null
  readonly default: string
  readonly compact: boolean
  readonly fields: readonly FieldView[]
}

/** Renamed between 3.9 and 4.3; the bytes are the same. */
const RENAMED_SINCE_3_9: { readonly [name: string]: string } = {
  'VoteRequest.candidateEpoch': 'replicaEpoch',
  'VoteRequest.candidateId': 'replicaId',
  'VoteRequest.candidateDirectoryId': 'replicaDirectoryId',
}

/** Declared int64 in the JSON, and here with all 64 bits, because they are hashes. */
const WIDE_FIELDS = new Set(['metadataHash'])

const lowerFirst = (name: string) => name.charAt(0).toLowerCase() + name.slice(1)

/** A tagged field may leave out its versions: they are those in which it is tagged. */
function versionsOf(field: JsonField): VersionRange {
  return parseVersions(field.versions ?? field.taggedVersions ?? '0+')
}

class JsonViews {
  readonly #definition: JsonMessage
  readonly #version: number
  readonly #flexible: boolean

  constructor(definition: JsonMessage, version: number) {
    this.#definition = definition
    this.#version = version
    this.#flexible = includesVersion(parseVersions(definition.flexibleVersions ?? 'none'), version)
  }

  all(): FieldView[] {
    return this.#fields(this.#definition.fields ?? [])
  }

  #includes(versions: string | undefined): boolean {
    return versions !== undefined && includesVersion(parseVersions(versions), this.#version)
  }

  #fields(fields: readonly JsonField[]): FieldView[] {
    return fields.filter((field) => includesVersion(versionsOf(field), this.#version)).map((field) => this.#view(field))
  }

  #view(field: JsonField): FieldView {
    const name = lowerFirst(field.name)
    const [, brackets, element] = /^(\[\])?(\w+)$/.exec(field.type)!
    const isStruct = /^[A-Z]/.test(element!)
    const common = this.#definition.commonStructs?.find((candidate) => candidate.name === element)
    const type = `${brackets ?? ''}${isStruct ? 'struct' : WIDE_FIELDS.has(name) ? 'int64big' : element}`
    return {
      name: RENAMED_SINCE_3_9[`${this.#definition.name}.${name}`] ?? name,
      type,
      nullable: this.#includes(field.nullableVersions),
      tag: this.#includes(field.taggedVersions) ? Number(field.tag) : null,
      default: jsonDefault(field, type),
      compact: this.#flexible && field.flexibleVersions !== 'none',
      fields: isStruct ? this.#fields(field.fields ?? common?.fields ?? []) : [],
    }
  }
}

function jsonDefault(field: JsonField, type: string): string {
  // The word "null" makes null the default; a JSON null says nothing, and the default is the type's own.
  const text = String(field.default ?? '')
  if (text === 'null') return 'null'
  if (type.startsWith('[]') || type === 'struct' || type === 'bytes' || type === 'records') return 'empty'
  if (type === 'bool') return text.toLowerCase() === 'true' ? 'true' : 'false'
  if (type === 'uuid') return ZERO_UUID
  return type === 'string' ? text : String(Number(text))
}

function schemaViews(fields: StructFields, version: number, flexible: boolean): FieldView[] {
  return Object.entries(fields)
    .filter(([, field]) => includesVersion(field.options.versions, version))
    .map(([name, field]) => schemaView(name, field, version, flexible))
}

function schemaView(name: string, field: Field<unknown, unknown>, version: number, flexible: boolean): FieldView {
  const { options, type } = field
  const inner = type.kind === 'array' ? type.element : type
  return {
    name,
    type: `${type.kind === 'array' ? '[]' : ''}${inner.kind}`,
    nullable: includesVersion(options.nullable, version),
    tag: includesVersion(options.tagged, version) ? options.tag : null,
    default: schemaDefault(type, options.fallback),
    compact: flexible && options.compactable,
    fields: inner.kind === 'struct' ? schemaViews(inner.fields, version, flexible) : [],
  }
}

function schemaDefault(type: FieldType, fallback: unknown): string {
  if (fallback === null) return 'null'
  return ['array', 'struct', 'bytes', 'records'].includes(type.kind) ? 'empty' : String(fallback)
}

/** Paths of the fields that some valid version lacks and that may be dropped there. */
function jsonIgnorable(
  definition: JsonMessage,
  fields: readonly JsonField[],
  valid: VersionRange,
  path = '',
): string[] {
  return fields.flatMap((field) => {
    const here = `${path}.${lowerFirst(field.name)}`
    const common = definition.commonStructs?.find((candidate) => field.type.endsWith(candidate.name))
    const versions = intersect(valid, versionsOf(field))
    if (versions.low > versions.high) return []
    const inner = jsonIgnorable(definition, field.fields ?? common?.fields ?? [], versions, here)
    const everywhere = versions.low === valid.low && versions.high === valid.high
    return field.ignorable && !everywhere ? [here, ...inner] : inner
  })
}

function schemaIgnorable(fields: StructFields, valid: VersionRange, path = ''): string[] {
  return Object.entries(fields).flatMap(([name, { options, type }]) => {
    const here = `${path}.${name}`
    const versions = intersect(valid, options.versions)
    if (versions.low > versions.high) return []
    const element = type.kind === 'array' ? type.element : type
    const inner = element.kind === 'struct' ? schemaIgnorable(element.fields, versions, here) : []
    const everywhere = versions.low === valid.low && versions.high === valid.high
    return options.ignored && !everywhere ? [here, ...inner] : inner
  })
}

function intersect(a: VersionRange, b: VersionRange): VersionRange {
  return { low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) }
}

let kafka43: Map<string, JsonMessage>
let kafka39: Map<string, JsonMessage>

beforeAll(async () => {
  kafka43 = await definitions([...kafkaCoordinates, 'org.apache.kafka:kafka-storage:4.3.1:jar:sources'])
  kafka39 = await definitions([...clientCoordinates('3.9.1'), 'com.fasterxml.jackson.core:jackson-databind:2.17.2'])
})

/** 3.9's early access to share groups: version 0s that 4.x changed. */
function isEarlyAccess(name: string): boolean {
  return kafka39.get(name.replace(/Response$/, 'Request'))?.latestVersionUnstable === true
}

/** The API was renamed when it grew beyond client metrics; its version 0 is the same. */
const DROPPED_SINCE_3_9 = ['ListClientMetricsResourcesRequest', 'ListClientMetricsResourcesResponse']

test('there is a schema for every definition in the jars, and no other', () => {
  const names = new Set(allMessages.map(({ name }) => name))
  expect([...names].sort()).toEqual([...kafka43.keys()].sort())
  expect([...kafka39.keys()].filter((name) => !names.has(name))).toEqual(DROPPED_SINCE_3_9)
})

describe.each(allMessages.map((message) => [message.name, message] as const))('%s', (name, message: Message) => {
  test('has the fields of the definitions in every version', () => {
    for (const source of isEarlyAccess(name) ? [kafka43] : [kafka43, kafka39]) {
      const definition = source.get(name)
      if (definition === undefined) continue
      const { low, high } = parseVersions(definition.validVersions)
      for (let version = low; version <= high; version++) {
        const flexible = includesVersion(message.flexible, version)
        expect(schemaViews(message.fields, version, flexible), `v${version}`).toEqual(
          new JsonViews(definition, version).all(),
        )
        expect(flexible).toBe(includesVersion(parseVersions(definition.flexibleVersions ?? 'none'), version))
      }
    }
  })

  test('has the versions of 4.3.1 and 3.9.1 together, and the key', () => {
    const definition = kafka43.get(name)!
    const older = isEarlyAccess(name) ? undefined : kafka39.get(name)
    const ranges = [definition, older]
      .filter((source) => source !== undefined)
      .map((source) => parseVersions(source.validVersions))
      .filter(({ low, high }) => low <= high)
    expect(message.versions).toEqual({
      low: Math.min(...ranges.map(({ low }) => low)),
      high: Math.max(...ranges.map(({ high }) => high)),
    })
    expect(message.key).toBe(definition.apiKey ?? -1)
    expect(message.latestVersionUnstable).toBe(definition.latestVersionUnstable ?? false)
  })

  test('drops or refuses what a version lacks as 4.3.1 does', () => {
    const definition = kafka43.get(name)!
    const valid = parseVersions(definition.validVersions)
    expect(schemaIgnorable(message.fields, valid)).toEqual(jsonIgnorable(definition, definition.fields ?? [], valid))
  })
})

describe.each(Object.entries(apis))('%s', (name, api) => {
  test('is in the table as Kafka 4.3.1 has it', () => {
    const definition = kafka43.get(`${name}Request`)!
    expect(api.name).toBe(name)
    expect(api.request.name).toBe(`${name}Request`)
    expect(api.response.name).toBe(`${name}Response`)
    expect(api.response.key).toBe(api.key)
    expect(api.kafkaVersions).toEqual(parseVersions(definition.validVersions))
    expect([...api.listeners].sort()).toEqual([...(definition.listeners ?? [])].sort())
  })
})

test('only ApiVersions and ControlledShutdown have header versions of their own', () => {
  expect(responseHeaderVersion(apis.ApiVersions, 4)).toBe(0)
  expect(requestHeaderVersion(apis.ApiVersions, 4)).toBe(2)
  expect(requestHeaderVersion(apis.ControlledShutdown, 0)).toBe(0)
  expect(requestHeaderVersion(apis.ControlledShutdown, 1)).toBe(1)
  expect(responseHeaderVersion(apis.Fetch, 12)).toBe(1)
  expect(responseHeaderVersion(apis.Fetch, 11)).toBe(0)
})
