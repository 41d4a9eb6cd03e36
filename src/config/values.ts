import { ConfigError, invalidValue } from './config-error.ts'
import type { Setting, SettingType, SettingValue } from './setting.ts'

/** Removes what Java's trim removes: everything up to and including the space, at both ends. */
export function trim(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && text.charCodeAt(start) <= 32) start++
  while (end > start && text.charCodeAt(end - 1) <= 32) end--
  return text.slice(start, end)
}

function parseInteger(text: string, bits: bigint): bigint | undefined {
  if (!/^[+-]?[0-9]{1,20}$/.test(text)) return undefined
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  return value === BigInt.asIntN(Number(bits), value) ? value : undefined
}

function parseDouble(text: string): number | undefined {
  const match = /^([+-]?)(?:(NaN)|(Infinity)|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?)$/.exec(text)
  if (match === null) return undefined
  const magnitude = match[2] ? Number.NaN : match[3] ? Number.POSITIVE_INFINITY : Number(match[4])
  return match[1] === '-' ? -magnitude : magnitude
}

export function splitList(text: string): string[] {
  return text === '' ? [] : text.split(/\s*,\s*/)
}

function isoInteger(name: string, text: string, trimmed: string, type: SettingType): bigint {
  const bits = type === 'INT' ? 32n : type === 'SHORT' ? 16n : 64n
  const value = parseInteger(trimmed, bits)
  if (value === undefined) throw invalidValue(name, text, `Not a number of type ${type}`)
  return value
}

/**
 * The text of one value as its type: LONG to bigint, INT, SHORT and DOUBLE to number, LIST to strings.
 * The range is not checked; see `parseSetting`. Throws ConfigError.
 */
export function parseValue(name: string, type: SettingType, text: string): Exclude<SettingValue, null> {
  const trimmed = trim(text)
  switch (type) {
    case 'BOOLEAN': {
      const lower = trimmed.toLowerCase()
      if (lower === 'true' || lower === 'false') return lower === 'true'
      throw invalidValue(name, text, 'Expected value to be either true or false')
    }
    case 'INT':
    case 'SHORT':
      return Number(isoInteger(name, text, trimmed, type))
    case 'LONG':
      return isoInteger(name, text, trimmed, type)
    case 'DOUBLE': {
      const value = parseDouble(trimmed)
      if (value === undefined) throw invalidValue(name, text, 'Not a number of type DOUBLE')
      return value
    }
    case 'LIST':
      return splitList(trimmed)
    case 'STRING':
    case 'CLASS':
    case 'PASSWORD':
      return trimmed
  }
}

/** Parses and checks the range. Throws ConfigError in Apache Kafka's words. */
export function parseSetting<V extends SettingValue>(name: string, setting: Setting<V>, text: string): V {
  const parsed = parseValue(name, setting.type, text)
  const value = setting.validator?.dropsDuplicates ? [...new Set(parsed as readonly string[])] : parsed
  setting.validator?.check(name, value)
  return value as V
}

/** The default of a setting. Throws ConfigError where it has none. */
export function defaultOf<V extends SettingValue>(name: string, setting: Setting<V>): V {
  if (setting.default === undefined) {
    throw new ConfigError(`Missing required configuration "${name}" which has no default value.`)
  }
  return setting.default
}

/** A double as Java prints it: 1.0, 0.05, 1.0E-4, 1.7976931348623157E308. */
function formatDouble(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const magnitude = Math.abs(value)
  if (magnitude === 0 || (magnitude >= 1e-3 && magnitude < 1e7)) {
    const text = Object.is(value, -0) ? '-0' : String(value)
    return text.includes('.') ? text : `${text}.0`
  }
  const [digits = '', exponent = ''] = value.toExponential().split('e')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
}

/** The text of a value, as DescribeConfigs shows it; null for null. */
export function formatValue(type: SettingType, value: SettingValue): string | null {
  if (value === null) return null
  if (type === 'DOUBLE') return formatDouble(value as number)
  if (type === 'LIST') return (value as readonly string[]).join(',')
  return String(value)
}

/** A value as Java's string concatenation prints it, for messages. */
export function showValue(value: SettingValue): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value)
}
