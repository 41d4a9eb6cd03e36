import type { Body, Probe } from '../probe.ts'
import { batch, produceBody } from '../scenario.ts'

export const NONE = 0
export const CONCURRENT_TRANSACTIONS = 51

export interface Producer {
  transactionalId: string
  producerId: number
  producerEpoch: number
}

/** Asks for the coordinator until it is there, so that every scenario starts from the same point. */
export async function withCoordinator(probe: Probe, keyType: number, key: string): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt++) {
    const found = await probe.quietly('FindCoordinator', 4, { keyType, coordinatorKeys: [key] })
    if (found.coordinators[0].errorCode === NONE && (await answers(probe, keyType, key))) return
    await pause()
  }
  throw new Error('no coordinator')
}

async function answers(probe: Probe, keyType: number, key: string): Promise<boolean> {
  if (keyType === 1) {
    const described = await probe.quietly('DescribeTransactions', 0, { transactionalIds: [key] })
    return ![14, 15, 16].includes(described.transactionStates[0].errorCode)
  }
  const beat = await probe.quietly('Heartbeat', 4, { groupId: key, generationId: 1, memberId: 'nobody' })
  return beat.errorCode === 25
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}

export function initBody(version: number, transactionalId: string | null, more: Body = {}): Body {
  const ids = version >= 3 ? { producerId: more.producerId ?? -1, producerEpoch: more.producerEpoch ?? -1 } : {}
  return { transactionalId, transactionTimeoutMs: more.transactionTimeoutMs ?? 60_000, ...ids }
}

/** InitProducerId, not part of what is compared, until no transaction is in the way. */
export async function init(probe: Probe, transactionalId: string, more: Body = {}): Promise<Producer> {
  await withCoordinator(probe, 1, transactionalId)
  for (;;) {
    const answer = await probe.quietly('InitProducerId', 5, initBody(5, transactionalId, more))
    if (answer.errorCode === NONE) {
      probe.learn(answer.producerId, `<producer of ${transactionalId}>`)
      return { transactionalId, producerId: answer.producerId, producerEpoch: answer.producerEpoch }
    }
    if (answer.errorCode !== CONCURRENT_TRANSACTIONS) throw new Error(`InitProducerId: error ${answer.errorCode}`)
    await pause()
  }
}

export function addBody(
  version: number,
  producer: Producer,
  topic: string,
  partitions = [0],
  verifyOnly = false,
): Body {
  const topics = [{ name: topic, partitions }]
  if (version >= 4) return { transactions: [{ ...producer, verifyOnly, topics }] }
  return {
    v3AndBelowTransactionalId: producer.transactionalId,
    v3AndBelowProducerId: producer.producerId,
    v3AndBelowProducerEpoch: producer.producerEpoch,
    v3AndBelowTopics: topics,
  }
}

/** Old protocol; waits for the transaction before. */
export async function add(probe: Probe, producer: Producer, topic: string, partitions = [0]): Promise<void> {
  for (;;) {
    const answer = await probe.quietly('AddPartitionsToTxn', 3, addBody(3, producer, topic, partitions))
    const code = answer.resultsByTopicV3AndBelow[0].resultsByPartition[0].partitionErrorCode
    if (code === NONE) return
    if (code !== CONCURRENT_TRANSACTIONS) throw new Error(`AddPartitionsToTxn: error ${code}`)
    await pause()
  }
}

export function transactional(producer: Producer, baseSequence: number, count = 2): Buffer {
  const { producerId, producerEpoch } = producer
  return batch(count, { producerId, producerEpoch, baseSequence, isTransactional: true })
}

export function produce(
  version: number,
  topic: { name: string; id: string },
  producer: Producer,
  sequence: number,
): Body {
  return produceBody(version, topic, transactional(producer, sequence), { transactionalId: producer.transactionalId })
}

export async function describe(probe: Probe, ...transactionalIds: string[]): Promise<Body> {
  const answer = await probe.send('DescribeTransactions', 0, { transactionalIds })
  for (const state of answer.transactionStates ?? []) {
    for (const topic of state.topics) topic.partitions.sort()
    // The clock is not compared; whether there is a time is.
    if (state.transactionStartTimeMs > 0) state.transactionStartTimeMs = 1
  }
  return answer
}

/** Waits until no markers are under way any more; not part of what is compared. */
export async function rest(probe: Probe, ...transactionalIds: string[]): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt++) {
    const answer = await probe.quietly('DescribeTransactions', 0, { transactionalIds })
    if (answer.transactionStates.every((state: Body) => !state.transactionState.startsWith('Prepare'))) return
    await pause()
  }
  throw new Error(`${transactionalIds} does not come to rest`)
}

export async function end(probe: Probe, version: number, producer: Producer, committed: boolean): Promise<Producer> {
  const answer = await probe.send('EndTxn', version, { ...producer, committed })
  await rest(probe, producer.transactionalId)
  if (version < 5 || answer.errorCode !== NONE) return producer
  probe.learn(answer.producerId, `<producer of ${producer.transactionalId}>`)
  return { ...producer, producerId: answer.producerId, producerEpoch: answer.producerEpoch }
}

/** What consumers of either isolation see, where the log ends for them, and who writes there. */
export async function look(probe: Probe, topic: { name: string; id: string }): Promise<void> {
  for (const isolationLevel of [0, 1]) {
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }]
    const topics = [{ topic: topic.name, partitions }]
    const fetched = await probe.quietly('Fetch', 12, { maxWaitMs: 0, minBytes: 0, isolationLevel, topics })
    const [data] = fetched.responses[0].partitions
    const { errorCode, highWatermark, lastStableOffset, abortedTransactions } = data
    const sizeBytes = (data.records ?? []).reduce((sum: number, bytes: Buffer) => sum + bytes.length, 0)
    const seen = { errorCode, highWatermark, lastStableOffset, abortedTransactions, sizeBytes }
    probe.transcript.push({ api: 'Fetch', version: 12, response: seen })
    const asked = [{ name: topic.name, partitions: [{ partitionIndex: 0, timestamp: -1 }] }]
    await probe.send('ListOffsets', 5, { replicaId: -1, isolationLevel, topics: asked })
  }
}
