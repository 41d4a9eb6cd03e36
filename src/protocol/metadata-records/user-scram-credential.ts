import { bytes, type InputOf, int8, int32, type MessageOf, message, string } from '../schema.ts'

export const UserScramCredentialRecord = message('UserScramCredentialRecord', 11, '0', '0+', {
  name: string,
  mechanism: int8,
  salt: bytes,
  storedKey: bytes,
  serverKey: bytes,
  iterations: int32,
})
export type UserScramCredentialRecord = MessageOf<typeof UserScramCredentialRecord>
export type UserScramCredentialRecordInput = InputOf<typeof UserScramCredentialRecord>
