import { describe, expect, it } from 'vitest'
import { MemoryDisk } from '../../platform/memory-disk.ts'
import type { Platform } from '../../platform/platform.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { controlBatch } from './batches.ts'
import { VoterSet } from './core/voters.ts'
import { DIRECTORY, formatWith, Journal, LOG, LOG_DIRECTORY, QUORUM_DEFAULTS, serde } from './quorum.testkit.ts'
import { Quorum } from './quorum.ts'
import type { QuorumNodeOptions } from './quorum-options.ts'
import { snapshotPath } from './snapshot-file.ts'
import { MetadataLogError, NotLeaderError } from './types.ts'

const DIRECTORY_ID = 'Z8ieC9GbRMy7po1nB9IrzQ'
const ENDPOINT = { name: 'CONTROLLER', host: '127.0.0.1', port: 9093 }

const FIXED = new VoterSet([
  { id: 1, directoryId: ZERO_UUID, endpoints: [ENDPOINT], kraftVersions: { min: 0, max: 0 } },
])
const NOBODY = new VoterSet([])
const SNAPSHOTS = { snapshotMaxIntervalMs: 1000 }

class World {
  readonly disk = new MemoryDisk()
  readonly time = new VirtualTime()
  options: QuorumNodeOptions

  constructor(change: Partial<QuorumNodeOptions> = {}) {
    const random = { below: () => 0 }
    const platform = { disk: this.disk, time: this.time, random } as unknown as Platform
    this.disk.makeDirectory(DIRECTORY)
    this.options = {
      ...QUORUM_DEFAULTS,
      platform,
      nodeId: 1,
      directoryId: DIRECTORY_ID,
      channel: { send: async () => undefined, isRefusedBy: () => false, close() {} },
      endpoints: [ENDPOINT],
      bootstrapPeers: [],
      staticVoters: FIXED,
      ...change,
    }
  }

  async open(): Promise<{ quorum: Quorum<string>; journal: Journal }> {
    const journal = new Journal()
    const leads = new Promise<void>((resolve) => {
      journal.onLeader = (leaderId) => {
        if (leaderId === 1) resolve()
      }
    })
    const quorum = Quorum.open(this.options, serde, journal)
    await leads
    return { quorum, journal }
  }

  /** What was appended is in a snapshot then; with SNAPSHOTS. */
  async snapshot(): Promise<void> {
    await this.time.advance(SNAPSHOTS.snapshotMaxIntervalMs)
  }

  /** What a format command with --standalone leaves. */
  format(voters: readonly { id: number; directoryId: string }[]): void {
    formatWith(
      this.disk,
      voters.map((voter) => ({ ...voter, endpoints: [ENDPOINT], kraftVersions: { min: 0, max: 1 } })),
    )
  }
}

describe('a quorum of one', () => {
  it('begins each epoch with a LeaderChange record and remembers it', async () => {
    const world = new World()
    const { quorum } = await world.open()
    expect(quorum.leaderEpoch).toBe(1)
    expect(quorum.highWatermark).toBe(1)
    await quorum.close()
    expect((await world.open()).quorum.leaderEpoch).toBe(2)
    // The form that kraft.version 0 has.
    expect(world.disk.readFile(`${LOG_DIRECTORY}/quorum-state`).toString()).toBe(
      '{"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}',
    )
    expect(world.disk.readFile(`${LOG_DIRECTORY}/leader-epoch-checkpoint`).toString()).toBe('0\n2\n1 0\n2 1\n')
  })

  it('takes the voters of a formatted directory and writes them to the log (KIP-853)', async () => {
    const world = new World({ staticVoters: NOBODY })
    world.format([{ id: 1, directoryId: DIRECTORY_ID }])
    const { quorum } = await world.open()
    expect(quorum.kraftVersion).toBe(1)
    expect(quorum.voters.get(1)!).toMatchObject({ id: 1, directoryId: DIRECTORY_ID, endpoints: [ENDPOINT] })
    // LeaderChange, KRaftVersion and KRaftVoters.
    expect(quorum.highWatermark).toBe(3)
    await quorum.close()
    const again = await world.open()
    expect(again.quorum.highWatermark).toBe(4)
    expect(world.disk.readFile(`${LOG_DIRECTORY}/quorum-state`).toString()).toBe(
      '{"leaderId":1,"leaderEpoch":2,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}',
    )
  })

  it('writes its voter again when its listeners changed', async () => {
    const world = new World({ staticVoters: NOBODY })
    world.format([{ id: 1, directoryId: DIRECTORY_ID }])
    await (await world.open()).quorum.close()
    world.options = { ...world.options, endpoints: [{ ...ENDPOINT, port: 9094 }] }
    const { quorum } = await world.open()
    expect(quorum.highWatermark).toBe(6)
    await quorum.close()
    expect((await world.open()).quorum.voters.get(1)!.endpoints).toEqual([{ ...ENDPOINT, port: 9094 }])
  })

  it.each([
    ['nobody is a voter', [], /names no voters/],
    ['another directory is the voter', [{ id: 1, directoryId: 'AAAAAAAAAAAAAAAAAAAABg' }], /meta\.properties says/],
  ])('refuses to start where %s', async (_, voters, message) => {
    const world = new World({ staticVoters: NOBODY })
    if (voters.length > 0) world.format(voters)
    await expect(world.open()).rejects.toThrow(message)
  })

  it('does not lead where others are the voters', async () => {
    const world = new World({ staticVoters: NOBODY })
    world.format([{ id: 2, directoryId: DIRECTORY_ID }])
    const quorum = Quorum.open(world.options, serde, new Journal())
    await world.time.advance(60_000)
    expect(quorum.leaderId).toBe(-1)
    await expect(quorum.append(['a'])).rejects.toThrow(NotLeaderError)
  })
})

describe('appends that may wait for others (controller.quorum.append.linger.ms)', () => {
  /** What was in the log at each sync. */
  function syncsOf(world: World): number[] {
    const sizes: number[] = []
    world.disk.fault = (operation, path) => {
      if (operation === 'sync' && path === LOG) sizes.push(world.disk.stat(LOG)!.sizeBytes)
      return undefined
    }
    return sizes
  }

  it('are written together when the time is up', async () => {
    const world = new World({ appendLingerMs: 25 })
    const { quorum, journal } = await world.open()
    const syncs = syncsOf(world)
    const first = quorum.append(['a'])
    await world.time.advance(20)
    const second = quorum.append(['b'])
    await world.time.advance(4)
    expect(syncs).toHaveLength(0)
    expect(journal.records).toEqual([])
    await world.time.advance(1)
    expect(await Promise.all([first, second])).toEqual([1, 2])
    expect(syncs).toHaveLength(1)
    const third = quorum.append(['c'])
    await world.time.advance(24)
    expect(syncs).toHaveLength(1)
    await world.time.advance(1)
    await third
    expect(syncs).toHaveLength(2)
  })

  it('are written at once when there is enough for a batch, and at the end', async () => {
    const world = new World({ appendLingerMs: 25 })
    const { quorum } = await world.open()
    const half = 'x'.repeat(5e6)
    expect(await Promise.all([quorum.append([half]), quorum.append([half])])).toEqual([1, 2])
    const last = quorum.append(['last']).catch((error) => error)
    await quorum.close()
    expect(await last).toBeInstanceOf(NotLeaderError)
    expect((await world.open()).journal.records).toEqual([half, half, 'last'])
  })
})

describe('appends', () => {
  it('are committed in order, those that wait in one batch', async () => {
    const world = new World()
    const { quorum, journal } = await world.open()
    const sizes: number[] = []
    world.disk.fault = (operation) => {
      if (operation === 'sync') sizes.push(world.disk.stat(LOG)!.sizeBytes)
      return undefined
    }
    const offsets = await Promise.all([
      quorum.append(['a', 'b']),
      quorum.append(['c']),
      quorum.append(['d', 'e']),
      quorum.append(['f']),
    ])
    expect(offsets).toEqual([2, 3, 5, 6])
    expect(journal.records).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(journal.lastOffset).toBe(6)
    expect(sizes).toHaveLength(2)
  })

  it('are there after a power failure once they are acknowledged', async () => {
    const world = new World()
    const { quorum } = await world.open()
    await quorum.append(['a', 'b'])
    await quorum.append(['c'])
    world.disk.crash()
    const again = await world.open()
    expect(again.journal.records).toEqual(['a', 'b', 'c'])
    expect(again.quorum.leaderEpoch).toBe(2)
    // Two control batches of one record each.
    expect(again.quorum.highWatermark).toBe(5)
  })

  it('that a crash cut short are cut off, at whatever byte', async () => {
    const whole = new World()
    const first = await whole.open()
    await first.quorum.append(['a'])
    const before = whole.disk.stat(LOG)!.sizeBytes
    await first.quorum.append(['b', 'c'])
    const bytes = whole.disk.readFile(LOG)
    for (let kept = before; kept < bytes.length; kept++) {
      const world = new World()
      world.disk.makeDirectory(LOG_DIRECTORY)
      world.disk.replaceFile(LOG, bytes.subarray(0, kept))
      const { quorum, journal } = await world.open()
      expect(journal.records).toEqual(['a'])
      await quorum.append(['d'])
      await quorum.close()
      expect((await world.open()).journal.records).toEqual(['a', 'd'])
    }
  })

  it('are never cut off where good records follow: the log is damaged and not opened', async () => {
    const world = new World()
    const { quorum } = await world.open()
    await quorum.append(['a'])
    const at = world.disk.stat(LOG)!.sizeBytes
    await quorum.append(['b'])
    await quorum.append(['c'])
    const bytes = world.disk.readFile(LOG)
    bytes[at + 40]! ^= 1
    world.disk.replaceFile(LOG, bytes)
    await expect(world.open()).rejects.toThrow(`${LOG} is damaged at byte ${at}`)
    expect(world.disk.readFile(LOG)).toEqual(bytes)
  })

  it('are not cut off either when the length of the damaged batch is what is wrong', async () => {
    const world = new World()
    const { quorum } = await world.open()
    const at = world.disk.stat(LOG)!.sizeBytes
    await quorum.append(['b'])
    await quorum.append(['c'])
    const bytes = world.disk.readFile(LOG)
    for (const length of [1, 0x7fff_ffff]) {
      bytes.writeInt32BE(length, at + 8)
      world.disk.replaceFile(LOG, bytes)
      await expect(world.open()).rejects.toThrow(`${LOG} is damaged at byte ${at}`)
    }
  })

  it('are missed when the log ends before its last epoch began', async () => {
    const world = new World()
    const { quorum } = await world.open()
    const size = world.disk.stat(LOG)!.sizeBytes
    await quorum.append(['a'])
    await quorum.close()
    await (await world.open()).quorum.close()
    world.disk.replaceFile(LOG, world.disk.readFile(LOG).subarray(0, size))
    await expect(world.open()).rejects.toThrow('the log ends at offset 1, but an epoch began at 2: records are lost')
  })

  it('are missed when there are none, but partitions', async () => {
    const world = new World()
    await (await world.open()).quorum.close()
    world.disk.makeDirectory(`${DIRECTORY}/topic-0`)
    world.disk.replaceFile(LOG, Buffer.alloc(0))
    await expect(world.open()).rejects.toThrow('the log is empty, though there are partitions such as topic-0')
  })

  it('that a full disk refuses fail with all that wait behind them, and the next one succeeds', async () => {
    const world = new World()
    const { quorum, journal } = await world.open()
    await quorum.append(['a'])
    world.disk.capacityBytes = world.disk.usedBytes() + 10
    const outcomes = await Promise.allSettled([quorum.append(['b']), quorum.append(['c'])])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect((outcomes[0] as PromiseRejectedResult).reason).toBeInstanceOf(MetadataLogError)
    expect(journal.aborts).toBe(1)
    world.disk.capacityBytes = Number.POSITIVE_INFINITY
    expect(await quorum.append(['d'])).toBe(2)
    expect(journal.records).toEqual(['a', 'd'])
    world.disk.crash()
    expect((await world.open()).journal.records).toEqual(['a', 'd'])
  })

  it('are refused for good after a failed sync, which may have lost what was written', async () => {
    const world = new World()
    const { quorum } = await world.open()
    world.disk.fault = (operation) => (operation === 'sync' ? 'EIO' : undefined)
    await expect(quorum.append(['a'])).rejects.toThrow('could not be synced: EIO')
    world.disk.fault = () => undefined
    await expect(quorum.append(['b'])).rejects.toThrow('could not be synced: EIO')
  })

  it('refuse what does not fit one batch', async () => {
    const { quorum } = await new World().open()
    expect(() => quorum.append(['x'.repeat(9 * 1024 * 1024)])).toThrow(RangeError)
    expect(await quorum.append(['a'])).toBe(1)
  })
})

describe('snapshots', () => {
  it('are written after so many bytes, and a start needs no more than the last one', async () => {
    const world = new World({ snapshotMaxNewRecordBytes: 300, segmentBytes: 400, retentionBytes: 0 })
    const { quorum } = await world.open()
    for (let i = 0; i < 30; i++) await quorum.append([`record ${i}`])
    await quorum.close()
    expect(quorum.latestSnapshot?.offset).toBeGreaterThan(20)
    expect(quorum.logStartOffset).toBeGreaterThan(0)
    const names = world.disk.list(LOG_DIRECTORY).map(({ name }) => name)
    expect(names.filter((name) => name.endsWith('.checkpoint'))).toHaveLength(1)
    expect(names).not.toContain('00000000000000000000.log')
    const { journal } = await world.open()
    expect(journal.records).toEqual(Array.from({ length: 30 }, (_, i) => `record ${i}`))
  })

  it('are written when the log has grown for so long', async () => {
    const world = new World({ snapshotMaxIntervalMs: 3_600_000 })
    const { quorum } = await world.open()
    await quorum.append(['a'])
    await world.time.advance(3_599_999)
    expect(quorum.latestSnapshot).toBeUndefined()
    await world.time.advance(1)
    expect(quorum.latestSnapshot).toEqual({ offset: 2, epoch: 1 })
    expect(world.time.pendingTasks).toBe(0)
  })

  it('keep the voters', async () => {
    const world = new World({ ...SNAPSHOTS, staticVoters: NOBODY })
    world.format([{ id: 1, directoryId: DIRECTORY_ID }])
    const { quorum } = await world.open()
    await quorum.append(['a'])
    await world.snapshot()
    await quorum.close()
    expect(quorum.latestSnapshot!.offset).toBeGreaterThan(0)
    const again = await world.open()
    expect(again.quorum.voters.get(1)!.directoryId).toBe(DIRECTORY_ID)
    expect(again.journal.records).toEqual(['a'])
  })

  it('that a crash left half written are removed', async () => {
    const world = new World()
    await (await world.open()).quorum.close()
    const partial = `${LOG_DIRECTORY}/00000000000000000001-0000000001.checkpoint.part`
    world.disk.replaceFile(partial, Buffer.from('half'))
    await world.open()
    expect(world.disk.exists(partial)).toBe(false)
  })

  it('that are damaged are not passed over', async () => {
    const world = new World(SNAPSHOTS)
    const { quorum } = await world.open()
    await quorum.append(['a'])
    await world.snapshot()
    await quorum.close()
    const path = snapshotPath(LOG_DIRECTORY, quorum.latestSnapshot!)
    const bytes = world.disk.readFile(path)
    world.disk.replaceFile(path, bytes.subarray(0, bytes.length - 75))
    await expect(world.open()).rejects.toThrow('has no footer')
    bytes[100]! ^= 1
    world.disk.replaceFile(path, bytes)
    await expect(world.open()).rejects.toThrow('is damaged')
  })

  it('cost nothing but a log line when there is no room', async () => {
    const world = new World(SNAPSHOTS)
    const { quorum } = await world.open()
    await quorum.append(['a'])
    world.disk.capacityBytes = world.disk.usedBytes()
    await world.snapshot()
    expect(quorum.latestSnapshot).toBeUndefined()
    world.disk.capacityBytes = Number.POSITIVE_INFINITY
    await quorum.append(['b'])
    await world.snapshot()
    expect(quorum.latestSnapshot).toEqual({ offset: 3, epoch: 1 })
  })
})

it('a log whose beginning is gone needs a snapshot of it', async () => {
  const world = new World()
  world.disk.makeDirectory(LOG_DIRECTORY)
  const batch = controlBatch([], { baseOffset: 5, epoch: 1, timestampMs: 0 })
  world.disk.replaceFile(`${LOG_DIRECTORY}/00000000000000000005.log`, batch.subarray(0, 0))
  await expect(world.open()).rejects.toThrow('no snapshot covers what was before')
})
