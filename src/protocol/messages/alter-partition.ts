import { array, type InputOf, int8, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const AlterPartitionRequest = message('AlterPartitionRequest', 56, '0-3', '0+', {
  brokerId: int32,
  brokerEpoch: int64.or(-1),
  topics: array({
    topicName: string.in('0-1').ignorable(),
    topicId: uuid.in('2+').ignorable(),
    partitions: array({
      partitionIndex: int32,
      leaderEpoch: int32,
      newIsr: array(int32).in('0-2'),
      newIsrWithEpochs: array({
        brokerId: int32,
        brokerEpoch: int64.or(-1),
      }).in('3+'),
      leaderRecoveryState: int8.in('1+'),
      partitionEpoch: int32,
    }),
  }),
})
export type AlterPartitionRequest = MessageOf<typeof AlterPartitionRequest>
export type AlterPartitionRequestInput = InputOf<typeof AlterPartitionRequest>

export const AlterPartitionResponse = message('AlterPartitionResponse', 56, '0-3', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  topics: array({
    topicName: string.in('0-1').ignorable(),
    topicId: uuid.in('2+').ignorable(),
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      leaderId: int32,
      leaderEpoch: int32,
      isr: array(int32),
      leaderRecoveryState: int8.in('1+').ignorable(),
      partitionEpoch: int32,
    }),
  }),
})
export type AlterPartitionResponse = MessageOf<typeof AlterPartitionResponse>
export type AlterPartitionResponseInput = InputOf<typeof AlterPartitionResponse>
