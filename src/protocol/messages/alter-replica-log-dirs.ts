import { array, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const AlterReplicaLogDirsRequest = message('AlterReplicaLogDirsRequest', 34, '0-2', '2+', {
  dirs: array({
    path: string,
    topics: array({
      name: string,
      partitions: array(int32),
    }),
  }),
})
export type AlterReplicaLogDirsRequest = MessageOf<typeof AlterReplicaLogDirsRequest>
export type AlterReplicaLogDirsRequestInput = InputOf<typeof AlterReplicaLogDirsRequest>

export const AlterReplicaLogDirsResponse = message('AlterReplicaLogDirsResponse', 34, '0-2', '2+', {
  throttleTimeMs: int32,
  results: array({
    topicName: string,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
    }),
  }),
})
export type AlterReplicaLogDirsResponse = MessageOf<typeof AlterReplicaLogDirsResponse>
export type AlterReplicaLogDirsResponseInput = InputOf<typeof AlterReplicaLogDirsResponse>
