import { LOG_LEVELS, type Logger, type LogLevel } from '../platform/logger.ts'
import type { Time } from '../platform/time.ts'

/** 2026-01-31 10:00:00,000 in local time, as Apache Kafka's log has it. */
function timestamp(timeMs: number): string {
  const date = new Date(timeMs)
  const pad = (number: number, width = 2) => String(number).padStart(width, '0')
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part)).join(':')
  return `${day} ${clock},${pad(date.getMilliseconds(), 3)}`
}

/** The level called `text` in any case, as log4j names them; undefined for none. */
export function parseLogLevel(text: string): LogLevel | undefined {
  const upper = text.toUpperCase()
  if (upper === 'ALL') return 'TRACE'
  if (upper === 'OFF') return 'FATAL'
  return LOG_LEVELS.find((level) => level === upper)
}

/** A name that a client made up may have 32,767 bytes, and one request many of them. */
const MAX_MESSAGE_CHARS = 8_000

/**
 * A line break in a message would let whoever sent it forge a line of the log, and other control characters would let it
 * command the terminal that shows it.
 */
function oneLine(message: string): string {
  const text = message.length > MAX_MESSAGE_CHARS ? `${message.slice(0, MAX_MESSAGE_CHARS)}...` : message
  return text.replace(/[\r\n]+/g, ' | ').replace(/\p{Cc}/gu, '?')
}

/** Writes one line for each message, in the form of Apache Kafka's log: [time] LEVEL message. */
export function consoleLogger(time: Time, write: (line: string) => void, lowest: LogLevel = 'INFO'): Logger {
  const logger: Logger = {
    debug: (message) => log('DEBUG', message),
    info: (message) => log('INFO', message),
    warn: (message) => log('WARN', message),
    error: (message) => log('ERROR', message),
    level: lowest,
  }
  const log = (level: LogLevel, message: string) => {
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(logger.level)) return
    write(`[${timestamp(time.nowMs())}] ${level} ${oneLine(message)}`)
  }
  return logger
}
