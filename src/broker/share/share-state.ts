import { protocolErrorOf } from '../../coordinator/coordinator-error.ts'
import type { PartitionsByTopic } from '../../coordinator/share/group/state-partitions.ts'
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
  const keys = [...missing].flatMap(([topicId, partitions]) =>
    [...partitions].map((partition) => ({ groupId, topicId, partition })),
  )
  const results = await Promise.all(keys.map((key) => shares.persister.initialize(key, stateEpoch, UNKNOWN_OFFSET)))
  const failed = results.find(({ error }) => error !== errors.NONE)
  if (failed !== undefined) logger.warn(`share group ${groupId}: its state cannot be made: ${failed.error.name}`)
  try {
    await groups.shareStateMade(groupId, missing, failed === undefined)
  } catch (reason) {
    const error = protocolErrorOf(reason)
    if (error === undefined) throw reason
    logger.warn(`share group ${groupId}: that its state is made cannot be written: ${error.name}`)
  }
}

/**
 * Deletes the share state of those of the groups that are share groups without members. Answers, by group id, why that
 * could not be done: such groups must stay. Never rejects but for a bug.
 */
export async function deleteShareState(
  groupIds: readonly string[],
  { shares, groups }: Services,
): Promise<Map<string, KafkaError>> {
  const failures = new Map<string, KafkaError>()
  const deleteOne = async (groupId: string) => {
    // Whether the group can be deleted at all is found out afterwards.
    const partitions = await groups.shareStateToDelete(groupId).catch(refusedAsUndefined)
    const keys = [...(partitions ?? [])].flatMap(([topicId, numbers]) =>
      [...numbers].map((partition) => ({ groupId, topicId, partition })),
    )
    const results = await Promise.all(keys.map((key) => shares.persister.delete(key)))
    // The state of a topic that is gone went with it.
    const failed = results.find(({ error }) => error !== errors.NONE && error !== errors.UNKNOWN_TOPIC_OR_PARTITION)
    if (failed !== undefined) failures.set(groupId, failed.error)
    else if (partitions !== undefined) shares.partitions.forgetGroup(groupId)
  }
  await Promise.all(groupIds.map(deleteOne))
  return failures
}

function refusedAsUndefined(reason: unknown): undefined {
  if (protocolErrorOf(reason) === undefined) throw reason
  return undefined
}
