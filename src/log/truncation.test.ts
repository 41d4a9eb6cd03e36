import { describe, expect, it } from 'vitest'
import { errors } from '../protocol/errors.ts'
import type { PartitionLog } from './partition-log.ts'
import { batchOf, CLIENT, DIRECTORY, marker, openLog, readValues, testEnvironment } from './testkit.ts'

const SMALL = { segmentBytes: 100, indexIntervalBytes: 0 }
const FOLLOW = { origin: 'replication', leaderEpoch: 99 } as const

const given = (baseOffset: number, partitionLeaderEpoch: number, values: readonly string[]) =>
  batchOf(values, { baseOffset, partitionLeaderEpoch })
const valuesOf = async (log: PartitionLog) => (await readValues(log)).map(([offset, value]) => `${offset}${value}`)

describe('a log start that moves', () => {
  it('is where it is said to be when its epochs cannot be written: that is an error of storage', async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    await log.append([given(0, 1, ['a']), given(1, 1, ['b'])], FOLLOW)
    log.advanceHighWatermark(2)
    environment.disk.fault = (operation) => (operation === 'write' ? 'EIO' : undefined)
    const isStorageError = expect.objectContaining({ error: errors.KAFKA_STORAGE_ERROR })
    expect(() => log.advanceLogStart(1, 'test')).toThrow(isStorageError)
    expect(log).toMatchObject({ logStartOffset: 1, logEndOffset: 2 })
    environment.disk.fault = () => undefined
    expect(openLog(environment, {}, { logStartOffset: 1 })).toMatchObject({ logStartOffset: 1, logEndOffset: 2 })
  })
})

describe('a truncation', () => {
  it('past the end drops epochs without records, and nothing else (KIP-101)', async () => {
    const log = openLog(testEnvironment())
    await log.append([given(0, 1, ['a', 'b'])], FOLLOW)
    log.assignEpoch(2, 2)
    expect(await log.truncateTo(7)).toBe(true)
    expect(log).toMatchObject({ logEndOffset: 2, latestEpoch: 1 })
  })

  it('within a batch drops all of it, and the log ends where that began', async () => {
    const log = openLog(testEnvironment())
    await log.append([given(0, 1, ['a']), given(1, 1, ['b', 'c', 'd'])], FOLLOW)
    await log.truncateTo(3)
    expect(log.logEndOffset).toBe(1)
    await log.append([given(1, 2, ['e'])], FOLLOW)
    expect(await valuesOf(log)).toEqual(['0a', '1e'])
  })

  it('below the log start takes that along', async () => {
    const log = openLog(testEnvironment())
    await log.append([given(0, 1, ['a']), given(1, 1, ['b']), given(2, 1, ['c'])], FOLLOW)
    log.advanceHighWatermark(3)
    log.advanceLogStart(2, 'test')
    await log.truncateTo(1)
    expect(log).toMatchObject({ logStartOffset: 1, logEndOffset: 1, highWatermark: 1 })
  })

  it('that is not wanted any more when the writes before it are done leaves everything as it is', async () => {
    const log = openLog(testEnvironment())
    const writing = log.append([given(0, 1, ['a'])], FOLLOW)
    let isWanted = true
    const truncating = log.truncateTo(0, () => isWanted)
    const startingOver = log.truncateFullyAndStartAt(9, () => isWanted)
    isWanted = false
    expect(await truncating).toBe(false)
    expect(await startingOver).toBe(false)
    await writing
    expect(await valuesOf(log)).toEqual(['0a'])
  })

  it('takes producers, aborted transactions and epochs back', async () => {
    const log = openLog(testEnvironment())
    const transactional = { producerId: 7, producerEpoch: 0, isTransactional: true }
    await log.append([batchOf(['a'], { ...transactional, baseSequence: 0 })], CLIENT)
    const before = log.activeProducers()
    await log.append([marker('abort', 7, 0)], { origin: 'coordinator', leaderEpoch: 3 })
    await log.append([batchOf(['b'], { producerId: 8, producerEpoch: 0, baseSequence: 0 })], {
      ...CLIENT,
      leaderEpoch: 4,
    })
    log.advanceHighWatermark(3)
    expect(log.lastStableOffset).toBe(3)
    await log.truncateTo(1)
    expect(log.activeProducers()).toEqual(before)
    expect(log).toMatchObject({ logEndOffset: 1, highWatermark: 1, lastStableOffset: 0, latestEpoch: 0 })
    await log.append([marker('commit', 7, 0)], { origin: 'coordinator', leaderEpoch: 5 })
    log.advanceHighWatermark(2)
    const data = await log.read(0, { maxBytes: 1000, minOneBatch: true, upTo: 'lastStable' })
    expect(data).toMatchObject({ nextOffset: 2, abortedTransactions: [] })
  })

  it('is on stable storage before anybody hears of it', async () => {
    const environment = testEnvironment()
    const { disk } = environment
    const log = openLog(environment, SMALL)
    for (const [offset, value] of ['a', 'b', 'c'].entries()) await log.append([given(offset, 1, [value])], FOLLOW)
    await log.flush()
    await log.truncateTo(1)
    log.closeFiles()
    disk.crash()
    const again = openLog(environment, SMALL, { recoveryPoint: log.recoveryPoint })
    expect(await valuesOf(again)).toEqual(['0a'])
  })
})

it('an epoch begins after what is on its way to the disk', async () => {
  const log = openLog(testEnvironment())
  const writing = log.append([given(0, 1, ['a', 'b'])], FOLLOW)
  log.assignEpoch(2, log.logEndOffset)
  await writing
  expect(log.epochs).toEqual([
    { epoch: 1, startOffset: 0 },
    { epoch: 2, startOffset: 2 },
  ])
})

describe('what was truncated and is there again after a power failure', () => {
  /** A log with "a" of epoch 1 and "b", "c" of epoch 2 on disk, for which the epochs 1 and 3 are saved. */
  const world = async () => {
    const environment = testEnvironment()
    const log = openLog(environment)
    await log.append([given(0, 1, ['a'])], FOLLOW)
    await log.append([given(1, 2, ['b']), given(2, 2, ['c'])], FOLLOW)
    environment.disk.replaceFile(`${DIRECTORY}/leader-epoch-checkpoint`, Buffer.from('0\n2\n1 0\n3 1\n'))
    log.closeFiles()
    return environment
  }

  it('is not taken for what came in its place: the epochs are those of the records', async () => {
    const environment = await world()
    const log = openLog(environment, {}, { recoveryPoint: 1 })
    expect(log.epochs).toEqual([
      { epoch: 1, startOffset: 0 },
      { epoch: 2, startOffset: 1 },
    ])
    expect(environment.disk.readFile(`${DIRECTORY}/leader-epoch-checkpoint`).toString()).toBe('0\n2\n1 0\n2 1\n')
  })

  it('goes where it follows records of a later epoch', async () => {
    const environment = await world()
    const path = `${DIRECTORY}/00000000000000000000.log`
    const bytes = environment.disk.readFile(path)
    const first = given(0, 1, ['a'])
    environment.disk.replaceFile(path, Buffer.concat([first, given(1, 3, ['d']), bytes.subarray(first.length * 2)]))
    const log = openLog(environment, {}, { recoveryPoint: 1 })
    expect(await valuesOf(log)).toEqual(['0a', '1d'])
    expect(log.latestEpoch).toBe(3)
  })

  it('goes with the segments in which it is', async () => {
    const environment = testEnvironment()
    const log = openLog(environment, SMALL)
    await log.append([given(0, 1, ['a'])], FOLLOW)
    await log.append([given(1, 3, ['d'])], FOLLOW)
    log.closeFiles()
    const name = `${DIRECTORY}/${'2'.padStart(20, '0')}.log`
    environment.disk.replaceFile(name, given(2, 2, ['c']))
    const again = openLog(environment, SMALL, { recoveryPoint: 1 })
    expect(await valuesOf(again)).toEqual(['0a', '1d'])
    expect(environment.disk.exists(name) && environment.disk.readFile(name).length).toBe(0)
  })
})
