import { CoordinatorError } from '../coordinator/coordinator-error.ts'
import type { BatchTransaction, CoordinatorLog } from '../coordinator/coordinator-log.ts'
import { LogError } from '../log/append-error.ts'
import { errors } from '../protocol/errors.ts'
import { NotReplicatedError, type Partition } from '../replication/partition.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'
import type { TransactionalAppend } from '../replication/transactional-appends.ts'
import { VerificationGuard } from '../replication/verification.ts'

const ALL_IN_SYNC = -1
const NO_SEQUENCE = -1

function appendOf({ verification, ...transaction }: BatchTransaction): TransactionalAppend {
  const guard = verification instanceof VerificationGuard ? verification : undefined
  return { ...transaction, baseSequence: NO_SEQUENCE, guard }
}

/** The partitions of one internal topic, for the coordinator whose state they hold. */
export class ReplicaLog implements CoordinatorLog {
  readonly #replicas: Pick<ReplicaManager, 'get'>
  readonly #topic: string
  readonly #loadBytes: number

  /** `loadBytes`: offsets.load.buffer.size. */
  constructor(replicas: Pick<ReplicaManager, 'get'>, topic: string, loadBytes: number) {
    this.#replicas = replicas
    this.#topic = topic
    this.#loadBytes = loadBytes
  }

  async append(
    index: number,
    batch: Buffer,
    leaderEpoch: number,
    transaction?: BatchTransaction,
  ): Promise<{ readonly baseOffset: number }> {
    const partition = this.#led(index, leaderEpoch)
    try {
      const info = await partition.append([batch], ALL_IN_SYNC, 'coordinator', transaction && appendOf(transaction))
      return { baseOffset: info.firstOffset }
    } catch (error) {
      // It is in the log here, so that what it says must not be taken back; whether it stays there others will say.
      if (error instanceof NotReplicatedError) throw ledElsewhere(partition)
      throw error
    }
  }

  async *read(index: number): AsyncGenerator<readonly Buffer[]> {
    const partition = this.#led(index, -1)
    let offset = partition.log.logStartOffset
    do {
      // More may come while that is waited for: what was on its way to the disk when this broker led before.
      while (offset < partition.log.logEndOffset) {
        const data = await partition.read(offset, this.#loadBytes, true, 'logEnd')
        if (data.sizeBytes === 0)
          throw new LogError('KAFKA_STORAGE_ERROR', `${partition} gave nothing at offset ${offset}`)
        yield data.records
        offset = data.nextOffset
        this.#stillLed(index, partition)
      }
      if ((await partition.whenCommitted(offset)) !== errors.NONE) throw ledElsewhere(partition)
    } while (offset < partition.log.logEndOffset)
  }

  /** Throws where somebody else has led meanwhile, or might have. */
  #stillLed(index: number, partition: Partition): void {
    if (this.#led(index, -1) !== partition) throw ledElsewhere(partition)
  }

  deleteBefore(index: number, offset: number): void {
    this.#led(index, -1).deleteRecordsBefore(offset)
  }

  maxBatchBytes(index: number): number {
    return this.#led(index, -1).log.config.maxMessageBytes
  }

  #led(index: number, leaderEpoch: number): Partition {
    const partition = this.#replicas.get(this.#topic, index)
    if (partition === undefined) {
      throw new CoordinatorError(errors.UNKNOWN_TOPIC_OR_PARTITION, `no replica of ${this.#topic}-${index} here`)
    }
    const refusal = partition.refusal(leaderEpoch, true)
    if (refusal === errors.KAFKA_STORAGE_ERROR) throw new LogError('KAFKA_STORAGE_ERROR', `${partition} is offline`)
    if (refusal !== undefined) throw ledElsewhere(partition)
    return partition
  }
}

function ledElsewhere(partition: Partition): CoordinatorError {
  return new CoordinatorError(errors.NOT_LEADER_OR_FOLLOWER, `${partition} is led elsewhere`)
}
