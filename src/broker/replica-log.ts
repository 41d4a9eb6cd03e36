import { CoordinatorError } from '../coordinator/coordinator-error.ts'
import type { BatchTransaction, CoordinatorLog } from '../coordinator/coordinator-log.ts'
import { LogError } from '../log/append-error.ts'
import { errors } from '../protocol/errors.ts'
import type { Partition, TransactionalAppend } from '../replication/partition.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'
import { VerificationGuard } from '../replication/verification.ts'

const ALL_IN_SYNC = -1
const NO_SEQUENCE = -1

function appendOf({ verification, ...transaction }: BatchTransaction): TransactionalAppend {
  const guard = verification instanceof VerificationGuard ? verification : undefined
  return { ...transaction, baseSequence: NO_SEQUENCE, guard }
}

/** The partitions of one internal topic, for the coordinator whose state they hold. */
export class ReplicaLog implements CoordinatorLog {
  readonly #replicas: ReplicaManager
  readonly #topic: string
  readonly #loadBytes: number

  /** `loadBytes`: offsets.load.buffer.size. */
  constructor(replicas: ReplicaManager, topic: string, loadBytes: number) {
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
    const info = await partition.append([batch], ALL_IN_SYNC, 'coordinator', transaction && appendOf(transaction))
    return { baseOffset: info.firstOffset }
  }

  async *read(index: number): AsyncGenerator<readonly Buffer[]> {
    const partition = this.#led(index, -1)
    const end = partition.log.logEndOffset
    let offset = partition.log.logStartOffset
    while (offset < end) {
      const data = await partition.read(offset, this.#loadBytes, true, 'logEnd')
      if (data.sizeBytes === 0)
        throw new LogError('KAFKA_STORAGE_ERROR', `${partition} gave nothing at offset ${offset}`)
      yield data.records
      offset = data.nextOffset
      this.#led(index, partition.leaderEpoch)
    }
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
    if (refusal !== undefined)
      throw new CoordinatorError(errors.NOT_LEADER_OR_FOLLOWER, `${partition} is led elsewhere`)
    return partition
  }
}
