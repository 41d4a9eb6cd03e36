import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { RequestContext, Services } from '../types.ts'
import { ShareError } from './share-error.ts'
import { type Acknowledgement, AcknowledgeType } from './share-partition.ts'

/** The acknowledgements in a ShareFetch or a ShareAcknowledge request. */
export interface AcknowledgeRequest {
  readonly groupId: string
  readonly memberId: string
  readonly isRenewAck: boolean
  readonly topics: readonly {
    readonly topicId: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly acknowledgementBatches: readonly Acknowledgement[]
    }[]
  }[]
}

export interface Acknowledged {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

const MAX_MEMBER_ID_LENGTH = 36
const RENEWING_FROM = 2

export function isMemberId(memberId: string | null): memberId is string {
  return memberId !== null && memberId !== '' && memberId.length <= MAX_MEMBER_ID_LENGTH
}

/** Carries out the acknowledgements of a request; one result for each partition of which there is something to say. */
export async function acknowledgeAll(
  request: AcknowledgeRequest,
  context: RequestContext,
  services: Services,
): Promise<Acknowledged[]> {
  const refused: Acknowledged[] = []
  const empty: Acknowledged[] = []
  const wanted: Promise<Acknowledged>[] = []
  for (const { topicId, partitions } of request.topics) {
    const topic = services.image.topics.byId(topicId)
    for (const { partitionIndex: partition, acknowledgementBatches: batches } of partitions) {
      const answer = (error: KafkaError) => ({ topicId, partition, errorCode: error.code, errorMessage: null })
      if (topic === undefined) refused.push(answer(errors.UNKNOWN_TOPIC_ID))
      else if (!areValid(batches, context.apiVersion, request.isRenewAck)) refused.push(answer(errors.INVALID_REQUEST))
      else if (!topic.partitions.has(partition)) refused.push(answer(errors.UNKNOWN_TOPIC_OR_PARTITION))
      else if (batches.length === 0) empty.push(answer(errors.NONE))
      else wanted.push(acknowledgeOne(request, topicId, partition, batches, services))
    }
  }
  if (wanted.length === 0) return refused
  return [...(await Promise.all(wanted)), ...refused, ...empty]
}

function areValid(batches: readonly Acknowledgement[], version: number, isRenewAck: boolean): boolean {
  const maxType = version >= RENEWING_FROM ? AcknowledgeType.renew : AcknowledgeType.reject
  let previousLast = -1
  for (const { firstOffset, lastOffset, acknowledgeTypes: types } of batches) {
    if (firstOffset > lastOffset || firstOffset < previousLast) return false
    if (types.length === 0 || (types.length > 1 && lastOffset - firstOffset !== types.length - 1)) return false
    if (types.some((type) => type < 0 || type > maxType)) return false
    if (!isRenewAck && types.includes(AcknowledgeType.renew)) return false
    previousLast = lastOffset
  }
  return true
}

async function acknowledgeOne(
  { groupId, memberId }: AcknowledgeRequest,
  topicId: string,
  partition: number,
  batches: readonly Acknowledgement[],
  { shares }: Services,
): Promise<Acknowledged> {
  try {
    await shares.partitions.acknowledge({ groupId, topicId, partition }, memberId, batches)
    return { topicId, partition, errorCode: errors.NONE.code, errorMessage: null }
  } catch (reason) {
    if (!(reason instanceof ShareError)) throw reason
    return { topicId, partition, errorCode: reason.error.code, errorMessage: reason.message }
  }
}
