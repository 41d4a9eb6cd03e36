import { array, bool, type InputOf, int16, int32, type MessageOf, message, string, uint16, uuid } from '../schema.ts'

export const AddRaftVoterRequest = message('AddRaftVoterRequest', 80, '0-1', '0+', {
  clusterId: string.nullableIn('0+'),
  timeoutMs: int32,
  voterId: int32,
  voterDirectoryId: uuid,
  listeners: array({
    name: string,
    host: string,
    port: uint16,
  }),
  ackWhenCommitted: bool.in('1+').or(true),
})
export type AddRaftVoterRequest = MessageOf<typeof AddRaftVoterRequest>
export type AddRaftVoterRequestInput = InputOf<typeof AddRaftVoterRequest>

export const AddRaftVoterResponse = message('AddRaftVoterResponse', 80, '0-1', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
})
export type AddRaftVoterResponse = MessageOf<typeof AddRaftVoterResponse>
export type AddRaftVoterResponseInput = InputOf<typeof AddRaftVoterResponse>
