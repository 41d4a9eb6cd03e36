import { array, type InputOf, int64, type MessageOf, message, string } from '../schema.ts'

export const DelegationTokenRecord = message('DelegationTokenRecord', 10, '0', '0+', {
  owner: string,
  requester: string,
  renewers: array(string),
  issueTimestamp: int64,
  maxTimestamp: int64,
  expirationTimestamp: int64,
  tokenId: string,
})
export type DelegationTokenRecord = MessageOf<typeof DelegationTokenRecord>
export type DelegationTokenRecordInput = InputOf<typeof DelegationTokenRecord>
