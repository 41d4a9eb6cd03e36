import type { Logger } from '../../platform/logger.ts'
import type { Scheduled, Time } from '../../platform/time.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import { ControlType, controlKey, endTxnMarkerValue } from '../../protocol/records/control.ts'
import type { Codec } from '../../protocol/records/layout.ts'
import { CoordinatorError, errorAfterAppend, protocolErrorOf } from '../coordinator-error.ts'
import type { BatchTransaction, CoordinatorLog } from '../coordinator-log.ts'
import type { RecordType } from '../coordinator-record.ts'
import { loadShard } from './load.ts'
import { answer, type Result } from './result.ts'
import type { CoordinatorShard, RecordOrigin, ShardFactory, TransactionMarker } from './shard.ts'
import { Timers } from './timers.ts'
import { UndoLog } from './undo-log.ts'
import { type EncodedRecord, encodeRecord, sizeBound, type Waiter, WriteBatch } from './write-batch.ts'

/** What all shards of a coordinator share. */
export interface RuntimeOptions<S extends CoordinatorShard> {
  /** For log lines: `GroupCoordinator`. */
  readonly name: string
  readonly log: CoordinatorLog
  /** By id: the records of this topic that are understood. */
  readonly recordTypes: ReadonlyMap<number, RecordType>
  readonly makeShard: ShardFactory<S>
  readonly time: Time
  readonly logger: Logger
  readonly codec: Codec
  /** How long a response waits for its records to be committed. */
  readonly writeTimeoutMs: number
  /** How long records are gathered before they are written; 0 or less writes them at once [0]. */
  readonly lingerMs?: number
}

const OUTSIDE_TRANSACTIONS: RecordOrigin = { producerId: -1, producerEpoch: -1 }

/**
 * One shard and its writes. An operation runs at once and alone; its records are replayed at once and gathered in the open
 * batch. One batch at a time is under way to the log; what comes meanwhile leaves together in the next (group commit), and
 * what comes in one turn of the event loop leaves in one batch. Every response waits until all that its operation can have
 * seen is committed; so nobody ever sees what a failed append then takes back.
 *
 * When an append fails, all changes that are not committed are undone and the operations behind them fail. The batches
 * after the failed one are never written: they were decided on a state that is gone. Where the leadership is lost, nobody
 * here knows what becomes of the records: the shard is of no use any more.
 */
export class ShardHost<S extends CoordinatorShard> {
  readonly partition: number
  leaderEpoch: number
  /** Settles when the shard is loaded, has failed to load, or is closed; never rejects. */
  readonly loaded: Promise<void>
  readonly #options: RuntimeOptions<S>
  readonly #undo = new UndoLog()
  readonly #timers: Timers
  readonly #shard: S
  #state: 'loading' | 'active' | 'failed' | 'closed' = 'loading'
  #inFlight: WriteBatch | undefined
  #sealed: WriteBatch[] = []
  #open: WriteBatch | undefined
  #flushScheduled = false
  /** Until the open batch has been gathered for long enough. */
  #linger: Scheduled | undefined
  #idleWaiters: (() => void)[] = []
  /** Where the committed records end. */
  #position = 0

  constructor(partition: number, leaderEpoch: number, options: RuntimeOptions<S>) {
    this.partition = partition
    this.leaderEpoch = leaderEpoch
    this.#options = options
    this.#timers = new Timers(
      options.time,
      (operation) => this.write(operation),
      (key, reason) => this.#timerFailed(key, reason),
    )
    const { time, logger } = options
    const position = () => this.#position
    this.#shard = options.makeShard({ partition, undo: this.#undo, timers: this.#timers, position, time, logger })
    this.loaded = this.#load()
  }

  get isActive(): boolean {
    return this.#state === 'active'
  }

  /** The log could not be read, or is led elsewhere; only another load helps. */
  get hasFailed(): boolean {
    return this.#state === 'failed'
  }

  /** Nothing is written or waits to be. */
  get #isIdle(): boolean {
    return this.#inFlight === undefined && this.#sealed.length === 0 && this.#open === undefined
  }

  /**
   * Rejects with CoordinatorError: what the operation threw, why the shard is not active, or why the append failed. Where
   * a `transaction` is given, the records are part of it, and leave in a batch of their own.
   */
  write<R>(operation: (shard: S) => Result<R>, transaction?: BatchTransaction): Promise<R> {
    const unavailable = this.#unavailable()
    if (unavailable) return Promise.reject(new CoordinatorError(unavailable))
    return new Promise((resolve, reject) => {
      const mark = this.#undo.position
      let result: Result<R>
      try {
        result = operation(this.#shard)
        const settle = (error: KafkaError | undefined) => {
          result.settled?.(error)
          if (error === undefined) resolve(result.response)
          else reject(new CoordinatorError(error))
        }
        if (transaction !== undefined && result.records.length > 0) {
          this.#enqueueTransactional(result, transaction, mark, settle)
        } else this.#enqueue(result, mark, settle)
      } catch (reason) {
        this.#undo.rollBackTo(mark)
        const error = protocolErrorOf(reason)
        const told = error && errorAfterAppend(error)
        // What an operation has to say of its error is for the client.
        reject(told === undefined || told === error ? reason : new CoordinatorError(told))
      }
    })
  }

  /**
   * Ends the transaction of a producer in this partition: its marker follows on all that was asked for before. Rejects
   * with CoordinatorError, as `write`.
   */
  endTransaction(marker: TransactionMarker): Promise<void> {
    const unavailable = this.#unavailable()
    if (unavailable) return Promise.reject(new CoordinatorError(unavailable))
    const { producerId, producerEpoch, coordinatorEpoch, isCommit, transactionVersion: markerVersion } = marker
    this.#seal(this.#undo.position)
    const batch = this.#openBatch({ producerId, producerEpoch, markerVersion })
    this.#shard.replayTransactionEnd({ producerId, producerEpoch }, isCommit)
    const type = isCommit ? ControlType.commit : ControlType.abort
    batch.append({ key: controlKey(type), value: endTxnMarkerValue(coordinatorEpoch) })
    return new Promise((resolve, reject) => {
      batch.await((error) => (error === undefined ? resolve() : reject(new CoordinatorError(error))))
      this.#seal(this.#undo.position)
      this.#flushSoon()
    })
  }

  /**
   * Answers from committed state: the answer leaves when all it may have seen is committed, and is made again, once,
   * should that fail. Rejects with what `look` throws, or why the shard is not active.
   */
  async read<R>(look: (shard: S) => R): Promise<R> {
    let failed = false
    const settled = (error: KafkaError | undefined) => {
      failed = error !== undefined
    }
    try {
      return await this.write((shard) => ({ ...answer(look(shard)), settled }))
    } catch (reason) {
      if (!failed || !this.isActive) throw reason
      return await this.write((shard) => answer(look(shard)))
    }
  }

  /** Ends the shard after what is pending has been written. Operations must have ceased to come. */
  async drain(): Promise<void> {
    this.#timers.close()
    if (!this.#isIdle) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
    this.close()
  }

  /** Ends the shard: everything that waits fails with NOT_COORDINATOR. */
  close(): void {
    if (this.#state !== 'closed') this.#end('closed')
  }

  #end(state: 'failed' | 'closed'): void {
    const wasActive = this.#state === 'active'
    this.#state = state
    this.#timers.close()
    this.#linger?.cancel()
    if (wasActive) this.#shard.onUnloaded()
    this.#settleAll(errors.NOT_COORDINATOR, errors.NOT_COORDINATOR)
  }

  #unavailable(): KafkaError | undefined {
    if (this.#state === 'active') return undefined
    return this.#state === 'loading' ? errors.COORDINATOR_LOAD_IN_PROGRESS : errors.NOT_COORDINATOR
  }

  async #load(): Promise<void> {
    const { log, recordTypes, logger, name, time } = this.#options
    const startMs = time.monotonicMs()
    this.#undo.recording = false
    try {
      const isWanted = () => this.#state === 'loading'
      const reached = (offset: number) => {
        this.#position = offset
      }
      const count = await loadShard(log, this.partition, recordTypes, this.#shard, { isWanted, reached }, logger)
      if (count === undefined) return
      this.#undo.recording = true
      this.#state = 'active'
      this.#shard.onLoaded()
      if (count > 0) {
        const tookMs = Math.round(time.monotonicMs() - startMs)
        logger.info(`${name}: loaded partition ${this.partition}, ${count} records in ${tookMs} ms`)
      }
    } catch (reason) {
      if (this.#state === 'closed') return
      this.#end('failed')
      const text = reason instanceof Error ? reason.message : String(reason)
      logger.error(`${name}: cannot load partition ${this.partition}: ${text}`)
    }
  }

  /** `mark`: the place in the undo log before the operation began. */
  #enqueue(result: Result<unknown>, mark: number, waiter: Waiter): void {
    const { records } = result
    if (records.length === 0) {
      this.#afterPending(waiter)
      return
    }
    // Encoding comes before any change: what cannot be encoded changes nothing.
    const encoded = records.map(encodeRecord)
    const replay = result.replay ?? true
    if (result.atomic ?? true) {
      this.#makeRoom(encoded, mark)
      if (replay) for (const record of records) this.#shard.replay(record, OUTSIDE_TRANSACTIONS)
      for (const record of encoded) this.#openBatch().append(record)
    } else {
      for (const [index, record] of records.entries()) {
        this.#makeRoom([encoded[index]!], index === 0 ? mark : this.#undo.position)
        if (replay) this.#shard.replay(record, OUTSIDE_TRANSACTIONS)
        this.#openBatch().append(encoded[index]!)
      }
    }
    this.#openBatch().await(waiter)
    this.#flushSoon()
  }

  #enqueueTransactional(result: Result<unknown>, transaction: BatchTransaction, mark: number, waiter: Waiter): void {
    const encoded = result.records.map(encodeRecord)
    this.#seal(mark)
    const batch = this.#openBatch(transaction)
    for (const record of result.records) this.#shard.replay(record, transaction)
    for (const record of encoded) batch.append(record)
    batch.await(waiter)
    this.#seal(this.#undo.position)
    this.#flushSoon()
  }

  /** An operation without records is answered when everything before it is committed: now, if nothing is pending. */
  #afterPending(waiter: Waiter): void {
    const pending = this.#open ?? this.#sealed.at(-1) ?? this.#inFlight
    if (pending) {
      pending.await(waiter)
      return
    }
    this.#undo.forgetBefore(this.#undo.position)
    waiter(undefined)
  }

  /** `undoEnd`: where in the undo log the changes of the open batch end. */
  #makeRoom(records: readonly EncodedRecord[], undoEnd: number): void {
    const open = this.#open
    if (open === undefined || open.isEmpty) return
    const maxBytes = this.#options.log.maxBatchBytes(this.partition)
    if (!open.hasRoomFor(sizeBound(records), maxBytes)) this.#seal(undoEnd)
  }

  #openBatch(transaction?: BatchTransaction): WriteBatch {
    if (this.#open === undefined) {
      const { time, codec } = this.#options
      const batch = new WriteBatch(time.nowMs(), codec, transaction)
      batch.openedMs = time.monotonicMs()
      this.#limitWait(batch)
      this.#open = batch
    }
    return this.#open
  }

  /** Those who wait for a batch that takes too long are told so; what becomes of it decides about the state. */
  #limitWait(batch: WriteBatch): void {
    batch.timeout = this.#options.time.after(this.#options.writeTimeoutMs, () => {
      this.#limitWait(batch)
      batch.settle(errorAfterAppend(errors.REQUEST_TIMED_OUT))
    })
  }

  #seal(undoEnd: number): void {
    const batch = this.#open
    if (batch === undefined) return
    batch.undoEnd = undoEnd
    this.#sealed.push(batch)
    this.#open = undefined
  }

  #flushSoon(): void {
    if (this.#flushScheduled || this.#inFlight !== undefined) return
    const lingerMs = this.#lingersForMs()
    if (lingerMs > 0) {
      this.#linger ??= this.#options.time.after(lingerMs, () => {
        this.#linger = undefined
        this.#flush()
      })
      return
    }
    this.#flushScheduled = true
    this.#options.time.soon(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  /** How long the open batch waits for more records; what is sealed, and so what has to come before, does not. */
  #lingersForMs(): number {
    const { lingerMs = 0, time } = this.#options
    if (lingerMs <= 0 || this.#sealed.length > 0 || this.#open === undefined) return 0
    return this.#open.openedMs + lingerMs - time.monotonicMs()
  }

  #flush(): void {
    if (this.#inFlight !== undefined || this.#state !== 'active') return
    this.#linger?.cancel()
    this.#linger = undefined
    if (this.#sealed.length === 0) this.#seal(this.#undo.position)
    const batch = this.#sealed.shift()
    if (batch === undefined) return
    this.#inFlight = batch
    this.#append(batch).then(
      (baseOffset) => this.#committed(batch, baseOffset),
      (reason) => this.#failed(reason),
    )
  }

  async #append(batch: WriteBatch): Promise<number> {
    const { log } = this.#options
    return (await log.append(this.partition, batch.build(), this.leaderEpoch, batch.transaction)).baseOffset
  }

  #committed(batch: WriteBatch, baseOffset: number): void {
    if (this.#state !== 'active') return
    this.#position = baseOffset + batch.recordCount
    this.#inFlight = undefined
    const isLast = this.#isIdle
    this.#undo.forgetBefore(isLast ? this.#undo.position : batch.undoEnd)
    batch.timeout?.cancel()
    batch.settle(undefined)
    if (this.#isIdle) this.#tellIdle()
    else if (this.#lingersForMs() > 0) this.#flushSoon()
    else this.#flush()
  }

  #failed(reason: unknown): void {
    if (this.#state !== 'active') return
    const { name, logger } = this.#options
    const protocolError = protocolErrorOf(reason)
    const text = reason instanceof Error ? reason.message : String(reason)
    if (protocolError === errors.NOT_LEADER_OR_FOLLOWER) {
      logger.info(`${name}: partition ${this.partition} is led elsewhere: ${text}`)
      this.#end('failed')
      return
    }
    logger.error(`${name}: cannot write to partition ${this.partition}: ${protocolError?.name ?? 'a bug'}: ${text}`)
    // Before anybody is told, so that what they do next finds the state that is in the log.
    this.#undo.rollBackTo(Number.NEGATIVE_INFINITY)
    const error = errorAfterAppend(protocolError ?? errors.UNKNOWN_SERVER_ERROR)
    this.#settleAll(error, errors.COORDINATOR_NOT_AVAILABLE)
    if (!this.#isIdle) this.#flushSoon()
  }

  /** The batch under way ends with `error`, those behind it with `othersError`. */
  #settleAll(error: KafkaError, othersError: KafkaError): void {
    const first = this.#inFlight
    const others = this.#open === undefined ? this.#sealed : [...this.#sealed, this.#open]
    this.#inFlight = undefined
    this.#sealed = []
    this.#open = undefined
    first?.timeout?.cancel()
    first?.settle(error)
    for (const batch of others) {
      batch.timeout?.cancel()
      batch.settle(othersError)
    }
    if (this.#isIdle) this.#tellIdle()
  }

  #tellIdle(): void {
    const waiters = this.#idleWaiters
    this.#idleWaiters = []
    for (const waiter of waiters) waiter()
  }

  #timerFailed(key: string, reason: unknown): void {
    if (this.#state !== 'active') return
    const text = reason instanceof Error ? reason.message : String(reason)
    this.#options.logger.error(`${this.#options.name}: timer ${key} of partition ${this.partition} failed: ${text}`)
  }
}
