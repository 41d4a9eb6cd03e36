import { array, type InputOf, int16, int32, int64, type MessageOf, message, uuid } from '../schema.ts'

export const AssignReplicasToDirsRequest = message('AssignReplicasToDirsRequest', 73, '0', '0+', {
  brokerId: int32,
  brokerEpoch: int64.or(-1),
  directories: array({
    id: uuid,
    topics: array({
      topicId: uuid,
      partitions: array({
        partitionIndex: int32,
      }),
    }),
  }),
})
export type AssignReplicasToDirsRequest = MessageOf<typeof AssignReplicasToDirsRequest>
export type AssignReplicasToDirsRequestInput = InputOf<typeof AssignReplicasToDirsRequest>

export const AssignReplicasToDirsResponse = message('AssignReplicasToDirsResponse', 73, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  directories: array({
    id: uuid,
    topics: array({
      topicId: uuid,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  }),
})
export type AssignReplicasToDirsResponse = MessageOf<typeof AssignReplicasToDirsResponse>
export type AssignReplicasToDirsResponseInput = InputOf<typeof AssignReplicasToDirsResponse>
