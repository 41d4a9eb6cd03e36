import { array, type InputOf, int32, int64big, type MessageOf, message, string, struct } from '../schema.ts'

export const StreamsGroupMetadataKey = message('StreamsGroupMetadataKey', 17, '0', 'none', {
  groupId: string,
})
export type StreamsGroupMetadataKey = MessageOf<typeof StreamsGroupMetadataKey>
export type StreamsGroupMetadataKeyInput = InputOf<typeof StreamsGroupMetadataKey>

const LastAssignmentConfig = struct({
  key: string,
  value: string,
})

export const StreamsGroupMetadataValue = message('StreamsGroupMetadataValue', 17, '0', '0+', {
  epoch: int32,
  metadataHash: int64big,
  validatedTopologyEpoch: int32.taggedAs(0).or(-1),
  lastAssignmentConfigs: array(LastAssignmentConfig).nullableIn('0+').taggedAs(1),
})
export type StreamsGroupMetadataValue = MessageOf<typeof StreamsGroupMetadataValue>
export type StreamsGroupMetadataValueInput = InputOf<typeof StreamsGroupMetadataValue>
