import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { InitializeShareGroupStateRequest } from '../../protocol/messages/initialize-share-group-state.ts'
import type {
  ReadShareGroupStateRequest,
  ReadShareGroupStateResponse,
} from '../../protocol/messages/read-share-group-state.ts'
import type { ReadShareGroupStateSummaryResponse } from '../../protocol/messages/read-share-group-state-summary.ts'
import type {
  WriteShareGroupStateRequest,
  WriteShareGroupStateResponse,
} from '../../protocol/messages/write-share-group-state.ts'
import { type CoordinatorRecord, isOf } from '../coordinator-record.ts'
import { answer, type Result } from '../runtime/result.ts'
import type { CoordinatorShard, ShardContext } from '../runtime/shard.ts'
import { UndoMap } from '../runtime/undo-log.ts'
import type { ShareCoordinatorConfig } from './share-coordinator-config.ts'
import {
  type SharePartitionKey,
  type ShareState,
  sharePartitionName,
  shareSnapshot,
  shareUpdate,
  snapshotRecord,
  stateFromSnapshot,
  stateFromUpdate,
  stateTombstone,
  UNKNOWN_EPOCH,
  UNKNOWN_OFFSET,
  updateRecord,
} from './share-records.ts'
import { combineBatches } from './state-batch.ts'

export type InitializedPartition = InitializeShareGroupStateRequest['topics'][number]['partitions'][number]
export type ReadPartition = ReadShareGroupStateRequest['topics'][number]['partitions'][number]
export type WrittenPartition = WriteShareGroupStateRequest['topics'][number]['partitions'][number]
export type ReadAnswer = ReadShareGroupStateResponse['results'][number]['partitions'][number]
export type SummaryAnswer = ReadShareGroupStateSummaryResponse['results'][number]['partitions'][number]
/** What initialising, writing and deleting answer. */
export type StateAnswer = WriteShareGroupStateResponse['results'][number]['partitions'][number]

/** Whether there is such a partition of such a topic. */
export type PartitionCheck = (topicId: string, partition: number) => boolean

const COLD_TIMER = 'cold'
const NEGATIVE_PARTITION = 'The partition id cannot be a negative number.'
const NOT_WRITABLE = 'Write operation on uninitialized share partition not allowed.'
const NOT_READABLE = 'Read operation on uninitialized share partition not allowed.'
const NO_BATCHES: ReadAnswer['stateBatches'] = []

interface Refusal {
  readonly error: KafkaError
  readonly message: string
}

/** The share partitions of one partition of __share_group_state (KIP-932). */
export class ShareShard implements CoordinatorShard {
  readonly #context: ShardContext
  readonly #config: ShareCoordinatorConfig
  readonly #exists: PartitionCheck
  readonly #states: UndoMap<string, ShareState>

  constructor(context: ShardContext, config: ShareCoordinatorConfig, exists: PartitionCheck) {
    this.#context = context
    this.#config = config
    this.#exists = exists
    this.#states = new UndoMap(context.undo)
  }

  replay(record: CoordinatorRecord): void {
    const offset = this.#context.position()
    if (isOf(record, shareSnapshot)) {
      const { key, value } = record
      const name = sharePartitionName(key)
      if (value === null) this.#states.delete(name)
      else {
        const { updatesPerSnapshot } = this.#config
        this.#states.set(name, stateFromSnapshot(key, value, this.#states.get(name), updatesPerSnapshot, offset))
      }
    } else if (isOf(record, shareUpdate) && record.value !== null) {
      const name = sharePartitionName(record.key)
      this.#states.set(name, stateFromUpdate(record.key, record.value, this.#states.get(name), offset))
    }
  }

  /** Share state is never part of a transaction. */
  replayTransactionEnd(): void {}

  onLoaded(): void {
    this.#scheduleColdSnapshots()
  }

  /** Nobody waits for anything. */
  onUnloaded(): void {}

  /** A share partition begins, or begins anew at another offset. */
  initialize(key: SharePartitionKey, asked: InitializedPartition): Result<StateAnswer> {
    const { stateEpoch, startOffset } = asked
    const old = this.#states.get(sharePartitionName(key))
    const isFenced = stateEpoch !== UNKNOWN_EPOCH && old !== undefined && old.highestStateEpoch > stateEpoch
    const refusal = this.#negative(key) ?? fencedIf(isFenced, errors.FENCED_STATE_EPOCH) ?? this.#unknown(key)
    if (refusal !== undefined) return answer(refused(key, refusal))
    const nowMs = this.#context.time.nowMs()
    const record = snapshotRecord(key, {
      snapshotEpoch: old === undefined ? 0 : old.snapshotEpoch + 1,
      stateEpoch,
      leaderEpoch: 0,
      startOffset,
      deliveryCompleteCount: startOffset === UNKNOWN_OFFSET ? -1 : 0,
      createTimestamp: nowMs,
      writeTimestamp: nowMs,
      stateBatches: [],
    })
    return { records: [record], response: done(key) }
  }

  /** The leader of the partition writes what became of records. */
  write(key: SharePartitionKey, asked: WrittenPartition): Result<StateAnswer> {
    const state = this.#states.get(sharePartitionName(key))
    const refusal = this.#negative(key) ?? this.#fencedWrite(state, asked) ?? this.#unknown(key)
    if (refusal !== undefined) return answer(refused(key, refusal))
    return { records: [this.#stateRecord(state!, asked, state!.leaderEpoch)], response: done(key) }
  }

  #fencedWrite(state: ShareState | undefined, { leaderEpoch, stateEpoch }: WrittenPartition): Refusal | undefined {
    if (state === undefined) return { error: errors.INVALID_REQUEST, message: NOT_WRITABLE }
    const byLeader = leaderEpoch !== UNKNOWN_EPOCH && state.highestLeaderEpoch > leaderEpoch
    const byState = stateEpoch !== UNKNOWN_EPOCH && state.highestStateEpoch > stateEpoch
    return fencedIf(byLeader, errors.FENCED_LEADER_EPOCH) ?? fencedIf(byState, errors.FENCED_STATE_EPOCH)
  }

  /** What the leader of the partition begins with; its epoch fences older leaders from here on. */
  read(key: SharePartitionKey, { leaderEpoch }: ReadPartition): Result<ReadAnswer> {
    const state = this.#states.get(sharePartitionName(key))
    const refusal = this.#negative(key) ?? fencedRead(state, leaderEpoch) ?? this.#unknown(key)
    if (refusal !== undefined) return answer(unreadable(key, refusal))
    const { startOffset, stateEpoch, deliveryCompleteCount } = state!
    const response = {
      ...done(key),
      stateEpoch,
      startOffset,
      stateBatches: state!.batches.map((batch) => ({ ...batch })),
    }
    if (leaderEpoch === UNKNOWN_EPOCH || leaderEpoch === state!.highestLeaderEpoch) return answer(response)
    const written = { startOffset, deliveryCompleteCount, stateBatches: NO_BATCHES }
    return { records: [this.#stateRecord(state!, written, leaderEpoch)], response }
  }

  /** Start offset and lag of a share partition, for those who only look. */
  summary(key: SharePartitionKey): SummaryAnswer {
    const refusal = this.#negative(key) ?? this.#unknown(key)
    const unknown = { stateEpoch: 0, leaderEpoch: 0, startOffset: UNKNOWN_OFFSET, deliveryCompleteCount: -1 }
    if (refusal !== undefined) return unsummarised(key, refusal)
    const state = this.#states.get(sharePartitionName(key))
    if (state === undefined) return { ...done(key), ...unknown }
    const { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount } = state
    return { ...done(key), stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount }
  }

  /** What is not there is deleted already. */
  delete(key: SharePartitionKey): Result<StateAnswer> {
    const refusal = this.#negative(key) ?? this.#unknown(key)
    if (refusal !== undefined) return answer(refused(key, refusal))
    if (!this.#states.has(sharePartitionName(key))) return answer(done(key))
    return { records: [stateTombstone(key)], response: done(key) }
  }

  /** What is before this offset says nothing any more that later records do not. */
  firstNeededOffset(): number {
    let first = this.#context.position()
    for (const { firstOffset } of this.#states.values()) first = Math.min(first, firstOffset)
    return first
  }

  /** The state of deleted topics goes with them. */
  forgetTopics(topicIds: ReadonlySet<string>): Result<void> {
    const gone = [...this.#states.values()].filter(({ key }) => topicIds.has(key.topicId))
    return { records: gone.map(({ key }) => stateTombstone(key)), response: undefined, atomic: false }
  }

  /** Every so many updates the whole state is written, so that what came before it can go. */
  #stateRecord(
    state: ShareState,
    {
      startOffset,
      deliveryCompleteCount,
      stateBatches,
    }: Pick<WrittenPartition, 'startOffset' | 'deliveryCompleteCount' | 'stateBatches'>,
    leaderEpoch: number,
  ): CoordinatorRecord {
    const { key, snapshotEpoch } = state
    if (state.updateCount < this.#config.updatesPerSnapshot) {
      const batches = combineBatches([], stateBatches, startOffset)
      return updateRecord(key, {
        snapshotEpoch,
        leaderEpoch,
        startOffset,
        deliveryCompleteCount,
        stateBatches: [...batches],
      })
    }
    const start = startOffset === UNKNOWN_OFFSET ? state.startOffset : startOffset
    const nowMs = this.#context.time.nowMs()
    return snapshotRecord(key, {
      snapshotEpoch: snapshotEpoch + 1,
      stateEpoch: state.stateEpoch,
      leaderEpoch,
      startOffset: start,
      deliveryCompleteCount,
      createTimestamp: nowMs,
      writeTimestamp: nowMs,
      stateBatches: [...combineBatches(state.batches, stateBatches, start)],
    })
  }

  #scheduleColdSnapshots(): void {
    const everyMs = this.#config.coldSnapshotIntervalMs
    this.#context.timers.schedule(COLD_TIMER, everyMs, () => this.#snapshotColdPartitions(), everyMs)
  }

  /** What has not been written for long would keep the whole log before it from being pruned. */
  #snapshotColdPartitions(): Result<void> {
    this.#scheduleColdSnapshots()
    const states = [...this.#states.values()]
    if (states.every(({ createTimestampMs, writeTimestampMs }) => createTimestampMs !== writeTimestampMs)) {
      return { records: [], response: undefined }
    }
    const nowMs = this.#context.time.nowMs()
    const cold = states.filter((state) => nowMs - state.writeTimestampMs >= this.#config.coldSnapshotIntervalMs)
    const records = cold.map((state) =>
      snapshotRecord(state.key, {
        snapshotEpoch: state.snapshotEpoch + 1,
        stateEpoch: state.stateEpoch,
        leaderEpoch: state.leaderEpoch,
        startOffset: state.startOffset,
        deliveryCompleteCount: state.deliveryCompleteCount,
        createTimestamp: state.createTimestampMs,
        writeTimestamp: nowMs,
        stateBatches: [...state.batches],
      }),
    )
    return { records, response: undefined, atomic: false }
  }

  #negative({ partition }: SharePartitionKey): Refusal | undefined {
    return partition < 0 ? { error: errors.INVALID_REQUEST, message: NEGATIVE_PARTITION } : undefined
  }

  #unknown({ topicId, partition }: SharePartitionKey): Refusal | undefined {
    if (this.#exists(topicId, partition)) return undefined
    return withMessage(errors.UNKNOWN_TOPIC_OR_PARTITION)
  }
}

function withMessage(error: KafkaError): Refusal {
  return { error, message: error.message }
}

function fencedIf(isFenced: boolean, error: KafkaError): Refusal | undefined {
  return isFenced ? withMessage(error) : undefined
}

function fencedRead(state: ShareState | undefined, leaderEpoch: number): Refusal | undefined {
  if (state === undefined) return { error: errors.INVALID_REQUEST, message: NOT_READABLE }
  const isFenced = leaderEpoch !== UNKNOWN_EPOCH && state.highestLeaderEpoch > leaderEpoch
  return fencedIf(isFenced, errors.FENCED_LEADER_EPOCH)
}

function done({ partition }: SharePartitionKey): StateAnswer {
  return { partition, errorCode: errors.NONE.code, errorMessage: null }
}

function refused({ partition }: SharePartitionKey, { error, message }: Refusal): StateAnswer {
  return { partition, errorCode: error.code, errorMessage: message }
}

/** A partition whose state cannot be told. */
function unreadable(key: SharePartitionKey, refusal: Refusal): ReadAnswer {
  return { ...refused(key, refusal), stateEpoch: 0, startOffset: 0, stateBatches: [] }
}

function unsummarised(key: SharePartitionKey, refusal: Refusal): SummaryAnswer {
  return { ...refused(key, refusal), stateEpoch: 0, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: -1 }
}
