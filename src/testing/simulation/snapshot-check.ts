import { MetadataImage } from '../../metadata/image.ts'
import { decodeMetadataRecord, encodeMetadataRecord } from '../../metadata/records.ts'
import { snapshotRecords } from '../../metadata/snapshot-records.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import { listSnapshots, readSnapshot, snapshotPath } from '../../replication/raft/snapshot-file.ts'
import type { SnapshotId } from '../../replication/raft/types.ts'
import type { MetadataInvariants } from './metadata-invariants.ts'
import type { SimulatedNode } from './node.ts'
import type { World } from './world.ts'

const MAX_BYTES = 1024 * 1024

/** Records of an image, in an order that is the same for all that hold the same. */
export function linesOf(image: MetadataImage): string[] {
  return [...snapshotRecords(image)]
    .map((record) => `${record.name} ${encodeMetadataRecord(record).toString('hex')}`)
    .sort()
}

/** A snapshot of the metadata, whoever has it, holds what was committed before its offset. */
export function checkSnapshots(world: World, metadata: MetadataInvariants): void {
  const dueOf = new Map<number, string>()
  for (const node of world.nodes) {
    const directory = `${node.logDirectories[0]}/__cluster_metadata-0`
    for (const id of listSnapshots(node.disk, directory)) {
      // The one that a node is formatted with tells of features, and is in no log.
      if (id.offset === 0) continue
      let due = dueOf.get(id.offset)
      if (due === undefined) {
        due = linesOf(metadata.imageAt(id.offset)).join('\n')
        dueOf.set(id.offset, due)
      }
      if (linesOf(imageOf(node, directory, id)).join('\n') === due) continue
      world.fail(`${node.host}: the snapshot of offset ${id.offset} holds other metadata than the log up to there`)
    }
  }
}

function imageOf(node: SimulatedNode, directory: string, id: SnapshotId): MetadataImage {
  const image = new MetadataImage()
  const cursor = new RecordCursor()
  const file = node.disk.open(snapshotPath(directory, id), 'read')
  readSnapshot(file, {
    onControl() {},
    onData(batch) {
      cursor.open(batch, MAX_BYTES)
      while (cursor.next()) image.replay(decodeMetadataRecord(cursor.value()!))
    },
  })
  return image
}
