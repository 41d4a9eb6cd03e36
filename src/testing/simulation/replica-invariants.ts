import { LogError } from '../../log/append-error.ts'
import { batchesIn } from '../../protocol/records/batch.ts'
import type { Partition } from '../../replication/partition.ts'
import type { Life } from './life.ts'
import type { World } from './world.ts'

const READ_BYTES = 1024 * 1024

/** What was last seen of a replica in one life of its node. */
interface Seen {
  partition: Partition
  highWatermark: number
  logStartOffset: number
  leaderEpoch: number
  partitionEpoch: number
  lastStableOffset: number
  wasLeader: boolean
  /** Up to where its content has been compared with what is committed. */
  comparedTo: number
}

/** What is committed in a partition: below the high watermark of any replica, ever. */
interface Committed {
  endOffset: number
  /** Below this, records were deleted before anybody looked at them. */
  unknownBelow: number
  /** By base offset. */
  readonly batches: Map<number, string>
  /** How far was committed under the leader of an epoch. */
  readonly ends: Map<number, number>
}

/**
 * Looks at the replicas of a node after every event that was for it: what is below a high watermark is the same in all
 * replicas and for all time; high watermark, log start, epoch and, in one leadership, last stable offset never go back;
 * who leads has everything that is committed, and so has who is in sync.
 */
export class ReplicaInvariants {
  readonly #world: World
  readonly #committed = new Map<string, Committed>()
  readonly #seen = new WeakMap<Life, Map<string, Seen>>()
  /** By name, as far as any replica has ever taken it as committed. */
  readonly #ends = new Map<string, number>()

  constructor(world: World) {
    this.#world = world
  }

  check(life: Life): void {
    if (life.replicas === undefined) return
    if (!life.isAlive) {
      // What it had said before it ended may still arrive.
      for (const partition of life.replicas.all()) this.#noteEnd(partition)
      return
    }
    let seen = this.#seen.get(life)
    if (seen === undefined) {
      seen = new Map()
      this.#seen.set(life, seen)
    }
    for (const partition of life.replicas.all()) this.#checkOne(life, partition, seen)
  }

  /** Nobody may read anything of a partition from here on. */
  committedEnd(topic: string, partition: number): number {
    return this.#ends.get(nameOf(topic, partition)) ?? 0
  }

  #noteEnd({ topic, partition, log }: Partition): void {
    const name = nameOf(topic, partition)
    if (log.highWatermark > (this.#ends.get(name) ?? 0)) this.#ends.set(name, log.highWatermark)
  }

  #fail(life: Life, partition: Partition, what: string): void {
    this.#world.fail(`${life.name}: ${partition}: ${what}`)
  }

  #checkOne(life: Life, partition: Partition, all: Map<string, Seen>): void {
    const { log } = partition
    if (log.offline !== undefined) {
      this.#noteEnd(partition)
      return
    }
    const key = `${partition.topicId} ${partition.partition}`
    let seen = all.get(key)
    if (seen?.partition !== partition) {
      seen = {
        partition,
        highWatermark: 0,
        logStartOffset: 0,
        leaderEpoch: -1,
        partitionEpoch: -1,
        lastStableOffset: 0,
        wasLeader: false,
        comparedTo: log.logStartOffset,
      }
      all.set(key, seen)
    }
    const { highWatermark, logStartOffset } = log
    const { leaderEpoch, isLeader } = partition
    const { partitionEpoch } = partition.state
    const wasSame = seen.partitionEpoch === partitionEpoch && seen.leaderEpoch === leaderEpoch
    if (isLeader && partitionEpoch !== seen.partitionEpoch) this.#checkInSync(life, partition, highWatermark)
    seen.partitionEpoch = partitionEpoch
    if (leaderEpoch !== seen.leaderEpoch || isLeader !== seen.wasLeader) {
      this.#checkNewEpoch(life, partition, seen, key)
    }
    if (highWatermark !== seen.highWatermark || logStartOffset !== seen.logStartOffset) {
      this.#checkOffsets(life, partition, seen, key, wasSame)
    }
    if (!isLeader) return
    const { lastStableOffset } = log
    if (lastStableOffset < seen.lastStableOffset) {
      this.#fail(life, partition, `last stable offset goes back from ${seen.lastStableOffset} to ${lastStableOffset}`)
    }
    if (lastStableOffset > highWatermark) {
      this.#fail(life, partition, `last stable offset ${lastStableOffset} is past high watermark ${highWatermark}`)
    }
    seen.lastStableOffset = lastStableOffset
  }

  #checkNewEpoch(life: Life, partition: Partition, seen: Seen, key: string): void {
    const { leaderEpoch, isLeader, log } = partition
    if (leaderEpoch < seen.leaderEpoch) {
      this.#fail(life, partition, `leader epoch goes back from ${seen.leaderEpoch} to ${leaderEpoch}`)
    }
    seen.leaderEpoch = leaderEpoch
    seen.lastStableOffset = 0
    seen.wasLeader = isLeader
    const committed = this.#committed.get(key)
    if (!isLeader || committed === undefined) return
    // It may learn late that it led, when others have gone on in later epochs.
    let due = 0
    for (const [epoch, end] of committed.ends) if (epoch < leaderEpoch) due = Math.max(due, end)
    if (log.logEndOffset >= due) return
    this.#fail(life, partition, `leads epoch ${leaderEpoch} with ${log.logEndOffset} of ${due} committed`)
  }

  /** `wasSame`: leader and replicas in sync are those of the last event. */
  #checkOffsets(life: Life, partition: Partition, seen: Seen, key: string, wasSame: boolean): void {
    this.#noteEnd(partition)
    const { log } = partition
    const { highWatermark, logStartOffset } = log
    // A replica that starts anew where its leader's log begins, in the middle of a batch, goes back to where that begins.
    const hadNothing = seen.logStartOffset === seen.highWatermark
    if (highWatermark < seen.highWatermark && !hadNothing) {
      this.#fail(life, partition, `high watermark goes back from ${seen.highWatermark} to ${highWatermark}`)
    }
    if (logStartOffset < seen.logStartOffset && !hadNothing) {
      this.#fail(life, partition, `log start goes back from ${seen.logStartOffset} to ${logStartOffset}`)
    }
    if (highWatermark > log.logEndOffset) {
      this.#fail(life, partition, `high watermark ${highWatermark} is past the end ${log.logEndOffset}`)
    }
    const isNews = wasSame && highWatermark > seen.highWatermark
    seen.highWatermark = highWatermark
    seen.logStartOffset = logStartOffset
    if (highWatermark > seen.comparedTo) this.#compare(life, partition, seen, key)
    if (!partition.isLeader) return
    this.#checkInSync(life, partition, highWatermark)
    const { isr, replicas } = partition.state
    const { minInsyncReplicas } = partition
    if (!isNews || isr.length >= Math.min(minInsyncReplicas, replicas.length)) return
    this.#fail(
      life,
      partition,
      `high watermark moves to ${highWatermark} with ${isr} in sync of ${minInsyncReplicas} due`,
    )
  }

  /** Everybody who may become leader has what is committed. */
  #checkInSync(life: Life, partition: Partition, highWatermark: number): void {
    for (const id of partition.state.isr) {
      const node = this.#world.nodes.find((each) => each.id === id)
      if (node?.life?.server === undefined || node.isBehind || node.life === life) continue
      const replica = node.life.replicas?.get(partition.topic, partition.partition)
      if (replica === undefined || replica.topicId !== partition.topicId || replica.log.offline !== undefined) continue
      if (replica.log.logEndOffset >= highWatermark) continue
      this.#fail(
        life,
        partition,
        `high watermark is ${highWatermark}, and node ${id}, in sync, has ${replica.log.logEndOffset}`,
      )
    }
  }

  #compare(life: Life, partition: Partition, seen: Seen, key: string): void {
    const { log } = partition
    let committed = this.#committed.get(key)
    if (committed === undefined) {
      committed = { endOffset: 0, unknownBelow: 0, batches: new Map(), ends: new Map() }
      this.#committed.set(key, committed)
    }
    let at = Math.max(seen.comparedTo, log.logStartOffset)
    if (at > committed.endOffset) committed.unknownBelow = at
    while (at < log.highWatermark) {
      const read = this.#read(partition, at)
      if (read === undefined) return
      for (const chunk of read.records) {
        for (const batch of batchesIn(chunk)) {
          const { baseOffset, lastOffset, partitionLeaderEpoch, crc } = batch
          const known = committed.batches.get(baseOffset)
          // Of a batch that was compacted there is less, or nothing, and who looks late may never have seen it.
          const { cleanupCompact } = log.config
          const content = cleanupCompact ? '' : `, ${crc.toString(16)}`
          const line = `${lastOffset} of epoch ${partitionLeaderEpoch}${content}`
          const isNews =
            cleanupCompact || baseOffset >= committed.endOffset || baseOffset < Math.max(at, committed.unknownBelow)
          if (known === undefined && !isNews) {
            this.#fail(life, partition, `a batch begins at ${baseOffset} where none did: up to ${line}`)
          }
          if (known !== undefined && known !== line) {
            this.#fail(life, partition, `has another batch at ${baseOffset}: ${line}; it was ${known}`)
          }
          if (!batch.isCrcValid()) this.#fail(life, partition, `the batch at ${baseOffset} is damaged`)
          committed.batches.set(baseOffset, line)
          // The leader is the first that is seen to have committed it, maybe of an earlier epoch than its own.
          if (known === undefined) {
            const { leaderEpoch } = partition
            committed.ends.set(leaderEpoch, Math.max(committed.ends.get(leaderEpoch) ?? 0, lastOffset + 1))
          }
        }
      }
      if (read.nextOffset <= at) {
        // Where compaction has left nothing, up to the high watermark.
        if (log.config.cleanupCompact) break
        this.#fail(life, partition, `nothing can be read at ${at}, below high watermark ${log.highWatermark}`)
        return
      }
      at = read.nextOffset
    }
    seen.comparedTo = at
    committed.endOffset = Math.max(committed.endOffset, log.highWatermark)
  }

  #read(partition: Partition, offset: number) {
    try {
      const read = partition.log.read(offset, { maxBytes: READ_BYTES, minOneBatch: true, upTo: 'highWatermark' })
      return read instanceof Promise ? undefined : read
    } catch (error) {
      // The disk fails on purpose; the log notices by itself.
      if (error instanceof LogError) return undefined
      throw error
    }
  }

  /** Partitions and what is committed in them. */
  get sizes(): Map<string, number> {
    return new Map([...this.#committed].map(([key, { endOffset }]) => [key, endOffset]))
  }
}

function nameOf(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
