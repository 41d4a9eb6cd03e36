import { errorAfterAppend } from '../../coordinator/coordinator-error.ts'
import { GROUP_TOPIC, refuseTransactionalCommit } from '../../coordinator/group-coordinator.ts'
import { errorOfCode, errors, type KafkaError } from '../../protocol/errors.ts'
import { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from '../../protocol/messages/txn-offset-commit.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { PartitionAnswers } from '../partition-answers.ts'
import type { TransactionSupport } from '../transaction-verifier.ts'
import { defineHandler, type Services } from '../types.ts'

/** From these versions on clients know of a load, of TRANSACTION_ABORTABLE, and leave it to the broker to add offsets. */
const LOAD_IN_PROGRESS_FROM = 2
const ABORTABLE_FROM = 4
const IMPLICIT_ADD_FROM = 5
const NO_SEQUENCE = -1

type CommitTopic = TxnOffsetCommitRequest['topics'][number]

/** TxnOffsetCommit: offsets of a group that count once the transaction is committed. */
export const handler = defineHandler({
  request: TxnOffsetCommitRequest,
  response: TxnOffsetCommitResponse,
  async handle(request, { apiVersion }, services) {
    const answers = new PartitionAnswers<Pick<CommitTopic, 'name'>>(({ name }) => name)
    const topics: CommitTopic[] = []
    for (const { name, partitions: asked } of request.topics) {
      const partitions = asked.filter(({ partitionIndex }) => {
        if (services.image.topics.partition(name, partitionIndex) !== undefined) return true
        answers.add({ name }, { partitionIndex, errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION.code })
        return false
      })
      if (partitions.length > 0) topics.push({ name, partitions })
    }
    if (topics.length > 0) {
      const response = await commit({ ...request, topics }, apiVersion, services)
      for (const { name, partitions } of response.topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          answers.add({ name }, { partitionIndex, errorCode: known(errorCode, apiVersion) })
        }
      }
    }
    return { topics: answers.topics }
  },
  failed: (request, errorCode) => refuseTransactionalCommit(request, errorOfCode(errorCode)),
})

/** Producers before 2.3 stumble over a coordinator that is loading. */
function known(errorCode: number, apiVersion: number): number {
  const isHidden = apiVersion < LOAD_IN_PROGRESS_FROM && errorCode === errors.COORDINATOR_LOAD_IN_PROGRESS.code
  return isHidden ? errors.COORDINATOR_NOT_AVAILABLE.code : errorCode
}

function supportOf(apiVersion: number): TransactionSupport {
  if (apiVersion >= IMPLICIT_ADD_FROM) return 'add'
  return apiVersion >= ABORTABLE_FROM ? 'verifyAbortable' : 'verify'
}

async function commit(request: TxnOffsetCommitRequest, apiVersion: number, services: Services) {
  const { groupId, transactionalId, producerId, producerEpoch } = request
  const { groups, replicas, verifier } = services
  const refuse = (error: KafkaError) => refuseTransactionalCommit(request, error)
  if (groupId === '') return refuse(errors.INVALID_GROUP_ID)
  const partition = replicas.get(GROUP_TOPIC, groups.partitionFor(groupId))
  if (partition === undefined) return refuse(errors.COORDINATOR_NOT_AVAILABLE)
  const refusal = partition.refusal(-1, true)
  if (refusal !== undefined) return refuse(errorAfterAppend(refusal))
  const batch = { producerId, producerEpoch, baseSequence: NO_SEQUENCE }
  const verified = await verifier.verify(partition, transactionalId, batch, supportOf(apiVersion))
  if (!('producerId' in verified)) return refuse(errorAfterAppend(verified))
  const topicIdOf = (topic: string) => services.image.topics.byName(topic)?.id ?? ZERO_UUID
  return groups.commitTransactionalOffsets(request, topicIdOf, verified.guard)
}
