import { array, bool, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const DescribeClusterRequest = message('DescribeClusterRequest', 60, '0-2', '0+', {
  includeClusterAuthorizedOperations: bool,
  endpointType: int8.in('1+').or(1),
  includeFencedBrokers: bool.in('2+'),
})
export type DescribeClusterRequest = MessageOf<typeof DescribeClusterRequest>
export type DescribeClusterRequestInput = InputOf<typeof DescribeClusterRequest>

export const DescribeClusterResponse = message('DescribeClusterResponse', 60, '0-2', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+', null),
  endpointType: int8.in('1+').or(1),
  clusterId: string,
  controllerId: int32.or(-1),
  brokers: array({
    brokerId: int32,
    host: string,
    port: int32,
    rack: string.nullableIn('0+', null),
    isFenced: bool.in('2+'),
  }),
  clusterAuthorizedOperations: int32.or(-2147483648),
})
export type DescribeClusterResponse = MessageOf<typeof DescribeClusterResponse>
export type DescribeClusterResponseInput = InputOf<typeof DescribeClusterResponse>
