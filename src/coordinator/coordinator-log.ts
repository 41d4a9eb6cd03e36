/** Whose transaction a batch belongs to, or ends. */
export interface BatchTransaction {
  readonly producerId: number
  readonly producerEpoch: number
  /** What the transaction coordinator's word was given for, as the log's side knows it; undefined for none. */
  readonly verification?: unknown
  /** The transaction.version under which a marker is written; left out for records. */
  readonly markerVersion?: number
}

/**
 * The partitions of one internal topic, as a coordinator sees them. The broker adapts its replica manager to this; tests
 * keep batches in memory.
 */
export interface CoordinatorLog {
  /**
   * Appends one record batch (magic 2, base offset 0) as the leader of `leaderEpoch` and with the origin `coordinator`.
   * Resolves when it is committed: in the log of every in-sync replica, at least min.insync.replicas of them (acks=-1).
   * Takes the buffer over. `transaction` is given with a transactional batch. Rejects with LogError, or with
   * CoordinatorError for what only replication knows (NOT_ENOUGH_REPLICAS, UNKNOWN_TOPIC_OR_PARTITION); then nothing of the
   * batch will be read back. After NOT_LEADER_OR_FOLLOWER it may be, or not: that is for the next leader to say.
   */
  append(
    partition: number,
    batch: Buffer,
    leaderEpoch: number,
    transaction?: BatchTransaction,
  ): Promise<{ readonly baseOffset: number }>
  /**
   * Everything from the log's start to where it ends, in bounded chunks of whole batches: at most
   * offsets.load.buffer.size bytes each, or one batch that is larger. A chunk is not needed any more once the next one is
   * asked for. Ends when all that was read is committed: nobody may be told of what the next leader may not have. Throws as
   * `append` where this node does not lead the partition, or ceases to.
   */
  read(partition: number): AsyncIterable<readonly Buffer[]>
  /** Nobody needs what is before `offset`, which is committed: it will not be read back. Throws as `append`. */
  deleteBefore(partition: number, offset: number): void
  /** max.message.bytes of the topic: the size that a batch should stay under. */
  maxBatchBytes(partition: number): number
}
