import { describe, expect, it } from 'vitest'
import { StartupError } from '../config/startup-error.ts'
import { LogManager } from './log-manager.ts'
import type { PartitionLog } from './partition-log.ts'
import { batchOf, CLIENT, DEFAULT_CONFIG, readValues, type TestEnvironment, testEnvironment } from './testkit.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAABA'
const CONFIG = { ...DEFAULT_CONFIG, segmentBytes: 1_000_000 }
const FIRST_OFFSET = 1
const BATCHES = 5
const VALUES = Array.from({ length: BATCHES - FIRST_OFFSET }, (_, index) => `v${index + FIRST_OFFSET}`)

function openManager(environment: TestEnvironment): LogManager {
  return LogManager.open({ environment, directories: ['/a', '/b'], configOf: () => CONFIG })
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) await Promise.resolve()
}

/** Until a part of the log is in the copy; answers where that is. */
async function halfCopied({ disk }: TestEnvironment): Promise<string> {
  for (let turn = 0; turn < 1000; turn++) {
    const copy = disk.list('/b').find(({ name }) => name.endsWith('-future'))
    if (copy && (disk.stat(`/b/${copy.name}/00000000000000000000.log`)?.sizeBytes ?? 0) > 0) return `/b/${copy.name}`
    await Promise.resolve()
  }
  throw new Error('no copy begins')
}

/** A log in /a of several segments whose first records are deleted; the checkpoints say so. */
async function setUp() {
  const environment = testEnvironment()
  const manager = openManager(environment)
  manager.resumeMoves(() => {})
  const log = manager.create('t', 0, TOPIC_ID, CONFIG)
  for (let index = 0; index < BATCHES; index++) {
    const value = `v${index}`.padEnd(450_000, '.')
    await log.append([batchOf([value], { producerId: 7, producerEpoch: 0, baseSequence: index })], CLIENT)
    log.advanceHighWatermark(index + 1)
  }
  log.advanceLogStart(FIRST_OFFSET, 'test')
  await log.flush()
  await environment.time.advance(60_000)
  return { environment, manager }
}

async function textOf(log: PartitionLog): Promise<string[]> {
  return (await readValues(log)).map(([, value]) => value.replace(/\.+$/, ''))
}

function namesIn(environment: TestEnvironment, directory: string): string[] {
  const entries = environment.disk.list(directory).filter(({ isDirectory }) => isDirectory)
  return entries.map(({ name }) => name.replace(/\.[0-9a-f]{32}/, ''))
}

/** A start after whatever happened; the move goes on if it was under way. Answers where the log is in the end. */
async function startAgain(environment: TestEnvironment): Promise<string> {
  const manager = openManager(environment)
  expect(manager.get('t', 0)!.offline).toBeUndefined()
  // As the metadata says.
  manager.get('t', 0)!.assignTopicId(TOPIC_ID)
  expect(await textOf(manager.get('t', 0)!)).toEqual(VALUES)
  manager.resumeMoves(() => {})
  await settle()
  const log = manager.get('t', 0)!
  expect(log).toMatchObject({ logEndOffset: BATCHES, logStartOffset: FIRST_OFFSET, offline: undefined })
  expect(await textOf(log)).toEqual(VALUES)
  const info = await log.append([batchOf(['more'], { producerId: 7, producerEpoch: 0, baseSequence: BATCHES })], CLIENT)
  expect(info.firstOffset).toBe(BATCHES)
  await environment.time.advance(CONFIG.fileDeleteDelayMs)
  const path = manager.directoryPathOf('t', 0)!
  expect(namesIn(environment, path)).toEqual(['t-0'])
  expect(namesIn(environment, path === '/a' ? '/b' : '/a')).toEqual([])
  expect(environment.disk.exists(`${path}/t-0/ottla-move`)).toBe(false)
  await manager.close()
  const last = openManager(environment)
  expect(await textOf(last.get('t', 0)!)).toEqual([...VALUES, 'more'])
  last.abandon()
  return path
}

/** Moves the log to /b, and after `operations` of the disk nothing reaches it any more. Answers how many there were. */
async function moveUntil(operations: number, keepsUnsynced: boolean) {
  const { environment, manager } = await setUp()
  const { disk } = environment
  let count = 0
  disk.fault = () => (++count > operations ? 'EIO' : undefined)
  manager.move('t', 0, '/b')
  await settle()
  disk.fault = () => undefined
  manager.abandon()
  disk.crash(() => (keepsUnsynced ? Number.POSITIVE_INFINITY : 0))
  return { environment, count }
}

describe('a move between log directories and a crash (KIP-113)', () => {
  it.each([
    ['the process', true],
    ['the machine', false],
  ])('is none of the worse for it, wherever %s stops', async (_, keepsUnsynced) => {
    const { count } = await moveUntil(Number.POSITIVE_INFINITY, keepsUnsynced)
    expect(count).toBeGreaterThan(50)
    const places = new Set<string>()
    let twice = 0
    for (let operations = 0; operations <= count; operations++) {
      const { environment } = await moveUntil(operations, keepsUnsynced)
      if (namesIn(environment, '/a').includes('t-0') && namesIn(environment, '/b').includes('t-0')) twice += 1
      places.add(await startAgain(environment))
    }
    expect([...places]).toEqual(['/b'])
    expect(twice).toBeGreaterThan(0)
  })

  it('goes on after a restart with what is there and right', async () => {
    const { environment, manager } = await setUp()
    const { disk } = environment
    manager.move('t', 0, '/b')
    const copy = await halfCopied(environment)
    await manager.close()
    expect(namesIn(environment, '/b')).toEqual(['t-0-future'])
    const logs = disk.list(copy).filter(({ name }) => name.endsWith('.log'))
    expect(logs.length).toBeGreaterThan(0)
    expect(disk.readFile(`${copy}/partition.metadata`).toString()).toContain(TOPIC_ID)
    const written = new Map<string, number>()
    disk.fault = (operation, path) => {
      if (operation === 'write') written.set(path, (written.get(path) ?? 0) + 1)
      return undefined
    }
    expect(await startAgain(environment)).toBe('/b')
    expect(written.has(`${copy}/${logs[0]!.name}`)).toBe(false)
  })

  it('does not believe a copy that is not the same', async () => {
    const { environment, manager } = await setUp()
    const { disk } = environment
    manager.move('t', 0, '/b')
    const copy = await halfCopied(environment)
    manager.abandon()
    const file = disk.open(`${copy}/00000000000000000000.log`, 'write')
    file.writeSync([Buffer.from('spoiled')], 50_000)
    disk.replaceFile(`${copy}/00000000000000000005.log`, Buffer.from('of a segment that is none'))
    disk.replaceFile(`${copy}/00000000000000000000.txnindex`, Buffer.from('old'))
    expect(await startAgain(environment)).toBe('/b')
  })

  it('does not come back when it was called off', async () => {
    const { environment, manager } = await setUp()
    manager.move('t', 0, '/b')
    await environment.time.advance(0)
    manager.move('t', 0, '/a')
    manager.abandon()
    expect(await startAgain(environment)).toBe('/a')
  })

  it('of a partition that is gone is set aside', async () => {
    const { environment, manager } = await setUp()
    environment.disk.makeDirectory('/b/gone-0.0123456789abcdef0123456789abcdef-future')
    manager.abandon()
    const again = openManager(environment)
    again.resumeMoves(() => {})
    expect(namesIn(environment, '/b')).toEqual(['gone-0-stray'])
    again.abandon()
  })

  it('is over when the original is lost and the metadata has the copy', async () => {
    const { environment, manager } = await setUp()
    await manager.close()
    environment.disk.rename('/a/t-0', '/b/t-0.0123456789abcdef0123456789abcdef-future')
    const again = openManager(environment)
    again.adoptCopies((topicId, partition, directory) => topicId !== TOPIC_ID || partition !== 0 || directory !== '/b')
    expect(again.get('t', 0)).toBeUndefined()
    again.adoptCopies((topicId, partition, directory) => topicId === TOPIC_ID && partition === 0 && directory === '/b')
    expect(again.directoryPathOf('t', 0)).toBe('/b')
    expect((await textOf(again.get('t', 0)!)).slice(-VALUES.length)).toEqual(VALUES)
    again.abandon()
  })

  it('two logs of one partition without a mark are left to the operator', async () => {
    const { environment, manager } = await setUp()
    await manager.close()
    environment.disk.makeDirectory('/b/t-0')
    environment.disk.replaceFile('/b/t-0/00000000000000000000.log', Buffer.from(''))
    expect(() => openManager(environment)).toThrow(StartupError)
    expect(() => openManager(environment)).toThrow('t-0 is in more than one log directory: /a/t-0 and /b/t-0')
    // A mark does not make a log newer than one that has more.
    environment.disk.replaceFile('/b/t-0/ottla-move', Buffer.from(''))
    expect(() => openManager(environment)).toThrow(StartupError)
  })
})
