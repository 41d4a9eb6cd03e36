import { array, type InputOf, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const QuorumStateData = message('QuorumStateData', -1, '0-1', '0+', {
  clusterId: string.in('0'),
  leaderId: int32.or(-1),
  leaderEpoch: int32.or(-1),
  votedId: int32.or(-1),
  votedDirectoryId: uuid.in('1+'),
  appliedOffset: int64.in('0'),
  currentVoters: array({
    voterId: int32,
  })
    .in('0')
    .nullableIn('0'),
})
export type QuorumStateData = MessageOf<typeof QuorumStateData>
export type QuorumStateDataInput = InputOf<typeof QuorumStateData>
