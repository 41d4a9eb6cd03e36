import type { NewStart, TopicDeletion } from '../../coordinator/share/group/share-states.ts'
import type { PartitionsByTopic } from '../../coordinator/share/group/state-partitions.ts'
import type { PersisterResult } from '../../coordinator/share/share-persister.ts'
import { errors } from '../../protocol/errors.ts'
import type { Services } from '../types.ts'
import { hasFailed, keysOf } from './share-state.ts'

const OK: PersisterResult = { error: errors.NONE, message: null }

/**
 * A group without members begins at other offsets. Answers for each of `starts` what came of it. Rejects with
 * CoordinatorError where that is not for the group.
 */
export async function restartGroup(
  groupId: string,
  starts: readonly NewStart[],
  { groups, shares }: Services,
): Promise<PersisterResult[]> {
  const stateEpoch = await groups.changeShareState(groupId, (states) => states.restart(groupId, starts))
  const results = await Promise.all(
    starts.map(({ topicId, partition, startOffset }) =>
      shares.persister.initialize({ groupId, topicId, partition }, stateEpoch, startOffset),
    ),
  )
  // What was read so far counts for nothing any more.
  shares.partitions.forgetGroup(groupId)
  const made = byTopic(starts.filter((_, index) => !hasFailed(results[index]!)))
  const failed = byTopic(starts.filter((_, index) => hasFailed(results[index]!)))
  if (made.size > 0) await groups.changeShareState(groupId, (states) => states.initialized(groupId, made))
  if (failed.size > 0) await groups.changeShareState(groupId, (states) => states.notInitialized(groupId, failed))
  return results
}

function byTopic(starts: readonly NewStart[]): PartitionsByTopic {
  const topics = new Map<string, Set<number>>()
  for (const { topicId, partition } of starts) {
    const known = topics.get(topicId)
    if (known === undefined) topics.set(topicId, new Set([partition]))
    else known.add(partition)
  }
  return topics
}

/** What came of the deletion of one topic's offsets. */
export interface DeletedOffsets extends PersisterResult {
  readonly topicName: string
  /** undefined for a topic of which there was nothing to delete. */
  readonly topicId?: string
}

/**
 * A group without members forgets where it was in these topics. Rejects with CoordinatorError where that is not for the
 * group. Those that worked come first, those of which there was nothing to delete last.
 */
export async function deleteOffsets(
  groupId: string,
  topicNames: readonly string[],
  services: Services,
): Promise<DeletedOffsets[]> {
  const { groups } = services
  const begun = await groups.changeShareState(groupId, (states) => states.beginOffsetDeletion(groupId, topicNames))
  const results = await Promise.all(begun.map((topic) => deleteTopic(groupId, topic, services)))
  services.shares.partitions.forgetGroup(groupId)
  const done = new Set<string>()
  for (const result of results) if (result.topicId !== undefined && !hasFailed(result)) done.add(result.topicId)
  if (done.size > 0) await groups.changeShareState(groupId, (states) => states.deleted(groupId, done))
  return [...results.filter((result) => !hasFailed(result)), ...results.filter(hasFailed)]
}

async function deleteTopic(groupId: string, topic: TopicDeletion, { shares }: Services): Promise<DeletedOffsets> {
  if ('error' in topic) return topic
  const { topicName, topicId, partitions } = topic
  const keys = keysOf(groupId, new Map([[topicId, partitions]]))
  const results = await Promise.all(keys.map((key) => shares.persister.delete(key)))
  return { topicName, topicId, ...(results.find(hasFailed) ?? OK) }
}
