import { type InputOf, int16, type MessageOf, message, string } from '../schema.ts'

export const FeatureLevelRecord = message('FeatureLevelRecord', 12, '0', '0+', {
  name: string,
  featureLevel: int16,
})
export type FeatureLevelRecord = MessageOf<typeof FeatureLevelRecord>
export type FeatureLevelRecordInput = InputOf<typeof FeatureLevelRecord>
