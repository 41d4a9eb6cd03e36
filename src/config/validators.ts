import { ConfigError, invalidValue } from './config-error.ts'
import { parseBootstrapServers, parseVoters } from './quorum-addresses.ts'
import type { Validator } from './setting.ts'
import { showValue } from './values.ts'

function range(min: number, max: number | null): Validator {
  return {
    allowed: max === null ? `at least ${min}` : `from ${min} to ${max}`,
    check(name, value) {
      if (value === null) throw invalidValue(name, 'null', 'Value must be non-null')
      if (Number(value) < min) throw invalidValue(name, String(value), `Value must be at least ${min}`)
      if (max !== null && Number(value) > max) {
        throw invalidValue(name, String(value), `Value must be no more than ${max}`)
      }
    },
  }
}

export function atLeast(min: number): Validator {
  return range(min, null)
}

/** Both ends are allowed. */
export function between(min: number, max: number): Validator {
  return range(min, max)
}

export function oneOf(...values: string[]): Validator {
  return {
    allowed: `one of ${values.join(', ')}`,
    check(name, value) {
      if (!values.includes(value as string)) {
        throw invalidValue(name, showValue(value), `String must be one of: ${values.join(', ')}`)
      }
    },
  }
}

/** `values` are in upper case. */
export function oneOfIgnoringCase(...values: string[]): Validator {
  return {
    allowed: `one of ${values.join(', ')} in any case`,
    check(name, value) {
      if (value === null || !values.includes(String(value).toUpperCase())) {
        throw invalidValue(name, showValue(value), `String must be one of (case insensitive): ${values.join(', ')}`)
      }
    },
  }
}

interface ListRules {
  values: string[]
  emptyAllowed: boolean
  nullAllowed: boolean
}

function listRules({ values, emptyAllowed, nullAllowed }: ListRules): Validator {
  const element = values.length > 0 ? oneOf(...values) : null
  return {
    allowed: `a list of ${values.length > 0 ? values.join(', ') : 'distinct values'}`,
    dropsDuplicates: true,
    check(name, value) {
      if (value === null) {
        if (nullAllowed) return
        throw new ConfigError(`Configuration '${name}' values must not be null.`)
      }
      const items = value as readonly string[]
      if (items.length === 0 && !emptyAllowed) {
        const valid = values.length > 0 ? `[${values.join(', ')}]` : 'any non-empty value'
        throw new ConfigError(`Configuration '${name}' must not be empty. Valid values include: ${valid}`)
      }
      for (const item of items) {
        if (item === '') throw new ConfigError(`Configuration '${name}' values must not be empty.`)
        element?.check(name, item)
      }
    },
  }
}

export function listOf(...values: string[]): Validator {
  return listRules({ values, emptyAllowed: true, nullAllowed: false })
}

export function nonEmptyListOf(...values: string[]): Validator {
  return listRules({ values, emptyAllowed: false, nullAllowed: false })
}

export const distinct = listRules({ values: [], emptyAllowed: true, nullAllowed: false })
export const distinctOrNull = listRules({ values: [], emptyAllowed: true, nullAllowed: true })
export const distinctNonEmpty = listRules({ values: [], emptyAllowed: false, nullAllowed: false })
export const distinctNonEmptyOrNull = listRules({ values: [], emptyAllowed: false, nullAllowed: true })

export const nonNull: Validator = {
  allowed: 'any text',
  check(name, value) {
    if (value === null) throw invalidValue(name, 'null', 'entry must be non null')
  },
}

export const nonEmpty: Validator = {
  allowed: 'any text but the empty one',
  check(name, value) {
    if (value === '') throw invalidValue(name, '', 'String must be non-empty')
  },
}

export const gzipLevel: Validator = {
  allowed: 'from 1 to 9, or -1',
  check(name, value) {
    if (value === null) throw invalidValue(name, 'null', 'Value must be non-null')
    const level = value as number
    if (level > 9 || (level < 1 && level !== -1)) {
      throw invalidValue(name, String(level), 'Value must be between 1 and 9 or equal to -1')
    }
  },
}

function addresses(parse: (entries: readonly string[]) => unknown, allowed: string): Validator {
  return {
    allowed,
    check(_name, value) {
      parse(value as readonly string[])
    },
  }
}

export const bootstrapServers = addresses(parseBootstrapServers, 'a list of host:port')
export const quorumVoters = addresses(parseVoters, 'a list of id@host:port')

export const throttledReplicas: Validator = {
  allowed: "'*', or a list of partition:broker",
  check(name, value) {
    const items = (value as readonly string[]).map((item) => item.trim())
    if (items.join('') === '*' || items.every((item) => /^([0-9]+:[0-9]+)?$/.test(item))) return
    const form = '[partitionId]:[brokerId],[partitionId]:[brokerId],...'
    const why = `${name} must be the literal '*' or a list of replicas in the following format: ${form}`
    throw invalidValue(name, showValue(value), why)
  },
}

const DURATION =
  /^([+-]?)P(?:([+-]?[0-9]+)D)?(T(?:([+-]?[0-9]+)H)?(?:([+-]?[0-9]+)M)?(?:([+-]?[0-9]+)(?:[.,]([0-9]{0,9}))?S)?)?$/i

/**
 * The milliseconds of an ISO 8601 duration of days and smaller units, such as P7D or PT1H30M; undefined if it is none.
 */
export function parseDurationMs(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (match === null || match[3]?.toUpperCase() === 'T') return undefined
  if (![match[2], match[4], match[5], match[6]].some((part) => part !== undefined)) return undefined
  const [days, hours, minutes, seconds] = [match[2], match[4], match[5], match[6]].map((part) => Number(part ?? 0))
  const fraction = Number(`0.${match[7] || '0'}`) * ((match[6] ?? '').startsWith('-') ? -1 : 1)
  const total = (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds! + fraction) * 1000
  return match[1] === '-' ? -total : total
}

function isOffsetReset(value: string): boolean {
  if (value === 'latest' || value === 'earliest') return true
  if (!value.startsWith('by_duration:')) return false
  const durationMs = parseDurationMs(value.slice('by_duration:'.length))
  return durationMs !== undefined && durationMs >= 0
}

export const shareOffsetReset: Validator = {
  allowed: 'earliest, latest or by_duration:PnDTnHnMn.nS',
  check(name, value) {
    const text = String(value)
    if (isOffsetReset(text)) return
    const forms = "either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
    throw invalidValue(name, text, `Invalid value \`${text}\` for configuration ${name}. The value must be ${forms}`)
  },
}
