import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { registerBrokerRecord, registerBrokerRecordVersion } from '../metadata/snapshot-records.ts'
import type { PartitionImage } from '../metadata/types.ts'
import { partitionChangeRecord, partitionChangeVersion } from './partition-change.ts'
import { isActive } from './placement.ts'
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
  const gone = metadataRecord('UnregisterBroker', { brokerId, brokerEpoch: broker.epoch })
  if (brokerId === nodeId) {
    return [gone, registerBrokerRecord({ ...broker, epoch: nextOffset + 1 }, registerBrokerRecordVersion(head))]
  }
  return [...departures(context, brokerId), gone]
}

function departures({ head }: DecisionContext, brokerId: number): MetadataRecord[] {
  const version = partitionChangeVersion(head)
  const records: MetadataRecord[] = []
  const mayLead = (partition: PartitionImage, id: number) =>
    id !== brokerId && partition.isr.includes(id) && isActive(head.brokers.get(id))
  for (const topic of head.topics.all()) {
    for (const partition of topic.partitions.values()) {
      const isInSync = partition.isr.includes(brokerId)
      if (!isInSync && partition.leader !== brokerId) continue
      // The last one in sync stays: nobody else has all the records.
      const isr = isInSync && partition.isr.length > 1 ? partition.isr.filter((id) => id !== brokerId) : null
      const leads = partition.leader === brokerId
      const next = partition.replicas.find((id) => mayLead(partition, id)) ?? -1
      records.push(partitionChangeRecord(partition, leads ? { isr, leader: next } : { isr }, version))
    }
  }
  return records
}
