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
  string,
  struct,
  uuid,
} from '../schema.ts'

export const ShareAcknowledgeRequest = message('ShareAcknowledgeRequest', 79, '1-2', '0+', {
  groupId: string.nullableIn('0+', null),
  memberId: string.nullableIn('0+'),
  shareSessionEpoch: int32,
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
})
export type ShareAcknowledgeRequest = MessageOf<typeof ShareAcknowledgeRequest>
export type ShareAcknowledgeRequestInput = InputOf<typeof ShareAcknowledgeRequest>

export const ShareAcknowledgeResponse = message('ShareAcknowledgeResponse', 79, '1-2', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+', null),
  acquisitionLockTimeoutMs: int32.in('2+').ignorable(),
  responses: array({
    topicId: uuid,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+', null),
      currentLeader: struct({
        leaderId: int32,
        leaderEpoch: int32,
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
export type ShareAcknowledgeResponse = MessageOf<typeof ShareAcknowledgeResponse>
export type ShareAcknowledgeResponseInput = InputOf<typeof ShareAcknowledgeResponse>
