import { BatchView, batchSizeAt } from '../../src/protocol/records/batch.ts'
import type { Body } from '../differential/probe.ts'
import { batch, makeTopic, produceBody } from '../differential/scenario.ts'
import { addBody, initBody, rest } from '../differential/scenarios/transaction-tools.ts'
import { anyVersion, type Machine, type Play, type Step } from './machine.ts'
import type { Random } from './random.ts'
import type { Side } from './side.ts'

const PARTITIONS = 2
/** The last producer has no transactional id. */
const PRODUCERS = 3
const NEVER_MS = 900_000

const OPS = {
  init: 6,
  add: 7,
  'add-offsets': 3,
  'commit-offsets': 3,
  produce: 16,
  end: 9,
  markers: 0.6,
  describe: 2,
  list: 1,
  producers: 2,
  consume: 4,
  offsets: 2,
}

/** What producers without a transactional id have no use for. */
const OF_TRANSACTIONS = new Set(['add', 'add-offsets', 'commit-offsets', 'end'])

/** As whom a producer speaks. */
const IDENTITIES = { own: 16, 'old epoch': 1.5, 'next epoch': 0.7, foreign: 0.7, unknown: 0.5, 'no epoch': 0.3, old: 1 }

/** Transactional and idempotent producers, of every age, on one topic and one group. */
export const transactionMachine: Machine = {
  name: 'transactions',
  length: 45,
  step: transactionStep,
  start: async (side) => {
    const topic = { name: side.name, id: await makeTopic(await side.stage(), side.name, { partitions: PARTITIONS }) }
    side.learn(topic.id, '<topic>')
    return new TransactionPlay(side, topic)
  },
}

function transactionStep(random: Random): Step {
  const op = random.weighted(OPS)
  const client = random.between(0, PRODUCERS - 1)
  return { op, client, args: argsOf(op, random) }
}

function argsOf(op: keyof typeof OPS, random: Random): Step['args'] {
  const who = random.weighted(IDENTITIES)
  const partition = random.chance(0.05) ? 9 : random.between(0, PARTITIONS - 1)
  switch (op) {
    case 'init':
      return {
        version: anyVersion(random, 'InitProducerId'),
        who: random.chance(0.5) ? 'none' : who,
        timeoutMs: random.chance(0.05) ? random.pick([0, -1, 1_000_000]) : NEVER_MS,
      }
    case 'add':
      return { version: anyVersion(random, 'AddPartitionsToTxn'), who, partition, verifyOnly: random.chance(0.2) }
    case 'add-offsets':
      return { version: anyVersion(random, 'AddOffsetsToTxn'), who }
    case 'commit-offsets': {
      const member = random.weighted({ none: 8, generation: 1, nobody: 1 })
      const metadata = random.chance(0.1) ? 'oversized' : 'm'
      return { version: anyVersion(random, 'TxnOffsetCommit'), who, partition, member, metadata }
    }
    case 'produce':
      return {
        version: anyVersion(random, 'Produce'),
        who,
        partition,
        sequence: random.weighted({ next: 14, again: 2, 'long ago': 0.7, gap: 1.5, zero: 1.5 }),
        count: random.between(1, 3),
        transactional: random.chance(0.92),
      }
    case 'end':
      return { version: anyVersion(random, 'EndTxn'), who, committed: random.chance(0.6) }
    case 'markers':
      return {
        version: anyVersion(random, 'WriteTxnMarkers'),
        who,
        partition,
        committed: random.chance(0.5),
        coordinatorEpoch: random.pick([0, 0, -1]),
      }
    case 'list':
      return { version: anyVersion(random, 'ListTransactions'), state: random.pick(['', 'Ongoing', 'Empty', 'Odd']) }
    case 'consume':
      return { version: anyVersion(random, 'Fetch', 4, 12), isolation: random.pick([0, 1, 1]) }
    case 'offsets':
      return { version: anyVersion(random, 'OffsetFetch', 7, 9), stable: random.chance(0.5) }
    default:
      return {}
  }
}

interface Identity {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
}

interface Producer {
  readonly who: string
  readonly transactionalId: string | null
  producerId: number
  producerEpoch: number
  /** The next sequence number, and those of batches that were accepted, by partition. */
  sequences: { next: number; accepted: { sequence: number; count: number }[] }[]
  readonly old: { producerId: number; producerEpoch: number }[]
}

class TransactionPlay implements Play {
  readonly #side: Side
  readonly #topic: { readonly name: string; readonly id: string }
  readonly #producers: readonly Producer[]
  readonly #ids: readonly string[]
  #learned = 0

  constructor(side: Side, topic: { readonly name: string; readonly id: string }) {
    this.#side = side
    this.#topic = topic
    this.#producers = Array.from({ length: PRODUCERS }, (_, index) => ({
      who: `producer ${index}`,
      transactionalId: index < PRODUCERS - 1 ? `${side.name}-${index}` : null,
      producerId: -1,
      producerEpoch: -1,
      sequences: noSequences(),
      old: [],
    }))
    this.#ids = this.#producers.flatMap(({ transactionalId }) => transactionalId ?? [])
  }

  async take(step: Step): Promise<void> {
    const producer = this.#producerOf(step)
    await this.#takeAs(step, producer)
    await rest(await this.#side.stage(), ...this.#ids)
  }

  /** Who speaks as itself is somebody who has a producer id, and a transactional one where it needs that, if anybody has. */
  #producerOf({ op, client, args }: Step): Producer {
    const own = this.#producers[client]!
    const needsId = OF_TRANSACTIONS.has(op)
    const can = (one: Producer) => one.producerId >= 0 && (!needsId || one.transactionalId !== null)
    if (op === 'init' || args.who !== 'own' || can(own)) return own
    return this.#producers.find(can) ?? own
  }

  async #takeAs(step: Step, producer: Producer): Promise<void> {
    switch (step.op) {
      case 'init':
        return this.#init(step, producer)
      case 'add':
        return this.#add(step, producer)
      case 'add-offsets':
        return this.#addOffsets(step, producer)
      case 'commit-offsets':
        return this.#commitOffsets(step, producer)
      case 'produce':
        return this.#produce(step, producer)
      case 'end':
        return this.#end(step, producer)
      case 'markers':
        return this.#writeMarkers(step, producer)
      case 'describe':
        return this.#describe(producer.who)
      case 'list':
        return this.#list(step, producer.who)
      case 'producers':
        return this.#describeProducers(producer.who)
      case 'consume':
        return this.#consume(producer.who, Number(step.args.version), Number(step.args.isolation))
      default:
        return this.#fetchOffsets(producer.who, Number(step.args.version), step.args.stable === true)
    }
  }

  async look(): Promise<void> {
    await this.#describe('look')
    await this.#describeProducers('look')
    for (const isolation of [0, 1]) await this.#consume('look', 12, isolation)
    for (const stable of [true, false]) await this.#fetchOffsets('look', 9, stable)
  }

  async end(): Promise<void> {
    await this.#side.quietly('DeleteTopics', 5, { topicNames: [this.#topic.name], timeoutMs: 10_000 })
  }

  /** As whom the step speaks for the producer. */
  #identity({ args }: Step, producer: Producer): Identity {
    const transactionalId = args.who === 'unknown' ? `${this.#side.name}-unknown` : this.#idOf(producer)
    const { producerId, producerEpoch } = producer
    if (args.who === 'none') return { transactionalId, producerId: -1, producerEpoch: -1 }
    if (args.who === 'old epoch') return { transactionalId, producerId, producerEpoch: producerEpoch - 1 }
    if (args.who === 'next epoch') return { transactionalId, producerId, producerEpoch: producerEpoch + 1 }
    if (args.who === 'no epoch') return { transactionalId, producerId, producerEpoch: -1 }
    if (args.who === 'foreign') {
      const other = this.#producers[(this.#producers.indexOf(producer) + 1) % PRODUCERS]!
      return { transactionalId, producerId: other.producerId, producerEpoch }
    }
    return { transactionalId, producerId, producerEpoch, ...(args.who === 'old' ? producer.old.at(-1) : {}) }
  }

  /** A producer without an id may still ask as if it had that of the first one. */
  #idOf(producer: Producer): string {
    return producer.transactionalId ?? this.#ids[0]!
  }

  #become(producer: Producer, { producerId, producerEpoch }: Body): void {
    if (!this.#side.symbols.has(producerId)) this.#side.learn(producerId, `<producer ${this.#learned++}>`)
    if (producerId === producer.producerId && producerEpoch === producer.producerEpoch) return
    if (producer.producerId >= 0) {
      producer.old.push({ producerId: producer.producerId, producerEpoch: producer.producerEpoch })
    }
    producer.producerId = producerId
    producer.producerEpoch = producerEpoch
    producer.sequences = noSequences()
  }

  async #init(step: Step, producer: Producer): Promise<void> {
    const version = Number(step.args.version)
    const identity = this.#identity(step, producer)
    const id = producer.transactionalId === null ? null : identity.transactionalId
    const body = initBody(version, id, { ...identity, transactionTimeoutMs: step.args.timeoutMs })
    await this.#side.ask(producer.who, 'InitProducerId', version, body, {
      heard: (answer) => {
        if (answer.errorCode === 0) this.#become(producer, answer)
      },
    })
  }

  async #add(step: Step, producer: Producer): Promise<void> {
    const version = Number(step.args.version)
    const identity = this.#identity(step, producer)
    const verifyOnly = step.args.verifyOnly === true
    const body = addBody(version, identity, this.#topic.name, [Number(step.args.partition)], verifyOnly)
    await this.#side.ask(producer.who, 'AddPartitionsToTxn', version, body)
  }

  async #addOffsets(step: Step, producer: Producer): Promise<void> {
    const body = { ...this.#identity(step, producer), groupId: this.#side.name }
    await this.#side.ask(producer.who, 'AddOffsetsToTxn', Number(step.args.version), body)
  }

  async #commitOffsets(step: Step, producer: Producer): Promise<void> {
    const { member, metadata, partition } = step.args
    const version = Number(step.args.version)
    const members: Record<string, Body> = {
      none: {},
      generation: { generationId: 3, memberId: 'm' },
      nobody: { memberId: 'nobody' },
    }
    const offset = {
      partitionIndex: partition,
      committedOffset: producer.producerEpoch + 10,
      committedMetadata: metadata === 'oversized' ? 'm'.repeat(5000) : metadata,
    }
    await this.#side.ask(producer.who, 'TxnOffsetCommit', version, {
      ...this.#identity(step, producer),
      groupId: this.#side.name,
      ...(version >= 3 ? members[String(member)] : {}),
      topics: [{ name: this.#topic.name, partitions: [offset] }],
    })
  }

  async #produce(step: Step, producer: Producer): Promise<void> {
    const { args } = step
    const version = Number(args.version)
    const count = Number(args.count)
    const partition = Number(args.partition)
    const { transactionalId, producerId, producerEpoch } = this.#identity(step, producer)
    if (producerId < 0 || producerEpoch < 0) return
    const isTransactional = producer.transactionalId !== null && args.transactional === true
    const state = producer.sequences[partition] ?? { next: 0, accepted: [] }
    const repeated = args.sequence === 'again' ? state.accepted.at(-1) : state.accepted.at(-7)
    const again = args.sequence === 'again' || args.sequence === 'long ago' ? repeated : undefined
    const sequences: Record<string, number> = { gap: state.next + 5, zero: 0 }
    const baseSequence = again?.sequence ?? sequences[String(args.sequence)] ?? state.next
    const bytes = batch(again?.count ?? count, { producerId, producerEpoch, baseSequence, isTransactional })
    const options = { partition, ...(isTransactional ? { transactionalId } : {}) }
    const answer = await this.#side.ask(
      producer.who,
      'Produce',
      version,
      produceBody(version, this.#topic, bytes, options),
      { note: `Produce ${baseSequence} of epoch ${producerEpoch}` },
    )
    const error = answer.responses?.[0]?.partitionResponses[0]?.errorCode
    if (error !== 0 || again !== undefined || producerEpoch !== producer.producerEpoch) return
    if (producerId !== producer.producerId || baseSequence !== state.next) return
    state.accepted.push({ sequence: baseSequence, count })
    state.next += count
  }

  async #end(step: Step, producer: Producer): Promise<void> {
    const version = Number(step.args.version)
    const identity = this.#identity(step, producer)
    const body = { ...identity, committed: step.args.committed }
    await this.#side.ask(producer.who, 'EndTxn', version, body, {
      heard: (answer) => {
        const isOwn = identity.transactionalId === producer.transactionalId
        if (version >= 5 && answer.errorCode === 0 && isOwn) this.#become(producer, answer)
      },
    })
  }

  async #writeMarkers(step: Step, producer: Producer): Promise<void> {
    const { version, partition, committed, coordinatorEpoch } = step.args
    const { producerId, producerEpoch } = this.#identity(step, producer)
    if (producerId < 0) return
    const topics = [{ name: this.#topic.name, partitionIndexes: [partition] }]
    const marker = { producerId, producerEpoch, transactionResult: committed, topics, coordinatorEpoch }
    await this.#side.ask(producer.who, 'WriteTxnMarkers', Number(version), { markers: [marker] })
  }

  async #describe(who: string): Promise<void> {
    const transactionalIds = [...this.#ids, `${this.#side.name}-unknown`]
    const normal = ({ transactionStates }: Body) => {
      for (const state of transactionStates ?? []) {
        for (const { partitions } of state.topics) partitions.sort()
        if (state.transactionStartTimeMs > 0) state.transactionStartTimeMs = 1
      }
    }
    await this.#side.ask(who, 'DescribeTransactions', 0, { transactionalIds }, { normal })
  }

  async #list({ args }: Step, who: string): Promise<void> {
    const request = { stateFilters: args.state === '' ? [] : [args.state], producerIdFilters: [] }
    const normal = (response: Body) => {
      response.transactionStates = response.transactionStates?.filter(({ transactionalId }: Body) =>
        transactionalId.startsWith(this.#side.name),
      )
    }
    await this.#side.ask(who, 'ListTransactions', Number(args.version), request, { normal })
  }

  async #describeProducers(who: string): Promise<void> {
    const topics = [{ name: this.#topic.name, partitionIndexes: [0, 1] }]
    const normal = (response: Body) => {
      for (const { partitions } of response.topics ?? []) {
        for (const { activeProducers } of partitions) {
          for (const producer of activeProducers) if (producer.lastTimestamp > 0) producer.lastTimestamp = 1
        }
      }
    }
    await this.#side.ask(who, 'DescribeProducers', 0, { topics }, { normal })
  }

  async #consume(who: string, version: number, isolationLevel: number): Promise<void> {
    for (const partition of [0, 1]) {
      const partitions = [{ partition, fetchOffset: 0, partitionMaxBytes: 1_000_000 }]
      const topics = [{ topic: this.#topic.name, partitions }]
      const request = { maxWaitMs: 0, minBytes: 0, isolationLevel, topics }
      await this.#side.ask(who, 'Fetch', version, request, { normal: withoutLaterAborts })
    }
    const asked = [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp: -1 }))
    const topics = [{ name: this.#topic.name, partitions: asked }]
    await this.#side.ask(who, 'ListOffsets', 5, { replicaId: -1, isolationLevel, topics })
  }

  async #fetchOffsets(who: string, version: number, requireStable: boolean): Promise<void> {
    const groupId = this.#side.name
    const topics = [{ name: this.#topic.name, partitionIndexes: [0, 1] }]
    const request = version < 8 ? { groupId, topics } : { groups: [{ groupId, topics }] }
    await this.#side.ask(who, 'OffsetFetch', version, { ...request, requireStable })
  }
}

/**
 * Besides the aborted transactions of what it returns, Apache Kafka tells some that begin after it: it looks for the end of the
 * range in an index, which is coarse.
 */
function withoutLaterAborts({ responses }: Body): void {
  for (const partition of responses?.[0]?.partitions ?? []) {
    const bytes = Buffer.concat(partition.records ?? [])
    let endOffset = 0
    for (let at = 0; at < bytes.length; at = batchEnd(bytes, at)) endOffset = new BatchView(bytes, at).lastOffset + 1
    partition.abortedTransactions = partition.abortedTransactions?.filter(
      ({ firstOffset }: Body) => firstOffset < endOffset,
    )
  }
}

function batchEnd(bytes: Buffer, at: number): number {
  return at + (batchSizeAt(bytes, at, bytes.length) || bytes.length)
}

function noSequences(): Producer['sequences'] {
  return Array.from({ length: PARTITIONS }, () => ({ next: 0, accepted: [] }))
}
