import type { Segment } from './segment.ts'
import type { AbortedTxn } from './txn-index.ts'
import type { AppendInfo } from './types.ts'

/** An append that has its offsets and waits for the disk. */
export interface StagedAppend {
  readonly segment: Segment
  readonly buffers: readonly Buffer[]
  readonly sizeBytes: number
  readonly nextOffset: number
  readonly info: AppendInfo
  /** How many batches the producer state would have to take back. */
  readonly undoCount: number
  readonly aborted: readonly AbortedTxn[]
  readonly mustSync: boolean
  /** It comes from a leader: readers are there, and seldom here. */
  readonly isReplicated: boolean
  /** Settled once the append is written, or has failed. */
  readonly outcome: Promise<AppendInfo>
  readonly resolve: (info: AppendInfo) => void
  readonly reject: (error: unknown) => void
}

export function deferred(): Pick<StagedAppend, 'outcome' | 'resolve' | 'reject'> {
  let resolve: StagedAppend['resolve'] = () => {}
  let reject: StagedAppend['reject'] = () => {}
  const outcome = new Promise<AppendInfo>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { outcome, resolve, reject }
}

/**
 * Up to this size a write is made at once, on this thread: the copy into the page cache takes less time than sending it
 * to another thread and hearing back, and no other core has to fetch the bytes.
 */
const MAX_SYNC_WRITE_BYTES = 1024 * 1024
/** A group is closed when it has this many bytes, so that its first appends do not wait for ever. */
const MAX_GROUP_BYTES = 8 * 1024 * 1024

export interface QueueOwner {
  /** The group is in the file. Answers whether it must be synced before anybody hears of it. */
  written(group: readonly StagedAppend[]): boolean
  /** The group is on stable storage. */
  synced(group: readonly StagedAppend[]): void
  /** Nothing of `failed`, which is all that was staged, will be in the log. Answers what to tell those who wait. */
  writeFailed(error: unknown, failed: readonly StagedAppend[]): Error
  syncFailed(error: unknown): Error
}

/**
 * Group commit: one write at a time; what is appended meanwhile leaves together in the next. A group never spans two
 * segments.
 */
export class AppendQueue {
  readonly #owner: QueueOwner
  #staged: StagedAppend[] = []
  #isBusy = false
  #isScheduled = false
  #idleWaiters: (() => void)[] = []

  constructor(owner: QueueOwner) {
    this.#owner = owner
  }

  get isIdle(): boolean {
    return !this.#isBusy && this.#staged.length === 0
  }

  /** Everything that is not written yet, the group under way included, oldest first. */
  get staged(): readonly StagedAppend[] {
    return this.#staged
  }

  push(append: StagedAppend): void {
    this.#staged.push(append)
    if (this.#isBusy || this.#isScheduled) return
    this.#isScheduled = true
    // Not now, but once the present event is dealt with: all that it appends leaves in one write.
    Promise.resolve().then(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  /** Resolves when nothing is staged or under way. */
  whenIdle(): Promise<void> {
    if (this.isIdle) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Resolves when what is staged now is written, and rejects if that fails. */
  whenWritten(): Promise<unknown> {
    const last = this.#staged[this.#staged.length - 1]
    return last ? last.outcome : this.whenIdle()
  }

  #pump(): void {
    while (!this.#isBusy && this.#staged.length > 0) this.#writeGroup()
    if (!this.isIdle) return
    const waiters = this.#idleWaiters
    if (waiters.length === 0) return
    this.#idleWaiters = []
    for (const resolve of waiters) resolve()
  }

  #writeGroup(): void {
    const { segment } = this.#staged[0]!
    const buffers: Buffer[] = []
    let count = 0
    let sizeBytes = 0
    for (const append of this.#staged) {
      if (append.segment !== segment || (count > 0 && sizeBytes + append.sizeBytes > MAX_GROUP_BYTES)) break
      for (const buffer of append.buffers) buffers.push(buffer)
      sizeBytes += append.sizeBytes
      count += 1
    }
    const position = segment.sizeBytes
    if (sizeBytes <= MAX_SYNC_WRITE_BYTES) {
      try {
        segment.file.writeSync(buffers, position)
      } catch (error) {
        this.#fail(error)
        return
      }
      this.#written(count)
      return
    }
    this.#isBusy = true
    let file: ReturnType<Segment['beginRead']>
    try {
      file = segment.beginRead()
    } catch (error) {
      this.#isBusy = false
      this.#fail(error)
      return
    }
    file.write(buffers, position).then(
      () => {
        segment.endRead()
        this.#isBusy = false
        this.#written(count)
        this.#pump()
      },
      (error) => {
        segment.endRead()
        this.#isBusy = false
        this.#fail(error)
        this.#pump()
      },
    )
  }

  #written(count: number): void {
    const group = count === this.#staged.length ? this.#staged : this.#staged.slice(0, count)
    this.#staged = count === this.#staged.length ? [] : this.#staged.slice(count)
    if (!this.#owner.written(group)) {
      for (const append of group) append.resolve(append.info)
      return
    }
    this.#isBusy = true
    group[0]!.segment.syncData().then(
      () => {
        this.#isBusy = false
        this.#owner.synced(group)
        for (const append of group) append.resolve(append.info)
        this.#pump()
      },
      (error) => {
        this.#isBusy = false
        const refusal = this.#owner.syncFailed(error)
        for (const append of group) append.reject(refusal)
        this.#pump()
      },
    )
  }

  #fail(error: unknown): void {
    const failed = this.#staged
    this.#staged = []
    const refusal = this.#owner.writeFailed(error, failed)
    for (const append of failed) append.reject(refusal)
  }
}
