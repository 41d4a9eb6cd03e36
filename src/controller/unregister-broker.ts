import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { registerBrokerRecord, registerBrokerRecordVersion } from '../metadata/snapshot-records.ts'
import { recordsForUnregistered } from './broker-changes.ts'
import { type DecisionContext, Refusal } from './result.ts'

/**
 * The records that take a broker out of the cluster and of everything that it led. The node that is asked lives: it is
 * registered again at once, where a broker of Apache Kafka would be of no use until its restart. `nextOffset`: of the
 * first of the records. Throws Refusal BROKER_ID_NOT_REGISTERED.
 */
export function unregisterRecords(context: DecisionContext, brokerId: number, nextOffset: number): MetadataRecord[] {
  const { head, nodeId } = context
  const broker = head.brokers.get(brokerId)
  if (broker === undefined) {
    throw new Refusal('BROKER_ID_NOT_REGISTERED', `Broker ID ${brokerId} is not currently registered`)
  }
  if (brokerId === nodeId) {
    const gone = metadataRecord('UnregisterBroker', { brokerId, brokerEpoch: broker.epoch })
    return [gone, registerBrokerRecord({ ...broker, epoch: nextOffset + 1 }, registerBrokerRecordVersion(head))]
  }
  return recordsForUnregistered(context, brokerId)
}
