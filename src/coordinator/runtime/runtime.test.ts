import { expect, test } from 'vitest'
import { LogError } from '../../log/append-error.ts'
import { silentLogger } from '../../platform/logger.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { OffsetCommitKey, OffsetCommitValue } from '../../protocol/coordinator-records/offset-commit.ts'
import { errors } from '../../protocol/errors.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import { ControlType, controlKey, endTxnMarkerValue } from '../../protocol/records/control.ts'
import { Codec } from '../../protocol/records/layout.ts'
import { buildMessageSet } from '../../protocol/records/message-set.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { type CoordinatorRecord, coordinatorRecord, encodeKey, encodeValue, recordType } from '../coordinator-record.ts'
import { Outcome } from '../harness.testkit.ts'
import { MemoryCoordinatorLog } from '../memory-log.testkit.ts'
import { NOTHING, type Result } from './result.ts'
import { CoordinatorRuntime } from './runtime.ts'
import type { CoordinatorShard, RecordOrigin, ShardContext } from './shard.ts'
import { UndoMap } from './undo-log.ts'

const numbers = recordType(OffsetCommitKey, OffsetCommitValue)

function put(name: string, value: number, metadata = ''): CoordinatorRecord {
  const key = { group: 'g', topic: name, partition: 0 }
  const rest = { leaderEpoch: -1, commitTimestamp: 0, expireTimestamp: -1, topicId: ZERO_UUID }
  return coordinatorRecord(numbers, key, 4, { offset: value, metadata, ...rest })
}

/** Names with numbers. */
class NumbersShard implements CoordinatorShard {
  readonly values: UndoMap<string, number>
  readonly context: ShardContext
  readonly events: string[] = []

  constructor(context: ShardContext) {
    this.context = context
    this.values = new UndoMap(context.undo)
  }

  replay(record: CoordinatorRecord, { producerId }: RecordOrigin): void {
    const { key, value } = record as CoordinatorRecord<typeof OffsetCommitKey, typeof OffsetCommitValue>
    this.values.set(key.topic, value!.offset)
    if (producerId >= 0) this.events.push(`${key.topic} of producer ${producerId}`)
  }

  replayTransactionEnd({ producerId, producerEpoch }: RecordOrigin, committed: boolean): void {
    this.events.push(`producer ${producerId} epoch ${producerEpoch} ${committed ? 'commits' : 'aborts'}`)
  }

  onLoaded(): void {
    this.events.push('loaded')
  }

  onUnloaded(): void {
    this.events.push('unloaded')
  }

  add(name: string, change: number): Result<number> {
    const value = (this.values.get(name) ?? 0) + change
    return { records: [put(name, value)], response: value }
  }
}

const time = new VirtualTime()

function setup(log = new MemoryCoordinatorLog(), lingerMs = -1) {
  const shards: NumbersShard[] = []
  const runtime = new CoordinatorRuntime<NumbersShard>({
    name: 'Numbers',
    log,
    recordTypes: new Map([[numbers.id, numbers as unknown as typeof numbers]]) as never,
    makeShard: (context) => {
      const shard = new NumbersShard(context)
      shards.push(shard)
      return shard
    },
    time,
    logger: silentLogger,
    codec: 0,
    writeTimeoutMs: 5000,
    lingerMs,
  })
  const add = (name: string, change: number, partition = 0) =>
    new Outcome(runtime.write(partition, (shard) => shard.add(name, change)))
  const read = (name: string) => new Outcome(runtime.read(0, (shard) => shard.values.get(name)))
  return { log, runtime, shards, add, read }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await time.advance(0)
}

function errorOf(outcome: Outcome<unknown>): string | undefined {
  return (outcome.error as CoordinatorError | undefined)?.error.name
}

test('without the partition: NOT_COORDINATOR; while it is loaded: COORDINATOR_LOAD_IN_PROGRESS', async () => {
  const { runtime, add } = setup()
  const before = add('a', 1)
  const load = runtime.load(0, 3)
  const during = add('a', 1)
  await load
  const after = add('a', 1)
  await settle()
  expect(errorOf(before)).toBe('NOT_COORDINATOR')
  expect(errorOf(during)).toBe('COORDINATOR_LOAD_IN_PROGRESS')
  expect(after.required).toBe(1)
})

test('with append.linger.ms records are gathered for so long, from the first one on', async () => {
  const { log, runtime, add, read } = setup(undefined, 20)
  await runtime.load(0, 3)
  const first = add('a', 1)
  await time.advance(10)
  const second = add('a', 1)
  const seen = read('a')
  await time.advance(9)
  expect([log.appendCount, first.isSettled, seen.isSettled]).toEqual([0, false, false])
  await time.advance(1)
  expect([log.appendCount, first.required, second.required, seen.required]).toEqual([1, 1, 2, 2])
  // One that comes during a write has its own time.
  log.isHeld = true
  add('a', 1)
  await time.advance(35)
  const third = add('a', 1)
  log.release()
  await time.advance(19)
  expect([log.appendCount, third.isSettled]).toEqual([2, false])
  await time.advance(1)
  expect([log.appendCount, third.required]).toEqual([3, 4])
})

test('with append.linger.ms what fills a batch, or ends with the leadership, waits no longer', async () => {
  const { log, runtime, add } = setup(undefined, 20)
  await runtime.load(0, 3)
  log.maxBytes = 400
  const full = add('a'.repeat(150), 1)
  const rest = add('b'.repeat(150), 1)
  await settle()
  expect([log.appendCount, full.required, rest.isSettled]).toEqual([1, 1, false])
  runtime.unload(0, undefined)
  expect(log.appendCount).toBe(1)
  await time.advance(20)
  expect([log.appendCount, errorOf(rest)]).toEqual([1, 'NOT_COORDINATOR'])
})

test('operations of one turn leave in one batch, and see each other', async () => {
  const { log, runtime, add } = setup()
  await runtime.load(0, 0)
  const outcomes = [add('a', 1), add('a', 2), add('b', 5)]
  await settle()
  expect(outcomes.map((outcome) => outcome.required)).toEqual([1, 3, 5])
  expect(log.appendCount).toBe(1)
  expect(new BatchView(log.batches.get(0)![0]!).recordCount).toBe(3)
})

test('what comes while a batch is written leaves together in the next one', async () => {
  const { log, runtime, add } = setup()
  await runtime.load(0, 0)
  log.isHeld = true
  const first = add('a', 1)
  await settle()
  const others = [add('a', 1), add('a', 1)]
  await settle()
  expect(log.appendCount).toBe(1)
  expect(first.isSettled).toBe(false)
  log.release()
  await settle()
  expect([first, ...others].map((outcome) => outcome.required)).toEqual([1, 2, 3])
  expect(log.appendCount).toBe(2)
})

test('nobody is told what is not committed, and a failed append takes it all back', async () => {
  const { log, runtime, add, read } = setup()
  await runtime.load(0, 0)
  add('a', 10)
  await settle()
  log.isHeld = true
  log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'the disk is full'))
  const failing = add('a', 1)
  await settle()
  const behind = add('a', 1)
  const look = read('a')
  await settle()
  expect(look.isSettled).toBe(false)
  log.release()
  await settle()
  expect(errorOf(failing)).toBe('NOT_COORDINATOR')
  expect(errorOf(behind)).toBe('COORDINATOR_NOT_AVAILABLE')
  expect(look.required).toBe(10)
  expect(add('a', 1).isSettled).toBe(false)
  await settle()
  expect(read('a').isSettled).toBe(false)
  await settle()
  const again = read('a')
  await settle()
  expect(again.required).toBe(11)
})

test('an operation that throws changes nothing', async () => {
  const { runtime, add, read } = setup()
  await runtime.load(0, 0)
  add('a', 1)
  const outcome = new Outcome(
    runtime.write(0, (shard): Result<void> => {
      shard.values.set('a', 99)
      throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID)
    }),
  )
  await settle()
  expect(errorOf(outcome)).toBe('UNKNOWN_MEMBER_ID')
  const look = read('a')
  await settle()
  expect(look.required).toBe(1)
})

test('what an operation changes before its records do not fit goes back with its own batch', async () => {
  const { log, runtime, add, read } = setup()
  await runtime.load(0, 0)
  log.maxBytes = 200
  log.failures.push(undefined, new LogError('KAFKA_STORAGE_ERROR', 'broken'))
  add('a', 1)
  const second = new Outcome(
    runtime.write(0, (shard) => {
      shard.values.set('side effect', 1)
      return { records: [put('b', 1, 'x'.repeat(100))], response: undefined }
    }),
  )
  await settle()
  expect(errorOf(second)).toBe('NOT_COORDINATOR')
  const looks = [read('a'), read('b'), read('side effect')]
  await settle()
  expect(looks.map((look) => look.required)).toEqual([1, undefined, undefined])
})

test('records that stand alone are spread over batches; others stay together', async () => {
  const { log, runtime } = setup()
  await runtime.load(0, 0)
  log.maxBytes = 300
  const records = Array.from({ length: 12 }, (_, i) => put(`n${i}`, i))
  const spread = new Outcome(runtime.write(0, () => ({ records, response: 'done', atomic: false })))
  await settle()
  expect(spread.required).toBe('done')
  expect(log.appendCount).toBeGreaterThan(1)
  const together = new Outcome(runtime.write(0, () => ({ records, response: 'done' })))
  await settle()
  expect(errorOf(together)).toBe('UNKNOWN_SERVER_ERROR')
})

test('a response does not wait longer than the timeout; the write counts all the same', async () => {
  const { log, runtime, add, read } = setup()
  await runtime.load(0, 0)
  log.isHeld = true
  const slow = add('a', 1)
  await time.advance(4999)
  expect(slow.isSettled).toBe(false)
  await time.advance(1)
  expect(errorOf(slow)).toBe('COORDINATOR_NOT_AVAILABLE')
  log.release()
  await settle()
  const look = read('a')
  await settle()
  expect(look.required).toBe(1)
})

test('whoever waits when the partition moves away is told so', async () => {
  const { log, runtime, shards, add } = setup()
  await runtime.load(0, 5)
  log.isHeld = true
  const waiting = [add('a', 1)]
  await settle()
  waiting.push(add('a', 1))
  runtime.unload(0, 5)
  expect(waiting[0]!.isSettled).toBe(false)
  runtime.unload(0, 6)
  await settle()
  expect(waiting.map(errorOf)).toEqual(['NOT_COORDINATOR', 'NOT_COORDINATOR'])
  expect(shards[0]!.events).toEqual(['loaded', 'unloaded'])
  log.release()
  await settle()
  expect(errorOf(add('a', 1))).toBeUndefined()
})

test('a newer epoch of a partition that is led here needs no reload; an older one is of no interest', async () => {
  const { runtime, shards } = setup()
  await runtime.load(0, 5)
  await runtime.load(0, 6)
  await runtime.load(0, 4)
  runtime.unload(0, 6)
  expect(runtime.isActive(0)).toBe(true)
  expect(shards).toHaveLength(1)
})

test('where an epoch is missing in between, somebody else may have led: what they wrote is loaded', async () => {
  const { log, runtime, add, read } = setup()
  await runtime.load(0, 5)
  add('a', 1)
  await settle()
  log.isHeld = true
  const waiting = add('a', 10)
  await settle()
  const other = setup(new MemoryCoordinatorLog())
  await other.runtime.load(0, 6)
  other.add('a', 7)
  await settle()
  log.batches.set(0, other.log.batches.get(0)!)
  const loaded = runtime.load(0, 7)
  const meanwhile = add('a', 1)
  await loaded
  const now = read('a')
  await settle()
  expect(errorOf(waiting)).toBe('NOT_COORDINATOR')
  expect(errorOf(meanwhile)).toBe('COORDINATOR_LOAD_IN_PROGRESS')
  expect(now.required).toBe(7)
})

test('a load that a newer epoch overtakes is given up', async () => {
  const { log, runtime, add } = setup()
  await runtime.load(0, 0)
  add('a', 1)
  await settle()
  const other = setup(log)
  const loads = [other.runtime.load(0, 1), other.runtime.load(0, 3)]
  await Promise.all(loads)
  expect(other.shards.map(({ events }) => events)).toEqual([[], ['loaded']])
})

test('what is in all partitions is told without those that have just moved away', async () => {
  const { log, runtime, add } = setup()
  await runtime.load(0, 0)
  await runtime.load(1, 0)
  add('a', 1)
  await settle()
  log.failures.push(new LogError('NOT_LEADER_OR_FOLLOWER', 'led elsewhere'))
  add('b', 1, 1)
  await settle()
  const all = () => new Outcome(runtime.readAll((shard) => [...shard.values.keys()]))
  const names = all()
  await settle()
  expect(names.required).toEqual(['a'])
  const loading = runtime.load(1, 1)
  const early = all()
  await loading
  await settle()
  expect(errorOf(early)).toBe('COORDINATOR_LOAD_IN_PROGRESS')
})

test('once the leadership is lost nothing is taken back, nothing is told, and only a load helps', async () => {
  const { log, runtime, shards, add, read } = setup()
  await runtime.load(0, 5)
  add('a', 1)
  await settle()
  log.failures.push(new LogError('NOT_LEADER_OR_FOLLOWER', 'led elsewhere'))
  log.isHeld = true
  const waiting = [add('a', 1), add('b', 1)]
  await settle()
  waiting.push(add('c', 1))
  log.release()
  await settle()
  const after = [add('a', 1), read('a')]
  await settle()
  expect([...waiting, ...after].map(errorOf)).toEqual(Array.from({ length: 5 }, () => 'NOT_COORDINATOR'))
  expect(shards[0]!.events).toEqual(['loaded', 'unloaded'])
  expect(log.appendCount).toBe(2)
  await runtime.load(0, 6)
  const again = read('a')
  await settle()
  expect(again.required).toBe(1)
})

test('a partition that goes away while it is loaded is not loaded to the end', async () => {
  const { runtime, shards, add, log } = setup()
  await runtime.load(0, 0)
  add('a', 1)
  await settle()
  const other = setup(log)
  const load = other.runtime.load(0, 1)
  other.runtime.unload(0, 2)
  await load
  expect(other.shards[0]!.events).toEqual([])
  expect(shards[0]!.events).toEqual(['loaded'])
})

test('a log that cannot be read leaves the partition without a coordinator until the next load', async () => {
  const { log, runtime, add } = setup()
  log.batches.set(0, [buildBatch([{ timestamp: 0, key: Buffer.from([0, 1, 0]), value: null }])])
  await runtime.load(0, 0)
  const broken = add('a', 1)
  await settle()
  expect(errorOf(broken)).toBe('NOT_COORDINATOR')
  log.batches.clear()
  await runtime.load(0, 0)
  const mended = add('a', 1)
  await settle()
  expect(mended.required).toBe(1)
})

test('loading replays records, transactions and their ends, and passes over what it does not know', async () => {
  const { log, runtime, shards } = setup()
  const bytes = (record: CoordinatorRecord) => ({ timestamp: 0, key: encodeKey(record), value: encodeValue(record) })
  const unknown = { timestamp: 0, key: Buffer.from([0, 99]), value: Buffer.from([1, 2, 3]) }
  const producer = { producerId: 7, producerEpoch: 2, isTransactional: true }
  const marker = { timestamp: 0, key: controlKey(ControlType.commit), value: endTxnMarkerValue(0) }
  log.batches.set(0, [
    buildBatch([bytes(put('a', 1)), unknown, bytes(put('a', 2))]),
    buildBatch([bytes(put('b', 3))], { baseOffset: 3, baseSequence: 0, ...producer }),
    buildBatch([marker], { baseOffset: 4, isControl: true, ...producer }),
  ])
  await runtime.load(0, 0)
  expect([...shards[0]!.values.entries()]).toEqual([
    ['a', 2],
    ['b', 3],
  ])
  expect(shards[0]!.events).toEqual(['b of producer 7', 'producer 7 epoch 2 commits', 'loaded'])
})

test('loading reads what releases before 0.11 wrote, too', async () => {
  const { log, runtime, read } = setup()
  const old = (name: string, value: number, offset: number) => {
    const record = put(name, value)
    return { offset, timestamp: 0, key: encodeKey(record), value: encodeValue(record) }
  }
  const plain = buildMessageSet([old('a', 1, 0), old('b', 2, 1)], { magic: 0 })
  const packed = buildMessageSet([old('a', 3, 2), old('c', 4, 3)], { magic: 1, codec: Codec.gzip })
  log.batches.set(0, [Buffer.concat([plain, packed])])
  await runtime.load(0, 1)
  const values = ['a', 'b', 'c'].map((name) => read(name))
  await settle()
  expect(values.map((outcome) => outcome.required)).toEqual([3, 2, 4])
})

test('a timer runs as an operation, and is tried again where its records cannot be written', async () => {
  const { log, runtime, shards, read } = setup()
  await runtime.load(0, 0)
  const { timers } = shards[0]!.context
  log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
  timers.schedule('add', 100, () => ({ ...shards[0]!.add('a', 1), response: undefined }), 50)
  timers.schedule('cancelled', 100, () => ({ ...shards[0]!.add('a', 100), response: undefined }))
  timers.cancel('cancelled')
  await time.advance(100)
  await settle()
  const failed = read('a')
  await settle()
  expect(failed.required).toBeUndefined()
  await time.advance(50)
  await settle()
  const done = read('a')
  await settle()
  expect(done.required).toBe(1)
  timers.schedule('late', 100, () => NOTHING)
  runtime.unload(0, undefined)
  expect(timers.size).toBe(0)
})

test('closing writes what is pending first', async () => {
  const { log, runtime, add } = setup()
  await runtime.load(0, 0)
  const last = add('a', 1)
  const closed = new Outcome(runtime.close())
  expect(errorOf(add('a', 1))).toBeUndefined()
  await settle()
  expect(last.required).toBe(1)
  expect(closed.isSettled).toBe(true)
  expect(log.appendCount).toBe(1)
})
