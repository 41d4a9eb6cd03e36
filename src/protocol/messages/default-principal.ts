import { bool, type InputOf, type MessageOf, message, string } from '../schema.ts'

export const DefaultPrincipalData = message('DefaultPrincipalData', -1, '0', '0+', {
  type: string,
  name: string,
  tokenAuthenticated: bool,
})
export type DefaultPrincipalData = MessageOf<typeof DefaultPrincipalData>
export type DefaultPrincipalDataInput = InputOf<typeof DefaultPrincipalData>
