import { describe, expect, test } from 'vitest'
import { BrokerConfig } from '../../config/broker-config.ts'
import { MemoryDisk } from '../../platform/memory-disk.ts'
import type { Platform } from '../../platform/platform.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { batchesIn } from '../../protocol/records/batch.ts'
import { metadataRecord } from '../records.ts'
import { bootstrapCheckpoint, votersCheckpoint } from './checkpoints.ts'
import { chooseFeatureLevels } from './features.ts'
import { formatDirectories, isAloneInQuorum, loadDirectories, openDirectories, standaloneVoter } from './format.ts'
import { encodeMetaProperties, readMetaProperties } from './meta-properties.ts'

/** What the storage tool of Apache Kafka 4.3.1 wrote for node 1 with --initial-controllers. */
const KAFKA_BOOTSTRAP =
  'AAAAAAAAAAAAAABHAAAAAAIMIXt2ACAAAAAAAAABogGvJj4AAAGiAa8mPv//////////////////AAAAASoAAAAIAAAAAxYAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAQAAAPEAAAAAAmwRGooAAAAAAAUAAAGiAa8mhwAAAaIBryaH//////////////////8AAAAGOgAAAAEuAQwAEW1ldGFkYXRhLnZl' +
  'cnNpb24AHgAAWgAAAgFOAQwAIWVsaWdpYmxlLmxlYWRlci5yZXBsaWNhcy52ZXJzaW9uAAEAADQAAAQBKAEMAA5ncm91cC52ZXJzaW9uAAEAAD' +
  'QAAAYBKAEMAA5zaGFyZS52ZXJzaW9uAAEAADgAAAgBLAEMABBzdHJlYW1zLnZlcnNpb24AAQAAQAAACgE0AQwAFHRyYW5zYWN0aW9uLnZlcnNp' +
  'b24AAgAAAAAAAAAAAAcAAAA/AAAAAALe7bsBACAAAAAAAAABogGvJokAAAGiAa8mif//////////////////AAAAARoAAAAIAAAABAYAAAAA'
const KAFKA_VOTERS =
  'AAAAAAAAAAAAAACaAAAAAAKxgZJYACAAAAACAAABogGvJtQAAAGiAa8m1P//////////////////AAAAAyoAAAAIAAAAAxYAAAAAAaIBryarAA' +
  'AeAAACCAAAAAUKAAAAAQAAggEAAAQIAAAABm4AAAIAAAABDeLnr5L0QSe3ED5y+hyOGAILQ09OVFJPTExFUgoxMjcuMC4wLjFTPgAAAAABAAAA' +
  'AAAAAAAAAAADAAAAPwAAAAACaYXGSAAgAAAAAAAAAaIBrybdAAABogGvJt3//////////////////wAAAAEaAAAACAAAAAQGAAAAAA=='

function testPlatform(): Platform {
  let seed = 0
  return {
    disk: new MemoryDisk(),
    time: new VirtualTime(),
    network: undefined as never,
    random: { bytes: (length) => Buffer.alloc(length, ++seed), below: () => 0 },
  }
}

function testConfig(properties: Record<string, string> = {}): BrokerConfig {
  return new BrokerConfig(
    new Map(
      Object.entries({
        'node.id': '1',
        'process.roles': 'broker,controller',
        listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
        'controller.listener.names': 'CONTROLLER',
        'controller.quorum.bootstrap.servers': '127.0.0.1:9093',
        'log.dirs': '/data',
        ...properties,
      }),
    ),
  )
}

/** Zeros the timestamps of every batch and the checksum that covers them. */
function withoutTimes(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  for (let at = 0; at < copy.length; at += 12 + copy.readInt32BE(at + 8)) {
    copy.fill(0, at + 17, at + 21)
    copy.fill(0, at + 27, at + 43)
  }
  return copy
}

describe('checkpoints', () => {
  test('bootstrap.checkpoint has the bytes of the storage tool', () => {
    const features = chooseFeatureLevels({ levels: new Map(), dynamicQuorum: true })
    const records = features.records.map(({ name, level }) =>
      metadataRecord('FeatureLevel', { name, featureLevel: level }),
    )
    const ours = bootstrapCheckpoint(records, 1795324585534)
    expect(withoutTimes(ours)).toEqual(withoutTimes(Buffer.from(KAFKA_BOOTSTRAP, 'base64')))
  })

  test('the snapshot with the first voters has the bytes of the storage tool', () => {
    const voter = { id: 1, host: '127.0.0.1', port: 21310, directoryId: 'DeLnr5L0QSe3ED5y-hyOGA' }
    // The header holds a time of its own, 1795324585643, which is that of the file's header record.
    const ours = votersCheckpoint([voter], 1, 'CONTROLLER', 1795324585643)
    expect(withoutTimes(ours)).toEqual(withoutTimes(Buffer.from(KAFKA_VOTERS, 'base64')))
  })

  test('every batch is whole', () => {
    const bytes = bootstrapCheckpoint([metadataRecord('FeatureLevel', { name: 'group.version', featureLevel: 1 })], 5)
    expect([...batchesIn(bytes)].map((batch) => batch.isCrcValid())).toEqual([true, true, true])
  })
})

describe('feature levels', () => {
  test('follow the release', () => {
    const levels = (release: string) =>
      Object.fromEntries(
        chooseFeatureLevels({ release, levels: new Map(), dynamicQuorum: false }).records.map((r) => [r.name, r.level]),
      )
    expect(levels('3.9')).toEqual({ 'metadata.version': 21 })
    expect(levels('4.0.1')).toEqual({ 'metadata.version': 25, 'group.version': 1, 'transaction.version': 2 })
    expect(levels('4.3')['share.version']).toBe(1)
    expect(() => levels('9.9')).toThrow("Unknown metadata.version '9.9'")
  })

  test('that were asked for are checked', () => {
    const choose = (name: string, level: number, release?: string) => () =>
      chooseFeatureLevels({ release, levels: new Map([[name, level]]), dynamicQuorum: false })
    expect(choose('group.version', 0)().records.map((r) => r.name)).not.toContain('group.version')
    expect(choose('group.version', 2)).toThrow('No feature:group.version with feature level 2')
    expect(choose('gruppe', 1)).toThrow('Unsupported feature: gruppe. Supported features are: eligible')
    expect(choose('kraft.version', 1)).toThrow('Cannot set kraft.version to 1 unless controller.quorum.voters is empty')
    expect(choose('eligible.leader.replicas.version', 1, '3.9')).toThrow('depends on metadata.version level 23')
    expect(choose('metadata.version', 30, '4.3')).toThrow('to avoid ambiguity')
  })
})

describe('meta.properties', () => {
  test('has the bytes of Apache Kafka', () => {
    const properties = { clusterId: 'O5EBXi1KSySUkPUZeOAdjA', nodeId: 1, directoryId: 'DeLnr5L0QSe3ED5y-hyOGA' }
    expect(encodeMetaProperties(properties, Date.UTC(2026, 10, 22, 5, 16, 25)).toString()).toBe(
      '#\n#Sun Nov 22 05:16:25 UTC 2026\nnode.id=1\ndirectory.id=DeLnr5L0QSe3ED5y-hyOGA\nversion=1\n' +
        'cluster.id=O5EBXi1KSySUkPUZeOAdjA\n',
    )
  })

  test('of version 0 or without a cluster id is refused', () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/data')
    disk.replaceFile('/data/meta.properties', Buffer.from('broker.id=1\n'))
    expect(() => readMetaProperties(disk, '/data')).toThrow('/data/meta.properties has version 0')
    disk.replaceFile('/data/meta.properties', Buffer.from('version=1\nnode.id=1\n'))
    expect(() => readMetaProperties(disk, '/data')).toThrow('holds no cluster.id')
    expect(readMetaProperties(disk, '/other')).toBeUndefined()
  })
})

describe('formatting', () => {
  test('writes each directory, the voters only where the metadata log lies', () => {
    const platform = testPlatform()
    const config = testConfig({ 'log.dirs': '/b,/a' })
    const voters = [standaloneVoter(platform, config)]
    const { formatted } = formatDirectories(platform, config, {
      clusterId: 'c',
      ignoreFormatted: false,
      initialVoters: voters,
    })
    expect(formatted.map((entry) => entry.description)).toEqual(['dynamic metadata voter directory', 'data directory'])
    expect(platform.disk.list('/b').map((entry) => entry.name)).toEqual([
      '__cluster_metadata-0',
      'bootstrap.checkpoint',
      'meta.properties',
    ])
    expect(platform.disk.list('/a').map((entry) => entry.name)).toEqual(['bootstrap.checkpoint', 'meta.properties'])
    const loaded = loadDirectories(platform.disk, config)
    expect(loaded?.clusterId).toBe('c')
    expect(loaded?.directoryIds.get('/b')).toBe(voters[0]!.directoryId)
    expect(loaded?.directoryIds.get('/a')).not.toBe(voters[0]!.directoryId)
  })

  test('refuses what is formatted already, another cluster and another node', () => {
    const platform = testPlatform()
    const options = { clusterId: 'c', ignoreFormatted: false }
    formatDirectories(platform, testConfig(), options)
    const again = () => formatDirectories(platform, testConfig(), options)
    expect(again).toThrow('Log directory /data is already formatted.')
    expect(formatDirectories(platform, testConfig(), { ...options, ignoreFormatted: true }).formatted).toEqual([])
    const other = { clusterId: 'd', ignoreFormatted: true }
    expect(() => formatDirectories(platform, testConfig(), other)).toThrow('Expected d, but read c')
    expect(() => loadDirectories(platform.disk, testConfig({ 'node.id': '2' }))).toThrow('Stored node id 1')
  })

  test('an I/O error is one line that says where', () => {
    const platform = testPlatform()
    ;(platform.disk as MemoryDisk).fault = (operation) => (operation === 'replace' ? 'EACCES' : undefined)
    expect(() => openDirectories(platform, testConfig())).toThrow('Cannot format /data: EACCES')
  })
})

describe('opening directories', () => {
  test('formats new ones of a node that is alone, and finds them again', () => {
    const platform = testPlatform()
    const first = openDirectories(platform, testConfig())
    expect(openDirectories(platform, testConfig())).toEqual(first)
    expect(() => openDirectories(platform, testConfig(), 'another')).toThrow('Expected another, but read')
    expect(openDirectories(testPlatform(), testConfig(), 'mine').clusterId).toBe('mine')
  })

  test('leaves those of a quorum of several to be formatted by hand', () => {
    const config = testConfig({ 'controller.quorum.bootstrap.servers': '127.0.0.1:9093,127.0.0.1:9193' })
    expect(isAloneInQuorum(config)).toBe(false)
    expect(() => openDirectories(testPlatform(), config)).toThrow('/data is not formatted; format it with')
  })

  test('a fixed quorum of one is alone', () => {
    const fixed = { 'controller.quorum.bootstrap.servers': '', 'controller.quorum.voters': '1@localhost:9093' }
    const platform = testPlatform()
    expect(isAloneInQuorum(testConfig(fixed))).toBe(true)
    openDirectories(platform, testConfig(fixed))
    expect(platform.disk.exists('/data/__cluster_metadata-0')).toBe(false)
  })

  test('gives a log directory that was added its own id', () => {
    const platform = testPlatform()
    const before = openDirectories(platform, testConfig())
    const after = openDirectories(platform, testConfig({ 'log.dirs': '/data,/more' }))
    expect(after.clusterId).toBe(before.clusterId)
    expect(after.directoryIds.get('/more')).toMatch(/^[\w-]{22}$/)
  })

  test.each<[string, (disk: MemoryDisk) => void, string]>([
    [
      'cannot be read',
      (disk) => {
        disk.fault = (operation, path) => (operation === 'read' && path === '/more/meta.properties' ? 'EIO' : undefined)
      },
      'Cannot read /more/meta.properties: EIO',
    ],
    [
      'makes no sense',
      (disk) => disk.replaceFile('/more/meta.properties', Buffer.from('version=7\n')),
      '/more/meta.properties has version 7; only version 1 (KRaft) can be used',
    ],
  ])('does without a directory whose meta.properties %s, unless the metadata log is there', (_, happens, why) => {
    const platform = testPlatform()
    const disk = platform.disk as MemoryDisk
    const both = testConfig({ 'log.dirs': '/data,/more' })
    const before = openDirectories(platform, both)
    happens(disk)
    const failures = new Map<string, string>()
    const after = openDirectories(platform, both, undefined, failures)
    expect([...failures]).toEqual([['/more', why]])
    expect([...after.directoryIds]).toEqual([['/data', before.directoryIds.get('/data')]])
    expect(() => openDirectories(platform, testConfig({ 'log.dirs': '/more,/data' }))).toThrow(why)
    expect(() => loadDirectories(disk, both)).toThrow(why)
  })

  test('does not take a directory that lost its meta.properties for a new one', () => {
    const platform = testPlatform()
    openDirectories(platform, testConfig())
    platform.disk.makeDirectory('/data/orders-0')
    platform.disk.remove('/data/meta.properties')
    expect(() => openDirectories(platform, testConfig())).toThrow('/data holds orders-0 but no meta.properties')
  })

  test('goes on after formatting that was interrupted', () => {
    const platform = testPlatform()
    const disk = platform.disk as MemoryDisk
    disk.fault = (operation, path) => (operation === 'replace' && path.endsWith('.properties') ? 'EIO' : undefined)
    expect(() => openDirectories(platform, testConfig())).toThrow('EIO')
    disk.fault = () => undefined
    expect(openDirectories(platform, testConfig()).directoryIds.size).toBe(1)
  })
})
