import { beforeEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../../platform/logger.ts'
import { MemoryDisk } from '../../platform/memory-disk.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { dataBatch } from './batches.ts'
import { MetadataLog } from './metadata-log.ts'

const disk = () => {
  const made = new MemoryDisk()
  made.makeDirectory('/log')
  return made
}

function open(on: MemoryDisk, segmentBytes = 1e9): MetadataLog {
  const options = { disk: on, logger: silentLogger, directory: '/log', segmentBytes, segmentMs: 1e9 }
  const log = MetadataLog.open(options)
  log.load(0, () => {})
  return log
}

async function append(log: MetadataLog, epoch: number, text: string): Promise<void> {
  const batch = dataBatch([Buffer.from(text), Buffer.from(text)], { baseOffset: log.endOffset, epoch, timestampMs: 0 })
  await log.append(batch, { nextOffset: log.endOffset + 2, epoch, timestampMs: 0 })
}

/** Where the batches in `bytes` begin. */
function offsetsIn(bytes: Buffer): number[] {
  const offsets: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const view = new BatchView(bytes, at)
    expect(view.isCrcValid()).toBe(true)
    offsets.push(view.baseOffset)
    at = view.end
  }
  return offsets
}

describe.each([
  ['one segment', 1e9],
  ['many segments', 4000],
])('what followers read of the metadata log, in %s', (_, segmentBytes) => {
  let memory: MemoryDisk
  let log: MetadataLog
  beforeEach(async () => {
    memory = disk()
    log = open(memory, segmentBytes)
    for (let i = 0; i < 50; i++) await append(log, 1 + Math.floor(i / 20), 'x'.repeat(500))
  })

  test('from any batch on, as much as fits', () => {
    for (const from of [0, 10, 38, 98]) {
      for (const reopened of [log, open(memory, segmentBytes)]) {
        expect(offsetsIn(reopened.read(from, 100, 1))).toEqual([from])
        const offsets = offsetsIn(reopened.read(from, 100, 1e6))
        expect(offsets[0]).toBe(from)
        expect(offsets).toEqual(offsets.map((__, index) => from + 2 * index))
        const batchBytes = reopened.read(from, 100, 1).length
        expect(offsetsIn(reopened.read(from, 100, 2 * batchBytes)).length).toBeLessThanOrEqual(2)
      }
    }
  })

  test('no further than asked, and nothing at the end', () => {
    expect(offsetsIn(log.read(10, 14, 1e6))).toSatisfy((offsets: number[]) => offsets.every((offset) => offset < 14))
    expect(log.read(100, 100, 1e6)).toHaveLength(0)
  })

  test('what is cut off is gone, also after a restart, and the log goes on from there', async () => {
    for (const to of [78, 40, 0]) {
      log.truncate(to)
      const reopened = open(memory, segmentBytes)
      for (const each of [log, reopened]) {
        expect(each.endOffset).toBe(to)
        expect(each.read(to, to, 1e6)).toHaveLength(0)
        if (to > 0) expect(offsetsIn(each.read(to - 2, to, 1e6))).toEqual([to - 2])
      }
      expect(log.lastEpoch).toBe(to === 0 ? 0 : 1 + Math.floor((to / 2 - 1) / 20))
      expect(reopened.lastEpoch).toBe(log.lastEpoch)
    }
    await append(log, 9, 'new')
    expect(offsetsIn(open(memory, segmentBytes).read(0, 2, 1e6))).toEqual([0])
  })
})

test('epochs that began in what is cut off are forgotten', async () => {
  const memory = disk()
  const log = open(memory)
  await append(log, 1, 'a')
  await append(log, 2, 'b')
  log.truncate(2)
  expect(memory.readFile('/log/leader-epoch-checkpoint').toString()).toBe('0\n1\n1 0\n')
  expect(open(memory).epochs).toEqual([{ epoch: 1, startOffset: 0 }])
})

test('what a process has found in the log is on stable storage, whoever wrote it', async () => {
  const memory = disk()
  const log = open(memory)
  await append(log, 1, 'synced')
  // A process that was killed between its write and its sync.
  const batch = dataBatch([Buffer.from('written')], { baseOffset: 2, epoch: 1, timestampMs: 0 })
  memory.open('/log/00000000000000000000.log', 'write').writeSync([batch], log.sizeBytes)
  expect(open(memory).endOffset).toBe(3)
  memory.crash()
  expect(open(memory).endOffset).toBe(3)
})
