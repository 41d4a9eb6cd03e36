import { array, type InputOf, int64, type MessageOf, message, string } from '../schema.ts'

export const ConsumerGroupRegularExpressionKey = message('ConsumerGroupRegularExpressionKey', 16, '0', 'none', {
  groupId: string,
  regularExpression: string,
})
export type ConsumerGroupRegularExpressionKey = MessageOf<typeof ConsumerGroupRegularExpressionKey>
export type ConsumerGroupRegularExpressionKeyInput = InputOf<typeof ConsumerGroupRegularExpressionKey>

export const ConsumerGroupRegularExpressionValue = message('ConsumerGroupRegularExpressionValue', 16, '0', '0+', {
  topics: array(string),
  version: int64,
  timestamp: int64,
})
export type ConsumerGroupRegularExpressionValue = MessageOf<typeof ConsumerGroupRegularExpressionValue>
export type ConsumerGroupRegularExpressionValueInput = InputOf<typeof ConsumerGroupRegularExpressionValue>
