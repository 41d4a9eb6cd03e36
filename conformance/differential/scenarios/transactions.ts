import type { Body, Probe } from '../probe.ts'
import { batch, makeTopic, produceBody, type Scenario } from '../scenario.ts'

const NONE = 0
const CONCURRENT_TRANSACTIONS = 51

interface Producer {
  transactionalId: string
  producerId: number
  producerEpoch: number
}

/** Asks for the coordinator until it is there, so that every scenario starts from the same point. */
async function withCoordinator(probe: Probe, keyType: number, key: string): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
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

function initBody(version: number, transactionalId: string | null, more: Body = {}): Body {
  const ids = version >= 3 ? { producerId: more.producerId ?? -1, producerEpoch: more.producerEpoch ?? -1 } : {}
  return { transactionalId, transactionTimeoutMs: more.transactionTimeoutMs ?? 60_000, ...ids }
}

/** InitProducerId, not part of what is compared, until no transaction is in the way. */
async function init(probe: Probe, transactionalId: string, more: Body = {}): Promise<Producer> {
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

function addBody(version: number, producer: Producer, topic: string, partitions = [0], verifyOnly = false): Body {
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
async function add(probe: Probe, producer: Producer, topic: string, partitions = [0]): Promise<void> {
  for (;;) {
    const answer = await probe.quietly('AddPartitionsToTxn', 3, addBody(3, producer, topic, partitions))
    const code = answer.resultsByTopicV3AndBelow[0].resultsByPartition[0].partitionErrorCode
    if (code === NONE) return
    if (code !== CONCURRENT_TRANSACTIONS) throw new Error(`AddPartitionsToTxn: error ${code}`)
    await pause()
  }
}

function transactional(producer: Producer, baseSequence: number, count = 2): Buffer {
  const { producerId, producerEpoch } = producer
  return batch(count, { producerId, producerEpoch, baseSequence, isTransactional: true })
}

function produce(version: number, topic: { name: string; id: string }, producer: Producer, sequence: number): Body {
  return produceBody(version, topic, transactional(producer, sequence), { transactionalId: producer.transactionalId })
}

async function describe(probe: Probe, ...transactionalIds: string[]): Promise<Body> {
  const answer = await probe.send('DescribeTransactions', 0, { transactionalIds })
  for (const state of answer.transactionStates ?? []) {
    for (const topic of state.topics) topic.partitions.sort()
    // The clock is not compared; whether there is a time is.
    if (state.transactionStartTimeMs > 0) state.transactionStartTimeMs = 1
  }
  return answer
}

/** Waits until no markers are under way any more; not part of what is compared. */
async function rest(probe: Probe, ...transactionalIds: string[]): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const answer = await probe.quietly('DescribeTransactions', 0, { transactionalIds })
    if (answer.transactionStates.every((state: Body) => !state.transactionState.startsWith('Prepare'))) return
    await pause()
  }
  throw new Error(`${transactionalIds} does not come to rest`)
}

async function end(probe: Probe, version: number, producer: Producer, committed: boolean): Promise<Producer> {
  const answer = await probe.send('EndTxn', version, { ...producer, committed })
  await rest(probe, producer.transactionalId)
  if (version < 5 || answer.errorCode !== NONE) return producer
  probe.learn(answer.producerId, `<producer of ${producer.transactionalId}>`)
  return { ...producer, producerId: answer.producerId, producerEpoch: answer.producerEpoch }
}

/** What consumers of either isolation see, where the log ends for them, and who writes there. */
async function look(probe: Probe, topic: { name: string; id: string }): Promise<void> {
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

const producers: Scenario[] = [
  {
    title: 'an id, again and again',
    api: 'InitProducerId',
    run: async (probe, version, name) => {
      await withCoordinator(probe, 1, name)
      const first = await probe.send('InitProducerId', version, initBody(version, name))
      probe.learn(first.producerId, '<producer>')
      await describe(probe, name)
      await probe.send('InitProducerId', version, initBody(version, name))
      await probe.send('InitProducerId', version, initBody(version, name, { transactionTimeoutMs: 1234 }))
      await describe(probe, name, `${name}-unknown`, '')
    },
  },
  {
    title: 'what is refused',
    api: 'InitProducerId',
    run: async (probe, version, name) => {
      await withCoordinator(probe, 1, name)
      const ask = (id: string | null, more: Body = {}) =>
        probe.send('InitProducerId', version, initBody(version, id, more))
      await ask('')
      for (const transactionTimeoutMs of [0, -1, 900_001, 2_147_483_647]) await ask(name, { transactionTimeoutMs })
      if (version < 3) return
      await ask(name, { producerId: 5 })
      await ask(name, { producerEpoch: 5 })
      await ask(null, { producerId: 5 })
    },
  },
  {
    title: 'a producer goes on after an error (KIP-360)',
    api: 'InitProducerId',
    from: 3,
    run: async (probe, version, name) => {
      const { producerId } = await init(probe, name)
      const ask = (more: Body) => probe.send('InitProducerId', version, initBody(version, name, more))
      await ask({ producerId, producerEpoch: 0 })
      await ask({ producerId, producerEpoch: 0 })
      await ask({ producerId, producerEpoch: 7 })
      await ask({ producerId: producerId + 100_000, producerEpoch: 0 })
      await ask({})
      await ask({ producerId, producerEpoch: 0 })
      await ask({ producerId, producerEpoch: 2 })
      const fresh = await probe.send(
        'InitProducerId',
        version,
        initBody(version, `${name}-fresh`, { producerId, producerEpoch: 3 }),
      )
      probe.learn(fresh.producerId, '<fresh>')
      probe.transcript.pop()
      await describe(probe, name)
    },
  },
  {
    title: 'a new producer ends the transaction of the old one',
    api: 'InitProducerId',
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      const old = await init(probe, name)
      await add(probe, old, name)
      await probe.send('Produce', 9, produce(9, topic, old, 0))
      await look(probe, topic)
      await probe.send('InitProducerId', version, initBody(version, name))
      await rest(probe, name)
      await look(probe, topic)
      await describe(probe, name)
      await probe.send('InitProducerId', version, initBody(version, name))
      await probe.send('Produce', 9, produce(9, topic, old, 2))
      await probe.send('EndTxn', 3, { ...old, committed: true })
      await probe.send('EndTxn', 5, { ...old, committed: true })
    },
  },
]

const partitions: Scenario[] = [
  {
    title: 'partitions join a transaction',
    api: 'AddPartitionsToTxn',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 3 })
      const producer = await init(probe, name)
      await probe.send('AddPartitionsToTxn', version, addBody(version, producer, name, [0, 2]))
      await probe.send('AddPartitionsToTxn', version, addBody(version, producer, name, [0]))
      await describe(probe, name)
      await probe.send('AddPartitionsToTxn', version, addBody(version, producer, name, [1, 1]))
      await describe(probe, name)
    },
  },
  {
    title: 'who may not, and where',
    api: 'AddPartitionsToTxn',
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      const producer = await init(probe, name)
      const ask = (more: Partial<Producer>, topic = name, numbers = [0]) =>
        probe.send('AddPartitionsToTxn', version, addBody(version, { ...producer, ...more }, topic, numbers))
      await ask({}, `${name}-missing`)
      await ask({}, name, [0, 9])
      await ask({ producerEpoch: 5 })
      await ask({ producerEpoch: -1 })
      await ask({ producerId: producer.producerId + 100_000 })
      await ask({ transactionalId: `${name}-unknown` })
      await ask({ transactionalId: '' })
      await ask({}, name, [])
      await describe(probe, name)
    },
  },
  {
    title: 'several transactions, asked for and added',
    api: 'AddPartitionsToTxn',
    from: 4,
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 2 })
      const one = await init(probe, `${name}-1`)
      const two = await init(probe, `${name}-2`)
      const topics = [{ name, partitions: [0, 1] }]
      const verify = { transactions: [one, two].map((producer) => ({ ...producer, verifyOnly: true, topics })) }
      await probe.send('AddPartitionsToTxn', version, verify)
      await probe.send('AddPartitionsToTxn', version, addBody(version, one, name, [1]))
      await probe.send('AddPartitionsToTxn', version, verify)
      const wrong = { ...two, producerEpoch: 3, verifyOnly: true, topics }
      await probe.send('AddPartitionsToTxn', version, { transactions: [wrong] })
      await probe.send('AddPartitionsToTxn', version, { transactions: [{ ...wrong, transactionalId: 'nobody' }] })
      await probe.send('AddPartitionsToTxn', version, { transactions: [{ ...wrong, transactionalId: '' }] })
      await describe(probe, `${name}-1`, `${name}-2`)
    },
  },
]

const ends: Scenario[] = [
  {
    title: 'commit, abort, and again',
    api: 'EndTxn',
    to: 4,
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      const producer = await init(probe, name)
      await probe.send('EndTxn', version, { ...producer, committed: true })
      await probe.send('EndTxn', version, { ...producer, committed: false })
      let sequence = 0
      for (const committed of [true, false]) {
        await add(probe, producer, name)
        await probe.send('Produce', 9, produce(9, topic, producer, sequence))
        sequence += 2
        await look(probe, topic)
        await end(probe, version, producer, committed)
        await end(probe, version, producer, committed)
        await end(probe, version, producer, !committed)
        await look(probe, topic)
        await describe(probe, name)
      }
    },
  },
  {
    title: 'every end has an epoch of its own (KIP-890)',
    api: 'EndTxn',
    from: 5,
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      let producer = await init(probe, name)
      await probe.send('EndTxn', version, { ...producer, committed: true })
      producer = await end(probe, version, producer, false)
      for (const committed of [true, false, true]) {
        await probe.send('Produce', 12, produce(12, topic, producer, 0))
        await look(probe, topic)
        await describe(probe, name)
        const after = await end(probe, version, producer, committed)
        await end(probe, version, producer, committed)
        await end(probe, version, producer, !committed)
        await look(probe, topic)
        await probe.send('Produce', 12, produce(12, topic, producer, 2))
        producer = after
        await describe(probe, name)
      }
      await probe.send('EndTxn', version, { ...producer, committed: true })
      producer = await end(probe, version, producer, false)
      producer = await end(probe, version, producer, false)
      await describe(probe, name)
    },
  },
  {
    title: 'who may not end it',
    api: 'EndTxn',
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      const producer = await init(probe, name)
      await add(probe, producer, name)
      for (const committed of [true, false]) {
        const ask = (more: Body) => probe.send('EndTxn', version, { ...producer, ...more, committed })
        await ask({ producerEpoch: 5 })
        await ask({ producerEpoch: -1 })
        await ask({ producerId: producer.producerId + 100_000 })
        await ask({ transactionalId: `${name}-unknown` })
        await ask({ transactionalId: '' })
      }
      await describe(probe, name)
    },
  },
]

const writes: Scenario[] = [
  {
    title: 'records of transactions, for old producers',
    api: 'Produce',
    to: 11,
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name, { partitions: 1 }) }
      const producer = await init(probe, name)
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await add(probe, producer, name)
      await probe.send('Produce', version, produce(version, topic, { ...producer, producerEpoch: 4 }, 0))
      await probe.send('Produce', version, produce(version, topic, { ...producer, producerId: 4_000_000 }, 0))
      const stranger = produce(version, topic, producer, 0)
      await probe.send('Produce', version, { ...stranger, transactionalId: `${name}-unknown` })
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await probe.send('Produce', version, produce(version, topic, producer, 2))
      await probe.send('Produce', version, produce(version, topic, producer, 9))
      await look(probe, topic)
      await end(probe, 3, producer, true)
      await probe.send('Produce', version, produce(version, topic, producer, 4))
      await look(probe, topic)
    },
  },
  {
    title: 'records of transactions, the broker adds partitions (KIP-890)',
    api: 'Produce',
    from: 12,
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      let producer = await init(probe, name)
      await probe.send('Produce', version, produce(version, topic, { ...producer, producerEpoch: 4 }, 0))
      await probe.send('Produce', version, produce(version, topic, { ...producer, producerId: 4_000_000 }, 0))
      const stranger = produce(version, topic, producer, 0)
      await probe.send('Produce', version, { ...stranger, transactionalId: `${name}-unknown` })
      await probe.send('Produce', version, { ...stranger, transactionalId: '' })
      await describe(probe, name)
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await probe.send('Produce', version, produce(version, topic, producer, 9))
      await describe(probe, name)
      const old = producer
      producer = await end(probe, 5, producer, false)
      await probe.send('Produce', version, produce(version, topic, old, 2))
      await probe.send('Produce', version, produce(version, topic, producer, 3))
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await look(probe, topic)
    },
  },
]

/** A log with a committed, an aborted and an open transaction, and records outside of any between them. */
async function mixedLog(probe: Probe, topic: { name: string; id: string }): Promise<void> {
  const done = await init(probe, `${topic.name}-1`)
  const undone = await init(probe, `${topic.name}-2`)
  const write = (producer: Producer, sequence: number) =>
    probe.quietly('Produce', 12, produce(12, topic, producer, sequence))
  await write(done, 0)
  await write(undone, 0)
  await probe.quietly('Produce', 12, produceBody(12, topic, batch(3)))
  await write(undone, 2)
  const finish = async (producer: Producer, committed: boolean): Promise<Producer> => {
    const answer = await probe.quietly('EndTxn', 5, { ...producer, committed })
    await rest(probe, producer.transactionalId)
    return { ...producer, producerEpoch: answer.producerEpoch }
  }
  const next = await finish(undone, false)
  await write(done, 2)
  await finish(done, true)
  await write(next, 0)
  await probe.quietly('Produce', 12, produceBody(12, topic, batch(3)))
}

const reads: Scenario[] = [
  {
    title: 'what is read of transactions',
    api: 'Fetch',
    from: 4,
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      await mixedLog(probe, topic)
      for (const isolationLevel of [0, 1]) {
        for (const fetchOffset of [0, 2, 5, 9, 12, 14, 17, 20, 21]) {
          const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }]
          const which = version >= 13 ? { topicId: topic.id } : { topic: name }
          const body = {
            maxWaitMs: 0,
            minBytes: 0,
            maxBytes: 1_000_000,
            isolationLevel,
            topics: [{ ...which, partitions }],
          }
          const answer = await probe.send('Fetch', version, body)
          for (const data of answer.responses?.[0]?.partitions ?? []) {
            // The bytes have times in them; where batches begin and end is compared.
            data.records = (data.records ?? []).reduce((sum: number, bytes: Buffer) => sum + bytes.length, 0)
          }
        }
      }
    },
  },
  {
    title: 'where a log ends for whom',
    api: 'ListOffsets',
    from: 2,
    run: async (probe, version, name) => {
      await mixedLog(probe, { name, id: await makeTopic(probe, name) })
      for (const isolationLevel of [0, 1]) {
        // Not -3: which of two markers has the largest timestamp is a matter of milliseconds.
        for (const timestamp of [-1, -2, 0, 1]) {
          const topics = [{ name, partitions: [{ partitionIndex: 0, timestamp }] }]
          const answer = await probe.send('ListOffsets', version, { replicaId: -1, isolationLevel, topics })
          const found = answer.topics?.[0]?.partitions?.[0]
          if (found?.timestamp > 0) found.timestamp = 1
        }
      }
    },
  },
]

function offsetsBody(version: number, producer: Producer, groupId: string, topic: string, more: Body = {}): Body {
  const { partition = 0, offset = 7, metadata = 'm', ...member } = more
  const partitions = [
    {
      partitionIndex: partition,
      committedOffset: offset,
      ...(version >= 2 ? { committedLeaderEpoch: 0 } : {}),
      committedMetadata: metadata,
    },
  ]
  return { ...producer, groupId, ...(version >= 3 ? member : {}), topics: [{ name: topic, partitions }] }
}

async function fetchOffsets(probe: Probe, groupId: string, topic: string): Promise<void> {
  for (const requireStable of [false, true]) {
    const groups = [{ groupId, topics: [{ name: topic, partitionIndexes: [0, 1] }] }]
    await probe.send('OffsetFetch', 9, { groups, requireStable })
  }
}

const offsets: Scenario[] = [
  {
    title: 'a group joins a transaction',
    api: 'AddOffsetsToTxn',
    run: async (probe, version, name) => {
      await withCoordinator(probe, 0, name)
      const producer = await init(probe, name)
      const ask = (more: Body = {}) => probe.send('AddOffsetsToTxn', version, { ...producer, groupId: name, ...more })
      await ask()
      await ask()
      await describe(probe, name)
      await ask({ producerEpoch: 5 })
      await ask({ producerId: producer.producerId + 100_000 })
      await ask({ transactionalId: `${name}-unknown` })
      await ask({ transactionalId: '' })
      await end(probe, 3, producer, true)
      await describe(probe, name)
    },
  },
  {
    title: 'offsets count when the transaction is committed',
    api: 'TxnOffsetCommit',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 2 })
      await withCoordinator(probe, 0, name)
      let producer = await init(probe, name)
      for (const [offset, committed] of [
        [5, true],
        [9, false],
        [8, true],
      ] as const) {
        if (version < 5) {
          await probe.quietly('AddOffsetsToTxn', 3, { ...producer, groupId: name })
        }
        await probe.send('TxnOffsetCommit', version, offsetsBody(version, producer, name, name, { offset }))
        await fetchOffsets(probe, name, name)
        await describe(probe, name)
        producer = await end(probe, version < 5 ? 3 : 5, producer, committed)
        await fetchOffsets(probe, name, name)
      }
    },
  },
  {
    title: 'whose offsets are refused',
    api: 'TxnOffsetCommit',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 2 })
      await withCoordinator(probe, 0, name)
      const producer = await init(probe, name)
      const ask = (who: Body, more: Body = {}, groupId = name, topic = name) =>
        probe.send('TxnOffsetCommit', version, offsetsBody(version, { ...producer, ...who }, groupId, topic, more))
      if (version < 5) await ask({})
      await probe.quietly('AddOffsetsToTxn', 3, { ...producer, groupId: name })
      await ask({ producerEpoch: 5 })
      await ask({ producerId: producer.producerId + 100_000 })
      await ask({ transactionalId: `${name}-unknown` })
      await ask({ transactionalId: '' })
      await ask({}, {}, '')
      await ask({}, {}, name, `${name}-missing`)
      await ask({}, { partition: 9 })
      await ask({}, { metadata: 'x'.repeat(5000) })
      await ask({}, { metadata: null })
      if (version >= 3) {
        await ask({}, { generationId: 4, memberId: 'somebody' })
        await ask({}, { generationId: -1, memberId: 'somebody' })
        await ask({}, { generationId: 4, memberId: 'somebody' }, `${name}-fresh`)
      }
      await end(probe, 3, producer, true)
      await fetchOffsets(probe, name, name)
    },
  },
]

const admin: Scenario[] = [
  {
    title: 'markers from outside',
    api: 'WriteTxnMarkers',
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      const producer = await init(probe, name)
      await add(probe, producer, name)
      await probe.send('Produce', 9, produce(9, topic, producer, 0))
      const { producerId, producerEpoch } = producer
      const marker = (more: Body = {}) => ({
        producerId,
        producerEpoch,
        transactionResult: false,
        topics: [{ name, partitionIndexes: [0] }],
        coordinatorEpoch: 0,
        ...(version >= 2 ? { transactionVersion: 0 } : {}),
        ...more,
      })
      const ask = (...markers: Body[]) => probe.send('WriteTxnMarkers', version, { markers })
      await ask()
      await ask(marker({ topics: [{ name: `${name}-missing`, partitionIndexes: [0] }] }))
      await ask(marker({ topics: [{ name, partitionIndexes: [0, 9] }], producerEpoch: -1 }))
      if (version >= 2) await ask(marker({ transactionVersion: 2 }))
      await ask(marker({ coordinatorEpoch: 4 }))
      await look(probe, topic)
      await ask(marker({ coordinatorEpoch: 3 }))
      await ask(marker({ coordinatorEpoch: 5, transactionResult: true, producerEpoch: producerEpoch + 1 }))
      await look(probe, topic)
      await probe.send('DescribeProducers', 0, { topics: [{ name, partitionIndexes: [0] }] }).then(forgetTimes)
      await ask(marker({ producerId: 5_000_000 }), marker({ producerId: 5_000_001, transactionResult: true }))
    },
  },
  {
    title: 'what is known of transactions',
    api: 'DescribeTransactions',
    run: async (probe, _, name) => {
      await makeTopic(probe, name, { partitions: 3 })
      await makeTopic(probe, `${name}-too`)
      const producer = await init(probe, name, { transactionTimeoutMs: 30_000 })
      await describe(probe, name)
      await add(probe, producer, name, [2, 0])
      await add(probe, producer, `${name}-too`)
      await describe(probe, name, name)
      await end(probe, 3, producer, false)
      await describe(probe, name, 'nobody', '')
      await describe(probe)
    },
  },
  {
    title: 'which transactions there are',
    api: 'ListTransactions',
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      const open = await init(probe, `${name}-open`)
      const done = await init(probe, `${name}-done`)
      await init(probe, `${name}-idle`)
      await add(probe, open, name)
      await add(probe, done, name)
      await end(probe, 3, done, true)
      const list = async (more: Body) => {
        const answer = await probe.send('ListTransactions', version, more)
        // Those of other scenarios are not compared.
        const mine = (answer.transactionStates ?? []).filter((state: Body) => state.transactionalId.startsWith(name))
        Object.assign(answer, { transactionStates: mine })
        answer.unknownStateFilters?.sort()
      }
      await list({})
      await list({ stateFilters: ['Ongoing'] })
      await list({ stateFilters: ['Ongoing', 'CompleteCommit', 'ongoing', 'Nonsense', 'Dead', 'PrepareEpochFence'] })
      await list({ stateFilters: ['Nonsense'] })
      await list({ producerIdFilters: [open.producerId, 123_456_789] })
      await list({ producerIdFilters: [done.producerId], stateFilters: ['Ongoing'] })
      if (version >= 1) {
        for (const durationFilter of [-1, 0, 3_600_000]) await list({ durationFilter, stateFilters: ['Ongoing'] })
      }
      if (version < 2) return
      for (const tail of ['.*', '-o.*', '-(open|idle)', '', '-O.*', '(?i)-OPEN', '-\\w+', '-[[:alpha:]]+']) {
        await list({ transactionalIdPattern: `${name}${tail}` })
      }
      for (const transactionalIdPattern of ['', 'open', '(', '[a', '(?=x)', '(a)\\1', 'a{2000}', '*']) {
        await list({ transactionalIdPattern })
      }
    },
  },
]

/** The clock is not compared. */
function forgetTimes(answer: Body): void {
  for (const { partitions: numbers } of answer.topics ?? []) {
    for (const { activeProducers } of numbers) {
      for (const producer of activeProducers) producer.lastTimestamp = 1
    }
  }
}

/** Transactions: the requests of producers of every age, of consumers of either isolation, and of administrators. */
export const transactionScenarios: readonly Scenario[] = [
  ...producers,
  ...partitions,
  ...ends,
  ...writes,
  ...reads,
  ...offsets,
  ...admin,
]
