export { DecodeError, Reader } from './reader.ts'
export { INT64_MAX, INT64_MIN } from './wire-limits.ts'
export { Writer } from './writer.ts'
