import { GROUP_TOPIC } from '../../coordinator/group-coordinator.ts'
import { errors } from '../../protocol/errors.ts'
import { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } from '../../protocol/messages/add-offsets-to-txn.ts'
import { defineHandler } from '../types.ts'

/** Older clients know INVALID_PRODUCER_EPOCH only. */
const PRODUCER_FENCED_FROM = 2
/** Clients that take an epoch with every end have no use for this request. */
const CLIENT_VERSION = 0

/** AddOffsetsToTxn: the producer will commit offsets of a group. */
export const handler = defineHandler({
  request: AddOffsetsToTxnRequest,
  response: AddOffsetsToTxnResponse,
  async handle(request, { apiVersion }, { groups, transactions }) {
    const { transactionalId, groupId } = request
    const partitions = new Map([[GROUP_TOPIC, new Set([groups.partitionFor(groupId)])]])
    const error = await transactions.addPartitions(transactionalId, request, partitions, CLIENT_VERSION)
    const isHidden = apiVersion < PRODUCER_FENCED_FROM && error === errors.PRODUCER_FENCED
    return { errorCode: (isHidden ? errors.INVALID_PRODUCER_EPOCH : error).code }
  },
  failed: (_, errorCode) => ({ errorCode }),
})
