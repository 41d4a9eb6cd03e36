import { array, bool, type InputOf, int16, int32, int64, type MessageOf, message, string, struct } from '../schema.ts'

const AddPartitionsToTxnTopic = struct({
  name: string,
  partitions: array(int32),
})

export const AddPartitionsToTxnRequest = message('AddPartitionsToTxnRequest', 24, '0-5', '3+', {
  transactions: array({
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    verifyOnly: bool,
    topics: array(AddPartitionsToTxnTopic),
  }).in('4+'),
  v3AndBelowTransactionalId: string.in('0-3'),
  v3AndBelowProducerId: int64.in('0-3'),
  v3AndBelowProducerEpoch: int16.in('0-3'),
  v3AndBelowTopics: array(AddPartitionsToTxnTopic).in('0-3'),
})
export type AddPartitionsToTxnRequest = MessageOf<typeof AddPartitionsToTxnRequest>
export type AddPartitionsToTxnRequestInput = InputOf<typeof AddPartitionsToTxnRequest>

const AddPartitionsToTxnPartitionResult = struct({
  partitionIndex: int32,
  partitionErrorCode: int16,
})

const AddPartitionsToTxnTopicResult = struct({
  name: string,
  resultsByPartition: array(AddPartitionsToTxnPartitionResult),
})

export const AddPartitionsToTxnResponse = message('AddPartitionsToTxnResponse', 24, '0-5', '3+', {
  throttleTimeMs: int32,
  errorCode: int16.in('4+').ignorable(),
  resultsByTransaction: array({
    transactionalId: string,
    topicResults: array(AddPartitionsToTxnTopicResult),
  }).in('4+'),
  resultsByTopicV3AndBelow: array(AddPartitionsToTxnTopicResult).in('0-3'),
})
export type AddPartitionsToTxnResponse = MessageOf<typeof AddPartitionsToTxnResponse>
export type AddPartitionsToTxnResponseInput = InputOf<typeof AddPartitionsToTxnResponse>
