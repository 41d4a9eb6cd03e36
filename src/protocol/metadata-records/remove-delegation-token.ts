import { type InputOf, type MessageOf, message, string } from '../schema.ts'

export const RemoveDelegationTokenRecord = message('RemoveDelegationTokenRecord', 26, '0', '0+', {
  tokenId: string,
})
export type RemoveDelegationTokenRecord = MessageOf<typeof RemoveDelegationTokenRecord>
export type RemoveDelegationTokenRecordInput = InputOf<typeof RemoveDelegationTokenRecord>
