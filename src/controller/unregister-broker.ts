import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { registerBrokerRecord, registerBrokerRecordVersion } from '../metadata/snapshot-records.ts'
import { recordsForUnregistered } from './broker-changes.ts'
import type { HeartbeatContext } from './broker-heartbeat.ts'
import { checkRecordCount, Refusal } from './result.ts'

/**
 * The records that take a broker out of the cluster and of everything that it led. A node that is alone is registered
 * again at once, and goes on leading: it lives, and nobody else could serve in its place. Throws Refusal
 * BROKER_ID_NOT_REGISTERED, POLICY_VIOLATION.
 */
export function unregisterRecords(context: HeartbeatContext, brokerId: number): MetadataRecord[] {
  const { head, nodeId, sessions, nextOffset } = context
  const broker = head.brokers.get(brokerId)
  if (broker === undefined) {
    throw new Refusal('BROKER_ID_NOT_REGISTERED', `Broker ID ${brokerId} is not currently registered`)
  }
  if (brokerId === nodeId && head.brokers.size === 1) {
    const gone = metadataRecord('UnregisterBroker', { brokerId, brokerEpoch: broker.epoch })
    const again = registerBrokerRecord({ ...broker, epoch: nextOffset + 1 }, registerBrokerRecordVersion(head))
    sessions.registered(brokerId, nextOffset + 1, true)
    return [gone, again]
  }
  const records = recordsForUnregistered(context, brokerId)
  checkRecordCount(records)
  sessions.forget(brokerId)
  return records
}
