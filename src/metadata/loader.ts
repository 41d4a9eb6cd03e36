import type { Logger } from '../platform/logger.ts'
import type { CommitPosition, QuorumListener } from '../replication/raft/types.ts'
import { changesSince, type Known, known } from './delta.ts'
import { MetadataImage } from './image.ts'
import type { MetadataRecord } from './records.ts'
import { snapshotRecords } from './snapshot-records.ts'
import type { MetadataDelta, MetadataPublisher } from './types.ts'

/**
 * Keeps the image at what is committed, and tells the publishers. Records between the marks of a metadata transaction
 * (KIP-868) wait for its end and are forgotten when it is aborted.
 */
export class MetadataLoader implements QuorumListener<MetadataRecord> {
  readonly image = new MetadataImage()
  readonly #logger: Logger
  readonly #publishers: MetadataPublisher[] = []
  #transaction: MetadataRecord[] | undefined
  /** What was there before the snapshot that is being loaded. */
  #before: Known | undefined
  #isPublishing = false
  #applied: Promise<unknown> = Promise.resolve()
  /** While a publisher is awaited, changes gather in the image. */
  #isHeld = false
  /** Called when records that were appended will not be committed. */
  onAborted: () => void = () => {}

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** True between the mark that begins a transaction and the one that ends it. */
  get inTransaction(): boolean {
    return this.#transaction !== undefined
  }

  /**
   * Tells the publishers, in this order, of all that is in the image, and from then on of every change. Resolves when
   * they have applied it.
   */
  async startPublishing(publishers: readonly MetadataPublisher[]): Promise<void> {
    const delta = this.image.takeDelta()
    for (const publisher of publishers) await publisher.onMetadataChange(delta)
    this.#publishers.push(...publishers)
    this.#isPublishing = true
    this.#publish()
    await this.#applied
  }

  /** Resolves when every change published so far has been applied on this node. */
  async applied(): Promise<void> {
    const isGathering = this.#isHeld && !this.image.changes.isEmpty
    await this.#applied
    if (isGathering) await this.#applied
  }

  onSnapshotLoad(): void {
    this.#before = known(this.image)
    this.image.clear()
    this.#transaction = undefined
  }

  /** To publishers, a snapshot that is loaded while they are told of changes is one large change. */
  onSnapshotEnd(): void {
    if (this.#isPublishing) this.image.changes = changesSince(this.#before!, this.image)
    this.#before = undefined
    this.#publish()
  }

  onCommit(records: readonly MetadataRecord[], position: CommitPosition): void {
    for (const record of records) this.#take(record)
    if (this.#transaction !== undefined) return
    this.image.offset = position.lastOffset
    this.image.epoch = position.epoch
    this.#publish()
  }

  onAbort(): void {
    this.onAborted()
  }

  snapshotRecords(): Iterable<MetadataRecord> | undefined {
    return this.#transaction === undefined ? snapshotRecords(this.image) : undefined
  }

  #take(record: MetadataRecord): void {
    switch (record.name) {
      case 'BeginTransaction':
        if (this.#transaction !== undefined) throw new Error('a metadata transaction begins inside another')
        this.#transaction = []
        return
      case 'EndTransaction': {
        if (this.#transaction === undefined) throw new Error('a metadata transaction ends that did not begin')
        const records = this.#transaction
        this.#transaction = undefined
        for (const waiting of records) this.image.replay(waiting)
        return
      }
      case 'AbortTransaction':
        if (this.#transaction === undefined) throw new Error('a metadata transaction is aborted that did not begin')
        this.#transaction = undefined
        return
      default:
        if (this.#transaction !== undefined) this.#transaction.push(record)
        else this.image.replay(record)
    }
  }

  #publish(): void {
    if (!this.#isPublishing || this.#isHeld || this.#before !== undefined || this.image.changes.isEmpty) return
    const before = this.#applied.then(() => {})
    this.#applied = Promise.all([before, this.#tellFrom(0, this.image.takeDelta())])
  }

  /** Tells the publishers from one on, and, where one is awaited, the others and of other changes later. */
  #tellFrom(first: number, delta: MetadataDelta): Promise<unknown> {
    const waiting: (void | Promise<void>)[] = []
    for (let index = first; index < this.#publishers.length; index++) {
      const publisher = this.#publishers[index]!
      const outcome = this.#tell(publisher, delta)
      if (publisher.isAwaited && outcome !== undefined) {
        this.#isHeld = true
        waiting.push(outcome.then(() => this.#goOn(index + 1, delta)).then(() => {}))
        break
      }
      waiting.push(outcome)
    }
    return Promise.all(waiting)
  }

  #goOn(next: number, delta: MetadataDelta): Promise<unknown> {
    this.#isHeld = false
    const rest = this.#tellFrom(next, delta)
    this.#publish()
    return rest
  }

  /** The change is committed, so a failure to apply it must not fail whoever made it. */
  #tell(publisher: MetadataPublisher, delta: MetadataDelta): void | Promise<void> {
    const failed = (error: unknown): void => {
      this.#logger.error(`a metadata change was not applied: ${error instanceof Error ? error.stack : String(error)}`)
    }
    try {
      return publisher.onMetadataChange(delta)?.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
