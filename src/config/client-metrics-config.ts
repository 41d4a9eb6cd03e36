import type { Properties } from './broker-config.ts'
import { ConfigError } from './config-error.ts'
import type { SettingValue } from './setting.ts'
import { type ClientMetricsSettingName, clientMetricsSettings, lookup } from './settings.ts'
import { defaultOf, parseSetting } from './values.ts'

const SELECTORS = [
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
]

/** All values of a metrics subscription, by name. Throws ConfigError; unknown names are passed over. */
export function clientMetricsValues(overrides: Properties): Map<string, SettingValue> {
  const values = new Map<string, SettingValue>()
  for (const name of Object.keys(clientMetricsSettings) as ClientMetricsSettingName[]) {
    const setting = clientMetricsSettings[name]
    const text = overrides.get(name)
    values.set(
      name,
      text === undefined ? defaultOf<SettingValue>(name, setting) : parseSetting<SettingValue>(name, setting, text),
    )
  }
  return values
}

/** Checks all configs that a metrics subscription is about to have. Throws ConfigError in Apache Kafka's words. */
export function checkClientMetricsConfigs(subscription: string, overrides: Properties): void {
  if (subscription === '') throw new ConfigError("Subscription name can't be empty", 'INVALID_REQUEST')
  for (const name of overrides.keys()) {
    if (lookup(clientMetricsSettings, name) !== undefined) continue
    throw new ConfigError(`Unknown client metrics configuration: ${name}`, 'INVALID_REQUEST')
  }
  const values = clientMetricsValues(overrides)
  const intervalMs = values.get('interval.ms') as number
  if (intervalMs < 100 || intervalMs > 3_600_000) {
    const range = 'interval must be between 100 and 3600000 (1 hour)'
    throw new ConfigError(`Invalid value ${intervalMs} for interval.ms, ${range}`, 'INVALID_REQUEST')
  }
  for (const pattern of values.get('match') as readonly string[]) checkPattern(pattern)
}

function checkPattern(pattern: string): void {
  const parts = pattern.split('=')
  // Java's split leaves out empty parts at the end, so 'client_id=' has no second part.
  while (parts.length > 0 && parts.at(-1) === '') parts.pop()
  const [selector, expression] = parts
  const illegal = () => new ConfigError(`Illegal client matching pattern: ${pattern}`)
  if (parts.length !== 2 || !SELECTORS.includes(selector!.trim())) throw illegal()
  try {
    new RegExp(expression!.trim())
  } catch {
    throw illegal()
  }
}
