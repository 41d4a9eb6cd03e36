import { type MetadataRecord, type MetadataRecordValue, metadataRecord } from '../metadata/records.ts'
import type { PartitionImage } from '../metadata/types.ts'
import { defaultDirectory, isOnline } from './directories.ts'
import { isActive } from './placement.ts'
import type { TopicRules } from './topic-rules.ts'

/** From these levels of metadata.version on, records about partitions have directories and eligible leaders. */
const DIRECTORIES_LEVEL = 17
const ELR_LEVEL = 23
/** Below this level brokers must be told by a new leader epoch that the in-sync replicas have become fewer. */
const SHRINK_IN_EPOCH_LEVEL = 12

const NO_LEADER = -1
const NO_LEADER_CHANGE = -2
const NO_RECOVERY_CHANGE = -1
const RECOVERING = 1

type Value = MetadataRecordValue<'PartitionChange'>
type Change = { -readonly [K in keyof Value]: Value[K] }

/** Which version of PartitionChangeRecord brokers of this metadata.version write. */
function recordVersion(level: number): number {
  return level >= ELR_LEVEL ? 2 : level >= DIRECTORIES_LEVEL ? 1 : 0
}

function unchanged({ topicId, partition }: PartitionImage): Change {
  return {
    partitionId: partition,
    topicId,
    isr: null,
    leader: NO_LEADER_CHANGE,
    replicas: null,
    removingReplicas: null,
    addingReplicas: null,
    leaderRecoveryState: NO_RECOVERY_CHANGE,
    directories: null,
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
  }
}

/**
 * Who leads. 'online': whoever leads goes on, else the first replica that is in sync, else the last that has led while
 * nobody was in sync. 'preferred': the first replica comes before who leads. 'unclean': rather anybody than nobody.
 */
export type Election = 'online' | 'preferred' | 'unclean'

/** What a partition shall become; what is left out stays. */
export interface PartitionTarget {
  readonly isr?: readonly number[]
  /** Those that come and those that go are among `replicas` until the move is over. */
  readonly replicas?: readonly number[]
  readonly adding?: readonly number[]
  readonly removing?: readonly number[]
  readonly leaderRecoveryState?: number
  /** A broker that came back without what it had not yet written to its disk: it is no eligible leader. */
  readonly uncleanShutdown?: number
  readonly directory?: { readonly brokerId: number; readonly id: string }
  /** ['online'] */
  readonly election?: Election
  /** Whether a broker may lead, apart from its directories [not fenced, not shutting down]. */
  readonly isActive?: (brokerId: number) => boolean
}

interface Plan {
  isr: readonly number[]
  replicas: readonly number[]
  adding: readonly number[]
  removing: readonly number[]
  elr: readonly number[]
}

/**
 * The record that makes `partition` what it shall become, with everything that follows: a move that is over, a leader,
 * eligible leaders (KIP-966), and a new leader epoch where followers must hear of it. undefined where nothing changes.
 * All changes of partitions come from here.
 */
export function changePartition(
  rules: TopicRules,
  partition: PartitionImage,
  target: PartitionTarget,
): MetadataRecord | undefined {
  const plan: Plan = {
    isr: target.isr ?? partition.isr,
    replicas: target.replicas ?? partition.replicas,
    adding: target.adding ?? partition.addingReplicas,
    removing: target.removing ?? partition.removingReplicas,
    elr: partition.elr,
  }
  const change = unchanged(partition)
  completeMove(plan)
  if (rules.hasElr) plan.elr = eligibleLeaders(rules, partition, plan, target.uncleanShutdown)
  elect(rules, partition, plan, target, change)
  if (change.leader === NO_LEADER_CHANGE && !includesAll(plan.replicas, partition.replicas)) {
    change.leader = partition.leader
  }
  // After an unclean election nobody else is eligible.
  if (change.isr !== null || !rules.hasElr) plan.elr = []
  change.eligibleLeaderReplicas = ifChanged(plan.elr, partition.elr)
  // Without eligible leaders the last one in sync stays: nobody else has all records.
  if (plan.isr.length > 0 || rules.hasElr) change.isr ??= ifChanged(plan.isr, partition.isr)
  if (rules.level < SHRINK_IN_EPOCH_LEVEL && change.leader === NO_LEADER_CHANGE && change.isr !== null) {
    if (!includesAll(change.isr, partition.isr)) change.leader = partition.leader
  }
  if (rules.hasElr) change.lastKnownElr = lastLeader(partition, change.leader)
  assign(rules, partition, plan, target, change)
  const recovery = target.leaderRecoveryState ?? partition.leaderRecoveryState
  if (recovery !== partition.leaderRecoveryState) change.leaderRecoveryState = recovery
  return isNothing(change) ? undefined : metadataRecord('PartitionChange', change, recordVersion(rules.level))
}

/** A move is over when all that come are in sync, and, where fewer shall stay, all that stay. */
function completeMove(plan: Plan): void {
  const { adding, removing } = plan
  if (adding.length + removing.length === 0) return
  const isr = without(plan.isr, removing)
  const replicas = without(plan.replicas, removing)
  if (removing.length > 0 && (isr.length === 0 || replicas.length === 0)) return
  if (!includesAll(isr, adding)) return
  if (adding.length < removing.length && !includesAll(isr, replicas)) return
  plan.isr = isr
  plan.replicas = replicas
  plan.adding = []
  plan.removing = []
}

/**
 * Who has all records up to the high watermark without being in sync: it cannot have moved since the in-sync replicas
 * became fewer than min.insync.replicas, or than all replicas, where these are less. Apache Kafka counts the replicas of
 * partition 0 for this, and may also name brokers that a move has taken the partition from.
 */
function eligibleLeaders(
  { minIsr }: TopicRules,
  partition: PartitionImage,
  { isr, elr, replicas }: Plan,
  uncleanShutdown: number | undefined,
): readonly number[] {
  if (isr.length >= Math.min(minIsr, replicas.length)) return []
  // Clients are told them in this order, which is that of a Java hash set.
  const candidates = [...new Set([...elr, ...partition.isr])].sort((a, b) => (a & 15) - (b & 15))
  return candidates.filter((id) => replicas.includes(id) && !isr.includes(id) && id !== uncleanShutdown)
}

function elect(
  rules: TopicRules,
  partition: PartitionImage,
  plan: Plan,
  target: PartitionTarget,
  change: Change,
): void {
  const { leader, isUnclean } = choose(rules, partition, plan, target)
  if (leader === partition.leader) return
  change.leader = leader
  if (plan.elr.includes(leader)) {
    plan.isr = [leader]
    plan.elr = plan.elr.filter((id) => id !== leader)
  }
  if (!isUnclean) return
  // Whatever others have and this one has not is lost.
  change.isr = [leader]
  if (partition.leaderRecoveryState !== RECOVERING) change.leaderRecoveryState = RECOVERING
}

function choose(
  rules: TopicRules,
  partition: PartitionImage,
  { replicas, isr, elr }: Plan,
  target: PartitionTarget,
): { leader: number; isUnclean: boolean } {
  const { brokers } = rules.head
  const { directory, isActive: lives = (id: number) => isActive(brokers.get(id)) } = target
  const isAcceptable = (id: number) => {
    const at = partition.replicas.indexOf(id)
    const broker = brokers.get(id)
    if (at < 0 || broker === undefined || !lives(id)) return false
    // Nothing else happens to one that is back in a sound directory, and may be the only one that can lead.
    return (
      isOnline(broker, partition.directories[at]!) || (id === directory?.brokerId && isOnline(broker, directory.id))
    )
  }
  const isClean = (id: number) => (isr.length === 0 ? elr : isr).includes(id) && isAcceptable(id)
  if (target.election === 'preferred' && isClean(replicas[0]!)) return { leader: replicas[0]!, isUnclean: false }
  if (isClean(partition.leader)) return { leader: partition.leader, isUnclean: false }
  const clean = replicas.find(isClean)
  if (clean !== undefined) return { leader: clean, isUnclean: false }
  const [last] = partition.lastKnownElr
  const isLastKnown = partition.lastKnownElr.length === 1 && isr.length + elr.length === 0
  if (rules.hasElr && isLastKnown && isAcceptable(last!)) return { leader: last!, isUnclean: true }
  const any = target.election === 'unclean' ? replicas.find(isAcceptable) : undefined
  return any === undefined ? { leader: NO_LEADER, isUnclean: false } : { leader: any, isUnclean: true }
}

/** Who led last is remembered for as long as nobody leads. */
function lastLeader({ leader, lastKnownElr }: PartitionImage, elected: number): number[] | null {
  if (elected === NO_LEADER && lastKnownElr.length === 0 && leader >= 0) return [leader]
  return elected >= 0 && lastKnownElr.length > 0 ? [] : null
}

function assign(
  { head, level }: TopicRules,
  partition: PartitionImage,
  { replicas, adding, removing }: Plan,
  { directory }: PartitionTarget,
  change: Change,
): void {
  if (level >= DIRECTORIES_LEVEL && (replicas !== partition.replicas || directory !== undefined)) {
    const directories = replicas.map((id) => {
      if (id === directory?.brokerId) return directory.id
      const at = partition.replicas.indexOf(id)
      return (at < 0 ? undefined : partition.directories[at]) ?? defaultDirectory(head.brokers.get(id))
    })
    change.directories = ifChanged(directories, partition.directories)
  }
  change.replicas = ifChanged(replicas, partition.replicas)
  change.removingReplicas = ifChanged(removing, partition.removingReplicas)
  change.addingReplicas = ifChanged(adding, partition.addingReplicas)
}

function ifChanged<T>(now: readonly T[], before: readonly T[]): T[] | null {
  if (now === before) return null
  return now.length === before.length && now.every((item, index) => item === before[index]) ? null : [...now]
}

function includesAll(all: readonly number[], some: readonly number[]): boolean {
  return some.every((id) => all.includes(id))
}

export function without(ids: readonly number[], gone: readonly number[]): number[] {
  return ids.filter((id) => !gone.includes(id))
}

function isNothing(change: Change): boolean {
  return (
    change.leader === NO_LEADER_CHANGE &&
    change.leaderRecoveryState === NO_RECOVERY_CHANGE &&
    change.isr === null &&
    change.eligibleLeaderReplicas === null &&
    change.lastKnownElr === null &&
    change.replicas === null &&
    change.removingReplicas === null &&
    change.addingReplicas === null &&
    change.directories === null
  )
}
