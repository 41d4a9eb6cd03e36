import { RE2JS, RE2JSException, RE2JSSyntaxException } from 're2js'
import { errors } from '../../protocol/errors.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import { sameSet } from '../modern/assignment.ts'
import { REFRESH_INTERVAL_MS } from '../modern/epoch-group.ts'
import { NOTHING, type Result } from '../runtime/result.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerContext } from './context.ts'
import { type ConsumerMember, regexOf } from './member.ts'
import { epochRecord, type ResolvedRegex, regexRecord, regexTombstone } from './records.ts'

/** Regular expressions of a group are not looked at more often. */
const MIN_REFRESH_INTERVAL_MS = 10_000

/** What a heartbeat changed about the member's regular expression; `resolved`: the topics it means are known already. */
export type RegexChange = 'none' | 'changed' | 'resolved'

/** Subscriptions by regular expression: RE2's syntax, which can be matched in time linear in the topic's name. */
export class Regexes {
  readonly #context: ConsumerContext

  constructor(context: ConsumerContext) {
    this.#context = context
  }

  /** Throws INVALID_REGULAR_EXPRESSION. Resolving comes after the response: it may take long. */
  update(
    group: ConsumerGroup,
    old: ConsumerMember,
    current: ConsumerMember,
    records: CoordinatorRecord[],
  ): RegexChange {
    const [oldRegex, regex] = [regexOf(old), regexOf(current)]
    let change: RegexChange = 'none'
    let isNew = false
    // An empty one is as good as none, though it is another one than null.
    if (old.subscribedRegex !== current.subscribedRegex) {
      change = 'changed'
      if (oldRegex !== undefined && group.regexCount(oldRegex) === 1) records.push(regexTombstone(group.id, oldRegex))
      if (regex === undefined) {
        if (oldRegex !== undefined) change = 'resolved'
      } else if (group.regexCount(regex) === 0) {
        compile(regex)
        isNew = true
      } else if (group.resolvedRegex(regex) !== undefined) {
        change = 'resolved'
      }
    }
    if (isNew || group.hasRegexes) this.#maybeRefresh(group, oldRegex, regex, isNew)
    return change
  }

  #maybeRefresh(group: ConsumerGroup, old: string | undefined, current: string | undefined, isNew: boolean): void {
    const { timers, time, topics, config } = this.#context
    const key = `consumer regexes ${group.id}`
    const nowMs = time.nowMs()
    const last = group.lastResolved
    if (timers.has(key) || (last !== undefined && nowMs <= last.timestampMs + MIN_REFRESH_INTERVAL_MS)) return
    const counts = regexCountsAfter(group, old, current)
    const isDue =
      isNew ||
      counts.size !== group.resolvedRegexCount ||
      (last?.version ?? 0) < topics.newTopicsVersion ||
      last === undefined ||
      nowMs > last.timestampMs + config.consumer.regexRefreshIntervalMs
    if (isDue && counts.size > 0) timers.schedule(key, 0, () => this.#resolve(group.id, [...counts.keys()]))
  }

  #resolve(groupId: string, regexes: readonly string[]): Result<void> {
    const { groups, topics, time, logger } = this.#context
    const group = groups.consumer(groupId)
    if (group === undefined) return NOTHING
    const records: CoordinatorRecord[] = []
    const counts = new Map(group.subscribedTopics())
    let isChanged = false
    const subscribed = regexes.filter((regex) => group.regexCount(regex) > 0)
    for (const [regex, resolved] of resolveRegexes(subscribed, topics.names(), topics.version, time.nowMs())) {
      const old = group.resolvedRegex(regex)
      if (!sameSet(old?.topics ?? new Set<string>(), resolved.topics)) {
        isChanged = true
        shift(counts, old?.topics ?? [], -1)
        shift(counts, resolved.topics, 1)
      }
      records.push(regexRecord(groupId, regex, resolved))
    }
    const hash = topics.hashOf(counts.keys())
    if (isChanged || hash !== group.metadataHash) {
      const epoch = group.epoch + 1
      logger.debug(`group ${groupId}: epoch ${epoch}: regular expressions mean other topics`)
      records.push(epochRecord(groupId, epoch, hash))
      group.setRefreshed(time.nowMs() + REFRESH_INTERVAL_MS, epoch)
    }
    return { records, response: undefined }
  }
}

type Counts = Map<string, { readonly byName: number; readonly byRegex: number }>

function shift(counts: Counts, topics: Iterable<string>, change: number): void {
  for (const topic of topics) {
    const old = counts.get(topic) ?? { byName: 0, byRegex: 0 }
    const byRegex = old.byRegex + change
    if (old.byName === 0 && byRegex <= 0) counts.delete(topic)
    else counts.set(topic, { byName: old.byName, byRegex })
  }
}

/** How many members each regular expression has when a member has changed its own. */
export function regexCountsAfter(
  group: ConsumerGroup,
  old: string | undefined,
  current: string | undefined,
): Map<string, number> {
  const counts = new Map(group.regexes())
  const add = (regex: string | undefined, change: number) => {
    if (regex === undefined) return
    const count = (counts.get(regex) ?? 0) + change
    if (count <= 0) counts.delete(regex)
    else counts.set(regex, count)
  }
  add(old, -1)
  add(current, 1)
  return counts
}

/** Throws INVALID_REGULAR_EXPRESSION. */
function compile(regex: string): RE2JS {
  try {
    return RE2JS.compile(regex)
  } catch (reason) {
    if (!(reason instanceof RE2JSException)) throw reason
    const why = reason instanceof RE2JSSyntaxException ? reason.getDescription() : reason.message
    const message = `SubscribedTopicRegex \`${regex}\` is not a valid regular expression: ${why}.`
    throw new CoordinatorError(errors.INVALID_REGULAR_EXPRESSION, message)
  }
}

/** One that came out of the log may be valid to another implementation only; then it matches nothing. */
function compileIfValid(regex: string): RE2JS | undefined {
  try {
    return compile(regex)
  } catch (reason) {
    if (reason instanceof CoordinatorError) return undefined
    throw reason
  }
}

/** The topics that each expression matches as a whole. */
function resolveRegexes(
  regexes: readonly string[],
  names: Iterable<string>,
  version: number,
  timestampMs: number,
): Map<string, ResolvedRegex> {
  const compiled = regexes.map((regex) => ({ regex, pattern: compileIfValid(regex), topics: new Set<string>() }))
  for (const name of names) {
    for (const { pattern, topics } of compiled) if (pattern?.testExact(name)) topics.add(name)
  }
  return new Map(compiled.map(({ regex, topics }) => [regex, { topics, version, timestampMs }]))
}
