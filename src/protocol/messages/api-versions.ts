import { array, bool, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const ApiVersionsRequest = message('ApiVersionsRequest', 18, '0-4', '3+', {
  clientSoftwareName: string.in('3+').ignorable(),
  clientSoftwareVersion: string.in('3+').ignorable(),
})
export type ApiVersionsRequest = MessageOf<typeof ApiVersionsRequest>
export type ApiVersionsRequestInput = InputOf<typeof ApiVersionsRequest>

export const ApiVersionsResponse = message('ApiVersionsResponse', 18, '0-4', '3+', {
  errorCode: int16,
  apiKeys: array({
    apiKey: int16,
    minVersion: int16,
    maxVersion: int16,
  }),
  throttleTimeMs: int32.in('1+').ignorable(),
  supportedFeatures: array({
    name: string,
    minVersion: int16,
    maxVersion: int16,
  })
    .in('3+')
    .taggedAs(0)
    .ignorable(),
  finalizedFeaturesEpoch: int64.in('3+').taggedAs(1).or(-1).ignorable(),
  finalizedFeatures: array({
    name: string,
    maxVersionLevel: int16,
    minVersionLevel: int16,
  })
    .in('3+')
    .taggedAs(2)
    .ignorable(),
  zkMigrationReady: bool.in('3+').taggedAs(3).ignorable(),
})
export type ApiVersionsResponse = MessageOf<typeof ApiVersionsResponse>
export type ApiVersionsResponseInput = InputOf<typeof ApiVersionsResponse>
