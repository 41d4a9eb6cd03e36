import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { apis } from '../../protocol/api-keys.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import { decodeRecords } from '../../protocol/records/cursor.ts'
import { GROUP, nameOfError, TRANSACTION } from '../simulation/client.ts'
import { ConnectionLost } from '../simulation/connection.ts'
import { PASSING, TestCluster } from './cluster.testkit.ts'

const PARTITIONS = 6
const READ_COMMITTED = 1
const MAX_BATCH_BYTES = 1_000_000

interface Producer {
  readonly producerId: number
  readonly producerEpoch: number
}

let cluster: TestCluster
let topicId: string

beforeEach(async () => {
  cluster = await TestCluster.started(7)
  topicId = await cluster.createTopic('topic', PARTITIONS)
})

afterEach(() => cluster.close())

const BUSY = [...PASSING, 'CONCURRENT_TRANSACTIONS']

function init(transactionalId: string): Promise<Producer> {
  return cluster.done(
    cluster.askCoordinator(
      transactionalId,
      TRANSACTION,
      apis.InitProducerId,
      5,
      { transactionalId, transactionTimeoutMs: 30_000, producerId: -1, producerEpoch: -1 },
      ({ errorCode }) => errorCode,
      BUSY,
    ),
  )
}

/** Version 4 and below: the epoch stays. From version 5 on it grows with every end (KIP-890). */
function end(transactionalId: string, { producerId, producerEpoch }: Producer, committed: boolean, version: number) {
  return cluster.done(
    cluster.askCoordinator(
      transactionalId,
      TRANSACTION,
      apis.EndTxn,
      version,
      { transactionalId, producerId, producerEpoch, committed },
      ({ errorCode }) => errorCode,
      BUSY,
    ),
  )
}

function addPartitions(transactionalId: string, { producerId, producerEpoch }: Producer, partitions: number[]) {
  return cluster.done(
    cluster.askCoordinator(
      transactionalId,
      TRANSACTION,
      apis.AddPartitionsToTxn,
      3,
      {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: 'topic', partitions }],
      },
      (response) => response.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode,
      BUSY,
    ),
  )
}

const RETRIABLE = [...BUSY, 'NOT_LEADER_OR_FOLLOWER', 'NOT_ENOUGH_REPLICAS', 'REQUEST_TIMED_OUT']

/** One record to one partition; answers the error that is for good. */
async function produce(
  transactionalId: string,
  { producerId, producerEpoch }: Producer,
  partition: number,
  baseSequence: number,
  value: string,
  version: number,
): Promise<string> {
  const options = { producerId, producerEpoch, baseSequence, isTransactional: true }
  for (;;) {
    const records = [buildBatch([{ timestamp: 0, key: null, value: Buffer.from(value) }], options)]
    const topicData = [{ name: 'topic', partitionData: [{ index: partition, records }] }]
    const place = (await cluster.client.placeOf('topic', partition))!
    try {
      const body = { transactionalId, acks: -1, timeoutMs: 2000, topicData }
      const { responses } = await cluster.client.call(place.leader, apis.Produce, version, body)
      const error = nameOfError(responses[0]!.partitionResponses[0]!.errorCode)
      if (!RETRIABLE.includes(error)) return error
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
    }
    cluster.client.forget('topic', partition)
    await cluster.client.backOff()
  }
}

/**
 * What a consumer sees that reads only what is committed, once nothing of the partition is undecided up to `endOffset` at
 * least: a new leader does not know at once how far its followers are.
 */
async function committed(partition: number, endOffset: number): Promise<string[]> {
  for (;;) {
    const place = (await cluster.client.placeOf('topic', partition))!
    try {
      const found = await readCommitted(place.leader, partition, endOffset)
      if (found !== undefined) return found
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
    }
    cluster.client.forget('topic', partition)
    await cluster.client.backOff()
  }
}

async function readCommitted(leader: number, partition: number, endOffset: number): Promise<string[] | undefined> {
  const values: string[] = []
  for (let offset = 0, end = endOffset; offset < end; ) {
    const { errorCode, highWatermark, lastStableOffset, abortedTransactions, records } = await fetch(
      leader,
      partition,
      offset,
    )
    if (errorCode !== 0 || lastStableOffset !== highWatermark || highWatermark < endOffset) return undefined
    end = highWatermark
    const bytes = Buffer.concat(Buffer.isBuffer(records) ? [records] : [...(records ?? [])])
    const pending = [...(abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
    const aborted = new Set<number>()
    for (let at = 0; at < bytes.length; ) {
      const batch = new BatchView(bytes, at)
      while (pending.length > 0 && pending[0]!.firstOffset <= batch.lastOffset) aborted.add(pending.shift()!.producerId)
      if (batch.isControl) aborted.delete(batch.producerId)
      else if (!aborted.has(batch.producerId)) {
        for (const { value } of decodeRecords(batch, MAX_BATCH_BYTES)) values.push(String(value))
      }
      at = batch.end
      offset = batch.nextOffset
    }
  }
  return values
}

async function fetch(leader: number, partition: number, fetchOffset: number) {
  const asked = {
    partition,
    currentLeaderEpoch: -1,
    fetchOffset,
    lastFetchedEpoch: -1,
    logStartOffset: -1,
    partitionMaxBytes: MAX_BATCH_BYTES,
  }
  const { responses } = await cluster.client.call(leader, apis.Fetch, 13, {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: MAX_BATCH_BYTES,
    isolationLevel: READ_COMMITTED,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topicId, partitions: [asked] }],
    forgottenTopicsData: [],
    rackId: '',
  })
  return responses[0]!.partitions[0]!
}

async function allCommitted(endOffset: number): Promise<string[][]> {
  const all: string[][] = []
  for (let partition = 0; partition < PARTITIONS; partition++)
    all.push(await cluster.done(committed(partition, endOffset)))
  return all
}

function coordinatorOf(key: string, type: number): Promise<number> {
  return cluster.done(cluster.client.coordinatorOf(key, type)) as Promise<number>
}

/** `versions`: of Produce and EndTxn; before 12 the client adds partitions itself, and leaders verify that. */
describe.each([
  [11, 4],
  [12, 5],
])('KIP-890, Produce %i and EndTxn %i', (produceVersion, endVersion) => {
  async function write(id: string, producer: Producer, value: string, sequence: number): Promise<void> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    if (produceVersion < 12) await addPartitions(id, producer, partitions)
    const outcomes = partitions.map((partition) => produce(id, producer, partition, sequence, value, produceVersion))
    expect(await cluster.done(Promise.all(outcomes))).toEqual(partitions.map(() => 'NONE'))
  }

  function next(producer: Producer, answer: Producer): Producer {
    return endVersion < 5 ? producer : { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
  }

  test('transactions over all brokers end as was decided, though each time a coordinator dies of it', async () => {
    let producer = await init('t')
    const expected: string[] = []
    let sequence = 0
    for (let round = 0; round < 4; round++) {
      const isCommit = round % 2 === 0
      await write('t', producer, `r${round}`, sequence)
      const coordinator = await coordinatorOf('t', TRANSACTION)
      const ended = await end('t', producer, isCommit, endVersion)
      expect(nameOfError(ended.errorCode)).toBe('NONE')
      // Its markers are hardly all written.
      cluster.kill(coordinator)
      if (isCommit) expected.push(`r${round}`)
      // A record and a marker a round.
      const all = await allCommitted(2 * (round + 1))
      expect(all).toEqual(Array.from({ length: PARTITIONS }, () => expected))
      await cluster.restart(coordinator)
      producer = next(producer, ended)
      sequence = endVersion < 5 ? sequence + 1 : 0
    }
  })

  test('what is in a transaction outlives the leaders of its partitions, and its coordinator', async () => {
    const producer = await init('t')
    await write('t', producer, 'a', 0)
    const coordinator = await coordinatorOf('t', TRANSACTION)
    cluster.kill(coordinator)
    await write('t', producer, 'b', 1)
    await cluster.restart(coordinator)
    const leader = (await cluster.done(cluster.client.placeOf('topic', 0)))!.leader
    cluster.kill(leader)
    expect(nameOfError((await end('t', producer, true, endVersion)).errorCode)).toBe('NONE')
    expect(await allCommitted(3)).toEqual(Array.from({ length: PARTITIONS }, () => ['a', 'b']))
  })
})

test('offsets in a transaction count once it is committed, whoever coordinates the group by then', async () => {
  const producer = await init('t')
  const topics = [{ name: 'topic', partitions: [{ partitionIndex: 0, committedOffset: 42, committedMetadata: null }] }]
  const commit = await cluster.done(
    cluster.askCoordinator(
      'g',
      GROUP,
      apis.TxnOffsetCommit,
      5,
      { transactionalId: 't', groupId: 'g', ...producer, generationId: -1, memberId: '', topics },
      (response) => response.topics[0]!.partitions[0]!.errorCode,
      BUSY,
    ),
  )
  expect(nameOfError(commit.topics[0]!.partitions[0]!.errorCode)).toBe('NONE')
  const fetched = async () => {
    const { groups } = await cluster.done(
      cluster.askCoordinator(
        'g',
        GROUP,
        apis.OffsetFetch,
        8,
        { groups: [{ groupId: 'g', topics: [{ name: 'topic', partitionIndexes: [0] }] }], requireStable: true },
        (response) => response.groups[0]!.errorCode || response.groups[0]!.topics[0]!.partitions[0]!.errorCode,
        [...PASSING, ...(isOpen ? [] : ['UNSTABLE_OFFSET_COMMIT'])],
      ),
    )
    const { errorCode, committedOffset } = groups[0]!.topics[0]!.partitions[0]!
    return [nameOfError(errorCode), committedOffset]
  }
  let isOpen = true
  cluster.kill(await coordinatorOf('g', GROUP))
  expect(await fetched()).toEqual(['UNSTABLE_OFFSET_COMMIT', -1])
  isOpen = false
  expect(nameOfError((await end('t', producer, true, 5)).errorCode)).toBe('NONE')
  expect(await fetched()).toEqual(['NONE', 42])
})
