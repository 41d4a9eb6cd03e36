import { DecodeError } from '../wire.ts'

/**
 * What is wrong with a piece of record data, named after the protocol error that a broker answers with:
 * `corrupt` CORRUPT_MESSAGE, `invalid` INVALID_RECORD, `tooLarge` MESSAGE_TOO_LARGE,
 * `unsupportedFormat` UNSUPPORTED_FOR_MESSAGE_FORMAT, `unsupportedCodec` UNSUPPORTED_COMPRESSION_TYPE.
 */
export type RecordsFault = 'corrupt' | 'invalid' | 'tooLarge' | 'unsupportedFormat' | 'unsupportedCodec'

/** The only error that reading record batches, message sets or compressed data throws for bad input. */
export class RecordsError extends DecodeError {
  readonly fault: RecordsFault

  constructor(fault: RecordsFault, message: string) {
    super(message)
    this.fault = fault
  }
}

export function corrupt(message: string): RecordsError {
  return new RecordsError('corrupt', message)
}

export function invalid(message: string): RecordsError {
  return new RecordsError('invalid', message)
}

export function tooLarge(message: string): RecordsError {
  return new RecordsError('tooLarge', message)
}
