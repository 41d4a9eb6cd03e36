import type { CoordinatorRecord } from '../coordinator-record.ts'
import { answer, type Result } from '../runtime/result.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerContext } from './context.ts'
import { type ConsumerMember, regexOf } from './member.ts'
import type { Migration } from './migration.ts'
import { epochRecord, memberTombstones, regexTombstone } from './records.ts'
import type { SessionTimers } from './session-timers.ts'

/** Takes members out: those who leave, and those who were silent for too long. */
export class Fencing {
  readonly #context: ConsumerContext
  readonly #timers: SessionTimers
  readonly #migration: Migration

  constructor(context: ConsumerContext, timers: SessionTimers, migration: Migration) {
    this.#context = context
    this.#timers = timers
    this.#migration = migration
  }

  /** Where only classic members are left, the group becomes a classic one, if that is allowed. */
  fence<R>(group: ConsumerGroup, members: readonly ConsumerMember[], response: R): Result<R> {
    const leaving = new Set(members)
    if (leaving.size === 0) return answer(response)
    if (this.#migration.canDowngradeWithout(group, leaving)) {
      return { ...this.#migration.downgradeWithout(group, leaving), response }
    }
    const records: CoordinatorRecord[] = []
    for (const { id } of leaving) records.push(...memberTombstones(group.id, id))
    const regexes = regexesOfNobody(group, leaving)
    for (const regex of regexes) records.push(regexTombstone(group.id, regex))
    const hash = this.#context.topics.hashOf(group.subscriptionsWithout(leaving, regexes).keys())
    records.push(epochRecord(group.id, group.epoch + 1, hash))
    for (const { id } of leaving) this.#timers.stopAllButSession(group.id, id)
    return { records, response }
  }
}

/** The regular expressions that nobody has any more once these members are gone. */
function regexesOfNobody(group: ConsumerGroup, leaving: Iterable<ConsumerMember>): string[] {
  const counts = new Map<string, number>()
  for (const member of leaving) {
    const regex = regexOf(member)
    if (regex !== undefined) counts.set(regex, (counts.get(regex) ?? 0) + 1)
  }
  return [...counts].flatMap(([regex, count]) => (group.regexCount(regex) === count ? [regex] : []))
}
