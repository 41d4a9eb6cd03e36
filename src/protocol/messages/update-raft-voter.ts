import { array, type InputOf, int16, int32, type MessageOf, message, string, struct, uint16, uuid } from '../schema.ts'

export const UpdateRaftVoterRequest = message('UpdateRaftVoterRequest', 82, '0', '0+', {
  clusterId: string.nullableIn('0+'),
  currentLeaderEpoch: int32,
  voterId: int32,
  voterDirectoryId: uuid,
  listeners: array({
    name: string,
    host: string,
    port: uint16,
  }),
  kRaftVersionFeature: struct({
    minSupportedVersion: int16,
    maxSupportedVersion: int16,
  }),
})
export type UpdateRaftVoterRequest = MessageOf<typeof UpdateRaftVoterRequest>
export type UpdateRaftVoterRequestInput = InputOf<typeof UpdateRaftVoterRequest>

export const UpdateRaftVoterResponse = message('UpdateRaftVoterResponse', 82, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  currentLeader: struct({
    leaderId: int32.or(-1),
    leaderEpoch: int32.or(-1),
    host: string,
    port: int32,
  }).taggedAs(0),
})
export type UpdateRaftVoterResponse = MessageOf<typeof UpdateRaftVoterResponse>
export type UpdateRaftVoterResponseInput = InputOf<typeof UpdateRaftVoterResponse>
