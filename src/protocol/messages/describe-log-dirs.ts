import { array, bool, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const DescribeLogDirsRequest = message('DescribeLogDirsRequest', 35, '0-5', '2+', {
  topics: array({
    topic: string,
    partitions: array(int32),
  }).nullableIn('0+'),
})
export type DescribeLogDirsRequest = MessageOf<typeof DescribeLogDirsRequest>
export type DescribeLogDirsRequestInput = InputOf<typeof DescribeLogDirsRequest>

export const DescribeLogDirsResponse = message('DescribeLogDirsResponse', 35, '0-5', '2+', {
  throttleTimeMs: int32,
  errorCode: int16.in('3+').ignorable(),
  results: array({
    errorCode: int16,
    logDir: string,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        partitionSize: int64,
        offsetLag: int64,
        isFutureKey: bool,
      }),
    }),
    totalBytes: int64.in('4+').or(-1).ignorable(),
    usableBytes: int64.in('4+').or(-1).ignorable(),
    isCordoned: bool.in('5+').ignorable(),
  }),
})
export type DescribeLogDirsResponse = MessageOf<typeof DescribeLogDirsResponse>
export type DescribeLogDirsResponseInput = InputOf<typeof DescribeLogDirsResponse>
