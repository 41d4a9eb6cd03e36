import type { BatchView } from '../protocol/records/batch.ts'
import type { RecordCursor } from '../protocol/records/cursor.ts'
import { NO_TIMESTAMP, TimestampType } from '../protocol/records/layout.ts'
import { AppendError } from './append-error.ts'
import type { RecordError } from './types.ts'
import type { ValidationTarget } from './validator.ts'

const ERRORS_SHOWN = 3

/** Walks an opened batch and throws AppendError with the records that may not be in the log, if there are any. */
export function collectRecordErrors(cursor: RecordCursor, batch: BatchView, target: ValidationTarget): void {
  const recordErrors: RecordError[] = []
  let hasTimestampError = false
  for (let batchIndex = 0; cursor.next(); batchIndex++) {
    if (target.config.cleanupCompact && cursor.keyLength < 0) {
      const message = `Compacted topic cannot accept message without key in topic partition ${target.name}`
      recordErrors.push({ batchIndex, message })
      continue
    }
    const message = timestampError(cursor, batch, target)
    if (message === undefined) continue
    hasTimestampError = true
    recordErrors.push({ batchIndex, message })
  }
  if (recordErrors.length === 0) return
  if (hasTimestampError) {
    const message = 'One or more records have been rejected due to invalid timestamp'
    throw new AppendError('INVALID_TIMESTAMP', message, recordErrors)
  }
  const shown = recordErrors.slice(0, ERRORS_SHOWN).map(render).join(', ')
  throw new AppendError(
    'INVALID_RECORD',
    `One or more records have been rejected due to ${recordErrors.length} record errors in total, and only showing the first three errors at most: [${shown}]`,
    recordErrors,
  )
}

function render(error: RecordError): string {
  return `RecordError(batchIndex=${error.batchIndex}, message=${error.message === null ? 'null' : `'${error.message}'`})`
}

function timestampError(cursor: RecordCursor, batch: BatchView, target: ValidationTarget): string | undefined {
  const { config, nowMs } = target
  const { timestamp } = cursor
  if (config.timestampType === 'CreateTime' && timestamp !== NO_TIMESTAMP) {
    const ageMs = nowMs - timestamp
    if (ageMs <= config.timestampBeforeMaxMs && -ageMs <= config.timestampAfterMaxMs) return undefined
    const earliest = wrapped(nowMs, -config.timestampBeforeMaxMs)
    const latest = wrapped(nowMs, config.timestampAfterMaxMs)
    return `Timestamp ${timestamp} of message with offset ${cursor.offset} is out of range. The timestamp should be within [${earliest}, ${latest}]`
  }
  if (batch.timestampType !== TimestampType.logAppendTime) return undefined
  return `Invalid timestamp type in message ${renderRecord(cursor)}. Producer should not set timestamp type to LogAppendTime.`
}

/** The sum in 64 bits: with the default bound, the end of the range wraps around, and Apache Kafka prints it so. */
function wrapped(nowMs: number, deltaMs: number): bigint {
  const delta = deltaMs >= 2 ** 63 ? 2n ** 63n - 1n : deltaMs <= -(2 ** 63) ? -(2n ** 63n) + 1n : BigInt(deltaMs)
  return BigInt.asIntN(64, BigInt(nowMs) + delta)
}

function renderRecord(cursor: RecordCursor): string {
  const keyBytes = Math.max(0, cursor.keyLength)
  const valueBytes = Math.max(0, cursor.valueLength)
  return `DefaultRecord(offset=${cursor.offset}, timestamp=${cursor.timestamp}, key=${keyBytes} bytes, value=${valueBytes} bytes)`
}
