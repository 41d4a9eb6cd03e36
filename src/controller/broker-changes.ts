import { ELIGIBLE_LEADER_REPLICAS } from '../metadata/features.ts'
import { type MetadataRecord, type MetadataRecordValue, metadataRecord } from '../metadata/records.ts'
import type { BrokerImage, PartitionImage } from '../metadata/types.ts'
import { changePartition, without } from './partition-change.ts'
import { isActive } from './placement.ts'
import type { DecisionContext } from './result.ts'
import { topicRules } from './topic-rules.ts'

/**
 * What becomes of partitions when something becomes of a broker. All answer the records in the order in which they are to
 * be written, the change of the registration included unless said otherwise; they need not be written as one batch. The
 * broker must be registered.
 */

/** A broker is silent, or has shut down. */
export function recordsForFenced(context: DecisionContext, brokerId: number): MetadataRecord[] {
  return [...leave(context, brokerId), registrationChange(context, brokerId, 0, { fenced: 1 })]
}

/** A fenced broker has caught up: it leads what nobody leads. */
export function recordsForUnfenced(context: DecisionContext, brokerId: number): MetadataRecord[] {
  const isLeaderless = ({ leader }: PartitionImage) => leader === -1
  return [
    registrationChange(context, brokerId, 0, { fenced: -1 }),
    ...change(context, { joins: brokerId }, isLeaderless),
  ]
}

/** A broker wants to shut down: others lead in its place. */
export function recordsForControlledShutdown(context: DecisionContext, brokerId: number): MetadataRecord[] {
  const { inControlledShutdown } = brokerOf(context, brokerId)
  const begins = inControlledShutdown ? [] : [registrationChange(context, brokerId, 1, { inControlledShutdown: 1 })]
  return [...begins, ...leave(context, brokerId)]
}

/** A broker registers again after it had said that it shuts down. Its registration is not among the records. */
export function recordsForCleanShutdown(context: DecisionContext, brokerId: number): MetadataRecord[] {
  return leave(context, brokerId)
}

/**
 * A broker registers again without having shut down as it should: what it had not yet on its disk is gone, and it is no
 * eligible leader (KIP-966). Its registration is not among the records.
 */
export function recordsForUncleanShutdown(context: DecisionContext, brokerId: number): MetadataRecord[] {
  if (context.head.featureLevel(ELIGIBLE_LEADER_REPLICAS) === 0) return leave(context, brokerId)
  return change(context, { loses: brokerId }, ({ isr, elr }) => isr.includes(brokerId) || elr.includes(brokerId))
}

/** A broker leaves the cluster for good. */
export function recordsForUnregistered(context: DecisionContext, brokerId: number): MetadataRecord[] {
  const { epoch } = brokerOf(context, brokerId)
  return [
    ...leave(context, brokerId),
    ...change(context, { leaves: brokerId }, ({ elr }) => elr.includes(brokerId)),
    metadataRecord('UnregisterBroker', { brokerId, brokerEpoch: epoch }),
  ]
}

/** Log directories of a broker have failed (KIP-858); those that it has not, or that are known to have, are passed over. */
export function recordsForLostDirectories(
  context: DecisionContext,
  brokerId: number,
  directoryIds: readonly string[],
): MetadataRecord[] {
  const { directories } = brokerOf(context, brokerId)
  const lost = new Set(directories.filter((id) => directoryIds.includes(id)))
  if (lost.size === 0) return []
  const isThere = ({ replicas, directories: ids }: PartitionImage) => lost.has(ids[replicas.indexOf(brokerId)] ?? '')
  const online = directories.filter((id) => !lost.has(id))
  return [
    ...change(context, { leaves: brokerId }, isThere),
    registrationChange(context, brokerId, 2, { logDirs: online }),
  ]
}

/** The records by which these partitions go on without a broker whose directory has failed. */
export function recordsWithout(
  context: DecisionContext,
  brokerId: number,
  partitions: ReadonlySet<PartitionImage>,
): MetadataRecord[] {
  return change(context, { leaves: brokerId }, (partition) => partitions.has(partition))
}

function brokerOf({ head }: DecisionContext, brokerId: number): BrokerImage {
  const broker = head.brokers.get(brokerId)
  if (broker === undefined) throw new Error(`broker ${brokerId} is not registered`)
  return broker
}

function registrationChange(
  context: DecisionContext,
  brokerId: number,
  version: number,
  what: Partial<MetadataRecordValue<'BrokerRegistrationChange'>>,
): MetadataRecord {
  const { epoch } = brokerOf(context, brokerId)
  const none = { fenced: 0, inControlledShutdown: 0, logDirs: [], cordonedLogDirs: null }
  return metadataRecord('BrokerRegistrationChange', { brokerId, brokerEpoch: epoch, ...none, ...what }, version)
}

function leave(context: DecisionContext, brokerId: number): MetadataRecord[] {
  return change(context, { leaves: brokerId }, ({ isr }) => isr.includes(brokerId))
}

/** The image does not know of it yet: a broker may lead no longer, may lead again, or has lost part of its records. */
interface Movement {
  readonly leaves?: number
  readonly joins?: number
  readonly loses?: number
}

function change(
  context: DecisionContext,
  { leaves, joins, loses }: Movement,
  concerns: (partition: PartitionImage) => boolean,
): MetadataRecord[] {
  const { head } = context
  const gone = [leaves ?? -1, loses ?? -1]
  const lives = (id: number) => !gone.includes(id) && (id === joins || isActive(head.brokers.get(id)))
  const rulesOf = topicRules(context)
  const records: MetadataRecord[] = []
  for (const topic of head.topics.all()) {
    let rules: ReturnType<typeof rulesOf> | undefined
    for (const partition of topic.partitions.values()) {
      if (!concerns(partition)) continue
      rules ??= rulesOf(topic)
      const record = changePartition(rules, partition, {
        isr: without(partition.isr, gone),
        election: rules.allowsUnclean ? 'unclean' : 'online',
        isActive: lives,
        ...(loses !== undefined && { uncleanShutdown: loses }),
      })
      if (record !== undefined) records.push(record)
    }
  }
  return records
}
