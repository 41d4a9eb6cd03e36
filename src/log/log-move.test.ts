import { describe, expect, it } from 'vitest'
import { errors } from '../protocol/errors.ts'
import { LogManager } from './log-manager.ts'
import type { PartitionLog } from './partition-log.ts'
import { batchOf, CLIENT, DEFAULT_CONFIG, readValues, type TestEnvironment, testEnvironment } from './testkit.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAABA'
const CONFIG = { ...DEFAULT_CONFIG, segmentBytes: 300_000 }

function openManager(environment: TestEnvironment): LogManager {
  return LogManager.open({ environment, directories: ['/a', '/b'], configOf: () => CONFIG })
}

/** One log in /a, with segments of a few batches each. */
async function setUp(batches: number) {
  const environment = testEnvironment()
  const manager = openManager(environment)
  const moved: PartitionLog[] = []
  manager.resumeMoves((now) => moved.push(now))
  const log = manager.create('t', 0, TOPIC_ID, CONFIG)
  let sequence = 0
  const write = async (to: PartitionLog, text: string) => {
    const value = text.padEnd(100_000, '.')
    const info = await to.append(
      [batchOf([value], { producerId: 7, producerEpoch: 0, baseSequence: sequence++ })],
      CLIENT,
    )
    to.advanceHighWatermark(info.lastOffset + 1)
  }
  for (let index = 0; index < batches; index++) await write(log, `v${index}`)
  const move = (path = '/b') => manager.move('t', 0, path)
  const settle = async () => {
    for (let turn = 0; turn < 500; turn++) await environment.time.advance(0)
  }
  return { environment, manager, log, write, moved, move, settle }
}

const textOf = (values: readonly [number, string][]) => values.map(([, value]) => value.replace(/\.+$/, ''))
const names = (count: number) => Array.from({ length: count }, (_, index) => `v${index}`)
const refusal = (act: () => void) => {
  try {
    act()
  } catch (error) {
    return (error as { error: unknown }).error
  }
  return undefined
}

describe('a move between log directories (KIP-113)', () => {
  it('knows directories by their absolute paths only, as it describes them', () => {
    const environment = testEnvironment()
    const manager = LogManager.open({ environment, directories: ['/a', 'b'], configOf: () => CONFIG })
    manager.create('t', 0, TOPIC_ID, CONFIG)
    expect(manager.describe().map(({ directory }) => directory)).toEqual(['/a', '/b'])
    expect(refusal(() => manager.move('t', 0, 'b'))).toBe(errors.LOG_DIR_NOT_FOUND)
    expect(refusal(() => manager.move('t', 0, '/b'))).toBeUndefined()
  })

  it('ends with the same log in the other directory, and the old files go', async () => {
    const { environment, manager, log, move, moved, settle } = await setUp(25)
    const { disk } = environment
    move()
    expect(manager.describe()[1]!.logs).toMatchObject([{ topic: 't', isFuture: true, offsetLag: 25 }])
    await settle()
    expect(manager.get('t', 0)).toBe(moved[0])
    expect(moved[0]).toMatchObject({ logEndOffset: 25, highWatermark: 25, logStartOffset: 0, topicId: TOPIC_ID })
    expect(textOf(await readValues(moved[0]!))).toEqual(names(25))
    expect(moved[0]!.segmentCount).toBe(log.segmentCount)
    expect(manager.describe().map(({ logs }) => logs.length)).toEqual([0, 1])
    expect(disk.readFile('/b/recovery-point-offset-checkpoint').toString()).toBe('0\n1\nt 0 25\n')
    await environment.time.advance(CONFIG.fileDeleteDelayMs)
    expect(disk.list('/a').filter(({ isDirectory }) => isDirectory)).toEqual([])
    await manager.close()
    const again = openManager(environment)
    expect(textOf(await readValues(again.get('t', 0)!))).toEqual(names(25))
    again.abandon()
  })

  it('takes along what is appended and retired meanwhile', async () => {
    const { manager, log, write, move, moved, settle } = await setUp(30)
    move()
    while (manager.describe()[1]!.logs[0]!.sizeBytes === 0) await Promise.resolve()
    log.advanceLogStart(7, 'test')
    log.retire()
    for (let index = 30; index < 50; index++) await write(manager.get('t', 0)!, `v${index}`)
    await settle()
    expect(moved.length).toBe(1)
    expect(moved[0]!.logStartOffset).toBe(7)
    expect(textOf(await readValues(moved[0]!))).toEqual(names(50).slice(7))
    // Its producers are known: the next in sequence is taken, and the last one again is a duplicate.
    await write(moved[0]!, 'v50')
    expect(moved[0]!.logEndOffset).toBe(51)
    manager.abandon()
  })

  it.each([1, 2, 3, 5, 8])('notices what a follower cuts off and fetches anew (%i batches copied)', async (copied) => {
    const { manager, log, move, moved, settle } = await setUp(30)
    move()
    while (manager.describe()[1]!.logs[0]!.sizeBytes < copied * 100_000) await Promise.resolve()
    // The same sizes in the same places: only what is in them tells.
    await log.truncateTo(copied - 1)
    for (let index = copied - 1; index < 30; index++) {
      await manager
        .get('t', 0)!
        .append(
          [batchOf([`w${index}`.padEnd(100_000, '.')], { producerId: 8, producerEpoch: index, baseSequence: 0 })],
          CLIENT,
        )
    }
    await settle()
    expect(moved.length).toBe(1)
    const expected = Array.from({ length: 30 }, (_, index) => (index < copied - 1 ? `v${index}` : `w${index}`))
    expect(textOf(await readValues(moved[0]!))).toEqual(expected)
    manager.abandon()
  })

  it('goes no faster than it may, and is called off while it waits (replica.alter.log.dirs.io.max.bytes.per.second)', async () => {
    const { environment, manager, write, move, moved, settle } = await setUp(40)
    let allowedBytes = 0
    let copiedBytes = 0
    const pace = {
      isExceeded: () => copiedBytes >= allowedBytes,
      record: (sizeBytes: number) => {
        copiedBytes += sizeBytes
      },
    }
    manager.resumeMoves((now) => moved.push(now), pace)
    const pass = async () => {
      await settle()
      await environment.time.advance(100)
      await settle()
    }
    move()
    await pass()
    expect(copiedBytes).toBe(0)
    allowedBytes = 1_000_000
    await pass()
    expect(copiedBytes).toBeGreaterThanOrEqual(allowedBytes)
    // A segment holds less than three batches.
    expect(copiedBytes).toBeLessThan(allowedBytes + 300_000)
    move('/a')
    await pass()
    expect(manager.describe()[1]!.logs).toEqual([])
    move('/b')
    await write(manager.get('t', 0)!, 'v40')
    allowedBytes = Number.POSITIVE_INFINITY
    await pass()
    expect(textOf(await readValues(moved[0]!))).toEqual(names(41))
    manager.abandon()
  })

  it('is called off by a move to where the log is, and by the end of the partition', async () => {
    const { environment, manager, move, moved, settle } = await setUp(25)
    move()
    move('/a')
    await settle()
    expect([moved.length, manager.directoryPathOf('t', 0)]).toEqual([0, '/a'])
    expect(environment.disk.list('/b').filter(({ isDirectory }) => isDirectory)).toEqual([])
    move()
    manager.delete('t', 0)
    await settle()
    expect(moved.length).toBe(0)
    expect(environment.disk.list('/b').filter(({ isDirectory }) => isDirectory)).toEqual([])
    manager.abandon()
  })

  it('leaves the log where it is when the other disk is full', async () => {
    const { environment, manager, move, moved, settle } = await setUp(25)
    environment.disk.fault = (_, path) => (path.startsWith('/b/t-0.') ? 'ENOSPC' : undefined)
    move()
    await settle()
    expect([moved.length, manager.directoryPathOf('t', 0)]).toEqual([0, '/a'])
    expect(textOf(await readValues(manager.get('t', 0)!))).toEqual(names(25))
    manager.abandon()
  })

  it('is refused where it cannot be; a log to come is made where it was asked for', async () => {
    const { manager } = await setUp(1)
    const move = (topic: string, path: string) => refusal(() => manager.move(topic, 0, path))
    expect(move('t', '/c')).toBe(errors.LOG_DIR_NOT_FOUND)
    expect(move('x'.repeat(249), '/b')).toBe(errors.INVALID_TOPIC_EXCEPTION)
    expect(move('u', '/a')).toBe(errors.REPLICA_NOT_AVAILABLE)
    manager.create('u', 0, TOPIC_ID, CONFIG)
    expect(manager.directoryPathOf('u', 0)).toBe('/a')
    manager.create('v', 0, TOPIC_ID, CONFIG)
    expect(manager.directoryPathOf('v', 0)).toBe('/b')
    manager.abandon()
  })
})
