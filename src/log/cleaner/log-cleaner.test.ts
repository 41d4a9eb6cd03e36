import { describe, expect, test } from 'vitest'
import { buildBatch } from '../../protocol/records/builder.ts'
import { LogManager } from '../log-manager.ts'
import type { PartitionLog } from '../partition-log.ts'
import { CLIENT, DEFAULT_CONFIG, type TestEnvironment, testEnvironment } from '../testkit.ts'
import { readCommitted } from './cleaner.testkit.ts'
import type { CleanerSettings } from './log-cleaner.ts'
import { Pace } from './pace.ts'

const BACKOFF_MS = 1000
const COMPACT = { ...DEFAULT_CONFIG, cleanupCompact: true, cleanupDelete: false, segmentBytes: 200 }
const SETTINGS: CleanerSettings = {
  backoffMs: BACKOFF_MS,
  dedupeBufferBytes: 2 ** 20,
  loadFactor: 0.9,
  ioBufferBytes: 2 ** 16,
  maxBytesPerSecond: Number.MAX_VALUE,
}
const CHECKPOINT = '/data/cleaner-offset-checkpoint'

function managerOn(environment: TestEnvironment, settings: Partial<CleanerSettings> = {}): LogManager {
  environment.disk.makeDirectory('/data')
  return LogManager.open({
    environment,
    directories: ['/data'],
    configOf: () => DEFAULT_CONFIG,
    cleaner: () => ({ ...SETTINGS, ...settings }),
  })
}

async function write(log: PartitionLog, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const value = Buffer.alloc(50, 'v')
    await log.append([buildBatch([{ timestamp: 1, key: Buffer.from(key), value }])], CLIENT)
  }
  log.advanceHighWatermark(log.logEndOffset)
}

const same = (count: number) => Array.from({ length: count }, () => 'a')
const different = (count: number) => Array.from({ length: count }, (_, i) => `key-${i}`)
const checkpoint = ({ disk }: TestEnvironment) =>
  disk.exists(CHECKPOINT) ? disk.readFile(CHECKPOINT).toString().trim().split('\n').slice(2).sort() : []

describe('the cleaner of a broker', () => {
  test('compacts what is dirty enough, notes how far, and leaves other logs alone', async () => {
    const environment = testEnvironment()
    const manager = managerOn(environment)
    const dirty = manager.create('dirty', 0, '', COMPACT)
    const deleting = manager.create('deleting', 0, '', { ...COMPACT, cleanupCompact: false, cleanupDelete: true })
    const clean = manager.create('clean', 0, '', { ...COMPACT, minCleanableDirtyRatio: 1 })
    for (const log of [dirty, deleting, clean]) await write(log, same(9))
    await environment.time.advance(BACKOFF_MS)
    const seen = await readCommitted(dirty)
    expect(seen.length).toBeLessThan(5)
    expect(seen.at(-1)!.offset).toBe(8)
    expect(await readCommitted(deleting)).toHaveLength(9)
    expect(await readCommitted(clean)).toHaveLength(9)
    expect(checkpoint(environment)).toEqual(['dirty 0 8'])
    await manager.close()
  })

  test('goes on after a restart where it was', async () => {
    const environment = testEnvironment()
    const first = managerOn(environment)
    await write(first.create('topic', 0, '', COMPACT), same(9))
    await environment.time.advance(BACKOFF_MS)
    await first.close()
    const second = managerOn(environment)
    const log = second.get('topic', 0)!
    log.updateConfig(COMPACT)
    log.advanceHighWatermark(log.logEndOffset)
    const before = environment.disk.list('/data/topic-0').map(({ name }) => name)
    await environment.time.advance(2 * BACKOFF_MS)
    expect(environment.disk.list('/data/topic-0').map(({ name }) => name)).toEqual(before)
    await write(log, same(9))
    await environment.time.advance(BACKOFF_MS)
    expect(checkpoint(environment)).toEqual(['topic 0 17'])
    await second.close()
  })

  test('a crash after a compaction is no damage, though segments are empty and offsets missing', async () => {
    const environment = testEnvironment()
    const first = managerOn(environment)
    const log = first.create('topic', 0, '', COMPACT)
    await write(log, [...same(9), ...different(9)])
    await log.flush()
    await environment.time.advance(BACKOFF_MS)
    const seen = await readCommitted(log)
    first.abandon()
    environment.disk.crash((_, unsyncedBytes) => unsyncedBytes)
    const second = managerOn(environment)
    const again = second.get('topic', 0)!
    again.advanceHighWatermark(again.logEndOffset)
    expect(again.offline).toBeUndefined()
    expect(await readCommitted(again)).toEqual(seen)
    await second.close()
  })

  test('a log that cannot be compacted is left alone, and the others are not', async () => {
    const environment = testEnvironment()
    const manager = managerOn(environment)
    const damaged = manager.create('damaged', 0, '', COMPACT)
    const sound = manager.create('sound', 0, '', COMPACT)
    for (const log of [damaged, sound]) await write(log, same(9))
    const file = environment.disk.open('/data/damaged-0/00000000000000000000.log', 'write')
    file.writeSync([Buffer.from([0x7f])], 61)
    await environment.time.advance(3 * BACKOFF_MS)
    expect(checkpoint(environment)).toEqual(['damaged 0 0', 'sound 0 8'])
    expect((await readCommitted(sound)).length).toBeLessThan(5)
    expect(damaged.segmentCount).toBeGreaterThan(3)
    await manager.close()
  })

  test('a full disk is tried again', async () => {
    const environment = testEnvironment()
    const manager = managerOn(environment)
    const log = manager.create('topic', 0, '', COMPACT)
    await write(log, same(9))
    environment.disk.fault = (operation, path) =>
      operation === 'write' && path.endsWith('.cleaned') ? 'ENOSPC' : undefined
    await environment.time.advance(BACKOFF_MS)
    expect(checkpoint(environment)).toEqual(['topic 0 0'])
    environment.disk.fault = () => undefined
    await environment.time.advance(BACKOFF_MS)
    expect(checkpoint(environment)).toEqual(['topic 0 8'])
    expect(log.offline).toBeUndefined()
    await manager.close()
  })

  test('the checkpoint forgets a deleted topic, and does not reach past a truncated log', async () => {
    const environment = testEnvironment()
    const manager = managerOn(environment)
    for (const topic of ['deleted', 'cut']) await write(manager.create(topic, 0, '', COMPACT), same(9))
    await environment.time.advance(BACKOFF_MS)
    manager.delete('deleted', 0)
    await manager.get('cut', 0)!.truncateTo(7)
    expect(checkpoint(environment)).toEqual(['cut 0 7'])
    await manager.close()
  })

  test('a log that is also deleted from loses its old segments with the next round', async () => {
    const environment = testEnvironment()
    const manager = managerOn(environment)
    const log = manager.create('topic', 0, '', { ...COMPACT, cleanupDelete: true, retentionMs: 1000 })
    await write(log, different(9))
    await environment.time.advance(BACKOFF_MS)
    expect(log.logStartOffset).toBe(9)
    await manager.close()
  })
})

describe('the pace of the cleaner', () => {
  test('keeps to a rate', async () => {
    const { time } = testEnvironment()
    const pace = new Pace(
      time,
      () => 1000,
      () => true,
    )
    pace.spend(5000)
    let isRested = false
    const resting = pace.rest().then(() => {
      isRested = true
    })
    await time.advance(4900)
    expect(isRested).toBe(false)
    await time.advance(400)
    expect(isRested).toBe(true)
    await resting
  })
})
