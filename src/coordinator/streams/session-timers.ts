import type { CoordinatorRecord } from '../coordinator-record.ts'
import { NOTHING, type Result } from '../runtime/result.ts'
import type { StreamsContext } from './context.ts'
import type { StreamsMember } from './member.ts'
import { epochRecord, memberTombstones } from './records.ts'
import { StreamsGroup } from './streams-group.ts'

/** Where the records of a timer cannot be written, it fires again after so long. */
const RETRY_MS = 500

/** How long members of streams groups may keep us waiting, and what becomes of those who do. */
export class SessionTimers {
  readonly #context: StreamsContext

  constructor(context: StreamsContext) {
    this.#context = context
  }

  /** The member is out unless it is heard of within its session timeout. */
  awaitHeartbeat(groupId: string, memberId: string): void {
    const { sessionTimeoutMs } = this.#context.config.paceOf(groupId)
    this.#schedule('session', groupId, memberId, sessionTimeoutMs, () => true)
  }

  /** The member is out unless it gives up what it must not have and goes on to another epoch. */
  awaitRevocation(groupId: string, { id, memberEpoch, rebalanceTimeoutMs }: StreamsMember): void {
    this.#schedule('revocation', groupId, id, rebalanceTimeoutMs, (member) => member.memberEpoch === memberEpoch)
  }

  stopAwaitingRevocation(groupId: string, memberId: string): void {
    this.#context.timers.cancel(key('revocation', groupId, memberId))
  }

  /** The records that take the member out. Its timers go on, for the case that they cannot be written. */
  fence(group: StreamsGroup, memberId: string): CoordinatorRecord[] {
    const { metadataHash, validatedTopologyEpoch, assignmentConfigs } = group
    const epoch = { epoch: group.epoch + 1, metadataHash, validatedTopologyEpoch, assignmentConfigs }
    return [...memberTombstones(group.id, memberId), epochRecord(group.id, epoch)]
  }

  #schedule(
    what: Awaited,
    groupId: string,
    memberId: string,
    timeoutMs: number,
    isStillMeant: (member: StreamsMember) => boolean,
  ): void {
    const { timers, groups, logger } = this.#context
    const expire = (): Result<void> => {
      const group = groups.get(groupId)
      const member = group instanceof StreamsGroup ? group.member(memberId) : undefined
      if (!(group instanceof StreamsGroup) || member === undefined || !isStillMeant(member)) return NOTHING
      logger.info(`streams group ${groupId}: member ${memberId} is out: no ${what} within ${timeoutMs} ms`)
      return { records: this.fence(group, memberId), response: undefined }
    }
    timers.schedule(key(what, groupId, memberId), timeoutMs, expire, RETRY_MS)
  }
}

type Awaited = 'session' | 'revocation'

function key(what: Awaited, groupId: string, memberId: string): string {
  return `streams ${what} ${groupId} ${memberId}`
}
