import type { Rebalancer } from '../classic/rebalancer.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import { MemberState } from '../modern/member.ts'
import { ClassicProtocol } from './classic-protocol.ts'
import { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerContext } from './context.ts'
import { type DescribedConsumerGroup, describeConsumerGroup, undescribedConsumerGroup } from './describe.ts'
import { Fencing } from './fencing.ts'
import { ConsumerHeartbeats } from './heartbeat.ts'
import { Migration } from './migration.ts'
import { Regexes } from './regexes.ts'
import { replayConsumerRecord } from './replay.ts'
import { SessionTimers } from './session-timers.ts'
import { MemberUpdate } from './update.ts'

/** The consumer groups (KIP-848) of one partition of __consumer_offsets. */
export class ConsumerGroups {
  readonly heartbeats: ConsumerHeartbeats
  /** For members that still speak the classic protocol. */
  readonly classic: ClassicProtocol
  readonly #context: ConsumerContext
  readonly #timers: SessionTimers

  constructor(context: ConsumerContext, rebalancer: Rebalancer) {
    this.#context = context
    const timers = new SessionTimers(context, (group, member) => fencing.fence(group, [member], undefined))
    const migration = new Migration(context, rebalancer, timers)
    const fencing = new Fencing(context, timers, migration)
    const update = new MemberUpdate(context, new Regexes(context), timers)
    this.#timers = timers
    this.heartbeats = new ConsumerHeartbeats(context, update, timers, fencing, migration)
    this.classic = new ClassicProtocol(context, update, timers, fencing, migration)
  }

  /** False for a record of another kind. */
  replay(record: CoordinatorRecord): boolean {
    return replayConsumerRecord(this.#context.groups, record)
  }

  /** Nobody was heard while the groups were loaded: all have their time from now on. */
  onLoaded(): void {
    for (const group of this.#groups()) {
      for (const member of group.members()) {
        this.#timers.awaitHeartbeat(group.id, member.id)
        if (member.state === MemberState.unrevoked) this.#timers.awaitRevocation(group.id, member)
      }
    }
  }

  describe(groupIds: readonly string[]): DescribedConsumerGroup[] {
    const { groups, topics, config } = this.#context
    return groupIds.map((groupId) => {
      try {
        return describeConsumerGroup(groups.requireConsumer(groupId), config.consumer.assignors[0]!, topics)
      } catch (reason) {
        if (!(reason instanceof CoordinatorError)) throw reason
        return undescribedConsumerGroup(groupId, reason.error.code, reason.message)
      }
    })
  }

  *#groups(): Generator<ConsumerGroup> {
    for (const group of this.#context.groups.all()) if (group instanceof ConsumerGroup) yield group
  }
}
