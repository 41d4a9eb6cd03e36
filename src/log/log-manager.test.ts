import { describe, expect, it } from 'vitest'
import { StartupError } from '../config/startup-error.ts'
import { silentLogger } from '../platform/logger.ts'
import { LogManager, type LogManagerOptions } from './log-manager.ts'
import { batchOf, CLIENT, DEFAULT_CONFIG, readValues, type TestEnvironment, testEnvironment } from './testkit.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAABA'

function openManager(environment: TestEnvironment, options: Partial<LogManagerOptions> = {}): LogManager {
  return LogManager.open({ environment, directories: ['/a'], configOf: () => DEFAULT_CONFIG, ...options })
}

describe('the logs of a broker', () => {
  it('are there again after a clean shutdown, which leaves a mark with the broker epoch', async () => {
    const environment = testEnvironment()
    const { disk } = environment
    const manager = openManager(environment)
    const log = manager.create('t', 3, TOPIC_ID, DEFAULT_CONFIG)
    await log.append([batchOf(['x', 'y'])], CLIENT)
    log.advanceHighWatermark(2)
    await manager.close(17)
    expect(disk.readFile('/a/.kafka_cleanshutdown').toString()).toBe('{"version":0,"brokerEpoch":17}')
    expect(disk.readFile('/a/recovery-point-offset-checkpoint').toString()).toBe('0\n1\nt 3 2\n')
    expect(disk.readFile('/a/replication-offset-checkpoint').toString()).toBe('0\n1\nt 3 2\n')
    expect(disk.readFile('/a/t-3/partition.metadata').toString()).toBe(`version: 0\ntopic_id: ${TOPIC_ID}`)
    const again = openManager(environment)
    expect(again.previousBrokerEpoch).toBe(17)
    expect(disk.exists('/a/.kafka_cleanshutdown')).toBe(false)
    expect(again.get('t', 3)).toMatchObject({ topicId: TOPIC_ID, logEndOffset: 2, highWatermark: 2, recoveryPoint: 2 })
    again.abandon()
  })

  it('does not lend a directory to two', () => {
    const environment = testEnvironment()
    const manager = openManager(environment)
    expect(() => openManager(environment)).toThrow('Failed to acquire lock on file .lock in /a')
    manager.abandon()
    openManager(environment).abandon()
  })

  it('say in one line why none of the directories can be used', () => {
    const environment = testEnvironment()
    openManager(environment).abandon()
    environment.disk.fault = () => 'EIO'
    expect(() => openManager(environment)).toThrow(StartupError)
    expect(() => openManager(environment)).toThrow(/^None of the log directories can be used: \/a \(EIO.*\)$/)
  })

  it('make no empty log of a partition that may be in a directory that failed', () => {
    const environment = testEnvironment()
    const directories = ['/a', '/b']
    const before = openManager(environment, { directories })
    before.create('t', 0, TOPIC_ID, DEFAULT_CONFIG)
    before.abandon()
    environment.disk.fault = (_, path) => (path.startsWith('/a/t-0') ? 'EIO' : undefined)
    const manager = openManager(environment, { directories })
    expect(manager.describe().map(({ failure }) => failure !== undefined)).toEqual([true, false])
    expect(() => manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG, true)).toThrow(
      /because log directories \/a are offline/,
    )
    expect(manager.create('new', 0, TOPIC_ID, DEFAULT_CONFIG).directory).toBe('/b/new-0')
    manager.abandon()
  })

  it.each([
    ['what it began is taken back', 'open'],
    ['what it began and cannot take back is removed at the next start', 'open remove'],
  ])('when a log cannot be created it may be made elsewhere: %s', (_, failing) => {
    const environment = testEnvironment()
    const { disk } = environment
    const directories = ['/a', '/b']
    const manager = openManager(environment, { directories })
    manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG)
    disk.fault = (operation, path) => (failing.includes(operation) && path.startsWith('/b/') ? 'EIO' : undefined)
    expect(() => manager.create('t', 1, TOPIC_ID, DEFAULT_CONFIG)).toThrow(
      /Error while creating log for t-1 in dir \/b/,
    )
    expect(disk.exists('/b/t-1')).toBe(failing !== 'open')
    expect(() => manager.move('t', 1, '/a')).toThrow('There is no log of t-1 yet')
    expect(manager.create('t', 1, TOPIC_ID, DEFAULT_CONFIG).directory).toBe('/a/t-1')
    manager.abandon()
    disk.fault = () => undefined
    const again = openManager(environment, { directories })
    expect(again.get('t', 1)?.directory).toBe('/a/t-1')
    expect(disk.exists('/b/t-1')).toBe(false)
    again.abandon()
  })

  it('leaves the metadata log alone', () => {
    const environment = testEnvironment()
    environment.disk.makeDirectory('/a/__cluster_metadata-0')
    const manager = openManager(environment)
    expect([...manager.all()]).toEqual([])
    manager.abandon()
  })

  it('deletes a partition by renaming it, and its files later', async () => {
    const environment = testEnvironment()
    const { disk, time } = environment
    const manager = openManager(environment)
    const log = manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG)
    await log.append([batchOf(['x'])], CLIENT)
    manager.delete('t', 0)
    expect(manager.get('t', 0)).toBeUndefined()
    const names = () => disk.list('/a').map((entry) => entry.name)
    expect(names().find((name) => /^t-0\.[0-9a-f]{32}-delete$/.test(name))).toBeDefined()
    const fresh = manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG)
    expect(fresh.logEndOffset).toBe(0)
    await time.advance(DEFAULT_CONFIG.fileDeleteDelayMs)
    expect(names().filter((name) => name.endsWith('-delete'))).toEqual([])
    manager.abandon()
  })

  it('deletes a partition whose directory somebody has removed', async () => {
    const environment = testEnvironment()
    const manager = openManager(environment)
    const log = manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG)
    environment.disk.removeTree('/a/t-0')
    manager.delete('t', 0)
    expect(log.offline).toBe('its directory is gone')
    expect(manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG).logEndOffset).toBe(0)
    manager.abandon()
  })

  it('keeps what is set aside, over starts too', async () => {
    const environment = testEnvironment()
    const { disk, time } = environment
    const manager = openManager(environment)
    await manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG).append([batchOf(['x'])], CLIENT)
    manager.setAside('t', 0)
    expect(manager.get('t', 0)).toBeUndefined()
    manager.abandon()
    const again = openManager(environment)
    await time.advance(10 * DEFAULT_CONFIG.fileDeleteDelayMs)
    const [name] = disk.list('/a').flatMap((entry) => (entry.isDirectory ? [entry.name] : []))
    expect(name).toMatch(/^t-0\.[0-9a-f]{32}-stray$/)
    expect(disk.stat(`/a/${name}/00000000000000000000.log`)?.sizeBytes).toBeGreaterThan(0)
    expect([...again.all()]).toEqual([])
    again.abandon()
  })

  it('does not take the checkpoints of a deleted log for those of a new one of its name', async () => {
    const environment = testEnvironment()
    const options = { logStartIntervalMs: 1000, recoveryPointIntervalMs: 1000, initialTaskDelayMs: 1000 }
    const manager = openManager(environment, options)
    const old = manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG)
    await old.append([batchOf(['a', 'b', 'c', 'd'])], CLIENT)
    await old.flush()
    old.advanceHighWatermark(4)
    old.advanceLogStart(3, 'a test')
    await environment.time.advance(1000)
    manager.delete('t', 0)
    await manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG).append([batchOf(['new'])], CLIENT)
    manager.abandon()
    const again = openManager(environment)
    expect(again.get('t', 0)).toMatchObject({ logStartOffset: 0, logEndOffset: 1, offline: undefined })
    again.abandon()
  })

  it('finishes deletions that a shutdown interrupted', async () => {
    const environment = testEnvironment()
    environment.disk.makeDirectory('/a/t-0.0123456789abcdef0123456789abcdef-delete')
    const manager = openManager(environment)
    expect([...manager.all()]).toEqual([])
    await environment.time.advance(DEFAULT_CONFIG.fileDeleteDelayMs)
    expect(environment.disk.list('/a').filter((entry) => entry.isDirectory)).toEqual([])
    manager.abandon()
  })

  it('makes none in a cordoned directory, while there is another, and moves none there (KIP-1066)', () => {
    const environment = testEnvironment()
    const cordoned = new Set(['/a'])
    const isCordoned = (directory: string) => cordoned.has(directory)
    const manager = openManager(environment, { directories: ['/a', '/b'], isCordoned })
    const directoryOf = (partition: number) => manager.create('t', partition, TOPIC_ID, DEFAULT_CONFIG).directory
    expect([directoryOf(0), directoryOf(1)]).toEqual(['/b/t-0', '/b/t-1'])
    expect(manager.describe().map((each) => each.isCordoned)).toEqual([true, false])
    expect(() => manager.move('t', 0, '/a')).toThrow('Log directory /a is cordoned')
    cordoned.add('/b')
    expect(directoryOf(2)).toBe('/a/t-2')
    cordoned.delete('/a')
    expect(directoryOf(3)).toBe('/a/t-3')
    manager.abandon()
  })

  it('makes a log where there are fewest, and goes on without a directory that fails', async () => {
    const environment = testEnvironment()
    const { disk, time } = environment
    const failures: string[] = []
    const manager = openManager(environment, {
      directories: ['/a', '/b'],
      onDirectoryFailure: (directory) => failures.push(directory),
    })
    const first = manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG)
    const second = manager.create('t', 1, TOPIC_ID, DEFAULT_CONFIG)
    expect([first.directory, second.directory]).toEqual(['/a/t-0', '/b/t-1'])
    disk.fault = (operation, path) => (path.startsWith('/a/') && operation !== 'read' ? 'EIO' : undefined)
    await time.advance(30_000)
    expect(failures).toEqual(['/a'])
    expect(first.offline).toContain('EIO')
    expect(second.offline).toBeUndefined()
    expect(manager.create('t', 2, TOPIC_ID, DEFAULT_CONFIG).directory).toBe('/b/t-2')
    expect(manager.describe().map((each) => each.failure !== undefined)).toEqual([true, false])
    manager.abandon()
  })

  it('says once that there is no room for checkpoints, and once that there is again', async () => {
    const lines: string[] = []
    const say = (line: string) => lines.push(line)
    const environment: TestEnvironment = { ...testEnvironment(), logger: { ...silentLogger, error: say, info: say } }
    const { disk, time } = environment
    const manager = openManager(environment, { directories: ['/a', '/b'] })
    manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG)
    lines.length = 0
    disk.fault = (_, path) => (/^\/a\/.*-checkpoint/.test(path) ? 'ENOSPC' : undefined)
    await time.advance(30_000)
    disk.fault = () => undefined
    await time.advance(30_000)
    expect(lines).toEqual([
      expect.stringMatching(/^\/a has no room for its checkpoints: .*ENOSPC/),
      '/a has room for its checkpoints again',
    ])
    expect(manager.failedDirectories()).toEqual([])
    manager.abandon()
  })

  it('keeps what a crash left, up to what is sound', async () => {
    const environment = testEnvironment()
    const manager = openManager(environment)
    const log = manager.create('t', 0, TOPIC_ID, DEFAULT_CONFIG)
    await log.append([batchOf(['x'])], CLIENT)
    await log.append([batchOf(['y'])], CLIENT)
    manager.abandon()
    environment.disk.crash((_, unsynced) => unsynced - 1)
    const again = openManager(environment)
    expect(await readValues(again.get('t', 0)!)).toEqual([[0, 'x']])
    expect(again.previousBrokerEpoch).toBe(-1)
    again.abandon()
  })

  it('does retention from time to time', async () => {
    const environment = testEnvironment()
    const manager = openManager(environment, { retentionCheckIntervalMs: 1000, initialTaskDelayMs: 0 })
    const config = { ...DEFAULT_CONFIG, retentionMs: 500 }
    const log = manager.create('t', 0, TOPIC_ID, config)
    await log.append([batchOf(['x'])], CLIENT)
    await environment.time.advance(2000)
    expect(log.logStartOffset).toBe(0)
    log.advanceHighWatermark(1)
    await environment.time.advance(2000)
    expect(log.logStartOffset).toBe(1)
    manager.abandon()
  })
})
