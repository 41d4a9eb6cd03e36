import { NOTHING, type Result } from '../runtime/result.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerContext } from './context.ts'
import type { ConsumerMember } from './member.ts'

/** Takes a member out of its group. */
export type FenceMember = (group: ConsumerGroup, member: ConsumerMember) => Result<void>

/** Where the records of a timer cannot be written, it fires again after so long. */
const RETRY_MS = 500

/** How long members of consumer groups may keep us waiting. */
export class SessionTimers {
  readonly #context: ConsumerContext
  readonly #fence: FenceMember

  constructor(context: ConsumerContext, fence: FenceMember) {
    this.#context = context
    this.#fence = fence
  }

  /** The member is out unless it is heard of within `timeoutMs`. */
  awaitHeartbeat(
    groupId: string,
    memberId: string,
    timeoutMs: number = this.#context.config.consumer.paceOf(groupId).sessionTimeoutMs,
  ): void {
    this.#schedule('session', groupId, memberId, timeoutMs)
  }

  /** The member is out unless it gives up what it must not have and goes on to another epoch. */
  awaitRevocation(groupId: string, { id, memberEpoch, rebalanceTimeoutMs }: ConsumerMember): void {
    this.#schedule('revocation', groupId, id, rebalanceTimeoutMs, (member) => member.memberEpoch === memberEpoch)
  }

  stopAwaitingRevocation(groupId: string, memberId: string): void {
    this.#context.timers.cancel(key('revocation', groupId, memberId))
  }

  /** A classic member has been told of a rebalance: it is out unless it joins. */
  awaitJoin(groupId: string, memberId: string, timeoutMs: number): void {
    if (this.#context.timers.has(key('join', groupId, memberId))) return
    this.#schedule('join', groupId, memberId, timeoutMs)
  }

  stopAwaitingJoin(groupId: string, memberId: string): void {
    this.#context.timers.cancel(key('join', groupId, memberId))
  }

  /** A classic member has joined: it is out unless it asks for its assignment. */
  awaitSync(groupId: string, memberId: string, timeoutMs: number): void {
    this.#schedule('sync', groupId, memberId, timeoutMs)
  }

  stopAwaitingSync(groupId: string, memberId: string): void {
    this.#context.timers.cancel(key('sync', groupId, memberId))
  }

  /** The member leaves. Its session goes on, for the case that this cannot be written down. */
  stopAllButSession(groupId: string, memberId: string): void {
    for (const what of ['revocation', 'join', 'sync'] as const) {
      this.#context.timers.cancel(key(what, groupId, memberId))
    }
  }

  stopAll(groupId: string, memberId: string): void {
    this.stopAllButSession(groupId, memberId)
    this.#context.timers.cancel(key('session', groupId, memberId))
  }

  #schedule(
    what: Awaited,
    groupId: string,
    memberId: string,
    timeoutMs: number,
    isStillMeant: (member: ConsumerMember) => boolean = () => true,
  ): void {
    const { timers, groups, logger } = this.#context
    const expire = () => {
      const group = groups.consumer(groupId)
      const member = group?.member(memberId)
      if (group === undefined || member === undefined || !isStillMeant(member)) return NOTHING
      logger.info(`group ${groupId}: member ${memberId} is out: no ${what} within ${timeoutMs} ms`)
      return this.#fence(group, member)
    }
    timers.schedule(key(what, groupId, memberId), timeoutMs, expire, RETRY_MS)
  }
}

type Awaited = 'session' | 'revocation' | 'join' | 'sync'

function key(what: Awaited, groupId: string, memberId: string): string {
  return `consumer ${what} ${groupId} ${memberId}`
}
