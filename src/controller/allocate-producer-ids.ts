import { metadataRecord } from '../metadata/records.ts'
import type { AllocateProducerIdsRequest } from '../protocol/messages/allocate-producer-ids.ts'
import { checkBrokerEpoch } from './broker-heartbeat.ts'
import { type Decision, type DecisionContext, Refusal } from './result.ts'

/** Producer ids that are one broker's alone. */
export interface ProducerIdBlock {
  readonly firstProducerId: number
  readonly size: number
}

const BLOCK_SIZE = 1000

/** Decides an AllocateProducerIds (KIP-730). Throws Refusal STALE_BROKER_EPOCH, UNKNOWN_SERVER_ERROR where there are none left. */
export function allocateProducerIds(
  { head }: DecisionContext,
  { brokerId, brokerEpoch }: AllocateProducerIdsRequest,
): Decision<ProducerIdBlock> {
  checkBrokerEpoch(head, brokerId, brokerEpoch)
  const firstProducerId = Math.max(0, head.nextProducerId)
  const nextProducerId = firstProducerId + BLOCK_SIZE
  if (!Number.isSafeInteger(nextProducerId)) throw new Refusal('UNKNOWN_SERVER_ERROR', 'There are no producer ids left')
  return {
    records: [metadataRecord('ProducerIds', { brokerId, brokerEpoch, nextProducerId })],
    response: { firstProducerId, size: BLOCK_SIZE },
  }
}
