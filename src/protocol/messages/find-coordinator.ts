import { array, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const FindCoordinatorRequest = message('FindCoordinatorRequest', 10, '0-6', '3+', {
  key: string.in('0-3'),
  keyType: int8.in('1+'),
  coordinatorKeys: array(string).in('4+'),
})
export type FindCoordinatorRequest = MessageOf<typeof FindCoordinatorRequest>
export type FindCoordinatorRequestInput = InputOf<typeof FindCoordinatorRequest>

export const FindCoordinatorResponse = message('FindCoordinatorResponse', 10, '0-6', '3+', {
  throttleTimeMs: int32.in('1+').ignorable(),
  errorCode: int16.in('0-3'),
  errorMessage: string.in('1-3').nullableIn('1-3').ignorable(),
  nodeId: int32.in('0-3'),
  host: string.in('0-3'),
  port: int32.in('0-3'),
  coordinators: array({
    key: string,
    nodeId: int32,
    host: string,
    port: int32,
    errorCode: int16,
    errorMessage: string.nullableIn('4+'),
  }).in('4+'),
})
export type FindCoordinatorResponse = MessageOf<typeof FindCoordinatorResponse>
export type FindCoordinatorResponseInput = InputOf<typeof FindCoordinatorResponse>
