import {
  array,
  type InputOf,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const ProduceRequest = message('ProduceRequest', 0, '0-13', '9+', {
  transactionalId: string.in('3+').nullableIn('3+', null),
  acks: int16,
  timeoutMs: int32,
  topicData: array({
    name: string.in('0-12').ignorable(),
    topicId: uuid.in('13+').ignorable(),
    partitionData: array({
      index: int32,
      records: records.nullableIn('0+'),
    }),
  }),
})
export type ProduceRequest = MessageOf<typeof ProduceRequest>
export type ProduceRequestInput = InputOf<typeof ProduceRequest>

export const ProduceResponse = message('ProduceResponse', 0, '0-13', '9+', {
  responses: array({
    name: string.in('0-12').ignorable(),
    topicId: uuid.in('13+').ignorable(),
    partitionResponses: array({
      index: int32,
      errorCode: int16,
      baseOffset: int64,
      logAppendTimeMs: int64.in('2+').or(-1).ignorable(),
      logStartOffset: int64.in('5+').or(-1).ignorable(),
      recordErrors: array({
        batchIndex: int32,
        batchIndexErrorMessage: string.nullableIn('8+', null),
      })
        .in('8+')
        .ignorable(),
      errorMessage: string.in('8+').nullableIn('8+', null).ignorable(),
      currentLeader: struct({
        leaderId: int32.or(-1),
        leaderEpoch: int32.or(-1),
      })
        .in('10+')
        .taggedAs(0),
    }),
  }),
  throttleTimeMs: int32.in('1+').ignorable(),
  nodeEndpoints: array({
    nodeId: int32,
    host: string,
    port: int32,
    rack: string.nullableIn('10+', null),
  })
    .in('10+')
    .taggedAs(0),
})
export type ProduceResponse = MessageOf<typeof ProduceResponse>
export type ProduceResponseInput = InputOf<typeof ProduceResponse>
