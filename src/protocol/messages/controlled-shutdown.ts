import { array, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const ControlledShutdownRequest = message('ControlledShutdownRequest', 7, '0-3', '3+', {
  brokerId: int32,
  brokerEpoch: int64.in('2+').or(-1).ignorable(),
})
export type ControlledShutdownRequest = MessageOf<typeof ControlledShutdownRequest>
export type ControlledShutdownRequestInput = InputOf<typeof ControlledShutdownRequest>

export const ControlledShutdownResponse = message('ControlledShutdownResponse', 7, '0-3', '3+', {
  errorCode: int16,
  remainingPartitions: array({
    topicName: string,
    partitionIndex: int32,
  }),
})
export type ControlledShutdownResponse = MessageOf<typeof ControlledShutdownResponse>
export type ControlledShutdownResponseInput = InputOf<typeof ControlledShutdownResponse>
