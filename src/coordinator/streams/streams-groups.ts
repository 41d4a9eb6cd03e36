import { CoordinatorError } from '../coordinator-error.ts'
import { type CoordinatorRecord, isOf } from '../coordinator-record.ts'
import { MemberState } from '../modern/member.ts'
import type { StreamsContext } from './context.ts'
import { type DescribedStreamsGroup, describeStreamsGroup, undescribedStreamsGroup } from './describe.ts'
import { requireStreamsGroup, StreamsHeartbeats } from './heartbeat.ts'
import { streamsEpoch } from './records.ts'
import { replayStreamsRecord } from './replay.ts'
import { SessionTimers } from './session-timers.ts'
import { StreamsGroup } from './streams-group.ts'
import { TargetAssignments } from './target.ts'

/** The streams groups (KIP-1071) of one partition of __consumer_offsets. */
export class StreamsGroups {
  readonly heartbeats: StreamsHeartbeats
  readonly #context: StreamsContext
  readonly #timers: SessionTimers
  readonly #targets: TargetAssignments

  constructor(context: StreamsContext) {
    this.#context = context
    this.#timers = new SessionTimers(context)
    this.#targets = new TargetAssignments(context)
    this.heartbeats = new StreamsHeartbeats(context, this.#timers, this.#targets)
  }

  /** False for a record of another kind. */
  replay(record: CoordinatorRecord): boolean {
    if (!replayStreamsRecord(this.#context.groups, record)) return false
    // Another group of that id waits anew.
    if (isOf(record, streamsEpoch) && record.value === null) this.#targets.stopDelay(record.key.groupId)
    return true
  }

  /** Nobody was heard while the groups were loaded: all have their time from now on. */
  onLoaded(): void {
    for (const group of this.#context.groups.all()) {
      if (!(group instanceof StreamsGroup)) continue
      for (const member of group.members()) {
        this.#timers.awaitHeartbeat(group.id, member.id)
        if (member.state === MemberState.unrevoked) this.#timers.awaitRevocation(group.id, member)
      }
    }
  }

  describe(groupIds: readonly string[]): DescribedStreamsGroup[] {
    return groupIds.map((groupId) => {
      try {
        return describeStreamsGroup(requireStreamsGroup(this.#context, groupId, `Group ${groupId} not found.`))
      } catch (reason) {
        if (!(reason instanceof CoordinatorError)) throw reason
        return undescribedStreamsGroup(groupId, reason.error.code, reason.message)
      }
    })
  }
}
