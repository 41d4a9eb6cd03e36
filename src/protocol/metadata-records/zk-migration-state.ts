import { type InputOf, int8, type MessageOf, message } from '../schema.ts'

export const ZkMigrationStateRecord = message('ZkMigrationStateRecord', 21, '0', '0+', {
  zkMigrationState: int8,
})
export type ZkMigrationStateRecord = MessageOf<typeof ZkMigrationStateRecord>
export type ZkMigrationStateRecordInput = InputOf<typeof ZkMigrationStateRecord>
