import type { SettingValue } from '../../config/setting.ts'
import { crc32c } from '../../protocol/records/crc.ts'
import { javaAddress } from '../client-of.ts'
import type { RequestContext } from '../types.ts'

/** How often a client pushes where no subscription says otherwise, in ms. */
const DEFAULT_INTERVAL_MS = 300_000
/** Stands for all metrics. */
const ALL = '*'

/** One client-metrics resource; or all that match a client, as one. */
export interface Subscription {
  /** Changes with what the client is to do. */
  readonly id: number
  readonly intervalMs: number
  /** Prefixes of names, or `*`. */
  readonly metrics: readonly string[]
  /** What a client's attributes have to match, each as a whole. */
  readonly patterns: ReadonlyMap<string, RegExp>
}

export type Attributes = ReadonlyMap<string, string | undefined>

/** The subscription of one resource. Patterns that the checks would not let pass match nobody. */
export function subscriptionOf(values: ReadonlyMap<string, SettingValue>): Subscription {
  const patterns = new Map<string, RegExp>()
  for (const pattern of values.get('match') as readonly string[]) {
    const at = pattern.indexOf('=')
    patterns.set(pattern.slice(0, at).trim(), wholeMatch(pattern.slice(at + 1).trim()))
  }
  return {
    id: 0,
    intervalMs: values.get('interval.ms') as number,
    metrics: values.get('metrics') as readonly string[],
    patterns,
  }
}

function wholeMatch(expression: string): RegExp {
  try {
    return new RegExp(`^(?:${expression})$`, 'u')
  } catch {
    return /(?!)/
  }
}

export function attributesOf(clientInstanceId: string, { clientId, connection }: RequestContext): Attributes {
  return new Map([
    ['client_instance_id', clientInstanceId],
    ['client_id', clientId ?? undefined],
    ['client_software_name', connection.clientSoftwareName ?? 'unknown'],
    ['client_software_version', connection.clientSoftwareVersion ?? 'unknown'],
    ['client_source_address', javaAddress(connection.remoteAddress)],
    ['client_source_port', String(connection.remotePort)],
  ])
}

/** All that match a client, as one: every metric that any of them wants, as often as the most eager one wants. */
export function subscribe(
  clientInstanceId: string,
  attributes: Attributes,
  all: readonly Subscription[],
): Subscription {
  const metrics = new Set<string>()
  let intervalMs = DEFAULT_INTERVAL_MS
  for (const { patterns, metrics: wanted, intervalMs: everyMs } of all) {
    const matches = [...patterns].every(([name, pattern]) => pattern.test(attributes.get(name) ?? ''))
    if (!matches) continue
    for (const metric of wanted) metrics.add(metric)
    intervalMs = Math.min(intervalMs, everyMs)
  }
  const asked = metrics.has(ALL) ? [ALL] : [...metrics].sort()
  const text = Buffer.from(`${clientInstanceId} ${asked.join(', ')} ${intervalMs}`)
  return { id: crc32c(text, 0, text.length) | 0, intervalMs, metrics: asked, patterns: new Map() }
}
