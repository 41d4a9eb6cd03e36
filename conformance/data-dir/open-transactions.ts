import { expect } from 'vitest'
import { BatchView, batchSizeAt } from '../../src/protocol/records/batch.ts'
import { buildBatch } from '../../src/protocol/records/builder.ts'
import { decodeRecords } from '../../src/protocol/records/cursor.ts'
import type { Body, Probe } from '../differential/probe.ts'
import { makeTopic, produceBody } from '../differential/scenario.ts'
import { addBody, withCoordinator } from '../differential/scenarios/transaction-tools.ts'
import { type Handover, type Passenger, pause, settledAnswer } from './passenger.ts'

const TOPIC = 'transactions'
const GROUP = 'transactional'
const UNSTABLE_OFFSET_COMMIT = 88
/** Longer than it takes from here to the end of the broker, so that mostly the next one notices. */
const SHORT_TIMEOUT_MS = 4_000
const LONG_TIMEOUT_MS = 600_000

/**
 * `goesOn` is committed, `goesBack` aborted (the way that clients before KIP-890 do it), by the producer that began on the
 * broker before; `succeeded` is aborted by a new producer of its name; `forgotten` runs into its timeout; the end of
 * `ending` is decided, and the broker ends before or after its markers are written. The last two are for Ottla to finish:
 * Apache Kafka 4.3.1, alone in its cluster, forgets the markers of a transaction that ends while it starts, because its
 * partitions have no leader yet, and the last stable offset stays where it is.
 */
const NAMES = ['goesOn', 'goesBack', 'succeeded', 'forgotten', 'ending', 'done'] as const
type Name = (typeof NAMES)[number]

interface Producer {
  readonly transactionalId: string
  producerId: number
  producerEpoch: number
  sequence: number
  /** What it has written since its transaction began. */
  open: Written[]
}

interface Written {
  readonly value: string
  outcome: 'open' | 'committed' | 'aborted'
}

/** Producers with transactions open, ending and ended, two of them with offsets of a group. */
export class OpenTransactions implements Passenger {
  readonly #producers = new Map<Name, Producer>()
  readonly #written: Written[] = []
  /** What the group has committed, by partition. */
  readonly #committed = [-1, -1]
  #nextOffset = 0
  /** What `goesOn` is about to commit. */
  #pending = -1
  #topicId = ''

  async begin(probe: Probe): Promise<void> {
    this.#topicId = await makeTopic(probe, TOPIC, { partitions: 2 })
    await withCoordinator(probe, 0, GROUP)
    await withCoordinator(probe, 1, 'swap-goesOn')
    for (const name of NAMES) await this.#init(probe, name)
  }

  async leave(probe: Probe, { next }: Handover): Promise<void> {
    await this.#write(probe, 'done')
    await this.#end(probe, 'done', true)
    await this.#write(probe, 'goesOn')
    this.#pending = await this.#commitOffset(probe, 'goesOn', 0)
    await this.#join(probe, 'goesBack')
    await this.#writeAsBefore(probe, 'goesBack')
    await this.#commitOffset(probe, 'goesBack', 1)
    await this.#write(probe, 'succeeded')
    await this.#write(probe, 'ending')
    if (next === 'oracle') return
    await this.#init(probe, 'forgotten', SHORT_TIMEOUT_MS)
    await this.#write(probe, 'forgotten')
  }

  async described(probe: Probe): Promise<Body> {
    const lasting = NAMES.filter((name) => name !== 'forgotten' && name !== 'ending')
    const producers = lasting.map((name) => this.#producers.get(name)!)
    const { transactionStates } = await settledAnswer(
      () =>
        probe.quietly('DescribeTransactions', 0, {
          transactionalIds: producers.map(({ transactionalId }) => transactionalId),
        }),
      (answer) => answer.transactionStates.find(({ errorCode }: Body) => errorCode !== 0)?.errorCode,
    )
    const body = { topics: [{ name: TOPIC, partitionIndexes: [0] }] }
    const inPartition = await settledAnswer(
      () => probe.quietly('DescribeProducers', 0, body),
      ({ topics }) => topics[0].partitions[0].errorCode,
    )
    const active: Body[] = inPartition.topics[0].partitions[0].activeProducers
    const known = active.filter(({ producerId }) => producers.some((each) => each.producerId === producerId))
    for (const state of transactionStates) state.topics.sort((a: Body, b: Body) => (a.topic < b.topic ? -1 : 1))
    return {
      transactionStates,
      activeProducers: known.sort((a, b) => a.producerId - b.producerId),
      stable: await this.#fetchOffsets(probe, true),
      offsets: await this.#fetchOffsets(probe, false),
    }
  }

  /** The broker answers once the end is decided; it may die before the markers are in the log. */
  async partingRequests(probe: Probe, { next }: Handover): Promise<void> {
    await this.#decide(probe, 'ending', true)
    if (next === 'oracle') await this.#rest(probe, 'ending')
  }

  async goOn(probe: Probe): Promise<void> {
    expect((await this.#fetchOffsets(probe, true)).map(({ errorCode }) => errorCode)).toEqual([
      UNSTABLE_OFFSET_COMMIT,
      UNSTABLE_OFFSET_COMMIT,
    ])
    await this.#write(probe, 'goesOn')
    await this.#end(probe, 'goesOn', true)
    this.#committed[0] = this.#pending
    await this.#writeAsBefore(probe, 'goesBack')
    await this.#endAsBefore(probe, 'goesBack')
    for (const written of this.#producers.get('succeeded')!.open) written.outcome = 'aborted'
    await this.#init(probe, 'succeeded')
    await this.#write(probe, 'succeeded')
    await this.#end(probe, 'succeeded', true)
    await this.#rest(probe, 'ending')
    const forgotten = this.#producers.get('forgotten')!.open
    if (forgotten.length > 0) await this.#rest(probe, 'forgotten', 'CompleteAbort')
    for (const written of forgotten.splice(0)) written.outcome = 'aborted'
    expect((await this.#fetchOffsets(probe, true)).map(({ committedOffset }) => committedOffset)).toEqual(
      this.#committed,
    )
    const wanted = this.#written.filter(({ outcome }) => outcome === 'committed').map(({ value }) => value)
    expect(await readCommitted(probe)).toEqual(wanted)
  }

  async #init(probe: Probe, name: Name, transactionTimeoutMs = LONG_TIMEOUT_MS): Promise<void> {
    const transactionalId = `swap-${name}`
    const body = { transactionalId, transactionTimeoutMs, producerId: -1, producerEpoch: -1 }
    const { errorCode, producerId, producerEpoch } = await settledAnswer(
      () => probe.quietly('InitProducerId', 5, body),
      (answer) => answer.errorCode,
    )
    expect(errorCode, transactionalId).toBe(0)
    this.#producers.set(name, { transactionalId, producerId, producerEpoch, sequence: 0, open: [] })
  }

  /** As clients do since KIP-890: the broker adds the partition to the transaction. */
  #write(probe: Probe, name: Name): Promise<void> {
    return this.#produce(probe, name, 12)
  }

  #writeAsBefore(probe: Probe, name: Name): Promise<void> {
    return this.#produce(probe, name, 9)
  }

  async #produce(probe: Probe, name: Name, version: number): Promise<void> {
    const producer = this.#producers.get(name)!
    const { producerId, producerEpoch, transactionalId } = producer
    const values = [0, 1].map((i) => `${name}-${this.#written.length + i}-${probe.broker.kind}`)
    const batch = buildBatch(
      values.map((value) => ({ timestamp: Date.now(), key: null, value: Buffer.from(value), headers: [] })),
      { producerId, producerEpoch, baseSequence: producer.sequence, isTransactional: true },
    )
    const body = produceBody(version, { name: TOPIC, id: this.#topicId }, batch, { transactionalId })
    const { responses } = await settledAnswer(
      () => probe.quietly('Produce', version, body),
      (answer) => answer.responses[0].partitionResponses[0].errorCode,
    )
    expect(responses[0].partitionResponses[0].errorCode, `${probe.broker.kind}: ${name}`).toBe(0)
    producer.sequence += values.length
    for (const value of values) {
      const written: Written = { value, outcome: 'open' }
      this.#written.push(written)
      producer.open.push(written)
    }
  }

  async #join(probe: Probe, name: Name): Promise<void> {
    const producer = this.#producers.get(name)!
    const { resultsByTopicV3AndBelow } = await settledAnswer(
      () => probe.quietly('AddPartitionsToTxn', 3, addBody(3, producer, TOPIC)),
      (answer) => answer.resultsByTopicV3AndBelow[0].resultsByPartition[0].partitionErrorCode,
    )
    expect(resultsByTopicV3AndBelow[0].resultsByPartition[0].partitionErrorCode).toBe(0)
    const added = await probe.quietly('AddOffsetsToTxn', 3, { ...idsOf(producer), groupId: GROUP })
    expect(added.errorCode).toBe(0)
  }

  async #commitOffset(probe: Probe, name: Name, partitionIndex: number): Promise<number> {
    const partition = { partitionIndex, committedOffset: this.#nextOffset++, committedMetadata: name }
    const { topics } = await settledAnswer(
      () =>
        probe.quietly('TxnOffsetCommit', name === 'goesBack' ? 3 : 5, {
          ...idsOf(this.#producers.get(name)!),
          groupId: GROUP,
          topics: [{ name: TOPIC, partitions: [partition] }],
        }),
      (answer) => answer.topics[0].partitions[0].errorCode,
    )
    expect(topics[0].partitions[0].errorCode).toBe(0)
    return partition.committedOffset
  }

  async #decide(probe: Probe, name: Name, committed: boolean): Promise<void> {
    const producer = this.#producers.get(name)!
    const { errorCode, producerId, producerEpoch } = await settledAnswer(
      () => probe.quietly('EndTxn', 5, { ...idsOf(producer), committed }),
      (answer) => answer.errorCode,
    )
    expect(errorCode, `${probe.broker.kind}: ${name}`).toBe(0)
    for (const written of producer.open) written.outcome = committed ? 'committed' : 'aborted'
    this.#producers.set(name, { ...producer, producerId, producerEpoch, sequence: 0, open: [] })
  }

  async #end(probe: Probe, name: Name, committed: boolean): Promise<void> {
    await this.#decide(probe, name, committed)
    await this.#rest(probe, name)
  }

  async #endAsBefore(probe: Probe, name: Name): Promise<void> {
    const producer = this.#producers.get(name)!
    const body = { ...idsOf(producer), committed: false }
    const { errorCode } = await settledAnswer(
      () => probe.quietly('EndTxn', 3, body),
      (answer) => answer.errorCode,
    )
    expect(errorCode).toBe(0)
    for (const written of producer.open) written.outcome = 'aborted'
    producer.open = []
    await this.#rest(probe, name)
  }

  /** Waits until the markers of a transaction are written. */
  async #rest(probe: Probe, name: Name, state = 'Complete'): Promise<void> {
    for (let attempt = 0; attempt < 1200; attempt++) {
      const { transactionStates } = await probe.quietly('DescribeTransactions', 0, {
        transactionalIds: [this.#producers.get(name)!.transactionalId],
      })
      if (transactionStates[0].transactionState.startsWith(state)) return
      await pause()
    }
    throw new Error(`${probe.broker.kind}: the transaction of ${name} does not come to rest`)
  }

  async #fetchOffsets(probe: Probe, requireStable: boolean): Promise<Body[]> {
    const groups = [{ groupId: GROUP, topics: [{ name: TOPIC, partitionIndexes: [0, 1] }] }]
    const answer = await settledAnswer(
      () => probe.quietly('OffsetFetch', 9, { groups, requireStable }),
      (body) => body.groups[0].errorCode,
    )
    expect(answer.groups[0].errorCode).toBe(0)
    return answer.groups[0].topics[0].partitions
  }
}

function idsOf({ transactionalId, producerId, producerEpoch }: Producer): Body {
  return { transactionalId, producerId, producerEpoch }
}

/** All that a consumer with isolation.level=read_committed reads; the last stable offset must be the end of the log. */
async function readCommitted(probe: Probe): Promise<string[]> {
  const values: string[] = []
  for (let fetchOffset = 0; ; ) {
    const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 4096 }]
    const body = { maxWaitMs: 0, minBytes: 0, isolationLevel: 1, topics: [{ topic: TOPIC, partitions }] }
    const [data] = (await probe.quietly('Fetch', 12, body)).responses[0].partitions
    expect(data).toMatchObject({ errorCode: 0, lastStableOffset: data.highWatermark })
    if (fetchOffset === data.highWatermark) return values
    fetchOffset = readFetched(data, fetchOffset, values)
  }
}

/** Adds the values that are not of aborted transactions; answers the offset to go on at. */
function readFetched(data: Body, fetchOffset: number, values: string[]): number {
  const bytes = Buffer.concat(data.records ?? [])
  const aborted: Body[] = [...(data.abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
  const inAborted = new Set<number>()
  let nextOffset = fetchOffset
  for (const batch of wholeBatches(bytes)) {
    while (aborted[0] && aborted[0].firstOffset <= batch.lastOffset) inAborted.add(aborted.shift()!.producerId)
    nextOffset = batch.nextOffset
    if (batch.isControl) inAborted.delete(batch.producerId)
    else if (!inAborted.has(batch.producerId)) {
      const records = decodeRecords(batch, 1_000_000).filter(({ offset }) => offset >= fetchOffset)
      values.push(...records.map(({ value }) => value!.toString()))
    }
  }
  return nextOffset
}

/** The batches of an answer; Apache Kafka sends what lies at the limit in part. */
function* wholeBatches(bytes: Buffer): Generator<BatchView> {
  for (let position = 0; batchSizeAt(bytes, position, bytes.length) > 0; ) {
    const batch = new BatchView(bytes, position)
    position = batch.end
    yield batch
  }
}
