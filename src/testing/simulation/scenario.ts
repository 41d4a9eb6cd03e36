import type { WorkTopic } from './producers.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What is run. Everything in here follows from the seed. */
export interface Scenario {
  /** Brokers, which are controllers, too, where there are no others. */
  readonly nodes: number
  /** Controllers that are no brokers. */
  readonly controllers: number
  /** Whether somebody deletes records and moves replicas meanwhile. */
  readonly hasOperator: boolean
  readonly hasDynamicVoters: boolean
  /** Whether voters are taken out of the quorum and put in meanwhile. */
  readonly hasVoterChanges: boolean
  /** Controllers that are no voters at first. */
  readonly joiners: number
  readonly settings: Readonly<Record<string, string>>
  readonly topics: readonly WorkTopic[]
  /** A topic of which the newest value of each key is kept; undefined for none, and nothing is compacted then. */
  readonly compacted: WorkTopic | undefined
  readonly idempotentProducers: number
  readonly plainProducers: number
  readonly transactionalProducers: number
  readonly groupMembers: number
  readonly faultsMs: number
  readonly maxPauseMs: number
  /** How many racks brokers are in; consumers of a rack read from followers there (KIP-392). 0 for none. */
  readonly racks: number
  /** Nothing is acknowledged that is not on stable storage. */
  readonly isAllSynced: boolean
  readonly hasDiskFailures: boolean
}

/** Small segments, which are compacted soon after there is another one. */
export const COMPACTION = {
  'log.cleaner.enable': 'true',
  'log.cleaner.backoff.ms': '400',
  'log.cleaner.min.cleanable.ratio': '0.2',
  'log.cleaner.io.buffer.size': '8192',
  'log.roll.ms': '1500',
}

export const BALANCES: WorkTopic = {
  name: 'balances',
  partitions: 1,
  configs: [
    { name: 'cleanup.policy', value: 'compact' },
    { name: 'internal.segment.bytes', value: '600' },
  ],
}

export function scenarioOf(random: SeededRandom): Scenario {
  const nodes = random.pick([1, 3, 3, 3, 3, 3, 4])
  // Alone, a node has nobody to make good what it loses with its power.
  const isAllSynced = nodes < 3 || random.percent(20)
  const more = random.fork()
  const hasDiskFailures = more.percent(40)
  const hasVoterChanges = nodes >= 3 && more.percent(40)
  const hasDynamicVoters = more.percent(60)
  const hasTwoDirectories = more.percent(hasDiskFailures ? 60 : 10)
  const snapshots = {
    // Who was away for long has to fetch a snapshot: what comes before it is deleted.
    'metadata.log.max.record.bytes.between.snapshots': '500',
    'metadata.log.segment.ms': '1000',
    'metadata.max.retention.ms': '1000',
  }
  const racks = nodes >= 3 && more.percent(40) ? more.pick([2, 3]) : 0
  const isCompacting = more.percent(35)
  const deleteRetentionMs = more.pick(['0', '2000'])
  return {
    nodes,
    controllers: nodes === 3 && random.percent(25) ? 3 : 0,
    hasOperator: random.percent(50),
    hasVoterChanges,
    // Whom the configuration does not name is found by nobody who has lost the others.
    joiners: hasVoterChanges && hasDynamicVoters ? more.pick([0, 1, 2]) : 0,
    hasDynamicVoters,
    settings: {
      ...(hasTwoDirectories ? { 'log.dirs': '/data,/data2' } : {}),
      ...(more.percent(30) ? { 'num.replica.fetchers': '3' } : {}),
      ...(isAllSynced ? { 'log.flush.interval.messages': '1' } : {}),
      ...(random.percent(50) ? { 'log.roll.ms': '3000' } : {}),
      ...(random.percent(40) ? snapshots : {}),
      ...(isCompacting ? { ...COMPACTION, 'log.cleaner.delete.retention.ms': deleteRetentionMs } : {}),
      // Who has to catch up does so in many steps.
      ...(random.percent(40) ? { 'replica.fetch.max.bytes': '1024', 'replica.fetch.response.max.bytes': '1500' } : {}),
    },
    topics: [{ name: 'orders', partitions: 2 }],
    compacted: isCompacting ? BALANCES : undefined,
    idempotentProducers: 2,
    plainProducers: 2,
    transactionalProducers: random.pick([0, 1, 2]),
    groupMembers: random.pick([0, 2, 3]),
    faultsMs: 30_000,
    maxPauseMs: random.pick([1500, 4000]),
    racks,
    isAllSynced,
    hasDiskFailures,
  }
}
