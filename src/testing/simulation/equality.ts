import type { MetadataImage } from '../../metadata/image.ts'
import { DecodeError } from '../../protocol/reader.ts'
import { batchesIn } from '../../protocol/records/batch.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import type { Partition } from '../../replication/partition.ts'
import type { MetadataInvariants } from './metadata-invariants.ts'
import type { SimulatedNode } from './node.ts'
import { checkSnapshots, linesOf } from './snapshot-check.ts'
import type { World } from './world.ts'

const METADATA_LOG = '__cluster_metadata-0'

interface StoredLog {
  readonly node: SimulatedNode
  readonly batches: readonly StoredBatch[]
}

interface StoredBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly epoch: number
  readonly bytes: Buffer
}

/**
 * When nothing is asked of the cluster any more and all faults are over, nodes come to have the same: the metadata, and
 * of every partition the log, byte for byte to its end, as it is on their disks.
 */
export class Equality {
  readonly #world: World
  readonly #metadata: MetadataInvariants

  constructor(world: World, metadata: MetadataInvariants) {
    this.#world = world
    this.#metadata = metadata
  }

  /** What nodes have yet to get from each other. */
  outstanding(): string[] {
    const lines: string[] = []
    const due = linesOf(this.#metadata.image)
    const dueText = due.join('\n')
    for (const { life, host } of this.#world.nodes) {
      if (life?.metadata === undefined) lines.push(`${host} has no metadata`)
      else if (linesOf(life.metadata).join('\n') !== dueText) {
        lines.push(`${life.name} has other metadata than those that are committed: ${missingIn(life.metadata, due)}`)
      }
    }
    for (const [name, replicas] of this.#replicas()) {
      const ends = replicas.map(({ partition: { log } }) => `${log.highWatermark} of ${log.logEndOffset}`)
      if (new Set(ends).size > 1) lines.push(`${name} is committed up to ${ends.join(', ')}`)
    }
    return lines
  }

  /** To be called when nothing is outstanding. */
  check(): void {
    try {
      this.#checkAll()
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#world.fail(`what is on a disk cannot be read: ${error.message}`)
    }
  }

  #checkAll(): void {
    for (const [name, replicas] of this.#replicas()) {
      const start = Math.max(...replicas.map(({ partition }) => partition.log.logStartOffset))
      const logs = replicas.map(({ node }) => ({ node, batches: batchesOf(node, name, start) }))
      if (replicas.some(({ partition }) => partition.log.config.cleanupCompact)) this.#compareNewest(name, logs)
      else this.#compare(name, logs)
    }
    this.#checkMetadataLogs()
    checkSnapshots(this.#world, this.#metadata)
  }

  #replicas(): Map<string, { node: SimulatedNode; partition: Partition }[]> {
    const found = new Map<string, { node: SimulatedNode; partition: Partition }[]>()
    for (const node of this.#world.nodes) {
      for (const partition of node.life?.replicas?.all() ?? []) {
        const name = `${partition.topic}-${partition.partition}`
        const known = found.get(name)
        if (known === undefined) found.set(name, [{ node, partition }])
        else known.push({ node, partition })
      }
    }
    return found
  }

  /** Of the metadata log, what all have and no snapshot has taken the place of. */
  #checkMetadataLogs(): void {
    const logs = this.#world.nodes.map((node) => ({ node, batches: batchesOf(node, METADATA_LOG, 0) }))
    const start = Math.max(...logs.map(({ batches }) => batches[0]?.baseOffset ?? 0))
    const end = Math.min(...this.#world.nodes.map(({ life }) => life?.metadata?.offset ?? 0))
    const isShared = ({ baseOffset, lastOffset }: StoredBatch) => baseOffset >= start && lastOffset <= end
    this.#compare(
      METADATA_LOG,
      logs.map(({ node, batches }) => ({ node, batches: batches.filter(isShared) })),
    )
  }

  /** Replicas are compacted by themselves, one earlier than the other: the newest value of each key is the same. */
  #compareNewest(name: string, logs: readonly StoredLog[]): void {
    const [first, ...others] = logs.map(({ node, batches }) => ({ node, newest: newestIn(batches) }))
    for (const { node, newest } of others) {
      for (const key of new Set([...newest.keys(), ...first!.newest.keys()])) {
        const [one, other] = [first!.newest.get(key), newest.get(key)]
        if (one === other) continue
        const texts = [`${one ?? 'nothing'} on ${first!.node.host}`, `${other ?? 'nothing'} on ${node.host}`]
        this.#world.fail(`${name}: the newest of key ${key} is ${texts.join(', and ')}`)
        return
      }
    }
  }

  #compare(name: string, logs: readonly StoredLog[]): void {
    const [first, ...others] = logs
    for (const { node, batches } of others) {
      const count = Math.max(batches.length, first!.batches.length)
      for (let index = 0; index < count; index++) {
        const [one, other] = [first!.batches[index], batches[index]]
        if (one !== undefined && other !== undefined && one.bytes.equals(other.bytes)) continue
        const texts = [`${textOf(one)} on ${first!.node.host}`, `${textOf(other)} on ${node.host}`]
        this.#world.fail(`${name}: in the place of ${texts.join(' there is ')}`)
        return
      }
    }
  }
}

function textOf(batch: StoredBatch | undefined): string {
  if (batch === undefined) return 'nothing'
  return `${batch.baseOffset} to ${batch.lastOffset} of epoch ${batch.epoch}`
}

/** What the files of a log hold that reaches beyond `start`. Throws DecodeError for what is no batch. */
function batchesOf(node: SimulatedNode, name: string, start: number): StoredBatch[] {
  const batches: StoredBatch[] = []
  for (const directory of node.logDirectories.map((root) => `${root}/${name}`)) {
    if (!node.disk.exists(directory)) continue
    for (const { name: file } of node.disk.list(directory)) {
      if (!file.endsWith('.log')) continue
      for (const batch of batchesIn(node.disk.readFile(`${directory}/${file}`))) {
        const { baseOffset, lastOffset, partitionLeaderEpoch: epoch, buffer, position, end } = batch
        if (lastOffset >= start) batches.push({ baseOffset, lastOffset, epoch, bytes: buffer.subarray(position, end) })
      }
    }
  }
  return batches
}

/** By key, where its newest record is, and what is in it; nothing where that says that the key is deleted. */
function newestIn(batches: readonly StoredBatch[]): Map<string, string> {
  const newest = new Map<string, string>()
  const cursor = new RecordCursor()
  for (const { bytes } of [...batches].sort((a, b) => a.baseOffset - b.baseOffset)) {
    for (const batch of batchesIn(bytes)) {
      if (batch.isControl) continue
      cursor.open(batch, bytes.length)
      while (cursor.next()) {
        const [key, value] = [(cursor.key() ?? Buffer.alloc(0)).toString('hex'), cursor.value()]
        if (value === null) newest.delete(key)
        else newest.set(key, `${value.toString('hex')} at ${cursor.offset}`)
      }
    }
  }
  return newest
}

function missingIn(image: MetadataImage, due: readonly string[]): string {
  const there = new Set(linesOf(image))
  return due.find((line) => !there.has(line)) ?? 'there is more'
}
