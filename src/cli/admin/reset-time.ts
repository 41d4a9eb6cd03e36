import { UsageError } from '../console.ts'

const DATE_TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3})(Z|[+-]\d{2}:\d{2})?$/

/** YYYY-MM-DDTHH:mm:SS.sss with Z or a zone; UTC without one. In milliseconds. Throws UsageError. */
export function parseDateTime(text: string): number {
  const match = DATE_TIME.exec(text.trim())
  const timeMs = match === null ? Number.NaN : Date.parse(`${match[1]}${match[2] ?? 'Z'}`)
  if (Number.isNaN(timeMs)) {
    throw new UsageError(`--to-datetime takes YYYY-MM-DDTHH:mm:SS.sss with or without a zone, not '${text}'`)
  }
  return timeMs
}

const DURATION = /^([-+]?)P(?:([-+]?\d+)D)?(?:T(?=.)(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+(?:\.\d{1,9})?)S)?)?$/i
const UNITS_MS = [86_400_000, 3_600_000, 60_000, 1000]

/** PnDTnHnMnS, each part with a sign of its own if it has one. In milliseconds. Throws UsageError. */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text.trim())
  const parts = match?.slice(2) ?? []
  if (match === null || parts.every((part) => part === undefined)) {
    throw new UsageError(`--by-duration takes a duration such as P1DT2H3M4S, not '${text}'`)
  }
  const totalMs = parts.reduce((sum, part, index) => sum + Number(part ?? 0) * UNITS_MS[index]!, 0)
  return Math.trunc(match[1] === '-' ? -totalMs : totalMs)
}
