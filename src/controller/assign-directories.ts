import type { MetadataRecord } from '../metadata/records.ts'
import { partitionChangeRecord, partitionChangeVersion } from './partition-change.ts'
import type { DecisionContext } from './result.ts'

/** In which of its log directories this node has a replica. */
export interface DirectoryAssignment {
  readonly topicId: string
  readonly partition: number
  readonly directoryId: string
}

/** The records that say so (KIP-858), for those of which it is not known yet. */
export function directoryRecords(
  { head, nodeId }: DecisionContext,
  assignments: readonly DirectoryAssignment[],
): MetadataRecord[] {
  const version = partitionChangeVersion(head)
  // Records of older metadata versions have no place for it.
  if (version === 0) return []
  return assignments.flatMap(({ topicId, partition: number, directoryId }) => {
    const partition = head.topics.partitionById(topicId, number)
    const index = partition?.replicas.indexOf(nodeId) ?? -1
    if (partition === undefined || index < 0 || partition.directories[index] === directoryId) return []
    const directories = partition.directories.map((id, at) => (at === index ? directoryId : id))
    return [partitionChangeRecord(partition, { directories }, version)]
  })
}
