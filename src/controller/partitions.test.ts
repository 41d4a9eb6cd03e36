import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { test } from 'vitest'
import type { MetadataRecord } from '../metadata/records.ts'
import { registerBrokerRecord } from '../metadata/snapshot-records.ts'
import type { PartitionImage } from '../metadata/types.ts'
import { incrementalAlterConfigs } from './alter-configs.ts'
import { alterPartition } from './alter-partition.ts'
import { assignDirectories } from './assign-directories.ts'
import { balanceLeaders } from './background-elections.ts'
import {
  recordsForCleanShutdown,
  recordsForControlledShutdown,
  recordsForFenced,
  recordsForLostDirectories,
  recordsForUncleanShutdown,
  recordsForUnfenced,
} from './broker-changes.ts'
import { isOnline } from './directories.ts'
import { electLeaders } from './elect-leaders.ts'
import { clusterOf, directoryOf, TOPIC_ID } from './partitions.testkit.ts'
import { isActive } from './placement.ts'
import { alterReassignments } from './reassignments.ts'
import type { DecisionContext } from './result.ts'
import { topicRules } from './topic-rules.ts'

const BROKERS = [1, 2, 3, 4]
const PARTITIONS = [0, 1]
const SECOND = 10

/** The ids of a broker's two directories. */
const directoriesOf = (id: number) => [directoryOf(id), directoryOf(id + SECOND)]

/**
 * A cluster on which anything happens. Of each partition it knows which replicas have all that is committed, at worst: a
 * record is committed when all in sync have it and they are enough, and then nobody else need have it.
 */
class Model {
  readonly context: DecisionContext
  readonly hasElr: boolean
  readonly complete = new Map<number, Set<number>>()
  #epoch = 1000
  /** Somebody wants a leader at any price. */
  #mayLose = false

  constructor(hasElr: boolean, minIsr: number) {
    this.hasElr = hasElr
    const brokers = BROKERS.map((id) => ({ id, directories: directoriesOf(id) }))
    const partitions = [{}, { replicas: [2, 4, 1] }]
    this.context = clusterOf({ brokers, partitions, minIsr, elr: hasElr ? 1 : 0 })
    for (const index of PARTITIONS) this.complete.set(index, new Set(this.partition(index).isr))
  }

  partition(index: number): PartitionImage {
    return this.context.head.topics.partition('t', index)!
  }

  broker(id: number) {
    return this.context.head.brokers.get(id)!
  }

  apply(records: readonly MetadataRecord[]): void {
    const before = PARTITIONS.map((index) => this.partition(index))
    for (const record of records) this.context.head.replay(record)
    for (const index of PARTITIONS) this.#follow(index, before[index]!)
  }

  #follow(index: number, before: PartitionImage): void {
    const now = this.partition(index)
    const isEligible = [...before.isr, ...before.elr].includes(now.leader)
    if (now.leader >= 0 && now.leader !== before.leader && now.leaderRecoveryState === 1 && !isEligible) {
      // Who led last may lead if nobody is left that is known to have all.
      const hasEligible = [...before.isr, ...before.elr].some((id) => this.complete.get(index)!.has(id))
      const isOnlyHope = !hasEligible && before.lastKnownElr[0] === now.leader
      if (!this.#mayLose && !isOnlyHope)
        throw new Error(`records lost: ${JSON.stringify(before)} became ${JSON.stringify(now)}`)
      // What is not there is lost, and nobody else has all of the rest.
      this.complete.set(index, new Set(now.isr))
    }
    this.#checkState(now, before)
    this.#commit(index, now)
  }

  #commit(index: number, { leader, isr, replicas }: PartitionImage): void {
    const { minIsr } = topicRules(this.context)(this.context.head.topics.byName('t')!)
    if (leader >= 0 && (!this.hasElr || isr.length >= Math.min(minIsr, replicas.length)))
      this.complete.set(index, new Set(isr))
  }

  #checkState(now: PartitionImage, before: PartitionImage): void {
    const { leader, isr, elr, replicas, addingReplicas: adding, removingReplicas: removing, leaderEpoch } = now
    const isLast = !this.hasElr && leader === -1 && isr.length === 1
    const epochs = leaderEpoch - before.leaderEpoch
    const rules: Readonly<Record<string, boolean>> = {
      'in sync once': new Set(isr).size === isr.length,
      'only replicas': [isr, elr, adding, removing].flat().every((id) => replicas.includes(id)),
      'in sync or eligible': !elr.some((id) => isr.includes(id)),
      'coming or going': !adding.some((id) => removing.includes(id)),
      'a directory for each': now.directories.length === replicas.length,
      'a leader in sync': leader === -1 || isr.includes(leader),
      'a leader with all records': leader === -1 || this.complete.get(now.partition)!.has(leader),
      'a leader with its directory': leader === -1 || this.#isReadable(now, leader),
      'somebody in sync': this.hasElr || isr.length > 0,
      'in sync and alive': isLast || isr.every((id) => isActive(this.broker(id))),
      'a leader in a new epoch': leader === before.leader ? epochs >= 0 : epochs > 0,
      'an epoch for every change':
        now.partitionEpoch - before.partitionEpoch >= (isDeepStrictEqual(now, before) ? 0 : 1),
      'one that counts the leaders': now.partitionEpoch - before.partitionEpoch >= epochs,
    }
    const broken = Object.keys(rules).filter((rule) => !rules[rule])
    if (broken.length > 0) throw new Error(`${broken}: ${JSON.stringify(before)} became ${JSON.stringify(now)}`)
  }

  #isReadable({ replicas, directories }: PartitionImage, id: number): boolean {
    return isOnline(this.broker(id), directories[replicas.indexOf(id)]!)
  }

  /** A broker starts again. What an unclean end costs it is only known where eligible leaders are. */
  restart(id: number, isClean: boolean): void {
    const leave = isClean ? recordsForCleanShutdown : recordsForUncleanShutdown
    if (!isClean && this.hasElr) for (const complete of this.complete.values()) complete.delete(id)
    const registered = { ...this.broker(id), epoch: this.#epoch++, fenced: true, inControlledShutdown: false }
    const registration = registerBrokerRecord({ ...registered, directories: directoriesOf(id) }, 4)
    this.apply([...leave(this.context, id), registration])
  }

  /** The leader says that those of `mask` are in sync, and itself. */
  alter(index: number, mask: number): void {
    const { leader, replicas, leaderEpoch, partitionEpoch } = this.partition(index)
    if (leader < 0) return
    const inSync = replicas.filter((id, at) => id === leader || (mask & (1 << at)) !== 0)
    const newIsrWithEpochs = inSync.map((id) => ({ brokerId: id, brokerEpoch: this.broker(id).epoch }))
    const change = { partitionIndex: index, leaderEpoch, partitionEpoch, leaderRecoveryState: 0, newIsr: [] }
    const topics = [{ topicName: '', topicId: TOPIC_ID, partitions: [{ ...change, newIsrWithEpochs }] }]
    const request = { brokerId: leader, brokerEpoch: this.broker(leader).epoch, topics }
    // Those that have caught up take part from now on, so that one of them may lead when a move ends with this.
    const { records } = alterPartition(this.context, request, 3)
    if (records.length > 0) for (const id of inSync) this.complete.get(index)!.add(id)
    this.apply(records)
  }

  reassign(index: number, replicas: number[] | null): void {
    const topics = [{ name: 't', partitions: [{ partitionIndex: index, replicas }] }]
    this.apply(alterReassignments(this.context, { timeoutMs: 0, allowReplicationFactorChange: true, topics }).records)
  }

  /** One stays: a broker that has lost all its directories is gone. */
  loseDirectory(id: number, second: boolean): void {
    if (this.broker(id).directories.length < 2) return
    this.apply(recordsForLostDirectories(this.context, id, [directoriesOf(id)[second ? 1 : 0]!]))
  }

  assign(id: number, index: number, second: boolean): void {
    const topics = [{ topicId: TOPIC_ID, partitions: [{ partitionIndex: index }] }]
    const directories = [{ id: directoriesOf(id)[second ? 1 : 0]!, topics }]
    const brokerEpoch = this.broker(id).epoch
    this.apply(assignDirectories(this.context, { brokerId: id, brokerEpoch, directories }).records)
  }

  elect(index: number, electionType: number): void {
    const topicPartitions = [{ topic: 't', partitions: [index] }]
    this.#mayLose = electionType === 1
    this.apply(electLeaders(this.context, { electionType, topicPartitions, timeoutMs: 0 }).records)
    this.#mayLose = false
  }

  minIsr(value: number): void {
    const configs = [{ name: 'min.insync.replicas', configOperation: 0, value: String(value) }]
    const resources = [{ resourceType: 2, resourceName: 't', configs }]
    this.apply(incrementalAlterConfigs(this.context, { resources, validateOnly: false }, 'controller').records)
  }
}

type Step = readonly [kind: (typeof KINDS)[number], a: number, b: number]

function step(model: Model, [kind, a, b]: Step): void {
  const { context } = model
  const id = BROKERS[a % BROKERS.length]!
  const index = a % PARTITIONS.length
  const { fenced, inControlledShutdown: leaves } = model.broker(id)
  const byKind: Record<(typeof KINDS)[number], () => void> = {
    fence: () => !fenced && model.apply(recordsForFenced(context, id)),
    unfence: () => fenced && !leaves && model.apply(recordsForUnfenced(context, id)),
    shutDown: () => !fenced && model.apply(recordsForControlledShutdown(context, id)),
    restart: () => model.restart(id, b % 3 > 0),
    alter: () => model.alter(index, b),
    inSync: () => model.alter(index, 255),
    move: () => model.reassign(index, b % 4 === 0 ? null : BROKERS.filter((_, at) => (b & (4 << at)) !== 0)),
    elect: () => model.elect(index, b % 4 === 0 ? 1 : 0),
    loseDirectory: () => model.loseDirectory(id, b % 2 === 0),
    assign: () => model.assign(id, index, b % 2 === 0),
    minIsr: () => model.minIsr(1 + (b % 3)),
    balance: () => model.apply(balanceLeaders(context).records),
  }
  byKind[kind]()
}

const KINDS = [
  ...(['fence', 'unfence', 'shutDown', 'restart', 'alter', 'inSync'] as const),
  ...(['move', 'elect', 'loseDirectory', 'assign', 'minIsr', 'balance'] as const),
]
const kind = fc.constantFrom(...KINDS, ...(['fence', 'unfence', 'unfence', 'unfence', 'restart', 'alter'] as const))
const steps = fc.array(fc.tuple(kind, fc.nat(255), fc.nat(255)), { minLength: 30, maxLength: 60 })

test.each([
  ['with', true],
  ['without', false],
])('whatever happens, who leads lives, is in sync and has all records, %s eligible leaders (KIP-966)', (_, hasElr) => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 3 }), (drawn, minIsr) => {
      const model = new Model(hasElr, minIsr)
      for (const each of drawn) step(model, each)
    }),
    { numRuns: 200 },
  )
})
