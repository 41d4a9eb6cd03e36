import { type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const RequestHeader = message('RequestHeader', -1, '0-2', '2+', {
  requestApiKey: int16,
  requestApiVersion: int16,
  correlationId: int32,
  clientId: string.in('1+').nullableIn('1+').ignorable().neverCompact(),
})
export type RequestHeader = MessageOf<typeof RequestHeader>
export type RequestHeaderInput = InputOf<typeof RequestHeader>

export const ResponseHeader = message('ResponseHeader', -1, '0-1', '1+', {
  correlationId: int32,
})
export type ResponseHeader = MessageOf<typeof ResponseHeader>
export type ResponseHeaderInput = InputOf<typeof ResponseHeader>
