import { errors } from '../../protocol/errors.ts'
import { CoordinatorError, protocolErrorOf } from '../coordinator-error.ts'
import type { BatchTransaction } from '../coordinator-log.ts'
import type { Result } from './result.ts'
import type { CoordinatorShard, TransactionMarker } from './shard.ts'
import { type RuntimeOptions, ShardHost } from './shard-host.ts'

/**
 * Event-sourced coordinators: one shard per partition of an internal topic that this node leads. An operation answers
 * `{ records, response }`; replay of the records is what changes the state, and a reload after a crash is the same replay.
 * What a shard holds (groups and offsets, transactions, share state) is the business of its factory.
 */
export class CoordinatorRuntime<S extends CoordinatorShard> {
  readonly #options: RuntimeOptions<S>
  readonly #hosts = new Map<number, ShardHost<S>>()
  #closing = false

  constructor(options: RuntimeOptions<S>) {
    this.#options = options
  }

  /**
   * This node leads the partition as of `leaderEpoch`: its log is replayed. Resolves when that is done, well or not. An
   * older epoch than the known one changes nothing; the next one of a partition that is led here already needs no reload.
   */
  load(partition: number, leaderEpoch: number): Promise<void> {
    const host = this.#hosts.get(partition)
    if (host && leaderEpoch < host.leaderEpoch) return host.loaded
    // With an epoch missing in between, somebody else may have led, and what is known here be of records that are gone.
    if (host && !host.hasFailed && leaderEpoch - host.leaderEpoch <= 1) {
      host.leaderEpoch = leaderEpoch
      return host.loaded
    }
    if (this.#closing) return Promise.resolve()
    host?.close()
    const fresh = new ShardHost(partition, leaderEpoch, this.#options)
    this.#hosts.set(partition, fresh)
    return fresh.loaded
  }

  /** Another node leads the partition as of `leaderEpoch`; undefined where the partition is gone. */
  unload(partition: number, leaderEpoch: number | undefined): void {
    const host = this.#hosts.get(partition)
    if (!host || (leaderEpoch !== undefined && leaderEpoch <= host.leaderEpoch)) return
    this.#hosts.delete(partition)
    host.close()
  }

  /** Resolves when the partition's shard, if it is led here, is not loading. */
  async whenLoaded(partition: number): Promise<void> {
    await this.#hosts.get(partition)?.loaded
  }

  /** True when operations on the partition would run. */
  isActive(partition: number): boolean {
    return this.#hosts.get(partition)?.isActive ?? false
  }

  /** The partitions that are led here, loaded or not. */
  partitions(): number[] {
    return [...this.#hosts.keys()]
  }

  /**
   * Runs an operation; the response leaves when its records are committed. Rejects with CoordinatorError: NOT_COORDINATOR,
   * COORDINATOR_LOAD_IN_PROGRESS, what the operation threw, or what `errorAfterAppend` makes of a failed write. With a
   * `transaction`, the records are part of it.
   */
  write<R>(partition: number, operation: (shard: S) => Result<R>, transaction?: BatchTransaction): Promise<R> {
    const host = this.#hosts.get(partition)
    return host ? host.write(operation, transaction) : notCoordinator()
  }

  /** Resolves when a producer's transaction has ended in the partition. Rejects as `write`. */
  endTransaction(partition: number, marker: TransactionMarker): Promise<void> {
    const host = this.#hosts.get(partition)
    return host ? host.endTransaction(marker) : notCoordinator()
  }

  /** Looks at committed state. Rejects as `write`. */
  read<R>(partition: number, look: (shard: S) => R): Promise<R> {
    const host = this.#hosts.get(partition)
    return host ? host.read(look) : notCoordinator()
  }

  /** Looks at committed state of all partitions that are led here. Rejects as `write`, but for NOT_COORDINATOR. */
  async readAll<R>(look: (shard: S) => readonly R[]): Promise<R[]> {
    const lists = [...this.#hosts.values()].map(async (host) => {
      try {
        return await host.read(look)
      } catch (reason) {
        // It has just moved away: others will tell what is in it.
        if (protocolErrorOf(reason) === errors.NOT_COORDINATOR) return []
        throw reason
      }
    })
    return (await Promise.all(lists)).flat()
  }

  /** Writes what is pending and ends all shards; afterwards every operation rejects with NOT_COORDINATOR. */
  async close(): Promise<void> {
    this.#closing = true
    const hosts = [...this.#hosts.values()]
    this.#hosts.clear()
    await Promise.all(hosts.map((host) => host.drain()))
  }
}

function notCoordinator(): Promise<never> {
  return Promise.reject(new CoordinatorError(errors.NOT_COORDINATOR))
}
