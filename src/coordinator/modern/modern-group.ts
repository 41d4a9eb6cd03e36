import { type UndoLog, UndoMap } from '../runtime/undo-log.ts'
import { type Assignment, NO_PARTITIONS } from './assignment.ts'
import { EpochGroup } from './epoch-group.ts'
import type { ModernMember } from './member.ts'

/** How many members are subscribed to a topic by its name, and how many regular expressions of the group match it. */
export interface SubscriptionCount {
  readonly byName: number
  readonly byRegex: number
}

/** A group whose members are subscribed to topics and get partitions of them (KIP-848, KIP-932). */
export abstract class ModernGroup<M extends ModernMember> extends EpochGroup<M, Assignment> {
  readonly #subscribedTopics: UndoMap<string, SubscriptionCount>

  constructor(id: string, undo: UndoLog) {
    super(id, undo, NO_PARTITIONS)
    this.#subscribedTopics = new UndoMap(undo)
  }

  subscribedTopics(): MapIterator<[string, SubscriptionCount]> {
    return this.#subscribedTopics.entries()
  }

  isSubscribedTo(topic: string): boolean {
    return this.#subscribedTopics.has(topic)
  }

  dependsOn(topic: string): boolean {
    return this.#subscribedTopics.has(topic)
  }

  protected override memberChanged(old: M | undefined, current: M | undefined): void {
    if (old?.subscribedTopics === current?.subscribedTopics) return
    this.countTopics(old?.subscribedTopics ?? [], { byName: -1, byRegex: 0 })
    this.countTopics(current?.subscribedTopics ?? [], { byName: 1, byRegex: 0 })
  }

  protected countTopics(topics: Iterable<string>, change: SubscriptionCount): void {
    for (const topic of topics) addCount(this.#subscribedTopics, topic, change)
  }

  /** The subscriptions as they would be with `change` applied to a copy. */
  subscriptionsWith(changes: readonly TopicChange[]): Map<string, SubscriptionCount> {
    const counts = new Map(this.#subscribedTopics.entries())
    for (const { topics, change } of changes) for (const topic of topics) addCount(counts, topic, change)
    return counts
  }
}

/** Topics that are subscribed to, or not any more. */
export interface TopicChange {
  readonly topics: Iterable<string>
  readonly change: SubscriptionCount
}

interface Counts {
  get(topic: string): SubscriptionCount | undefined
  set(topic: string, count: SubscriptionCount): unknown
  delete(topic: string): unknown
}

function addCount(counts: Counts, topic: string, change: SubscriptionCount): void {
  const old = counts.get(topic)
  const byName = (old?.byName ?? 0) + change.byName
  const byRegex = (old?.byRegex ?? 0) + change.byRegex
  if (byName <= 0 && byRegex <= 0) counts.delete(topic)
  else counts.set(topic, { byName, byRegex })
}
