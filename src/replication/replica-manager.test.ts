import { beforeEach, describe, expect, it, vi } from 'vitest'
import { LogError } from '../log/append-error.ts'
import { PartitionLog } from '../log/partition-log.ts'
import { DEFAULT_CONFIG, type TestEnvironment, testEnvironment } from '../log/testkit.ts'
import type { PartitionLogApi } from '../log/types.ts'
import { silentLogger } from '../platform/logger.ts'
import { errors } from '../protocol/errors.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import type { FetchParams, FetchResult, FetchSpec } from './fetch-reader.ts'
import type { Partition, PartitionState } from './partition.ts'
import { type Logs, ReplicaManager } from './replica-manager.ts'
import { partitionState } from './replication.testkit.ts'

const NODE = 1
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

class MemoryLogs implements Logs {
  readonly #environment: TestEnvironment
  readonly #logs = new Map<string, PartitionLog>()
  readonly aside: string[] = []

  constructor(environment: TestEnvironment) {
    this.#environment = environment
  }

  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#logs.get(`${topic}-${partition}`)
  }

  create(topic: string, partition: number, topicId: string): PartitionLogApi {
    const directory = `/data/${topic}-${partition}`
    this.#environment.disk.makeDirectory('/data')
    const log = PartitionLog.open(this.#environment, { topic, partition, directory, topicId, config: DEFAULT_CONFIG })
    this.#logs.set(`${topic}-${partition}`, log)
    return log
  }

  delete(topic: string, partition: number): void {
    this.#logs.delete(`${topic}-${partition}`)
    this.#environment.disk.removeTree(`/data/${topic}-${partition}`)
  }

  setAside(topic: string, partition: number): void {
    this.#logs.delete(`${topic}-${partition}`)
    this.aside.push(`${topic}-${partition}`)
  }

  all(): Iterable<PartitionLogApi> {
    return this.#logs.values()
  }
}

function state(partition: number, change: Partial<PartitionState> = {}): PartitionState {
  return partitionState({ partition, leaderEpoch: 3, partitionEpoch: 5, ...change })
}

function batch(values: readonly string[], baseOffset = 0): Buffer {
  const records = values.map((value) => ({ timestamp: 1_700_000_000_000, key: null, value: Buffer.from(value) }))
  return buildBatch(records, { baseOffset })
}

function spec(partition: number, change: Partial<FetchSpec> = {}): FetchSpec {
  return {
    topic: 'topic',
    topicId: TOPIC_ID,
    partition,
    fetchOffset: 0,
    maxBytes: 1_000_000,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    ...change,
  }
}

function params(change: Partial<FetchParams> = {}): FetchParams {
  return {
    replicaId: -1,
    upTo: 'highWatermark',
    mustLead: true,
    minBytes: 1,
    maxBytes: 1_000_000,
    maxWaitMs: 500,
    ...change,
  }
}

describe('ReplicaManager', () => {
  let environment: TestEnvironment
  let logs: MemoryLogs
  let replicas: ReplicaManager
  let minInsyncReplicas = 1
  let abandon: (() => void) | undefined

  beforeEach(() => {
    minInsyncReplicas = 1
    environment = testEnvironment({ tailCacheBytes: 1_000_000 })
    logs = new MemoryLogs(environment)
    replicas = new ReplicaManager({
      mustVerifyTransactions: () => true,
      nodeId: NODE,
      logs,
      time: environment.time,
      logger: silentLogger,
      configOf: () => ({ log: DEFAULT_CONFIG, minInsyncReplicas }),
    })
    replicas.apply([state(0), state(1)], [])
    abandon = undefined
  })

  const append = (partition: number, values: readonly string[], acks = -1) =>
    replicas.append('topic', partition, [batch(values)], acks, 'client')
  const fetch = (change: Partial<FetchParams>, ...specs: FetchSpec[]) =>
    replicas.fetch(params(change), specs, (wake) => {
      abandon = wake
    })
  /** Results once they are there, without moving the clock. */
  const now = async (result: FetchResult[] | Promise<FetchResult[]>): Promise<FetchResult[] | 'waits'> => {
    let settled: FetchResult[] | 'waits' = 'waits'
    void Promise.resolve(result).then((results) => {
      settled = results
    })
    await environment.time.advance(0)
    return settled
  }

  it('gives what was appended, with the high watermark at the end of the log', async () => {
    const { info } = await append(0, ['a', 'b'])
    expect(info).toMatchObject({ firstOffset: 0, lastOffset: 1 })
    const [result] = await fetch({}, spec(0))
    expect(result).toMatchObject({ error: errors.NONE, highWatermark: 2, lastStableOffset: 2, logStartOffset: 0 })
    expect(result!.records).toHaveLength(1)
  })

  it('keeps the order of appends that are started in a row', async () => {
    const results = await Promise.all(['a', 'b', 'c'].map((value) => append(0, [value])))
    expect(results.map(({ info }) => info?.firstOffset)).toEqual([0, 1, 2])
  })

  it('waits for data, and wakes on an append to any of the partitions', async () => {
    const waiting = fetch({ maxWaitMs: 60_000 }, spec(0), spec(1))
    expect(await now(waiting)).toBe('waits')
    await append(1, ['x'])
    const results = await now(waiting)
    expect(results).toMatchObject([{ sizeBytes: 0 }, { highWatermark: 1 }])
    expect(environment.time.pendingTasks).toBe(0)
  })

  it('answers empty when the time is up', async () => {
    const waiting = fetch({ maxWaitMs: 500 }, spec(0))
    await environment.time.advance(499)
    expect(await now(waiting)).toBe('waits')
    await environment.time.advance(1)
    expect(await now(waiting)).toMatchObject([{ error: errors.NONE, sizeBytes: 0, highWatermark: 0 }])
  })

  it('waits until minBytes have come in all partitions together', async () => {
    const sizeBytes = batch(['0123456789']).length
    await append(0, ['0123456789'])
    const waiting = fetch({ minBytes: 3 * sizeBytes, maxWaitMs: 60_000 }, spec(0), spec(1))
    await append(1, ['0123456789'])
    expect(await now(waiting)).toBe('waits')
    await append(0, ['0123456789'])
    expect(await now(waiting)).toMatchObject([{ sizeBytes: 2 * sizeBytes }, { sizeBytes }])
  })

  it('does not count more of a partition than it may give', async () => {
    const sizeBytes = batch(['0123456789']).length
    const waiting = fetch({ minBytes: 2 * sizeBytes, maxWaitMs: 60_000 }, spec(0, { maxBytes: sizeBytes }), spec(1))
    await append(0, ['0123456789'])
    await append(0, ['0123456789'])
    expect(await now(waiting)).toBe('waits')
    await append(1, ['0123456789'])
    expect(await now(waiting)).toMatchObject([{ sizeBytes }, { sizeBytes }])
  })

  it('does not wait with an error, without a wait time, or without anything to read', async () => {
    expect(await now(fetch({ maxWaitMs: 60_000 }, spec(0), spec(7)))).toMatchObject([
      { error: errors.NONE },
      { error: errors.NOT_LEADER_OR_FOLLOWER },
    ])
    expect(await now(fetch({ maxWaitMs: 0 }, spec(0)))).toMatchObject([{ sizeBytes: 0 }])
    expect(await now(fetch({ maxWaitMs: 60_000 }))).toEqual([])
  })

  it('ends the waiting when the client is gone', async () => {
    const waiting = fetch({ maxWaitMs: 2 ** 31 - 1 }, spec(0))
    await now(waiting)
    abandon!()
    expect(await now(waiting)).not.toBe('waits')
    expect(environment.time.pendingTasks).toBe(0)
  })

  it('ends the waiting when the partition goes', async () => {
    const waiting = fetch({ maxWaitMs: 60_000 }, spec(0))
    await now(waiting)
    replicas.apply([], [state(0)])
    expect(await now(waiting)).toMatchObject([{ error: errors.NOT_LEADER_OR_FOLLOWER }])
  })

  it('goes on waiting when nothing came of a change', async () => {
    const waiting = fetch({ maxWaitMs: 60_000 }, spec(0))
    await now(waiting)
    replicas.apply([state(0, { leaderEpoch: 4 })], [])
    expect(await now(waiting)).toBe('waits')
    await append(0, ['x'])
    expect(await now(waiting)).toMatchObject([{ highWatermark: 1 }])
  })

  it('shares maxBytes among the partitions, in order, but always gives one whole batch', async () => {
    const sizeBytes = batch(['0123456789']).length
    for (const partition of [0, 1]) {
      await append(partition, ['0123456789'])
      await append(partition, ['0123456789'])
    }
    const sizes = async (change: Partial<FetchParams>, ...specs: FetchSpec[]) =>
      (await fetch(change, ...specs)).map((result) => result.sizeBytes)
    expect(await sizes({ maxBytes: 3 * sizeBytes }, spec(0), spec(1))).toEqual([2 * sizeBytes, sizeBytes])
    expect(await sizes({ maxBytes: 1 }, spec(0), spec(1))).toEqual([sizeBytes, 0])
    expect(await sizes({ maxBytes: 0 }, spec(0, { fetchOffset: 2 }), spec(1))).toEqual([0, sizeBytes])
    expect(await sizes({}, spec(0, { maxBytes: 0 }), spec(1, { maxBytes: 0 }))).toEqual([sizeBytes, 0])
  })

  it.each([
    ['an older leader epoch', { currentLeaderEpoch: 2 }, errors.FENCED_LEADER_EPOCH],
    ['a newer leader epoch', { currentLeaderEpoch: 4 }, errors.UNKNOWN_LEADER_EPOCH],
    ['the topic id of another topic', { topicId: 'AAAAAAAAAAAAAAAAAAAAAg' }, errors.INCONSISTENT_TOPIC_ID],
    ['an offset past the end', { fetchOffset: 3 }, errors.OFFSET_OUT_OF_RANGE],
    ['a negative offset', { fetchOffset: -1 }, errors.OFFSET_OUT_OF_RANGE],
    ['a negative size', { maxBytes: -1 }, errors.UNKNOWN_SERVER_ERROR],
  ] satisfies [string, Partial<FetchSpec>, unknown][])('refuses %s', async (_, change, error) => {
    await append(0, ['a', 'b'])
    const [result] = await fetch({}, spec(0, change))
    expect(result).toMatchObject({ error, highWatermark: -1, lastStableOffset: -1, logStartOffset: -1, sizeBytes: 0 })
  })

  it('tells a reader of a later epoch where its log parts from this one (KIP-595)', async () => {
    await append(0, ['a', 'b'])
    const [result] = await fetch({}, spec(0, { fetchOffset: 5, lastFetchedEpoch: 3 }))
    expect(result).toMatchObject({ error: errors.NONE, divergingEpoch: { epoch: 3, endOffset: 2 }, sizeBytes: 0 })
  })

  it('serves only the leader when the reader must have it', async () => {
    replicas.apply([state(0, { leader: 2, leaderEpoch: 4, replicas: [1, 2], isr: [1, 2] })], [])
    const [result] = await fetch({ mustLead: true }, spec(0))
    expect(result!.error).toBe(errors.NOT_LEADER_OR_FOLLOWER)
    expect((await append(0, ['x'])).error).toBe(errors.NOT_LEADER_OR_FOLLOWER)
  })

  it('refuses acks=all while too few replicas are in sync, and takes acks=1', async () => {
    minInsyncReplicas = 2
    replicas.configChanged('topic')
    replicas.apply([state(0, { replicas: [1, 2], isr: [1] })], [])
    expect((await append(0, ['x'])).error).toBe(errors.NOT_ENOUGH_REPLICAS)
    expect((await append(0, ['x'], 1)).error).toBe(errors.NONE)
  })

  it('asks no more replicas to be in sync than there are, as Apache Kafka does', async () => {
    minInsyncReplicas = 2
    replicas.configChanged('topic')
    expect((await append(0, ['x'])).error).toBe(errors.NONE)
  })

  it('refuses transactional batches, as no coordinator knows of the transaction', async () => {
    const transactional = buildBatch([{ timestamp: 1_700_000_000_000, key: null, value: null }], {
      isTransactional: true,
      producerId: 1,
      producerEpoch: 0,
      baseSequence: 0,
    })
    const result = await replicas.append('topic', 0, [transactional], -1, 'client')
    expect(result.error).toBe(errors.INVALID_TXN_STATE)
  })

  it('makes a new log for a topic made again under the same name', async () => {
    await append(0, ['old'])
    const again = state(0, { topicId: 'AAAAAAAAAAAAAAAAAAAAAw' })
    replicas.apply([again], [state(0)])
    expect(replicas.get('topic', 0)).toMatchObject({ topicId: again.topicId, log: { logEndOffset: 0 } })
  })

  it('serves a partition whose log could not be made once it can', async () => {
    const { create } = logs
    logs.create = () => {
      throw new LogError('KAFKA_STORAGE_ERROR', 'the disk is full')
    }
    replicas.apply([state(2), state(3)], [])
    replicas.apply([], [state(3)])
    expect((await append(2, ['a'])).error).toBe(errors.NOT_LEADER_OR_FOLLOWER)
    logs.create = create
    await environment.time.advance(5000)
    expect((await append(2, ['a'])).error).toBe(errors.NONE)
    expect(replicas.get('topic', 3)).toBeUndefined()
  })

  it('makes no other log for one that is in a directory that has failed, whatever the metadata say next', async () => {
    const { create } = logs
    const failing: Logs = logs
    failing.create = (topic, partition, topicId, _config, hadLog) => {
      if (hadLog) throw new LogError('KAFKA_STORAGE_ERROR', 'the directory is offline')
      return create.call(logs, topic, partition, topicId)
    }
    replicas.apply([state(2, { hadLog: true })], [])
    replicas.apply([state(2, { leaderEpoch: 4, partitionEpoch: 6 })], [])
    expect(replicas.get('topic', 2)).toBeUndefined()
    await environment.time.advance(5000)
    expect(replicas.get('topic', 2)).toBeUndefined()
    // A topic of the same name that is made anew never had one.
    replicas.apply([state(2, { topicId: 'AAAAAAAAAAAAAAAAAAAAAw' })], [])
    expect(replicas.get('topic', 2)).toBeDefined()
  })

  it('lets others have the event loop between many partitions', async () => {
    const { create } = logs
    let elapsedMs = 0
    let pauses = 0
    const { time } = environment
    time.monotonicMs = () => elapsedMs
    time.soon = (run) => {
      pauses += 1
      time.after(0, run)
    }
    logs.create = (topic, partition, topicId) => {
      elapsedMs += 2
      return create.call(logs, topic, partition, topicId)
    }
    const many = Array.from({ length: 10 }, (_, index) => state(index + 10))
    const made = () => many.filter(({ partition }) => replicas.get('topic', partition) !== undefined).length
    const applied = replicas.apply(many, [])
    expect(applied).toBeInstanceOf(Promise)
    expect(made()).toBe(3)
    await environment.time.advance(0)
    await applied
    expect([made(), pauses]).toEqual([10, 3])
  })

  it('makes no log any more of what is removed between two tries', async () => {
    const { create } = logs
    logs.create = () => {
      throw new LogError('KAFKA_STORAGE_ERROR', 'the disk is full')
    }
    const many = Array.from({ length: 3 }, (_, index) => state(index + 10))
    replicas.apply(many, [])
    let elapsedMs = 0
    environment.time.monotonicMs = () => elapsedMs
    logs.create = (topic, partition, topicId) => {
      elapsedMs += 10
      if (partition === 10) replicas.apply([], [state(11)])
      return create.call(logs, topic, partition, topicId)
    }
    await environment.time.advance(5000)
    expect(many.map(({ partition }) => replicas.get('topic', partition) !== undefined)).toEqual([true, false, true])
  })

  it('changes nothing any more once it stops', () => {
    replicas.stopWaiting()
    replicas.apply([state(2)], [state(0)])
    expect(replicas.get('topic', 2)).toBeUndefined()
    expect(replicas.get('topic', 0)).toBeDefined()
  })

  it('does not go back to what it could not do before', async () => {
    const { create } = logs
    logs.create = () => {
      throw new LogError('KAFKA_STORAGE_ERROR', 'the disk is full')
    }
    replicas.apply([state(2)], [])
    logs.create = create
    replicas.apply([state(2, { leaderEpoch: 9 })], [])
    await environment.time.advance(5000)
    expect(replicas.get('topic', 2)!.leaderEpoch).toBe(9)
  })

  it('says which partitions are followed', () => {
    const heard: string[] = []
    const following = new ReplicaManager({
      mustVerifyTransactions: () => true,
      nodeId: NODE,
      logs,
      time: environment.time,
      logger: silentLogger,
      configOf: () => ({ log: DEFAULT_CONFIG, minInsyncReplicas }),
      followers: {
        follow: ({ partition, leaderEpoch }) => heard.push(`follow ${partition} in ${leaderEpoch}`),
        stop: ({ partition }) => heard.push(`stop ${partition}`),
      },
    })
    const both = { replicas: [1, 2], isr: [1, 2] }
    following.apply([state(0, { ...both, leader: 2 }), state(1, both)], [])
    following.apply([state(0, { ...both, leaderEpoch: 4 }), state(1, { ...both, leader: 2, leaderEpoch: 4 })], [])
    following.apply([state(1, { ...both, leader: -1, leaderEpoch: 5 })], [state(0)])
    expect(heard).toEqual(['follow 0 in 3', 'stop 1', 'stop 0', 'follow 1 in 4', 'stop 0', 'stop 1'])
  })

  it('takes over what the leader says, in its epoch and as far as the log goes', async () => {
    await append(0, ['a', 'b'])
    const partition = replicas.get('topic', 0)!
    const both = { replicas: [1, 2], isr: [1, 2], leader: 2 }
    replicas.apply([state(0, { ...both, leaderEpoch: 4 })], [])
    await partition.log.append([batch(['c'], 2)], { leaderEpoch: 4, origin: 'replication' })
    const waiting = fetch({ mustLead: false }, spec(0, { fetchOffset: 2 }))
    partition.followed({ leaderEpoch: 3, highWatermark: 3, logStartOffset: 1, sizeBytes: 1 })
    expect(await now(waiting)).toBe('waits')
    partition.followed({ leaderEpoch: 4, highWatermark: 9, logStartOffset: 1, sizeBytes: 1 })
    expect(await now(waiting)).toMatchObject([{ highWatermark: 3, logStartOffset: 1 }])
    partition.followed({ leaderEpoch: 4, highWatermark: 2, logStartOffset: 0, sizeBytes: 0 })
    expect(partition.log).toMatchObject({ highWatermark: 3, logStartOffset: 1 })
  })

  it('lets nobody wait for a log that has failed', async () => {
    replicas.apply([state(0, { replicas: [1, 2], isr: [1, 2] })], [])
    const appended = append(0, ['x'])
    await now(fetch({ maxWaitMs: 0 }, spec(0)))
    const waiting = fetch({ maxWaitMs: 60_000 }, spec(0))
    await now(waiting)
    logs.get('topic', 0)!.fail('the disk is gone')
    replicas.logFailed('topic', 0)
    expect((await appended).error).toBe(errors.KAFKA_STORAGE_ERROR)
    expect(await now(waiting)).toMatchObject([{ error: errors.KAFKA_STORAGE_ERROR }])
    expect((await append(0, ['y'])).error).toBe(errors.KAFKA_STORAGE_ERROR)
  })

  it('hands a partition over when its disk is full and another replica is in sync', async () => {
    replicas.apply([state(0, { replicas: [1, 2], isr: [1, 2] }), state(1, { replicas: [1, 2], isr: [1] })], [])
    environment.disk.fault = (operation) => (operation === 'write' ? 'ENOSPC' : undefined)
    expect((await append(0, ['x'])).error).toBe(errors.KAFKA_STORAGE_ERROR)
    expect((await append(1, ['x'])).error).toBe(errors.KAFKA_STORAGE_ERROR)
    expect(logs.get('topic', 0)!.offline).toContain('ENOSPC')
    expect(logs.get('topic', 1)!.offline).toBeUndefined()
    environment.disk.fault = () => undefined
    expect((await append(1, ['x'])).error).toBe(errors.NONE)
  })

  it.each([
    ['leads', 1, false],
    ['follows', 2, true],
  ])('gives up a log that cannot be read where it %s and another replica is in sync', async (_, leader, isLate) => {
    replicas.apply(
      [[1, 2], [1]].map((isr, partition) => state(partition, { replicas: [1, 2], isr, leader })),
      [],
    )
    const failure = new LogError('KAFKA_STORAGE_ERROR', 'Disk error: EIO')
    for (const log of logs.all()) {
      vi.spyOn(log, 'read').mockImplementation(() => {
        if (isLate) return Promise.reject(failure)
        throw failure
      })
    }
    const read = async (partition: number) => replicas.get('topic', partition)!.read(0, 1000, true, 'logEnd')
    for (const partition of [0, 1]) await expect(read(partition)).rejects.toBe(failure)
    expect(logs.get('topic', 0)!.offline).toContain('EIO')
    expect(logs.get('topic', 1)!.offline).toBeUndefined()
  })

  it('says where records are, also if it is not known who else has them', async () => {
    replicas.apply([state(0, { replicas: [1, 2], isr: [1, 2] })], [])
    const appended = replicas.append('topic', 0, [batch(['x'])], -1, 'client', undefined, 1000)
    await environment.time.advance(1000)
    expect(await appended).toMatchObject({
      error: errors.REQUEST_TIMED_OUT,
      info: { firstOffset: 0, lastOffset: 0 },
      logStartOffset: 0,
    })
  })

  it.each([
    ['the topic is deleted', [], [state(0)], errors.UNKNOWN_TOPIC_OR_PARTITION],
    ['the replica is moved away', [state(0, { replicas: [2], isr: [2] })], [], errors.NOT_LEADER_OR_FOLLOWER],
  ] as const)('ends the waiting for followers when %s', async (_, changed, removed, error) => {
    replicas.apply([state(0, { replicas: [1, 2], isr: [1, 2] })], [])
    const appended = append(0, ['x'])
    await environment.time.advance(0)
    replicas.apply(changed, removed)
    expect((await appended).error).toBe(error)
    expect(logs.get('topic', 0)).toBeUndefined()
  })

  it('looks for followers that do not keep up as long as there are any', async () => {
    const submitted: unknown[] = []
    const leading = new ReplicaManager({
      mustVerifyTransactions: () => true,
      nodeId: NODE,
      logs,
      time: environment.time,
      logger: silentLogger,
      configOf: () => ({ log: DEFAULT_CONFIG, minInsyncReplicas }),
      maxLagMs: () => 1000,
      isrChanges: { submit: ({ isr }) => submitted.push(isr.map(({ brokerId }) => brokerId)), close: () => {} },
    })
    leading.apply([state(0, { replicas: [1, 2], isr: [1, 2] })], [])
    await leading.append('topic', 0, [batch(['x'])], 1, 'client')
    await environment.time.advance(1000)
    expect(submitted).toEqual([])
    await environment.time.advance(500)
    expect(submitted).toEqual([[1]])
    leading.apply([state(0, { replicas: [1], isr: [1] })], [])
    await environment.time.advance(500)
    expect(environment.time.pendingTasks).toBe(0)
  })

  describe('fetches of followers', () => {
    const both = { replicas: [1, 2], isr: [1, 2] }
    const fetchBy = (change: Partial<FetchParams>, ...specs: FetchSpec[]) =>
      fetch({ replicaId: 2, upTo: 'logEnd', maxWaitMs: 0, ...change }, ...specs)

    beforeEach(() => {
      replicas.apply([state(0, both), state(1, both)], [])
    })

    it('move the high watermark, which they hear of at once', async () => {
      void append(0, ['a', 'b'])
      await environment.time.advance(0)
      expect(await now(fetchBy({}, spec(0)))).toMatchObject([{ highWatermark: 0, logEndOffset: 2 }])
      expect(await now(fetchBy({}, spec(0, { fetchOffset: 2 })))).toMatchObject([{ highWatermark: 2, sizeBytes: 0 }])
    })

    it('say nothing of a follower where it has records that the leader has not', async () => {
      void append(0, ['a'])
      await environment.time.advance(0)
      expect(await now(fetchBy({}, spec(0, { fetchOffset: 2 })))).toMatchObject([{ error: errors.OFFSET_OUT_OF_RANGE }])
      const diverging = spec(0, { fetchOffset: 1, lastFetchedEpoch: 2 })
      expect(await now(fetchBy({}, diverging))).toMatchObject([{ divergingEpoch: { endOffset: 0 } }])
      expect(replicas.get('topic', 0)!.log.highWatermark).toBe(0)
    })

    it('wait for what is appended, and not for what is committed', async () => {
      const waiting = fetchBy({ maxWaitMs: 60_000 }, spec(0), spec(1))
      expect(await now(waiting)).toBe('waits')
      void append(1, ['a'])
      expect(await now(waiting)).toMatchObject([{ sizeBytes: 0 }, { highWatermark: 0, logEndOffset: 1 }])
    })

    it('get nothing of partitions that are throttled (KIP-73), and are not woken by them', async () => {
      void append(0, ['a'])
      await environment.time.advance(0)
      const isThrottled = ({ partition }: Partition) => partition === 0
      const waiting = fetchBy({ isThrottled, maxWaitMs: 60_000 }, spec(0), spec(1))
      void append(0, ['b'])
      expect(await now(waiting)).toBe('waits')
      void append(1, ['c'])
      expect(await now(waiting)).toMatchObject([{ error: errors.NONE, sizeBytes: 0 }, { logEndOffset: 1 }])
    })

    it('are refused from brokers that have no replica', async () => {
      expect(await now(fetchBy({ replicaId: 3 }, spec(0)))).toMatchObject([{ error: errors.NOT_LEADER_OR_FOLLOWER }])
      const knowsEpoch = spec(0, { currentLeaderEpoch: 3 })
      expect(await now(fetchBy({ replicaId: 3 }, knowsEpoch))).toMatchObject([{ error: errors.UNKNOWN_LEADER_EPOCH }])
    })
  })

  it('sends consumers to the replica that is better for them (KIP-392)', async () => {
    await append(0, ['a'])
    const preferredReplica = ({ partition }: Partition, fetchOffset: number) =>
      partition === 0 && fetchOffset === 0 ? 2 : -1
    const waiting = fetch({ preferredReplica, mustLead: false, maxWaitMs: 60_000 }, spec(0))
    expect(await now(waiting)).toMatchObject([
      { error: errors.NONE, preferredReadReplica: 2, sizeBytes: 0, highWatermark: 1 },
    ])
    const [result] = await fetch({ preferredReplica, mustLead: false, maxWaitMs: 0 }, spec(0, { fetchOffset: 1 }))
    expect(result!.preferredReadReplica).toBe(-1)
  })

  it('sets logs aside that no partition has, and no others', async () => {
    logs.create('gone', 0, 'AAAAAAAAAAAAAAAAAAAAAA')
    replicas.setStraysAside()
    expect(logs.aside).toEqual(['gone-0'])
    expect([...logs.all()].map(({ topic, partition }) => `${topic}-${partition}`)).toEqual(['topic-0', 'topic-1'])
  })
})
