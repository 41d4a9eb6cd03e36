import type { Time } from '../platform/time.ts'
import { errors } from '../protocol/errors.ts'
import { ClassicGroup } from './classic/classic-group.ts'
import { ConsumerGroup } from './consumer/consumer-group.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { Group } from './group.ts'
import { type UndoLog, UndoMap } from './runtime/undo-log.ts'

/** The groups of one partition of __consumer_offsets, of every kind. */
export class GroupStore {
  readonly #groups: UndoMap<string, Group>
  readonly #undo: UndoLog
  readonly #time: Time

  constructor(undo: UndoLog, time: Time) {
    this.#undo = undo
    this.#groups = new UndoMap(undo)
    this.#time = time
  }

  get(groupId: string): Group | undefined {
    return this.#groups.get(groupId)
  }

  /** Throws GROUP_ID_NOT_FOUND. */
  require(groupId: string): Group {
    const group = this.#groups.get(groupId)
    if (group === undefined) throw new CoordinatorError(errors.GROUP_ID_NOT_FOUND, `Group ${groupId} not found.`)
    return group
  }

  /** undefined where there is no such group, or one of another kind. */
  classic(groupId: string): ClassicGroup | undefined {
    const group = this.#groups.get(groupId)
    return group instanceof ClassicGroup ? group : undefined
  }

  /** undefined where there is a group of another kind. */
  classicOrNew(groupId: string): ClassicGroup | undefined {
    if (this.#groups.get(groupId) === undefined) this.#groups.set(groupId, new ClassicGroup(groupId, this.#time))
    return this.classic(groupId)
  }

  /** undefined where there is no such group, or one of another kind. */
  consumer(groupId: string): ConsumerGroup | undefined {
    const group = this.#groups.get(groupId)
    return group instanceof ConsumerGroup ? group : undefined
  }

  /** Throws GROUP_ID_NOT_FOUND, also for a group of another kind. */
  requireConsumer(groupId: string): ConsumerGroup {
    const group = this.require(groupId)
    if (group instanceof ConsumerGroup) return group
    throw new CoordinatorError(errors.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`)
  }

  /**
   * For replay: the group that `make` makes, where there is none of the kind that `is` looks for. It takes the place of a
   * group that only holds offsets. Throws Error where there is a real group of another kind: the log is damaged.
   */
  replayed<G extends Group>(groupId: string, is: (group: Group) => group is G, make: (undo: UndoLog) => G): G {
    const existing = this.#groups.get(groupId)
    if (existing !== undefined && is(existing)) return existing
    const holdsOffsetsOnly = existing instanceof ClassicGroup && existing.isEmpty && existing.protocolType === ''
    if (existing !== undefined && !holdsOffsetsOnly) throw new Error(`group ${groupId} is of type ${existing.type}`)
    const group = make(this.#undo)
    this.#groups.set(groupId, group)
    return group
  }

  put(group: Group): void {
    this.#groups.set(group.id, group)
  }

  delete(groupId: string): void {
    this.#groups.delete(groupId)
  }

  all(): Iterable<Group> {
    return this.#groups.values()
  }
}
