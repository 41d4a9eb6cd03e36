import type { DiskFile } from '../platform/disk.ts'
import { BatchView, batchSizeAt, magicAt } from '../protocol/records/batch.ts'
import { RecordsError } from '../protocol/records/errors.ts'
import { LENGTH_AT, LOG_OVERHEAD, RECORDS_AT } from '../protocol/records/layout.ts'
import { AnyBatchView, isPossibleSize, LEAST_HEADER_BYTES } from '../protocol/records/legacy-batch.ts'
import { DamageError } from './damage-error.ts'

const HEADER_BLOCK_BYTES = 4096
const DATA_BLOCK_BYTES = 1024 * 1024

/**
 * Steps through the batches of a file range. With `wholeBatches` each is in memory whole when it is visited; otherwise
 * perhaps only its header, and what lies between headers is not read.
 */
export class BlockReader {
  /** The batch visited, of whatever format; it stands in a buffer that the next step may overwrite. */
  batch: BatchView = new BatchView(Buffer.alloc(0))
  /** Where the batch visited lies in the file. */
  positionBytes = 0
  readonly #views = new AnyBatchView()
  readonly #file: DiskFile
  readonly #endBytes: number
  readonly #wholeBatches: boolean
  #next: number
  #block: Buffer = Buffer.alloc(0)
  #blockStart = 0
  #spare: Buffer

  constructor(file: DiskFile, fromBytes: number, endBytes: number, options: { wholeBatches?: boolean } = {}) {
    this.#file = file
    this.#next = fromBytes
    this.#endBytes = endBytes
    this.#wholeBatches = options.wholeBatches ?? false
    const wanted = this.#wholeBatches ? DATA_BLOCK_BYTES : HEADER_BLOCK_BYTES
    this.#spare = Buffer.allocUnsafe(Math.max(0, Math.min(wanted, endBytes - fromBytes)))
  }

  /** Moves to the next batch; false at the end. Throws DamageError where there is something else than a batch. */
  next(): boolean {
    const position = this.#next
    if (position >= this.#endBytes) return false
    if (this.#endBytes - position < LEAST_HEADER_BYTES) throw this.#damage(position, 'cut off')
    let at = this.#ensure(position, Math.min(RECORDS_AT, this.#endBytes - position))
    const size = this.#sizeAt(at, position)
    if (position + size > this.#endBytes) throw this.#damage(position, `a batch of ${size} bytes is cut off`)
    if (this.#wholeBatches) at = this.#ensure(position, size)
    this.batch = this.#views.at(this.#block, at)
    this.positionBytes = position
    this.#next = position + size
    return true
  }

  #sizeAt(at: number, position: number): number {
    try {
      batchSizeAt(this.#block, at, this.#block.length)
    } catch (error) {
      if (error instanceof RecordsError) throw this.#damage(position, error.message)
      throw error
    }
    const size = LOG_OVERHEAD + this.#block.readInt32BE(at + LENGTH_AT)
    if (!isPossibleSize(magicAt(this.#block, at), size)) throw this.#damage(position, `a message of ${size} bytes`)
    return size
  }

  /** Has `length` bytes from `position` in the block; answers where in it. */
  #ensure(position: number, length: number): number {
    if (position >= this.#blockStart && position + length <= this.#blockStart + this.#block.length) {
      return position - this.#blockStart
    }
    const wanted = Math.min(Math.max(length, this.#spare.length), this.#endBytes - position)
    if (this.#spare.length < wanted) this.#spare = Buffer.allocUnsafe(wanted)
    const target = this.#spare.subarray(0, wanted)
    const count = this.#file.readSync(target, position)
    if (count < length) throw this.#damage(position, `the file ends ${length - count} bytes too early`)
    this.#block = target.subarray(0, count)
    this.#blockStart = position
    return 0
  }

  #damage(position: number, what: string): DamageError {
    return new DamageError(this.#file.path, position, what)
  }
}
