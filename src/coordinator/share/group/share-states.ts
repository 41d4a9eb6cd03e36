import type { Time } from '../../../platform/time.ts'
import { errors, type KafkaError } from '../../../protocol/errors.ts'
import { CoordinatorError } from '../../coordinator-error.ts'
import type { CoordinatorRecord } from '../../coordinator-record.ts'
import type { GroupStore } from '../../group-store.ts'
import type { GroupMetadataView } from '../../modern/group-metadata-view.ts'
import { NOTHING, type Result } from '../../runtime/result.ts'
import { unrecorded } from '../../runtime/undo-log.ts'
import { statePartitionsRecord } from './records.ts'
import { requireShareGroup, ShareGroup } from './share-group.ts'
import {
  combined,
  type PartitionsByTopic,
  partitionsOf,
  type StatePartitions,
  type TopicState,
  without,
} from './state-partitions.ts'

/** Where a share group is to begin in a partition. */
export interface NewStart {
  readonly topicId: string
  readonly partition: number
  readonly startOffset: number
}

/** What has to be done before the offsets of a topic are deleted, or why they cannot be. */
export type TopicDeletion =
  | { readonly topicName: string; readonly topicId: string; readonly partitions: ReadonlySet<number> }
  | { readonly topicName: string; readonly error: KafkaError; readonly message: string }

export interface ShareStatesContext {
  readonly groups: GroupStore
  readonly topics: GroupMetadataView
  readonly time: Time
}

const NOTHING_TO_DELETE = 'There is no offset information to delete.'

/**
 * Which share state the groups of one partition of __consumer_offsets have: what is being made, what is there, and what is
 * being deleted (KIP-932). What takes several steps is written down first, so that it can be done again after a crash.
 */
export class ShareStates {
  readonly #context: ShareStatesContext

  constructor(context: ShareStatesContext) {
    this.#context = context
  }

  /** The partitions that have share state; none for a group that is not there, or of another kind. */
  initializedPartitions(groupId: string): PartitionsByTopic {
    return partitionsOf(this.#group(groupId)?.states.initialized ?? new Map())
  }

  /** Subscribed partitions whose share state nobody has made, or tried to make within `retryIntervalMs`. */
  missing(group: ShareGroup, names: Iterable<string>, retryIntervalMs: number): Map<string, TopicState> {
    const { topics, time } = this.#context
    const nowMs = time.nowMs()
    const { initialized, initializing } = group.states
    const missing = new Map<string, TopicState>()
    for (const name of names) {
      const topic = topics.byName(name)
      if (topic === undefined) continue
      const underWay = initializing.get(topic.id)
      const isFresh = underWay !== undefined && nowMs - underWay.timestampMs < retryIntervalMs
      const known = new Set([...(initialized.get(topic.id)?.partitions ?? []), ...(isFresh ? underWay.partitions : [])])
      const partitions = new Set([...topic.partitions.keys()].filter((partition) => !known.has(partition)))
      if (partitions.size > 0) missing.set(topic.id, { name, partitions, timestampMs: nowMs })
    }
    return missing
  }

  /** What is about to be made is not being deleted any more. */
  initializing({ id, states }: ShareGroup, missing: ReadonlyMap<string, TopicState>): CoordinatorRecord {
    const initializing = combined(states.initializing, missing)
    const deleting = new Map([...states.deleting].filter(([topicId]) => !initializing.has(topicId)))
    return statePartitionsRecord(id, { ...states, initializing, deleting })
  }

  /** The share state of these partitions has been made: they can be assigned. */
  initialized(groupId: string, partitions: PartitionsByTopic): Result<void> {
    const group = this.#group(groupId)
    if (group === undefined) return NOTHING
    const { topics, time } = this.#context
    const made = new Map<string, TopicState>()
    for (const [topicId, set] of partitions) {
      // A topic that was deleted meanwhile has taken its state with it.
      const name = topics.byId(topicId)?.name
      if (name !== undefined) made.set(topicId, { name, partitions: set, timestampMs: time.nowMs() })
    }
    const { states } = group
    return this.#changed(group, {
      ...states,
      initializing: without(states.initializing, partitions),
      initialized: combined(states.initialized, made),
    })
  }

  /** It could not be made: another heartbeat tries again. */
  notInitialized(groupId: string, partitions: PartitionsByTopic): Result<void> {
    const group = this.#group(groupId)
    if (group === undefined || group.states.initializing.size === 0) return NOTHING
    return this.#changed(group, { ...group.states, initializing: without(group.states.initializing, partitions) })
  }

  /**
   * A group without members, new or not, is to begin elsewhere: its state has to be made anew at the answered epoch, which
   * `initialized` then confirms. Throws NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND for a group of another kind, and, as Apache
   * Kafka, UNKNOWN_SERVER_ERROR for a partition below 0.
   */
  restart(groupId: string, starts: readonly NewStart[]): Result<number> {
    const { groups, topics, time } = this.#context
    const isNew = groups.get(groupId) === undefined
    const group = isNew ? new ShareGroup(groupId, unrecorded()) : requireShareGroup(groups, groupId)
    group.validateDelete()
    const partitions = new Map<string, Set<number>>()
    for (const { topicId, partition } of starts) {
      if (partition < 0) throw new CoordinatorError(errors.UNKNOWN_SERVER_ERROR, `There is no partition ${partition}.`)
      addTo(partitions, topicId, partition)
    }
    if (partitions.size === 0) return { records: [], response: group.epoch }
    const timestampMs = time.nowMs()
    const begun = Array.from(partitions, ([topicId, set]): [string, TopicState] => [
      topicId,
      { name: topics.byId(topicId)!.name, partitions: set, timestampMs },
    ])
    return { records: [this.initializing(group, new Map(begun))], response: group.epoch }
  }

  /**
   * The offsets of these topics are to go: what is there is marked as being deleted. Answers in the order of the names, each
   * once. Throws NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND.
   */
  beginOffsetDeletion(groupId: string, topicNames: readonly string[]): Result<TopicDeletion[]> {
    const group = requireShareGroup(this.#context.groups, groupId)
    group.validateDelete()
    const { states } = group
    const response = [...new Set(topicNames)].map((name) => this.#deletionOf(states, name))
    const begun = new Map<string, string>()
    for (const one of response) if ('topicId' in one) begun.set(one.topicId, one.topicName)
    if (begun.size === 0) return { records: [], response }
    const initialized = new Map([...states.initialized].filter(([topicId]) => !begun.has(topicId)))
    const deleting = new Map([...states.deleting, ...begun])
    return { records: [statePartitionsRecord(groupId, { ...states, initialized, deleting })], response }
  }

  #deletionOf({ initialized, deleting }: StatePartitions, topicName: string): TopicDeletion {
    const topic = this.#context.topics.byName(topicName)
    if (topic === undefined) {
      const error = errors.UNKNOWN_TOPIC_OR_PARTITION
      return { topicName, error, message: error.message }
    }
    const known = initialized.get(topic.id)
    if (known !== undefined) return { topicName, topicId: topic.id, partitions: known.partitions }
    // A deletion that did not come to its end: it is done again.
    if (deleting.has(topic.id)) return { topicName, topicId: topic.id, partitions: new Set(topic.partitions.keys()) }
    return { topicName, error: errors.UNKNOWN_TOPIC_OR_PARTITION, message: NOTHING_TO_DELETE }
  }

  /** The share state of these topics is gone. */
  deleted(groupId: string, topicIds: ReadonlySet<string>): Result<void> {
    const group = this.#group(groupId)
    if (group === undefined) return NOTHING
    const deleting = new Map([...group.states.deleting].filter(([topicId]) => !topicIds.has(topicId)))
    return this.#changed(group, { ...group.states, deleting })
  }

  /**
   * A group without members is to go: all share state that it has, or may have, is to be deleted first. undefined for any
   * other group. Throws NON_EMPTY_GROUP.
   */
  beginGroupDeletion(groupId: string): Result<PartitionsByTopic | undefined> {
    const group = this.#group(groupId)
    if (group === undefined) return { records: [], response: undefined }
    group.validateDelete()
    const { initializing, initialized, deleting } = group.states
    const going = combined(initialized, initializing)
    const retried = new Map<string, TopicState>()
    for (const topicId of deleting.keys()) {
      const topic = this.#context.topics.byId(topicId)
      if (topic === undefined) continue
      retried.set(topicId, { name: topic.name, partitions: new Set(topic.partitions.keys()), timestampMs: 0 })
    }
    const all = combined(going, retried)
    const response = partitionsOf(all)
    if (all.size === 0) return { records: [], response }
    const names = new Map(Array.from(all, ([topicId, { name }]) => [topicId, name]))
    const states = { initializing: new Map(), initialized: new Map(), deleting: names }
    return { records: [statePartitionsRecord(groupId, states)], response }
  }

  /** The topics are gone, and their share state with them. */
  forgetTopics(topicIds: ReadonlySet<string>): CoordinatorRecord[] {
    const records: CoordinatorRecord[] = []
    for (const group of this.#context.groups.all()) {
      if (!(group instanceof ShareGroup)) continue
      const { initializing, initialized, deleting } = group.states
      const known = [initializing, initialized, deleting]
      if (!known.some((topics) => [...topics.keys()].some((topicId) => topicIds.has(topicId)))) continue
      const states = {
        initializing: withoutTopics(initializing, topicIds),
        initialized: withoutTopics(initialized, topicIds),
        deleting: withoutTopics(deleting, topicIds),
      }
      records.push(statePartitionsRecord(group.id, states))
    }
    return records
  }

  #group(groupId: string): ShareGroup | undefined {
    const group = this.#context.groups.get(groupId)
    return group instanceof ShareGroup ? group : undefined
  }

  #changed({ id }: ShareGroup, states: StatePartitions): Result<void> {
    return { records: [statePartitionsRecord(id, states)], response: undefined }
  }
}

function addTo(partitions: Map<string, Set<number>>, topicId: string, partition: number): void {
  const known = partitions.get(topicId)
  if (known === undefined) partitions.set(topicId, new Set([partition]))
  else known.add(partition)
}

function withoutTopics<V>(topics: ReadonlyMap<string, V>, topicIds: ReadonlySet<string>): Map<string, V> {
  return new Map([...topics].filter(([topicId]) => !topicIds.has(topicId)))
}
