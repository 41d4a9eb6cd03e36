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
    // A line break in a message would let whoever sent it forge a line of the log.
    write(`[${timestamp(time.nowMs())}] ${level} ${message.replace(/[\r\n]+/g, ' | ')}`)
  }
  return logger
}
