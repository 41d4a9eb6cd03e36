import { upConvert } from '../protocol/records/convert.ts'
import { Codec } from '../protocol/records/layout.ts'
import { messagesIn } from '../protocol/records/message-set.ts'
import { AppendError } from './append-error.ts'
import type { PrepareContext } from './prepare.ts'
import { MAX_INFLATED_BYTES } from './validator.ts'

/**
 * One batch of magic 2 of a message set of magic 0 or 1, as old producers send them (Produce before version 3); it is
 * still to be validated. Its codec is the set's, or the topic's. Throws AppendError or RecordsError.
 */
export function batchFromMessageSet(set: Buffer, context: PrepareContext): Buffer {
  const { config } = context
  const { codec, endBytes } = checkMessages(set, context)
  const target = config.compression ?? { codec, level: undefined }
  const options = target.level === undefined ? { codec: target.codec } : { codec: target.codec, level: target.level }
  return upConvert(set.subarray(0, endBytes), options, MAX_INFLATED_BYTES)
}

/** The rules for the messages as they came; those inside a compressed one are checked on conversion. */
function checkMessages(set: Buffer, { name, config }: PrepareContext): { codec: Codec; endBytes: number } {
  let codec: Codec = Codec.none
  let count = 0
  let firstMagic = 0
  let endBytes = 0
  for (const message of messagesIn(set)) {
    const { magic, sizeBytes } = message
    if (count === 0) firstMagic = magic
    else if (magic !== firstMagic) {
      throw new AppendError(
        'INVALID_RECORD',
        `Batch magic ${magic} is not the same as the first batch's magic byte ${firstMagic} in topic partition ${name}`,
      )
    }
    if (sizeBytes > config.maxMessageBytes) {
      throw new AppendError(
        'MESSAGE_TOO_LARGE',
        `The record batch size in the append to ${name} is ${sizeBytes} bytes which exceeds the maximum configured value of ${config.maxMessageBytes}).`,
      )
    }
    if (!message.isCrcValid()) {
      throw new AppendError(
        'CORRUPT_MESSAGE',
        `Record is corrupt (stored crc = ${message.crc}) in topic partition ${name}.`,
      )
    }
    if (message.codecId !== Codec.none) codec = message.codec
    count += 1
    endBytes = message.end
  }
  if (codec !== Codec.none && count > 1) {
    throw new AppendError('INVALID_RECORD', 'Compressed outer record has more than one batch')
  }
  return { codec, endBytes }
}
