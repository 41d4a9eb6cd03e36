import type { Body, Probe } from '../probe.ts'
import { batch, makeTopic, produceBody, type Scenario } from '../scenario.ts'
import { add, describe, end, init, look, type Producer, produce, rest, withCoordinator } from './transaction-tools.ts'

/** A log with a committed, an aborted and an open transaction, and records outside of any between them. */
export async function mixedLog(probe: Probe, topic: { name: string; id: string }): Promise<void> {
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
      await ask(
        marker({ producerId: 5_000_002 }),
        marker({ topics: [{ name, partitionIndexes: [0, 9] }], producerId: -1 }),
      )
      await ask(
        marker({ topics: [{ name: '__consumer_offsets', partitionIndexes: [0] }], producerId: -1 }),
        marker({ producerId: 5_000_003 }),
      )
      await look(probe, topic)
      await ask(marker({ producerEpoch: -2 }))
      await ask(marker({ producerId: -2 }))
      await look(probe, topic)
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

/** What transactions leave to readers, groups and administrators. */
export const transactionReadScenarios: readonly Scenario[] = [...reads, ...offsets, ...admin]
