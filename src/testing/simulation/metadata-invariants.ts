import { MetadataImage } from '../../metadata/image.ts'
import { MetadataLoader } from '../../metadata/loader.ts'
import { encodeMetadataRecord, type MetadataRecord } from '../../metadata/records.ts'
import { ConfigResourceType, type PartitionImage } from '../../metadata/types.ts'
import { crc32c } from '../../protocol/records/crc.ts'
import { SnapshotStore } from '../../replication/raft/snapshot-store.ts'
import type { CommitPosition } from '../../replication/raft/types.ts'
import type { World } from './world.ts'

/** leaderRecoveryState of a leader that was elected uncleanly and has not said yet that it leads. */
const RECOVERING = 1

/**
 * Watches what the nodes take as committed in the metadata log: the same for all and for all time, and in it one leader
 * for each epoch of a partition, who was in sync or eligible before.
 */
export class MetadataInvariants {
  readonly #world: World
  /** By offset. */
  readonly #committed = new Map<number, string>()
  /** The same, as far as it was replayed. */
  readonly #records: { readonly offset: number; readonly record: MetadataRecord }[] = []
  readonly #leaders = new Map<string, number>()
  /** What all of it makes, as far as anybody has come. */
  readonly image = new MetadataImage()

  constructor(world: World) {
    this.#world = world
  }

  onCommit(node: string, records: readonly MetadataRecord[], { lastOffset, epoch }: CommitPosition): void {
    const first = lastOffset - records.length + 1
    for (const [index, record] of records.entries()) {
      const bytes = encodeMetadataRecord(record)
      const line = `${record.name} of epoch ${epoch}, ${crc32c(bytes, 0, bytes.length).toString(16)}`
      const offset = first + index
      const known = this.#committed.get(offset)
      if (known !== undefined && known !== line) {
        this.#world.fail(`${node}: metadata at ${offset} are ${line}; they were ${known}`)
      }
      this.#committed.set(offset, line)
      if (offset > this.image.offset && !/Transaction$/.test(record.name)) this.#replay(record, offset)
    }
    this.image.offset = Math.max(this.image.offset, lastOffset)
  }

  /** What all before an offset makes. */
  imageAt(endOffset: number): MetadataImage {
    const image = new MetadataImage()
    for (const { offset, record } of this.#records) if (offset < endOffset) image.replay(record)
    return image
  }

  #replay(record: MetadataRecord, offset: number): void {
    this.#world.trace.detail(() => `metadata ${offset} ${record.name} ${JSON.stringify(record.value)}`)
    if (record.name === 'RegisterBroker') this.#checkFenced(record.value.brokerId, offset)
    if (record.name === 'BrokerRegistrationChange' && record.value.fenced === 1) {
      this.#checkFenced(record.value.brokerId, offset)
    }
    const before = this.#partitionOf(record)
    this.image.replay(record)
    this.image.takeDelta()
    this.#records.push({ offset, record })
    const after = this.#partitionOf(record)
    if (after !== undefined) this.#checkPartition(before, after, offset)
  }

  /** Who is fenced is not in sync any more: with eligible leaders (KIP-966) not even as the last one. */
  #checkFenced(brokerId: number, offset: number): void {
    if (this.image.featureLevel('eligible.leader.replicas.version') === 0) return
    for (const topic of this.image.topics.all()) {
      for (const { partition, isr } of topic.partitions.values()) {
        if (isr.includes(brokerId)) {
          this.#world.fail(
            `metadata at ${offset}: broker ${brokerId} is fenced, and in sync in ${topic.name}-${partition}`,
          )
        }
      }
    }
  }

  #partitionOf(record: MetadataRecord): PartitionImage | undefined {
    if (record.name !== 'Partition' && record.name !== 'PartitionChange') return undefined
    return this.image.topics.partitionById(record.value.topicId, record.value.partitionId)
  }

  #checkPartition(before: PartitionImage | undefined, after: PartitionImage, offset: number): void {
    const { topicId, partition, leader, leaderEpoch, partitionEpoch, isr, elr, replicas, leaderRecoveryState } = after
    const topic = this.image.topics.byId(topicId)?.name ?? ''
    const name = `${topic}-${partition}`
    const fail = (what: string) => this.#world.fail(`metadata at ${offset}: ${name}: ${what}`)
    if (isr.some((id) => !replicas.includes(id))) fail(`in sync are ${isr}, replicas are ${replicas}`)
    if (leader >= 0 && !isr.includes(leader)) fail(`leader ${leader} is not in sync: ${isr}`)
    if (before === undefined) return
    if (leaderEpoch < before.leaderEpoch) fail(`leader epoch goes back from ${before.leaderEpoch} to ${leaderEpoch}`)
    if (partitionEpoch <= before.partitionEpoch) fail(`partition epoch stays at ${partitionEpoch}`)
    if (leader < 0) return
    const key = `${topicId} ${partition} ${leaderEpoch}`
    const known = this.#leaders.get(key)
    if (known !== undefined && known !== leader) fail(`${known} and ${leader} lead epoch ${leaderEpoch}`)
    this.#leaders.set(key, leader)
    if (leader === before.leader || before.isr.includes(leader) || before.elr.includes(leader)) return
    // Whom a move brings may join those in sync and lead at once.
    if (before.addingReplicas.includes(leader)) return
    // Where nobody is left who is known to have everything, the last leader comes nearest to it (KIP-966).
    const isNobodyLeft = before.isr.length === 0 && after.elr.length === 0
    if (isNobodyLeft && before.lastKnownElr.includes(leader)) return
    const configs = this.image.configs.of(ConfigResourceType.topic, topic)
    if (configs.get('unclean.leader.election.enable') === 'true') {
      if (isr.length !== 1 || elr.length > 0) fail(`${leader} leads uncleanly with ${isr} in sync, ${elr} eligible`)
      if (leaderRecoveryState !== RECOVERING) fail(`${leader} leads uncleanly, and nothing says so`)
      return
    }
    fail(`${leader} leads, who was neither in sync (${before.isr}) nor eligible (${before.elr})`)
  }
}

/** Has every process tell what it takes as committed. Answers how to take that back. */
export function observeMetadata(world: World, invariants: MetadataInvariants): () => void {
  const { onCommit } = MetadataLoader.prototype
  const { read } = SnapshotStore.prototype
  let isSnapshot = false
  MetadataLoader.prototype.onCommit = function (this: MetadataLoader, records, position) {
    const life = world.current
    if (life?.isAlive) life.metadata = this.image
    if (life?.isAlive && !isSnapshot) invariants.onCommit(life.name, records, position)
    onCommit.call(this, records, position)
  }
  // What a snapshot holds has other offsets than in the log.
  SnapshotStore.prototype.read = function (this: SnapshotStore, ...args) {
    isSnapshot = true
    try {
      return read.apply(this, args)
    } finally {
      isSnapshot = false
    }
  }
  return () => {
    MetadataLoader.prototype.onCommit = onCommit
    SnapshotStore.prototype.read = read
  }
}
