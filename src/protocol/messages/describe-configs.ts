import { array, bool, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const DescribeConfigsRequest = message('DescribeConfigsRequest', 32, '0-4', '4+', {
  resources: array({
    resourceType: int8,
    resourceName: string,
    configurationKeys: array(string).nullableIn('0+'),
  }),
  includeSynonyms: bool.in('1+'),
  includeDocumentation: bool.in('3+'),
})
export type DescribeConfigsRequest = MessageOf<typeof DescribeConfigsRequest>
export type DescribeConfigsRequestInput = InputOf<typeof DescribeConfigsRequest>

export const DescribeConfigsResponse = message('DescribeConfigsResponse', 32, '0-4', '4+', {
  throttleTimeMs: int32,
  results: array({
    errorCode: int16,
    errorMessage: string.nullableIn('0+'),
    resourceType: int8,
    resourceName: string,
    configs: array({
      name: string,
      value: string.nullableIn('0+'),
      readOnly: bool,
      isDefault: bool.in('0'),
      configSource: int8.in('1+').or(-1).ignorable(),
      isSensitive: bool,
      synonyms: array({
        name: string,
        value: string.nullableIn('0+'),
        source: int8,
      })
        .in('1+')
        .ignorable(),
      configType: int8.in('3+').ignorable(),
      documentation: string.in('3+').nullableIn('0+').ignorable(),
    }),
  }),
})
export type DescribeConfigsResponse = MessageOf<typeof DescribeConfigsResponse>
export type DescribeConfigsResponseInput = InputOf<typeof DescribeConfigsResponse>
