import { CoordinatorError, protocolErrorOf } from '../../coordinator/coordinator-error.ts'
import type { PartitionsByTopic } from '../../coordinator/share/group/state-partitions.ts'
import type { PersisterResult } from '../../coordinator/share/share-persister.ts'
import type { SharePartitionKey } from '../../coordinator/share/share-records.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { Services } from '../types.ts'

/** Where the group begins is decided when it first reads. */
const UNKNOWN_OFFSET = -1

/** Makes the share state of partitions that a group is to read; then they can be assigned. Never rejects but for a bug. */
export async function makeShareState(
  groupId: string,
  stateEpoch: number,
  missing: PartitionsByTopic,
  { shares, groups, logger }: Services,
): Promise<void> {
  const results = await Promise.all(
    keysOf(groupId, missing).map((key) => shares.persister.initialize(key, stateEpoch, UNKNOWN_OFFSET)),
  )
  const failed = results.find(hasFailed)
  if (failed !== undefined) logger.warn(`share group ${groupId}: its state cannot be made: ${failed.error.name}`)
  try {
    await groups.changeShareState(groupId, (states) =>
      failed === undefined ? states.initialized(groupId, missing) : states.notInitialized(groupId, missing),
    )
  } catch (reason) {
    const error = protocolErrorOf(reason)
    if (error === undefined) throw reason
    logger.warn(`share group ${groupId}: that its state is made cannot be written: ${error.name}`)
  }
}

/**
 * Deletes the share state of those of the groups that are share groups. Answers, by group id, why that could not be done:
 * such groups must stay. Never rejects but for a bug.
 */
export async function deleteShareState(
  groupIds: readonly string[],
  services: Services,
): Promise<Map<string, KafkaError>> {
  const failures = new Map<string, KafkaError>()
  const deleteOne = async (groupId: string) => {
    try {
      await deleteStateOf(groupId, services)
    } catch (reason) {
      const error = protocolErrorOf(reason)
      if (error === undefined) throw reason
      failures.set(groupId, error)
    }
  }
  await Promise.all(groupIds.map(deleteOne))
  return failures
}

async function deleteStateOf(groupId: string, { shares, groups }: Services): Promise<void> {
  const partitions = await groups.changeShareState(groupId, (states) => states.beginGroupDeletion(groupId))
  if (partitions === undefined) return
  const results = await Promise.all(keysOf(groupId, partitions).map((key) => shares.persister.delete(key)))
  // The state of a topic that is gone went with it.
  const failed = results.find((result) => hasFailed(result) && result.error !== errors.UNKNOWN_TOPIC_OR_PARTITION)
  if (failed !== undefined) throw new CoordinatorError(failed.error)
  shares.partitions.forgetGroup(groupId)
}

export function keysOf(groupId: string, partitions: PartitionsByTopic): SharePartitionKey[] {
  return [...partitions].flatMap(([topicId, numbers]) =>
    Array.from(numbers, (partition) => ({ groupId, topicId, partition })),
  )
}

export function hasFailed({ error }: PersisterResult): boolean {
  return error !== errors.NONE
}
