import { describe, expect, it, test } from 'vitest'
import { type CrashRemains, MemoryDisk } from '../../platform/memory-disk.ts'
import type { Platform } from '../../platform/platform.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { dataBatch } from './batches.ts'
import { VoterHistory, VoterSet } from './core/voters.ts'
import { loadLog } from './load.ts'
import type { MetadataLog } from './metadata-log.ts'
import { DIRECTORY, LOG, LOG_DIRECTORY, QUORUM_DEFAULTS } from './quorum.testkit.ts'
import { SnapshotBuilder } from './snapshot-file.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import { MetadataLogError, type SnapshotId } from './types.ts'

const ONE_SEGMENT = 1e9
const MANY_SEGMENTS = 300

function open(disk: MemoryDisk, segmentBytes: number) {
  const platform = { disk, time: new VirtualTime() } as unknown as Platform
  const node = { platform, nodeId: 1, directoryId: 'AAAAAAAAAAAAAAAAAAAAAQ', endpoints: [], segmentBytes }
  const channel = { send: async () => undefined, isRefusedBy: () => false, close() {} }
  const bootstrapPeers = [{ id: -2, host: 'elsewhere', port: 1 }]
  const options = { ...QUORUM_DEFAULTS, ...node, channel, bootstrapPeers, staticVoters: new VoterSet([]) }
  const { log: files, store: snapshots, state: log } = loadLog(options)
  return { files, snapshots, log }
}

function opened(segmentBytes: number) {
  const disk = new MemoryDisk()
  disk.makeDirectory(DIRECTORY)
  return { disk, ...open(disk, segmentBytes) }
}

/** Two records to a batch. */
async function append(files: MetadataLog, epoch: number, toOffset: number): Promise<void> {
  while (files.endOffset < toOffset) {
    const place = { baseOffset: files.endOffset, epoch, timestampMs: 0 }
    const batch = dataBatch([Buffer.alloc(20), Buffer.alloc(20)], place)
    await files.append(batch, { nextOffset: files.endOffset + 2, epoch, timestampMs: 0 })
  }
}

function receive(snapshots: SnapshotStore, id: SnapshotId): void {
  snapshots.receive(id, 0, Buffer.concat(new SnapshotBuilder(id.epoch, 0, 0, []).finish()), true)
}

const killed: CrashRemains = { isSynced: false, kept: (_, changes) => changes, keptNames: (changes) => changes }

/** What a crash leaves of the disk after each of the changes that `act` makes, however it dies. */
function crashesIn(disk: MemoryDisk, act: () => void): MemoryDisk[] {
  const left = [disk.afterCrash(killed), disk.onStableStorage()]
  disk.onChange = () => {
    left.push(disk.afterCrash(killed), disk.onStableStorage())
  }
  act()
  return left
}

describe.each([
  ['one segment', ONE_SEGMENT],
  ['many segments', MANY_SEGMENTS],
])('the metadata log after a crash at any moment, in %s', (_, segmentBytes) => {
  it('begins wherever it was being cut off', async () => {
    const { disk, files } = opened(segmentBytes)
    await append(files, 1, 20)
    await append(files, 2, 26)
    await append(files, 3, 30)
    const ends = new Set<number>()
    for (const left of crashesIn(disk, () => files.truncate(10))) {
      const again = open(left, segmentBytes)
      const { endOffset } = again.log
      ends.add(endOffset)
      expect(again.log.lastEpoch).toBe(endOffset > 26 ? 3 : endOffset > 20 ? 2 : 1)
      again.files.truncate(10)
      await append(again.files, 4, 12)
      expect(open(left, segmentBytes).log.epochs).toEqual([
        { epoch: 1, offset: 0 },
        { epoch: 4, offset: 10 },
      ])
    }
    expect(ends).toContain(30)
    expect(ends).toContain(10)
  })

  it('is the old one or ends where the snapshot does that was fetched in its place', async () => {
    const { disk, files, snapshots } = opened(segmentBytes)
    await append(files, 1, 10)
    await append(files, 2, 30)
    await append(files, 3, 40)
    const id = { offset: 24, epoch: 5 }
    const ends = new Set<number>()
    const left = crashesIn(disk, () => {
      receive(snapshots, id)
      files.restartAt(id.offset)
    })
    for (const each of left) {
      const again = open(each, segmentBytes)
      const isNew = again.log.hasSnapshot(id)
      expect(again.log.end).toEqual(isNew ? id : { offset: 40, epoch: 3 })
      expect(again.log.startOffset).toBe(isNew ? 24 : 0)
      ends.add(again.log.endOffset)
      if (!isNew) continue
      await append(again.files, 5, 26)
      const { log } = open(each, segmentBytes)
      expect(log.epochs).toEqual([{ epoch: 5, offset: 24 }])
    }
    expect(ends).toEqual(new Set([40, 24]))
  })
})

test('a log that has lost what was on stable storage before an epoch began is refused', async () => {
  const { disk, files } = opened(ONE_SEGMENT)
  await append(files, 1, 20)
  const sizeBytes = disk.stat(LOG)!.sizeBytes
  await append(files, 2, 30)
  disk.open(LOG, 'write').truncate(sizeBytes)
  expect(open(disk, ONE_SEGMENT).log.endOffset).toBe(20)
  disk.open(LOG, 'write').truncate(sizeBytes / 2)
  expect(() => open(disk, ONE_SEGMENT)).toThrow(/ends at offset 10, but an epoch began at 20: records are lost/)
  expect(() => open(disk, ONE_SEGMENT)).toThrow(MetadataLogError)
})

test('a snapshot that is fetched while an older one is being written is the latest', async () => {
  const { disk, files, snapshots } = opened(ONE_SEGMENT)
  await append(files, 1, 20)
  const writing = snapshots.write({ offset: 14, epoch: 1 }, [], 0, new VoterHistory(new VoterSet([])))
  const id = { offset: 30, epoch: 2 }
  receive(snapshots, id)
  files.restartAt(id.offset)
  await writing
  expect(snapshots.ids).toEqual([id])
  expect(open(disk, ONE_SEGMENT).snapshots.ids).toEqual([id])
})

test('epochs are forgotten with the segments that they wrote', async () => {
  const { disk, files, snapshots } = opened(MANY_SEGMENTS)
  await append(files, 1, 20)
  await append(files, 2, 40)
  await snapshots.write({ offset: 36, epoch: 2 }, [], 0, new VoterHistory(new VoterSet([])))
  await append(files, 3, 60)
  files.removeBefore(36)
  expect(files.epochs[0]).toEqual({ epoch: 2, startOffset: files.startOffset })
  expect(open(disk, MANY_SEGMENTS).files.epochs).toEqual(files.epochs)
})

describe('which epoch wrote what', () => {
  async function withSnapshots(segmentBytes: number) {
    const { disk, files, snapshots } = opened(segmentBytes)
    await append(files, 1, 10)
    await append(files, 2, 20)
    await snapshots.write({ offset: 14, epoch: 2 }, [], 0, new VoterHistory(new VoterSet([])))
    await append(files, 3, 40)
    await snapshots.write({ offset: 30, epoch: 3 }, [], 0, new VoterHistory(new VoterSet([])))
    await append(files, 4, 50)
    return disk
  }
  const epochs = [
    { epoch: 1, offset: 0 },
    { epoch: 2, offset: 10 },
    { epoch: 3, offset: 20 },
    { epoch: 4, offset: 40 },
  ]

  it.each([ONE_SEGMENT, MANY_SEGMENTS])(
    'is known of all of the log, not only of what follows on its snapshot',
    async (segmentBytes) => {
      const disk = await withSnapshots(segmentBytes)
      const { log } = open(disk, segmentBytes)
      expect(log.epochs).toEqual(epochs)
      // A follower that has something else from the epoch before must not take it for the leader's.
      expect(log.validate(24, 2)).toEqual({ kind: 'diverging', end: { offset: 20, epoch: 2 } })
    },
  )

  it.each(['', 'nonsense'])('is found in the log where the file with it is missing or damaged', async (content) => {
    const disk = await withSnapshots(MANY_SEGMENTS)
    const path = `${LOG_DIRECTORY}/leader-epoch-checkpoint`
    if (content === '') disk.remove(path)
    else disk.replaceFile(path, Buffer.from(content))
    expect(open(disk, MANY_SEGMENTS).log.epochs).toEqual(epochs)
  })
})
