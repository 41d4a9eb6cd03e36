import { ZERO_UUID } from '../../../src/protocol/uuid.ts'
import type { Body, Probe } from '../probe.ts'
import { baseTimestamp, batch, makeTopic, newest, producerIdOf, range, type Scenario, write } from '../scenario.ts'

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAEA'

interface Topic {
  name: string
  id: string
}

async function topics(probe: Probe, name: string, configs: Record<string, string> = {}): Promise<[Topic, Topic]> {
  const make = async (topic: string) => ({ name: topic, id: await makeTopic(probe, topic, { partitions: 2, configs }) })
  return [await make(`${name}-a`), await make(`${name}-b`)]
}

/** How a Produce or Fetch request calls a topic. */
function called(version: number, field: 'name' | 'topic', topic: Topic): Body {
  return version >= 13 ? { topicId: topic.id } : { [field]: topic.name }
}

function produced(index: number, count: number): Body {
  return { index, records: [batch(count)] }
}

async function ends(probe: Probe, names: readonly string[]): Promise<void> {
  const partitions = range(2).map((partitionIndex) => ({ partitionIndex, timestamp: -1 }))
  await probe.send('ListOffsets', 5, { replicaId: -1, topics: names.map((name) => ({ name, partitions })) })
}

const producing: Scenario[] = [
  {
    title: 'several topics and partitions, some twice, some empty',
    api: 'Produce',
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name)
      const send = (topicData: Body[]) => probe.send('Produce', version, { acks: -1, timeoutMs: 5000, topicData })
      const to = (topic: Topic, ...partitionData: Body[]) => ({ ...called(version, 'name', topic), partitionData })
      await send([to(a, produced(0, 1), produced(1, 2)), to(b, produced(1, 3), produced(7, 1))])
      await send([to(a, produced(0, 1), produced(0, 2))])
      await send([to(a, produced(0, 1)), to(a, produced(1, 2)), to(b)])
      await send([
        to(a, produced(0, 1)),
        to({ name: `${name}-no`, id: UNKNOWN_ID }, produced(0, 1)),
        to(b, produced(0, 1)),
      ])
      await send([to(a, produced(0, 1), { index: 1, records: [Buffer.alloc(30)] }), to(b, produced(0, 1))])
      await ends(probe, [a.name, b.name])
    },
  },
  {
    title: 'acks=0: silence, or the end of the connection',
    api: 'Produce',
    run: async (probe, version, name) => {
      const [a] = await topics(probe, name)
      const to = (topic: Topic, data: Body) => [{ ...called(version, 'name', topic), partitionData: [data] }]
      const send = (topicData: Body[]) =>
        probe.sendUnanswered('Produce', version, { acks: 0, timeoutMs: 5000, topicData })
      await send(to(a, produced(0, 3)))
      await send(to(a, produced(0, 2)))
      await ends(probe, [a.name])
      await send(to({ name: `${name}-no`, id: UNKNOWN_ID }, produced(0, 1)))
      await ends(probe, [a.name])
      await send(to(a, produced(9, 1)))
      await ends(probe, [a.name])
      await send(to(a, { index: 0, records: [Buffer.alloc(70)] }))
      await ends(probe, [a.name])
      await send([])
      await ends(probe, [a.name])
    },
  },
  {
    title: 'internal topics, and transactional ids without transactions',
    api: 'Produce',
    run: async (probe, version, name) => {
      const [a] = await topics(probe, name)
      const { topics: known } = await probe.quietly('Metadata', 12, { topics: [{ name: '__consumer_offsets' }] })
      const internal = { name: '__consumer_offsets', id: known[0].topicId }
      probe.learn(internal.id, '<id of __consumer_offsets>')
      const send = (topic: Topic, bytes: Buffer, more: Body = {}) => {
        const topicData = [{ ...called(version, 'name', topic), partitionData: [{ index: 0, records: [bytes] }] }]
        return probe.send('Produce', version, { acks: -1, timeoutMs: 5000, topicData, ...more })
      }
      await send(internal, batch(1))
      await send(a, batch(1), { transactionalId: `${name}-t` })
      await send(a, batch(1), { transactionalId: '' })
      const producerId = await producerIdOf(probe)
      await send(a, batch(1, { producerId, producerEpoch: 0, baseSequence: 0 }), { transactionalId: `${name}-t` })
      await ends(probe, [a.name])
    },
  },
]

interface FetchMore {
  minBytes?: number
  maxWaitMs?: number
  isolationLevel?: number
  sessionId?: number
  sessionEpoch?: number
}

function fetchOf(version: number, wanted: ReadonlyArray<readonly [Topic, ...number[]]>, more: FetchMore = {}): Body {
  const all = wanted.map(([topic, ...partitions]) => ({
    ...called(version, 'topic', topic),
    partitions: partitions.map((partition) => ({ partition, fetchOffset: 0, partitionMaxBytes: 1_000_000 })),
  }))
  return { maxWaitMs: 0, minBytes: 0, maxBytes: 10_000_000, sessionEpoch: -1, ...more, topics: all }
}

const fetching: Scenario[] = [
  {
    title: 'several topics and partitions, some twice',
    api: 'Fetch',
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name)
      for (const topic of [a, b]) for (const partition of [0, 1]) await write(probe, topic.name, batch(2), partition)
      const none = { name: `${name}-no`, id: UNKNOWN_ID }
      await probe.send(
        'Fetch',
        version,
        fetchOf(version, [
          [a, 0, 1],
          [b, 1, 0],
        ]),
      )
      await probe.send(
        'Fetch',
        version,
        fetchOf(version, [
          [a, 0, 0],
          [a, 1],
          [b, 5],
        ]),
      )
      await probe.send('Fetch', version, fetchOf(version, [[none, 0], [a, 1], [b]]))
      await probe.send('Fetch', version, fetchOf(version, []))
      await probe.send('Fetch', version, {
        ...fetchOf(version, [
          [a, 0],
          [b, 0],
        ]),
        maxBytes: 1,
      })
      await probe.send('Fetch', version, fetchOf(version, [[a, 0]], { isolationLevel: 1 }))
      await probe.send('Fetch', version, fetchOf(version, [[a, 0]], { isolationLevel: 5 }))
    },
  },
  {
    title: 'as a replica',
    api: 'Fetch',
    run: async (probe, version, name) => {
      const [a] = await topics(probe, name)
      await write(probe, a.name, batch(2))
      for (const replicaId of [0, 1, 5, -2, -3]) {
        const who = version >= 15 ? { replicaState: { replicaId, replicaEpoch: -1 } } : { replicaId }
        await probe.send('Fetch', version, { ...fetchOf(version, [[a, 0]]), ...who })
      }
    },
  },
  {
    title: 'a fetch waits for what another connection writes',
    api: 'Fetch',
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name)
      const writer = probe.fork()
      try {
        const waiting = probe.send(
          'Fetch',
          version,
          fetchOf(
            version,
            [
              [a, 0],
              [b, 1],
            ],
            { minBytes: 1, maxWaitMs: 10_000 },
          ),
        )
        await write(writer, b.name, batch(2), 1)
        await waiting
        const starved = probe.send('Fetch', version, fetchOf(version, [[a, 0]], { minBytes: 100_000, maxWaitMs: 60 }))
        await write(writer, a.name, batch(1))
        await starved
      } finally {
        writer.close()
      }
    },
  },
  {
    title: 'sessions over several topics',
    api: 'Fetch',
    from: 7,
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name)
      for (const topic of [a, b]) await write(probe, topic.name, batch(2))
      const { sessionId } = await probe.send(
        'Fetch',
        version,
        fetchOf(
          version,
          [
            [a, 0, 1],
            [b, 0, 1],
          ],
          { sessionEpoch: 0 },
        ),
      )
      const go = (epoch: number, wanted: ReadonlyArray<readonly [Topic, ...number[]]>, forgotten: Body[] = []) =>
        probe.send('Fetch', version, {
          ...fetchOf(version, wanted, { sessionId, sessionEpoch: epoch }),
          forgottenTopicsData: forgotten,
        })
      await go(1, [])
      await write(probe, a.name, batch(1), 1)
      await go(2, [])
      await go(3, [[b, 0]], [{ ...called(version, 'topic', a), partitions: [0, 1] }])
      await go(4, [
        [b, 5],
        [a, 1],
      ])
      await go(5, [])
      await go(6, [], [{ ...called(version, 'topic', b), partitions: [0, 1, 5] }])
      await go(7, [])
      await go(7, [])
      await go(8, [[{ name: `${name}-no`, id: UNKNOWN_ID }, 0]])
      await go(-1, [[a, 0]])
      await go(9, [])
    },
  },
  {
    title: 'times of appending',
    api: 'Fetch',
    run: async (probe, version, name) => {
      const [a] = await topics(probe, name, { 'message.timestamp.type': 'LogAppendTime' })
      await write(probe, a.name, batch(3))
      await probe.send('Fetch', version, fetchOf(version, [[a, 0]]))
    },
  },
]

const listing: Scenario[] = [
  {
    title: 'empty logs, times of appending, deleted records',
    api: 'ListOffsets',
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name, { 'message.timestamp.type': 'LogAppendTime' })
      const stamps = [-1, -2, -6, -7, 0, baseTimestamp, baseTimestamp + 86_400_000, ...(version >= 7 ? [-3] : [])]
      const look = async (topic: Topic, isolationLevel = 0) => {
        for (const timestamp of stamps) {
          const partitions = [{ partitionIndex: 0, timestamp }]
          const isolation = version >= 2 ? { isolationLevel } : {}
          const asked = { replicaId: -1, ...isolation, topics: [{ name: topic.name, partitions }] }
          const answer = await probe.quietly('ListOffsets', version, asked)
          const [found] = answer.topics[0].partitions
          // The broker's own time is in it.
          if (found.timestamp > 0) found.timestamp = '<time>'
          probe.transcript.push({ api: 'ListOffsets', version, response: answer, note: `timestamp ${timestamp}` })
        }
      }
      await look(a)
      await write(probe, a.name, batch(3))
      // The second batch is of a later millisecond.
      await new Promise((resolve) => setTimeout(resolve, 5))
      await write(probe, a.name, batch(2))
      await look(a)
      await look(a, 1)
      const remove = (topic: Topic, offset: number) =>
        probe.quietly('DeleteRecords', newest('DeleteRecords'), {
          topics: [{ name: topic.name, partitions: [{ partitionIndex: 0, offset }] }],
          timeoutMs: 5000,
        })
      await remove(a, 4)
      await look(a)
      await remove(a, 5)
      await look(a)
      await look(b)
    },
  },
  {
    title: 'several topics, some twice, some without partitions',
    api: 'ListOffsets',
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name)
      await write(probe, a.name, batch(3))
      const of = (topic: Topic, ...partitions: number[]) => ({
        name: topic.name,
        partitions: partitions.map((partitionIndex) => ({ partitionIndex, timestamp: -1 })),
      })
      const ask = (replicaId: number, ...asked: Body[]) =>
        probe.send('ListOffsets', version, { replicaId, topics: asked })
      await ask(-1, of(a, 0, 1), of(b, 1, 0))
      await ask(-1, of(a, 0), of(a, 1), of(b))
      await ask(-1, of(a, 0), of(a, 0, 1))
      await ask(-1)
      for (const replicaId of [0, 1, 7, -2, -3]) await ask(replicaId, of(a, 0))
    },
  },
  {
    title: 'several topics, some twice',
    api: 'DeleteRecords',
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name)
      for (const topic of [a, b]) await write(probe, topic.name, batch(4))
      const of = (topic: string, ...offsets: ReadonlyArray<readonly [number, number]>) => ({
        name: topic,
        partitions: offsets.map(([partitionIndex, offset]) => ({ partitionIndex, offset })),
      })
      const ask = (...asked: Body[]) => probe.send('DeleteRecords', version, { topics: asked, timeoutMs: 5000 })
      await ask(of(a.name, [0, 1], [1, 0]), of(b.name, [0, 2], [1, 9]))
      await ask(of(a.name, [0, 2], [0, 3]))
      await ask(of(a.name, [0, 3]), of(a.name, [1, 0]), of(b.name))
      await ask(of('__consumer_offsets', [0, 0]))
      await ask()
    },
  },
  {
    title: 'several topics, some twice, strange ids',
    api: 'Metadata',
    from: 1,
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name)
      const auto = version >= 4 ? { allowAutoTopicCreation: false } : {}
      const ask = (asked: Body[]) => probe.send('Metadata', version, { topics: asked, ...auto })
      await ask([{ name: a.name }, { name: b.name }, { name: a.name }])
      if (version < 12) return
      await ask([
        { name: null, topicId: a.id },
        { name: null, topicId: a.id },
        { name: null, topicId: UNKNOWN_ID },
      ])
      await ask([
        { name: null, topicId: a.id },
        { name: b.name, topicId: ZERO_UUID },
      ])
      await ask([
        { name: null, topicId: ZERO_UUID },
        { name: b.name, topicId: ZERO_UUID },
      ])
    },
  },
]

/** OffsetCommit and OffsetFetch name topics by id from version 10 on. */
function offsetTopic(version: number, topic: Topic, partitions: Body): Body {
  return { ...(version >= 10 ? { topicId: topic.id } : { name: topic.name }), ...partitions }
}

const committing: Scenario[] = [
  {
    title: 'several topics, some twice, some without partitions',
    api: 'OffsetCommit',
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name)
      const of = (topic: Topic, ...offsets: ReadonlyArray<readonly [number, number]>) =>
        offsetTopic(version, topic, {
          partitions: offsets.map(([partitionIndex, committedOffset]) => ({ partitionIndex, committedOffset })),
        })
      const none = { name: `${name}-no`, id: UNKNOWN_ID }
      const commit = (...asked: Body[]) => probe.send('OffsetCommit', version, { groupId: name, topics: asked })
      const committed = () => probe.send('OffsetFetch', 7, { groupId: name, topics: null })
      await commit(of(a, [0, 1], [1, 2]), of(b, [0, 3], [7, 4]), of(none, [0, 5]))
      await committed()
      await commit(of(a, [0, 11], [0, 12]), of(b, [0, 13]), of(b, [0, 14]))
      await committed()
      await commit(of(a), of(b, [1, 15]))
      await commit(of(none, [0, 1]))
      await committed()
    },
  },
  {
    title: 'several topics, some twice, some without partitions',
    api: 'OffsetFetch',
    run: async (probe, version, name) => {
      const [a, b] = await topics(probe, name)
      const commits = [a, b].map((topic) => ({
        name: topic.name,
        partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, committedOffset: 5 + partitionIndex })),
      }))
      await probe.quietly('OffsetCommit', 8, { groupId: name, topics: commits })
      const of = (topic: Topic, ...partitionIndexes: number[]) => offsetTopic(version, topic, { partitionIndexes })
      const ask = (...asked: Body[]) => {
        const group = { groupId: name, topics: asked }
        return probe.send('OffsetFetch', version, version >= 8 ? { groups: [group] } : group)
      }
      await ask(of(a, 0, 1), of(b, 1, 0))
      await ask(of(a, 0, 0), of(a, 1), of(b))
      await ask(of(a, 9, -1), of({ name: `${name}-no`, id: UNKNOWN_ID }, 0), of(b, 0))
    },
  },
]

export const severalScenarios: readonly Scenario[] = [...producing, ...fetching, ...listing, ...committing]
