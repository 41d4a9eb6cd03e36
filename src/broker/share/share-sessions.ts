import { errors, type KafkaError } from '../../protocol/errors.ts'

export const INITIAL_EPOCH = 0
export const FINAL_EPOCH = -1
const MAX_EPOCH = 0x7fff_ffff

/** A partition that a member reads. */
export interface SessionPartition {
  readonly topicId: string
  readonly partition: number
  /** The member is told of it even if there is nothing to tell. */
  mustAnswer: boolean
}

export function partitionName(topicId: string, partition: number): string {
  return `${topicId}:${partition}`
}

/** The partitions that one member reads, so that requests need only name those that change (KIP-932). */
export class ShareSession {
  readonly groupId: string
  readonly memberId: string
  /** The epoch that the next request must carry. */
  epoch = 1
  /** In the order in which they are read; those that gave data go to the end. */
  readonly partitions = new Map<string, SessionPartition>()

  constructor(groupId: string, memberId: string) {
    this.groupId = groupId
    this.memberId = memberId
  }

  nextEpoch(): void {
    this.epoch = this.epoch === MAX_EPOCH ? 1 : this.epoch + 1
  }

  add(topicId: string, partition: number, mustAnswer: boolean): void {
    const name = partitionName(topicId, partition)
    if (!this.partitions.has(name)) this.partitions.set(name, { topicId, partition, mustAnswer })
  }

  forget(topicId: string, partition: number): void {
    this.partitions.delete(partitionName(topicId, partition))
  }

  /** Whether an answer about the partition is worth telling. */
  isWorthTelling(topicId: string, partition: number, errorCode: number, hasRecords: boolean): boolean {
    const name = partitionName(topicId, partition)
    const known = this.partitions.get(name)
    if (known === undefined) return true
    const isWorth = hasRecords || known.mustAnswer || errorCode !== 0
    known.mustAnswer = errorCode !== 0
    if (hasRecords) {
      this.partitions.delete(name)
      this.partitions.set(name, known)
    }
    return isWorth
  }
}

/** The sessions of this broker: at most `maxSessions` of them. */
export class ShareSessions {
  readonly #maxSessions: () => number
  readonly #sessions = new Map<string, Map<string, ShareSession>>()
  #count = 0

  constructor(maxSessions: () => number) {
    this.#maxSessions = maxSessions
  }

  get(groupId: string, memberId: string): ShareSession | undefined {
    return this.#sessions.get(groupId)?.get(memberId)
  }

  /** In the place of the member's older one. Answers an error when there are too many. */
  create(groupId: string, memberId: string): ShareSession | KafkaError {
    this.remove(groupId, memberId)
    if (this.#count >= this.#maxSessions()) return errors.SHARE_SESSION_LIMIT_REACHED
    const session = new ShareSession(groupId, memberId)
    const ofGroup = this.#sessions.get(groupId)
    if (ofGroup === undefined) this.#sessions.set(groupId, new Map([[memberId, session]]))
    else ofGroup.set(memberId, session)
    this.#count++
    return session
  }

  /** The member's session, if this is its epoch; the next request must carry the next. */
  use(groupId: string, memberId: string, epoch: number): ShareSession | KafkaError {
    const session = this.get(groupId, memberId)
    if (session === undefined) return errors.SHARE_SESSION_NOT_FOUND
    if (epoch === FINAL_EPOCH) return session
    if (session.epoch !== epoch) return errors.INVALID_SHARE_SESSION_EPOCH
    session.nextEpoch()
    return session
  }

  remove(groupId: string, memberId: string): ShareSession | undefined {
    const ofGroup = this.#sessions.get(groupId)
    const session = ofGroup?.get(memberId)
    if (ofGroup === undefined || session === undefined) return undefined
    ofGroup.delete(memberId)
    if (ofGroup.size === 0) this.#sessions.delete(groupId)
    this.#count--
    return session
  }

  removeAll(): void {
    this.#sessions.clear()
    this.#count = 0
  }

  /** Whether any member of the group has a session. */
  hasGroup(groupId: string): boolean {
    return this.#sessions.has(groupId)
  }
}
