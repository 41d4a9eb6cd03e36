import { apis } from '../../protocol/api-keys.ts'
import { type AdminClient, check } from './client.ts'
import { compareText } from './topic-info.ts'

/** The kinds of resource that have configs, by the names of the command line. */
export const RESOURCE_TYPES = {
  topics: 2,
  brokers: 4,
  'broker-loggers': 8,
  'client-metrics': 16,
  groups: 32,
} as const
export type ResourceKind = keyof typeof RESOURCE_TYPES

const SOURCES = [
  'UNKNOWN',
  'DYNAMIC_TOPIC_CONFIG',
  'DYNAMIC_BROKER_CONFIG',
  'DYNAMIC_DEFAULT_BROKER_CONFIG',
  'STATIC_BROKER_CONFIG',
  'DEFAULT_CONFIG',
  'DYNAMIC_BROKER_LOGGER_CONFIG',
  'DYNAMIC_CLIENT_METRICS_CONFIG',
  'DYNAMIC_GROUP_CONFIG',
] as const
export type ConfigSource = (typeof SOURCES)[number]

export interface ConfigEntry {
  readonly name: string
  /** null where it is not told, as of what is sensitive. */
  readonly value: string | null
  readonly source: ConfigSource
  readonly sensitive: boolean
  readonly readOnly: boolean
  readonly synonyms: readonly { readonly name: string; readonly value: string | null; readonly source: ConfigSource }[]
}

const sourceOf = (code: number): ConfigSource => SOURCES[code] ?? 'UNKNOWN'

/**
 * The configs of resources of one kind, in the order of the names; those of each in order of their names. What is asked of
 * one broker only that broker knows. Throws AdminError.
 */
export async function describeConfigs(
  admin: AdminClient,
  kind: ResourceKind,
  names: readonly string[],
): Promise<Map<string, ConfigEntry[]>> {
  if (names.length === 0) return new Map()
  const resourceType = RESOURCE_TYPES[kind]
  const body = (wanted: readonly string[]) => () => ({
    resources: wanted.map((resourceName) => ({ resourceType, resourceName, configurationKeys: null })),
    includeSynonyms: true,
  })
  const own = names.filter((name) => admin.asksBrokers && isOfBroker(kind, name))
  const together = names.filter((name) => !own.includes(name))
  const answers = together.length === 0 ? [] : [await admin.any(apis.DescribeConfigs, body(together))]
  for (const name of own) {
    answers.push(await admin.broker(Number(name), apis.DescribeConfigs, body([name])))
  }
  const found = new Map<string, ConfigEntry[]>(names.map((name) => [name, []]))
  for (const result of answers.flatMap(({ results }) => results)) {
    check(result.errorCode, result.errorMessage)
    const entries = result.configs.map(({ name, value, configSource, isSensitive, readOnly, synonyms }) => ({
      name,
      value,
      source: sourceOf(configSource),
      sensitive: isSensitive,
      readOnly,
      synonyms: synonyms.map((synonym) => ({ ...synonym, source: sourceOf(synonym.source) })),
    }))
    found.set(
      result.resourceName,
      entries.sort((a, b) => compareText(a.name, b.name)),
    )
  }
  return found
}

function isOfBroker(kind: ResourceKind, name: string): boolean {
  return (kind === 'brokers' || kind === 'broker-loggers') && name !== ''
}

/** A change of one config: its new value, or null to go back to what it is without. */
export interface ConfigChange {
  readonly name: string
  readonly value: string | null
}

const SET = 0
const DELETE = 1

/** Changes configs of resources. Throws AdminError for the first that is refused. */
export async function alterConfigs(
  admin: AdminClient,
  changes: readonly { readonly kind: ResourceKind; readonly name: string; readonly configs: readonly ConfigChange[] }[],
): Promise<void> {
  const body = (wanted: typeof changes) => () => ({
    resources: wanted.map(({ kind, name, configs }) => ({
      resourceType: RESOURCE_TYPES[kind],
      resourceName: name,
      configs: configs.map((config) => ({ ...config, configOperation: config.value === null ? DELETE : SET })),
    })),
  })
  // A broker takes its own configs and those of its loggers only; all else may be asked of any, which passes it on.
  const isOwn = ({ kind, name }: (typeof changes)[number]) => admin.asksBrokers && isOfBroker(kind, name)
  const own = changes.filter(isOwn)
  const others = changes.filter((change) => !isOwn(change))
  const answers = others.length === 0 ? [] : [await admin.controller(apis.IncrementalAlterConfigs, body(others))]
  for (const change of own) {
    answers.push(await admin.broker(Number(change.name), apis.IncrementalAlterConfigs, body([change])))
  }
  for (const { errorCode, errorMessage } of answers.flatMap(({ responses }) => responses)) {
    check(errorCode, errorMessage)
  }
}

/** The names of all resources of a kind that have configs. Throws AdminError, UnsupportedError. */
export async function listConfigResources(admin: AdminClient, kind: ResourceKind): Promise<string[]> {
  const resourceType = RESOURCE_TYPES[kind]
  const least = kind === 'client-metrics' ? 0 : 1
  const answer = await admin.any(
    apis.ListConfigResources,
    (version) => (version === 0 ? {} : { resourceTypes: [resourceType] }),
    least,
  )
  check(answer.errorCode)
  return answer.configResources.map(({ resourceName }) => resourceName).sort(compareText)
}
