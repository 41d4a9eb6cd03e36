import { beforeEach, describe, expect, it, vi } from 'vitest'
import { LogError } from '../log/append-error.ts'
import { errors } from '../protocol/errors.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import { batch, ReplicaWorld, spec, state } from './replica-manager.testkit.ts'
import type { Logs } from './replica-manager.ts'

let world: ReplicaWorld

beforeEach(() => {
  world = new ReplicaWorld()
})

describe('ReplicaManager', () => {
  it('gives what was appended, with the high watermark at the end of the log', async () => {
    const { info } = await world.append(0, ['a', 'b'])
    expect(info).toMatchObject({ firstOffset: 0, lastOffset: 1 })
    const [result] = await world.fetch({}, spec(0))
    expect(result).toMatchObject({ error: errors.NONE, highWatermark: 2, lastStableOffset: 2, logStartOffset: 0 })
    expect(result!.records).toHaveLength(1)
  })

  it('keeps the order of appends that are started in a row', async () => {
    const results = await Promise.all(['a', 'b', 'c'].map((value) => world.append(0, [value])))
    expect(results.map(({ info }) => info?.firstOffset)).toEqual([0, 1, 2])
  })

  it('refuses acks=all while too few replicas are in sync, and takes acks=1', async () => {
    world.minInsyncReplicas = 2
    world.replicas.configChanged('topic')
    world.replicas.apply([state(0, { replicas: [1, 2], isr: [1] })], [])
    expect((await world.append(0, ['x'])).error).toBe(errors.NOT_ENOUGH_REPLICAS)
    expect((await world.append(0, ['x'], 1)).error).toBe(errors.NONE)
  })

  it('asks no more replicas to be in sync than there are, as Apache Kafka does', async () => {
    world.minInsyncReplicas = 2
    world.replicas.configChanged('topic')
    expect((await world.append(0, ['x'])).error).toBe(errors.NONE)
  })

  it('refuses transactional batches, as no coordinator knows of the transaction', async () => {
    const transactional = buildBatch([{ timestamp: 1_700_000_000_000, key: null, value: null }], {
      isTransactional: true,
      producerId: 1,
      producerEpoch: 0,
      baseSequence: 0,
    })
    const result = await world.replicas.append('topic', 0, [transactional], -1, 'client')
    expect(result.error).toBe(errors.INVALID_TXN_STATE)
  })

  it('makes a new log for a topic made again under the same name', async () => {
    await world.append(0, ['old'])
    const again = state(0, { topicId: 'AAAAAAAAAAAAAAAAAAAAAw' })
    world.replicas.apply([again], [state(0)])
    expect(world.replicas.get('topic', 0)).toMatchObject({ topicId: again.topicId, log: { logEndOffset: 0 } })
  })

  it('serves a partition whose log could not be made once it can', async () => {
    const { create } = world.logs
    world.logs.create = () => {
      throw new LogError('KAFKA_STORAGE_ERROR', 'the disk is full')
    }
    world.replicas.apply([state(2), state(3)], [])
    world.replicas.apply([], [state(3)])
    expect((await world.append(2, ['a'])).error).toBe(errors.NOT_LEADER_OR_FOLLOWER)
    world.logs.create = create
    await world.environment.time.advance(5000)
    expect((await world.append(2, ['a'])).error).toBe(errors.NONE)
    expect(world.replicas.get('topic', 3)).toBeUndefined()
  })

  it('makes no other log for one that is in a directory that has failed, whatever the metadata say next', async () => {
    const { create } = world.logs
    const failing: Logs = world.logs
    failing.create = (topic, partition, topicId, _config, hadLog) => {
      if (hadLog) throw new LogError('KAFKA_STORAGE_ERROR', 'the directory is offline')
      return create.call(world.logs, topic, partition, topicId)
    }
    world.replicas.apply([state(2, { hadLog: true })], [])
    world.replicas.apply([state(2, { leaderEpoch: 4, partitionEpoch: 6 })], [])
    expect(world.replicas.get('topic', 2)).toBeUndefined()
    await world.environment.time.advance(5000)
    expect(world.replicas.get('topic', 2)).toBeUndefined()
    // A topic of the same name that is made anew never had one.
    world.replicas.apply([state(2, { topicId: 'AAAAAAAAAAAAAAAAAAAAAw' })], [])
    expect(world.replicas.get('topic', 2)).toBeDefined()
  })

  it('lets others have the event loop between many partitions', async () => {
    const { create } = world.logs
    let elapsedMs = 0
    let pauses = 0
    const { time } = world.environment
    time.monotonicMs = () => elapsedMs
    time.soon = (run) => {
      pauses += 1
      time.after(0, run)
    }
    world.logs.create = (topic, partition, topicId) => {
      elapsedMs += 2
      return create.call(world.logs, topic, partition, topicId)
    }
    const many = Array.from({ length: 10 }, (_, index) => state(index + 10))
    const made = () => many.filter(({ partition }) => world.replicas.get('topic', partition) !== undefined).length
    const applied = world.replicas.apply(many, [])
    expect(applied).toBeInstanceOf(Promise)
    expect(made()).toBe(3)
    await world.environment.time.advance(0)
    await applied
    expect([made(), pauses]).toEqual([10, 3])
  })

  it('makes no log any more of what is removed between two tries', async () => {
    const { create } = world.logs
    world.logs.create = () => {
      throw new LogError('KAFKA_STORAGE_ERROR', 'the disk is full')
    }
    const many = Array.from({ length: 3 }, (_, index) => state(index + 10))
    world.replicas.apply(many, [])
    let elapsedMs = 0
    world.environment.time.monotonicMs = () => elapsedMs
    world.logs.create = (topic, partition, topicId) => {
      elapsedMs += 10
      if (partition === 10) world.replicas.apply([], [state(11)])
      return create.call(world.logs, topic, partition, topicId)
    }
    await world.environment.time.advance(5000)
    expect(many.map(({ partition }) => world.replicas.get('topic', partition) !== undefined)).toEqual([
      true,
      false,
      true,
    ])
  })

  it('changes nothing any more once it stops', () => {
    world.replicas.stopWaiting()
    world.replicas.apply([state(2)], [state(0)])
    expect(world.replicas.get('topic', 2)).toBeUndefined()
    expect(world.replicas.get('topic', 0)).toBeDefined()
  })

  it('does not go back to what it could not do before', async () => {
    const { create } = world.logs
    world.logs.create = () => {
      throw new LogError('KAFKA_STORAGE_ERROR', 'the disk is full')
    }
    world.replicas.apply([state(2)], [])
    world.logs.create = create
    world.replicas.apply([state(2, { leaderEpoch: 9 })], [])
    await world.environment.time.advance(5000)
    expect(world.replicas.get('topic', 2)!.leaderEpoch).toBe(9)
  })

  it('says which partitions are followed', () => {
    const heard: string[] = []
    const following = world.manager({
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
    await world.append(0, ['a', 'b'])
    const partition = world.replicas.get('topic', 0)!
    const both = { replicas: [1, 2], isr: [1, 2], leader: 2 }
    world.replicas.apply([state(0, { ...both, leaderEpoch: 4 })], [])
    await partition.log.append([batch(['c'], 2)], { leaderEpoch: 4, origin: 'replication' })
    const waiting = world.fetch({ mustLead: false }, spec(0, { fetchOffset: 2 }))
    partition.followed({ leaderEpoch: 3, highWatermark: 3, logStartOffset: 1, sizeBytes: 1 })
    expect(await world.now(waiting)).toBe('waits')
    partition.followed({ leaderEpoch: 4, highWatermark: 9, logStartOffset: 1, sizeBytes: 1 })
    expect(await world.now(waiting)).toMatchObject([{ highWatermark: 3, logStartOffset: 1 }])
    partition.followed({ leaderEpoch: 4, highWatermark: 2, logStartOffset: 0, sizeBytes: 0 })
    expect(partition.log).toMatchObject({ highWatermark: 3, logStartOffset: 1 })
  })

  it('lets nobody wait for a log that has failed', async () => {
    world.replicas.apply([state(0, { replicas: [1, 2], isr: [1, 2] })], [])
    const appended = world.append(0, ['x'])
    await world.now(world.fetch({ maxWaitMs: 0 }, spec(0)))
    const waiting = world.fetch({ maxWaitMs: 60_000 }, spec(0))
    await world.now(waiting)
    world.logs.get('topic', 0)!.fail('the disk is gone')
    world.replicas.logFailed('topic', 0)
    expect((await appended).error).toBe(errors.KAFKA_STORAGE_ERROR)
    expect(await world.now(waiting)).toMatchObject([{ error: errors.KAFKA_STORAGE_ERROR }])
    expect((await world.append(0, ['y'])).error).toBe(errors.KAFKA_STORAGE_ERROR)
  })

  it('hands a partition over when its disk is full and another replica is in sync', async () => {
    world.replicas.apply([state(0, { replicas: [1, 2], isr: [1, 2] }), state(1, { replicas: [1, 2], isr: [1] })], [])
    world.environment.disk.fault = (operation) => (operation === 'write' ? 'ENOSPC' : undefined)
    expect((await world.append(0, ['x'])).error).toBe(errors.KAFKA_STORAGE_ERROR)
    expect((await world.append(1, ['x'])).error).toBe(errors.KAFKA_STORAGE_ERROR)
    expect(world.logs.get('topic', 0)!.offline).toContain('ENOSPC')
    expect(world.logs.get('topic', 1)!.offline).toBeUndefined()
    world.environment.disk.fault = () => undefined
    expect((await world.append(1, ['x'])).error).toBe(errors.NONE)
  })

  it.each([
    ['leads', 1, false],
    ['follows', 2, true],
  ])('gives up a log that cannot be read where it %s and another replica is in sync', async (_, leader, isLate) => {
    world.replicas.apply(
      [[1, 2], [1]].map((isr, partition) => state(partition, { replicas: [1, 2], isr, leader })),
      [],
    )
    const failure = new LogError('KAFKA_STORAGE_ERROR', 'Disk error: EIO')
    for (const log of world.logs.all()) {
      vi.spyOn(log, 'read').mockImplementation(() => {
        if (isLate) return Promise.reject(failure)
        throw failure
      })
    }
    const read = async (partition: number) => world.replicas.get('topic', partition)!.read(0, 1000, true, 'logEnd')
    for (const partition of [0, 1]) await expect(read(partition)).rejects.toBe(failure)
    expect(world.logs.get('topic', 0)!.offline).toContain('EIO')
    expect(world.logs.get('topic', 1)!.offline).toBeUndefined()
  })

  it('says where records are, also if it is not known who else has them', async () => {
    world.replicas.apply([state(0, { replicas: [1, 2], isr: [1, 2] })], [])
    const appended = world.replicas.append('topic', 0, [batch(['x'])], -1, 'client', undefined, 1000)
    await world.environment.time.advance(1000)
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
    world.replicas.apply([state(0, { replicas: [1, 2], isr: [1, 2] })], [])
    const appended = world.append(0, ['x'])
    await world.environment.time.advance(0)
    world.replicas.apply(changed, removed)
    expect((await appended).error).toBe(error)
    expect(world.logs.get('topic', 0)).toBeUndefined()
  })

  it('looks for followers that do not keep up as long as there are any', async () => {
    const submitted: unknown[] = []
    const leading = world.manager({
      maxLagMs: () => 1000,
      isrChanges: { submit: ({ isr }) => submitted.push(isr.map(({ brokerId }) => brokerId)), close: () => {} },
    })
    leading.apply([state(0, { replicas: [1, 2], isr: [1, 2] })], [])
    await leading.append('topic', 0, [batch(['x'])], 1, 'client')
    await world.environment.time.advance(1000)
    expect(submitted).toEqual([])
    await world.environment.time.advance(500)
    expect(submitted).toEqual([[1]])
    leading.apply([state(0, { replicas: [1], isr: [1] })], [])
    await world.environment.time.advance(500)
    expect(world.environment.time.pendingTasks).toBe(0)
  })

  it('sets logs aside that no partition has, and no others', async () => {
    world.logs.create('gone', 0, 'AAAAAAAAAAAAAAAAAAAAAA')
    world.replicas.setStraysAside()
    expect(world.logs.aside).toEqual(['gone-0'])
    expect([...world.logs.all()].map(({ topic, partition }) => `${topic}-${partition}`)).toEqual(['topic-0', 'topic-1'])
  })
})
