import { describe, expect, it } from 'vitest'
import { MemoryDisk } from '../platform/memory-disk.ts'
import { BatchView } from '../protocol/records/batch.ts'
import { LogError } from './append-error.ts'
import type { PartitionLog } from './partition-log.ts'
import {
  batchOf,
  CLIENT,
  DIRECTORY,
  marker,
  openLog,
  READ_ALL,
  readValues,
  type TestEnvironment,
  testEnvironment,
} from './testkit.ts'

const FIRST = `${DIRECTORY}/00000000000000000000.log`
const SMALL = { segmentBytes: 100, indexIntervalBytes: 0 }

/** Changes a byte on disk. */
function spoil({ disk }: TestEnvironment, path: string, at: number): void {
  const bytes = disk.readFile(path)
  bytes[at]! ^= 0x55
  disk.replaceFile(path, bytes)
}

async function logOf(environment: TestEnvironment, values: readonly string[], config = {}): Promise<PartitionLog> {
  const log = openLog(environment, config)
  for (const value of values) await log.append([batchOf([value])], CLIENT)
  return log
}

const valuesOf = async (log: PartitionLog) => (await readValues(log)).map(([, value]) => value)

describe('a segment that begins while batches before it are on their way', () => {
  const PRODUCER = { producerId: 7, producerEpoch: 0 }

  it('is not there after a kill that they did not outlive, and neither are they', async () => {
    const environment = testEnvironment()
    const { disk } = environment
    const config = { segmentBytes: 200, flushMessages: 1 }
    const log = openLog(environment, config)
    const batches = [0, 1, 2, 3].map((baseSequence) => batchOf(['x'], { ...PRODUCER, baseSequence }))
    // The first is written at once and waits for its sync; the others wait for the first.
    const appends = batches.map((batch) => log.append([Buffer.from(batch)], CLIENT).catch(() => {}))
    await Promise.resolve()
    await Promise.resolve()
    const files = disk.list(DIRECTORY).map(({ name }) => name)
    expect(files.filter((name) => name.endsWith('.log'))).toEqual(['00000000000000000000.log'])
    expect(files.filter((name) => name.endsWith('.snapshot'))).toEqual([])
    const killed = copyOf(disk)
    await Promise.all(appends)
    expect(log.segmentCount).toBeGreaterThan(1)
    const again = openLog({ ...environment, disk: killed }, config)
    const end = again.logEndOffset
    expect(end).toBeLessThan(4)
    const resent = await again.append([Buffer.from(batches[end]!)], CLIENT)
    expect(resent).toMatchObject({ firstOffset: end, duplicate: false })
  })

  it('is cut off when the end of the one before it was lost with the power', async () => {
    const environment = testEnvironment()
    const log = await logOf(environment, ['a', 'b', 'c', 'd'], { segmentBytes: 150 })
    expect(log.segmentCount).toBe(2)
    const { disk } = environment
    disk.replaceFile(FIRST, disk.readFile(FIRST).subarray(0, log.sizeBytes / 4))
    const again = openLog(environment, { segmentBytes: 150 })
    expect(await valuesOf(again)).toEqual(['a'])
    expect(again.segmentCount).toBe(1)
  })
})

it('a transaction that ended below the high watermark does not hold back readers after a crash', async () => {
  const environment = testEnvironment()
  const log = openLog(environment)
  const transactional = { producerId: 9, producerEpoch: 0, baseSequence: 0, isTransactional: true }
  await log.append([batchOf(['x'], transactional)], CLIENT)
  await log.append([marker('abort', 9, 0)], { leaderEpoch: 0, origin: 'coordinator' })
  const again = openLog(environment, {}, { highWatermark: 2 })
  expect(again).toMatchObject({ logEndOffset: 2, highWatermark: 2, lastStableOffset: 2 })
})

/** What a process that is killed now would leave. */
function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk()
  copy.makeDirectory(DIRECTORY)
  for (const { name } of disk.list(DIRECTORY))
    copy.replaceFile(`${DIRECTORY}/${name}`, disk.readFile(`${DIRECTORY}/${name}`))
  return copy
}

describe('damage', () => {
  it('past the recovery point is cut off', async () => {
    const environment = testEnvironment()
    const log = await logOf(environment, ['a', 'b', 'c'])
    const size = log.sizeBytes / 3
    spoil(environment, FIRST, size + 65)
    const again = openLog(environment, {}, { recoveryPoint: 1 })
    expect(await valuesOf(again)).toEqual(['a'])
    expect(again.offline).toBeUndefined()
  })

  it('below the recovery point puts the log offline, and not a byte is cut off', async () => {
    const environment = testEnvironment()
    const log = await logOf(environment, ['a', 'b', 'c'])
    const size = log.sizeBytes / 3
    spoil(environment, FIRST, size + 65)
    const before = environment.disk.readFile(FIRST)
    const again = openLog(environment, {}, { recoveryPoint: 2, highWatermark: 2 })
    expect(again.offline).toBe(`${FIRST} is damaged at byte ${size}: wrong CRC`)
    expect(again).toMatchObject({ recoveryPoint: 2, highWatermark: 2 })
    expect(() => again.read(0, READ_ALL)).toThrow(LogError)
    await expect(again.append([batchOf(['x'])], CLIENT)).rejects.toMatchObject({
      error: { name: 'KAFKA_STORAGE_ERROR' },
    })
    expect(environment.disk.readFile(FIRST)).toEqual(before)
  })

  it('of a segment that was flushed is noticed when another was to be recovered', async () => {
    const environment = testEnvironment()
    await logOf(environment, ['a', 'b', 'c'], SMALL)
    environment.disk.replaceFile(FIRST, Buffer.alloc(0))
    const again = openLog(environment, SMALL, { recoveryPoint: 2 })
    expect(again.offline).toContain('the file is empty, though a later segment was flushed')
  })

  it('that a read meets puts the log offline', async () => {
    const environment = testEnvironment()
    const log = await logOf(environment, ['a', 'b'])
    const size = log.sizeBytes / 2
    await log.close()
    spoil(environment, FIRST, size + 16)
    const again = openLog(environment, {}, { cleanShutdown: true })
    expect(again.offline).toContain(`damaged at byte ${size}`)
  })

  it('of the length of a batch in an old segment is found by the read that meets it', async () => {
    const environment = testEnvironment()
    await (await logOf(environment, ['a', 'b', 'c'], SMALL)).close()
    spoil(environment, FIRST, 8)
    const again = openLog(environment, SMALL, { cleanShutdown: true })
    expect((await again.read(1, READ_ALL)).nextOffset).toBe(2)
    expect(() => again.read(0, READ_ALL)).toThrow(`${FIRST} is damaged at byte 0`)
    expect(again.offline).toBeDefined()
  })
})

describe('opening', () => {
  it('leaves nothing behind of a log without records, however often it is killed: there may be thousands', async () => {
    const environment = testEnvironment()
    openLog(environment)
    const files = () => environment.disk.list(DIRECTORY).map(({ name }) => name)
    const before = files()
    const again = openLog(environment)
    expect(files()).toEqual(before)
    await again.append([batchOf(['a'])], CLIENT)
    expect(await valuesOf(openLog(environment))).toEqual(['a'])
  })

  it('makes indexes anew that are missing, and drops those whose log is gone', async () => {
    const environment = testEnvironment()
    const { disk } = environment
    await (await logOf(environment, ['a', 'b', 'c'], SMALL)).close()
    disk.remove(`${DIRECTORY}/00000000000000000000.index`)
    disk.replaceFile(`${DIRECTORY}/00000000000000000009.index`, Buffer.alloc(8))
    const again = openLog(environment, SMALL, { cleanShutdown: true })
    expect(await valuesOf(again)).toEqual(['a', 'b', 'c'])
    expect(disk.exists(`${DIRECTORY}/00000000000000000000.index`)).toBe(true)
    expect(disk.exists(`${DIRECTORY}/00000000000000000009.index`)).toBe(false)
  })

  it('takes the preallocated indexes that a killed Apache Kafka leaves', async () => {
    const environment = testEnvironment()
    const { disk } = environment
    await (await logOf(environment, ['a', 'b', 'c'], { indexIntervalBytes: 0 })).close()
    for (const suffix of ['.index', '.timeindex']) {
      const path = FIRST.replace('.log', suffix)
      disk.replaceFile(path, Buffer.concat([disk.readFile(path), Buffer.alloc(10_000)]))
    }
    for (const cleanShutdown of [true, false]) {
      const again = openLog(environment, { indexIntervalBytes: 0 }, { cleanShutdown })
      await again.append([batchOf(['d'])], CLIENT)
      expect((await valuesOf(again)).slice(0, 4)).toEqual(['a', 'b', 'c', 'd'])
      await again.close()
      expect(disk.readFile(FIRST.replace('.log', '.index')).length).toBeLessThan(100)
    }
  })

  it('completes a swap of compaction that had begun, and undoes one that had not', async () => {
    const environment = testEnvironment()
    const { disk } = environment
    await (await logOf(environment, ['a', 'b', 'c'], SMALL)).close()
    const compacted = batchOf(['B'], { baseOffset: 1 })
    const empty = Buffer.alloc(0)
    for (const suffix of ['.index', '.timeindex']) {
      disk.replaceFile(`${DIRECTORY}/00000000000000000000${suffix}.swap`, empty)
    }
    disk.replaceFile(`${FIRST}.swap`, compacted)
    disk.replaceFile(`${DIRECTORY}/00000000000000000002.log.cleaned`, batchOf(['C'], { baseOffset: 2 }))
    disk.replaceFile(`${DIRECTORY}/00000000000000000007.log.deleted`, empty)
    const again = openLog(environment, SMALL, { cleanShutdown: true })
    expect(await readValues(again)).toEqual([
      [1, 'B'],
      [2, 'c'],
    ])
    expect(disk.list(DIRECTORY).filter(({ name }) => /swap|cleaned|deleted/.test(name))).toEqual([])
  })

  it('starts at the log start when all segments end below it', async () => {
    const environment = testEnvironment()
    await (await logOf(environment, ['a', 'b'])).close()
    const again = openLog(environment, {}, { logStartOffset: 10 })
    expect(again).toMatchObject({ logStartOffset: 10, logEndOffset: 10, sizeBytes: 0 })
  })
})

describe('durability', () => {
  it('is there before the answer with flush.messages=1', async () => {
    const environment = testEnvironment()
    const log = openLog(environment, { flushMessages: 1 })
    await Promise.all([log.append([batchOf(['a'])], CLIENT), log.append([batchOf(['b'])], CLIENT)])
    expect(log.recoveryPoint).toBe(2)
    environment.disk.crash()
    expect(await valuesOf(openLog(environment))).toEqual(['a', 'b'])
  })

  it('comes before anybody reads with flush.messages=1', async () => {
    const environment = testEnvironment()
    const log = openLog(environment, { flushMessages: 1 })
    let finishSync = () => {}
    environment.disk.delay = (operation) =>
      operation === 'sync' ? new Promise<void>((resolve) => (finishSync = resolve)) : undefined
    const append = log.append([batchOf(['a'])], CLIENT)
    await environment.time.advance(0)
    expect(log.logEndOffset).toBe(0)
    finishSync()
    await append
    expect(log.logEndOffset).toBe(1)
  })

  it.each(['at once', 'with the settings of its topic'])(
    'of what was found is seen to %s with flush.messages=1',
    async (when) => {
      const environment = testEnvironment()
      // Killed between its write and its sync.
      await (await logOf(environment, ['a'])).append([batchOf(['b'])], CLIENT)
      const log = openLog(environment, when === 'at once' ? { flushMessages: 1 } : {})
      log.updateConfig({ ...log.config, flushMessages: 1 })
      environment.disk.crash()
      expect(await valuesOf(openLog(environment))).toEqual(['a', 'b'])
    },
  )

  it('comes within flush.ms', async () => {
    const environment = testEnvironment()
    const log = openLog(environment, { flushMs: 50 })
    await log.append([batchOf(['a'])], CLIENT)
    expect(log.recoveryPoint).toBe(0)
    await environment.time.advance(50)
    expect(log.recoveryPoint).toBe(1)
    environment.disk.crash()
    expect(await valuesOf(openLog(environment))).toEqual(['a'])
  })

  it('of a full segment is seen to in the background', async () => {
    const environment = testEnvironment()
    const log = await logOf(environment, ['a', 'b'], SMALL)
    await environment.time.advance(0)
    expect(log.recoveryPoint).toBe(1)
    expect(environment.disk.readFile(FIRST.replace('.log', '.timeindex'))).toHaveLength(12)
  })

  it('that cannot be had puts the log offline', async () => {
    const environment = testEnvironment()
    const log = openLog(environment, { flushMessages: 1 })
    environment.disk.fault = (operation) => (operation === 'sync' ? 'EIO' : undefined)
    await expect(log.append([batchOf(['a'])], CLIENT)).rejects.toMatchObject({ error: { name: 'KAFKA_STORAGE_ERROR' } })
    expect(log.offline).toContain('sync failed')
  })

  it('of a new epoch is neither half done on a full disk, nor does it end the log', async () => {
    const environment = testEnvironment()
    const { disk } = environment
    const log = await logOf(environment, ['a'])
    for (let room = 0; room <= 70; room += 5) {
      disk.capacityBytes = disk.usedBytes() + room
      const append = log.append([batchOf(['b'])], { ...CLIENT, leaderEpoch: 7 })
      await expect(append).rejects.toMatchObject({ error: { name: 'KAFKA_STORAGE_ERROR' } })
      disk.capacityBytes = Number.POSITIVE_INFINITY
      expect(log).toMatchObject({ offline: undefined, latestEpoch: 0, logEndOffset: 1 })
      disk.remove(`${DIRECTORY}/leader-epoch-checkpoint.tmp`)
    }
    await log.append([batchOf(['b'])], { ...CLIENT, leaderEpoch: 7 })
    expect(disk.readFile(`${DIRECTORY}/leader-epoch-checkpoint`).toString()).toBe('0\n2\n0 0\n7 1\n')
  })

  it('is not risked when a failed write cannot be cut back', async () => {
    const environment = testEnvironment()
    const log = await logOf(environment, ['a'])
    environment.disk.fault = (operation) => (operation === 'write' || operation === 'truncate' ? 'EIO' : undefined)
    await expect(log.append([batchOf(['b'])], CLIENT)).rejects.toMatchObject({ error: { name: 'KAFKA_STORAGE_ERROR' } })
    expect(log.offline).toContain('cutting it back')
  })
})

describe('the metadata log and replicas', () => {
  const raft = { leaderEpoch: 2, origin: 'raft' } as const

  it('bring their own offsets and epochs', async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    const bytes = Buffer.concat([
      batchOf(['a', 'b'], { baseOffset: 0, partitionLeaderEpoch: 2 }),
      batchOf(['c'], { baseOffset: 2, partitionLeaderEpoch: 2 }),
    ])
    expect(await log.append([bytes], raft)).toMatchObject({ firstOffset: 0, lastOffset: 2 })
    environment.disk.crash()
    const again = openLog(environment)
    expect(await valuesOf(again)).toEqual(['a', 'b', 'c'])
    expect(again.latestEpoch).toBe(2)
    await expect(again.append([batchOf(['x'], { baseOffset: 1, partitionLeaderEpoch: 2 })], raft)).rejects.toThrow(
      'First offset 1 is less than the next offset 3',
    )
    await expect(again.append([batchOf(['x'], { baseOffset: 3, partitionLeaderEpoch: 1 })], raft)).rejects.toThrow(
      'expected 2 but the batch has 1',
    )
  })

  it('leave out what is of a later epoch than the leader they follow (KAFKA-18723)', async () => {
    const log = openLog(testEnvironment())
    const bytes = Buffer.concat([
      batchOf(['a'], { baseOffset: 0, partitionLeaderEpoch: 2 }),
      batchOf(['b'], { baseOffset: 1, partitionLeaderEpoch: 3 }),
    ])
    await log.append([bytes], { leaderEpoch: 2, origin: 'replication' })
    expect(await valuesOf(log)).toEqual(['a'])
  })

  it('truncate, also to before everything', async () => {
    const environment = testEnvironment()
    const log = await logOf(environment, ['a', 'b', 'c'], SMALL)
    await log.truncateTo(1)
    expect(await valuesOf(log)).toEqual(['a'])
    await log.append([batchOf(['d'])], CLIENT)
    expect(await valuesOf(log)).toEqual(['a', 'd'])
    await log.truncateFullyAndStartAt(9)
    expect(log).toMatchObject({ logStartOffset: 9, logEndOffset: 9, highWatermark: 9, epochs: [] })
    const info = await log.append([batchOf(['e'])], CLIENT)
    expect(info.firstOffset).toBe(9)
    expect(environment.disk.list(DIRECTORY).filter(({ name }) => name.endsWith('.log'))).toHaveLength(1)
  })
})

it('a batch that is on disk is byte for byte what was sent, but for offset and epoch', async () => {
  const environment = testEnvironment()
  const log = await logOf(environment, ['a'])
  const sent = batchOf(['b', 'c'])
  await log.append([Buffer.from(sent)], { ...CLIENT, leaderEpoch: 8 })
  const stored = environment.disk.readFile(FIRST).subarray(log.sizeBytes - sent.length)
  const expected = new BatchView(sent)
  expected.setBaseOffset(1)
  expected.setPartitionLeaderEpoch(8)
  expect(stored).toEqual(sent)
})

describe('after a clean shutdown', () => {
  const CLEAN = { cleanShutdown: true, recoveryPoint: 3 }

  it.each([
    ['whole', 0],
    ['at its end', 1],
  ])('an index that is spoiled (%s) does not have the log go on in its middle', async (_, entry) => {
    const environment = testEnvironment()
    await (await logOf(environment, ['a', 'b', 'c'], { indexIntervalBytes: 0 })).close()
    const path = `${DIRECTORY}/00000000000000000000.index`
    const index = environment.disk.readFile(path)
    index.fill(0x25, 8 * entry)
    environment.disk.replaceFile(path, index)
    const again = openLog(environment, {}, CLEAN)
    expect(again).toMatchObject({ offline: undefined, logEndOffset: 3 })
    expect(await valuesOf(again)).toEqual(['a', 'b', 'c'])
  })

  it('a log that ends below its recovery point is offline', async () => {
    const environment = testEnvironment()
    const log = await logOf(environment, ['a', 'b', 'c'])
    const size = log.sizeBytes / 3
    await log.close()
    environment.disk.replaceFile(FIRST, environment.disk.readFile(FIRST).subarray(0, 2 * size))
    const again = openLog(environment, {}, CLEAN)
    expect(again.offline).toContain('the log ends at offset 2, though it was flushed up to 3')
    for (const suffix of ['log', 'index', 'timeindex']) {
      environment.disk.remove(`${DIRECTORY}/00000000000000000000.${suffix}`)
    }
    expect(openLog(environment, {}, CLEAN).offline).toContain('the log ends at offset 0')
  })

  it('an offset that cannot be in its segment puts the log offline', async () => {
    const environment = testEnvironment()
    await (await logOf(environment, ['a'])).close()
    spoil(environment, FIRST, 1)
    expect(openLog(environment, {}, CLEAN).offline).toContain('offset too far from base')
  })
})
