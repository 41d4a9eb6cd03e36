import { type InputOf, int16, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const RemoveRaftVoterRequest = message('RemoveRaftVoterRequest', 81, '0', '0+', {
  clusterId: string.nullableIn('0+'),
  voterId: int32,
  voterDirectoryId: uuid,
})
export type RemoveRaftVoterRequest = MessageOf<typeof RemoveRaftVoterRequest>
export type RemoveRaftVoterRequestInput = InputOf<typeof RemoveRaftVoterRequest>

export const RemoveRaftVoterResponse = message('RemoveRaftVoterResponse', 81, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
})
export type RemoveRaftVoterResponse = MessageOf<typeof RemoveRaftVoterResponse>
export type RemoveRaftVoterResponseInput = InputOf<typeof RemoveRaftVoterResponse>
