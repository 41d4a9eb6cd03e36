import { array, bool, type InputOf, int8, int16, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const CreateTopicsRequest = message('CreateTopicsRequest', 19, '0-7', '5+', {
  topics: array({
    name: string,
    numPartitions: int32,
    replicationFactor: int16,
    assignments: array({
      partitionIndex: int32,
      brokerIds: array(int32),
    }),
    configs: array({
      name: string,
      value: string.nullableIn('0+'),
    }),
  }),
  timeoutMs: int32.or(60000),
  validateOnly: bool.in('1+'),
})
export type CreateTopicsRequest = MessageOf<typeof CreateTopicsRequest>
export type CreateTopicsRequestInput = InputOf<typeof CreateTopicsRequest>

export const CreateTopicsResponse = message('CreateTopicsResponse', 19, '0-7', '5+', {
  throttleTimeMs: int32.in('2+').ignorable(),
  topics: array({
    name: string,
    topicId: uuid.in('7+').ignorable(),
    errorCode: int16,
    errorMessage: string.in('1+').nullableIn('0+').ignorable(),
    topicConfigErrorCode: int16.in('5+').taggedAs(0).ignorable(),
    numPartitions: int32.in('5+').or(-1).ignorable(),
    replicationFactor: int16.in('5+').or(-1).ignorable(),
    configs: array({
      name: string,
      value: string.nullableIn('5+'),
      readOnly: bool,
      configSource: int8.or(-1),
      isSensitive: bool,
    })
      .in('5+')
      .nullableIn('5+')
      .ignorable(),
  }),
})
export type CreateTopicsResponse = MessageOf<typeof CreateTopicsResponse>
export type CreateTopicsResponseInput = InputOf<typeof CreateTopicsResponse>
