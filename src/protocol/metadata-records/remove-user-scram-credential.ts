import { type InputOf, int8, type MessageOf, message, string } from '../schema.ts'

export const RemoveUserScramCredentialRecord = message('RemoveUserScramCredentialRecord', 22, '0', '0+', {
  name: string,
  mechanism: int8,
})
export type RemoveUserScramCredentialRecord = MessageOf<typeof RemoveUserScramCredentialRecord>
export type RemoveUserScramCredentialRecordInput = InputOf<typeof RemoveUserScramCredentialRecord>
