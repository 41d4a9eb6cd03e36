import {
  array,
  bool,
  type InputOf,
  int8,
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

export const ShareFetchRequest = message('ShareFetchRequest', 78, '1-2', '0+', {
  groupId: string.nullableIn('0+', null),
  memberId: string.nullableIn('0+'),
  shareSessionEpoch: int32,
  maxWaitMs: int32,
  minBytes: int32,
  maxBytes: int32.or(0x7fffffff),
  maxRecords: int32,
  batchSize: int32,
  shareAcquireMode: int8.in('2+').ignorable(),
  isRenewAck: bool.in('2+'),
  topics: array({
    topicId: uuid,
    partitions: array({
      partitionIndex: int32,
      acknowledgementBatches: array({
        firstOffset: int64,
        lastOffset: int64,
        acknowledgeTypes: array(int8),
      }),
    }),
  }),
  forgottenTopicsData: array({
    topicId: uuid,
    partitions: array(int32),
  }),
})
export type ShareFetchRequest = MessageOf<typeof ShareFetchRequest>
export type ShareFetchRequestInput = InputOf<typeof ShareFetchRequest>

export const ShareFetchResponse = message('ShareFetchResponse', 78, '1-2', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+', null),
  acquisitionLockTimeoutMs: int32,
  responses: array({
    topicId: uuid,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+', null),
      acknowledgeErrorCode: int16,
      acknowledgeErrorMessage: string.nullableIn('0+', null),
      currentLeader: struct({
        leaderId: int32,
        leaderEpoch: int32,
      }),
      records: records.nullableIn('0'),
      acquiredRecords: array({
        firstOffset: int64,
        lastOffset: int64,
        deliveryCount: int16,
      }),
    }),
  }),
  nodeEndpoints: array({
    nodeId: int32,
    host: string,
    port: int32,
    rack: string.nullableIn('0+', null),
  }),
})
export type ShareFetchResponse = MessageOf<typeof ShareFetchResponse>
export type ShareFetchResponseInput = InputOf<typeof ShareFetchResponse>
