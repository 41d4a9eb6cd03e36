import { bootstrapFeatureLevels, ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { decodeMetadataRecord, type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { ConfigResourceType } from '../metadata/types.ts'
import type { Platform } from '../platform/platform.ts'
import { RecordCursor } from '../protocol/records/cursor.ts'
import { MAX_UNCOMPRESSED_BYTES } from '../replication/raft/batches.ts'
import { readSnapshot } from '../replication/raft/snapshot-file.ts'

/** From this metadata.version on, the first records are one transaction (KIP-868). */
const TRANSACTION_LEVEL = 14
const BOOTSTRAP_FILE = 'bootstrap.checkpoint'

/**
 * The records with which a controller begins: those of the bootstrap where the log is empty, and the end of a
 * transaction that was left open.
 */
export function activationRecords(
  image: MetadataImage,
  inTransaction: boolean,
  readBootstrap: () => readonly MetadataRecord[],
  minInsyncReplicas: number,
): MetadataRecord[] {
  const abort = inTransaction ? [metadataRecord('AbortTransaction', { reason: 'Controller failover' })] : []
  if (image.features.has(METADATA_VERSION)) return abort
  const bootstrap = readBootstrap()
  const records = [...bootstrap]
  if (levelIn(bootstrap, ELIGIBLE_LEADER_REPLICAS) > 0) {
    const minIsr = { name: 'min.insync.replicas', value: String(minInsyncReplicas) }
    records.push(metadataRecord('Config', { resourceType: ConfigResourceType.broker, resourceName: '', ...minIsr }))
  }
  if (levelIn(bootstrap, METADATA_VERSION) < TRANSACTION_LEVEL) return [...abort, ...records]
  const begin = metadataRecord('BeginTransaction', { name: 'Bootstrap records' })
  return [...abort, begin, ...records, metadataRecord('EndTransaction', {})]
}

function levelIn(records: readonly MetadataRecord[], feature: string): number {
  for (const record of records) {
    if (record.name === 'FeatureLevel' && record.value.name === feature) return record.value.featureLevel
  }
  return 0
}

/** The first records of a new cluster: those that a format command left, or the features of this version. */
export function readBootstrap({ disk }: Platform, metadataLogDir: string): MetadataRecord[] {
  const path = `${metadataLogDir}/${BOOTSTRAP_FILE}`
  if (!disk.exists(path)) {
    return bootstrapFeatureLevels.map(([name, featureLevel]) => metadataRecord('FeatureLevel', { name, featureLevel }))
  }
  const records: MetadataRecord[] = []
  const cursor = new RecordCursor()
  const file = disk.open(path, 'read')
  try {
    readSnapshot(file, {
      onControl: () => {},
      onData: (batch) => {
        cursor.open(batch, MAX_UNCOMPRESSED_BYTES)
        while (cursor.next()) records.push(decodeMetadataRecord(cursor.value() ?? Buffer.alloc(0)))
      },
    })
  } finally {
    file.close()
  }
  return records
}
