import { array, bool, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const UpdateFeaturesRequest = message('UpdateFeaturesRequest', 57, '0-2', '0+', {
  timeoutMs: int32.or(60000),
  featureUpdates: array({
    feature: string,
    maxVersionLevel: int16,
    allowDowngrade: bool.in('0'),
    upgradeType: int8.in('1+').or(1),
  }),
  validateOnly: bool.in('1+'),
})
export type UpdateFeaturesRequest = MessageOf<typeof UpdateFeaturesRequest>
export type UpdateFeaturesRequestInput = InputOf<typeof UpdateFeaturesRequest>

export const UpdateFeaturesResponse = message('UpdateFeaturesResponse', 57, '0-2', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
  results: array({
    feature: string,
    errorCode: int16,
    errorMessage: string.nullableIn('0+'),
  })
    .in('0-1')
    .ignorable(),
})
export type UpdateFeaturesResponse = MessageOf<typeof UpdateFeaturesResponse>
export type UpdateFeaturesResponseInput = InputOf<typeof UpdateFeaturesResponse>
