import { codecOf } from '../../protocol/codec.ts'
import { buildBatch, type RecordInput } from '../../protocol/records/builder.ts'
import { ControlType, controlKey } from '../../protocol/records/control.ts'
import type { Message, MessageOf } from '../../protocol/schema.ts'
import {
  KRaftVersionRecord,
  SnapshotFooterRecord,
  SnapshotHeaderRecord,
  VotersRecord,
} from '../../protocol/storage/control-records.ts'
import { Writer } from '../../protocol/wire.ts'
import { encodeMetadataRecord, type MetadataRecord } from '../records.ts'

/** A voter of the first quorum, as --initial-controllers names it. */
export interface InitialVoter {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly directoryId: string
}

function controlRecord<M extends Message>(
  type: ControlType,
  message: M,
  value: MessageOf<M>,
  nowMs: number,
): RecordInput {
  const writer = new Writer(64)
  codecOf(message, 0).write(writer, value)
  return { timestamp: nowMs, key: controlKey(type), value: writer.finishOne() }
}

/** The batches one after the other, their offsets counting on from 0. */
function snapshotFile(batches: readonly { isControl: boolean; records: readonly RecordInput[] }[]): Buffer {
  let baseOffset = 0
  const parts = batches.map(({ isControl, records }) => {
    const batch = buildBatch(records, { baseOffset, partitionLeaderEpoch: 0, isControl })
    baseOffset += records.length
    return batch
  })
  return Buffer.concat(parts)
}

function header(lastContainedLogTimestamp: number, nowMs: number): RecordInput {
  const value = { version: 0, lastContainedLogTimestamp }
  return controlRecord(ControlType.snapshotHeader, SnapshotHeaderRecord, value, nowMs)
}

function footer(nowMs: number): RecordInput {
  return controlRecord(ControlType.snapshotFooter, SnapshotFooterRecord, { version: 0 }, nowMs)
}

/** bootstrap.checkpoint: the records with which the first leader of a new cluster starts its log. */
export function bootstrapCheckpoint(records: readonly MetadataRecord[], nowMs: number): Buffer {
  const values = records.map((record) => ({ timestamp: nowMs, key: null, value: encodeMetadataRecord(record) }))
  return snapshotFile([
    { isControl: true, records: [header(0, nowMs)] },
    { isControl: false, records: values },
    { isControl: true, records: [footer(nowMs)] },
  ])
}

/** The snapshot before the first record of a metadata log whose voters are kept in it: kraft.version and the voters. */
export function votersCheckpoint(
  voters: readonly InitialVoter[],
  kraftVersion: number,
  controllerListenerName: string,
  nowMs: number,
): Buffer {
  const sorted = [...voters].sort((a, b) => a.id - b.id)
  const version = { version: 0, kRaftVersion: kraftVersion }
  const votersRecord = {
    version: 0,
    voters: sorted.map((voter) => ({
      voterId: voter.id,
      voterDirectoryId: voter.directoryId,
      endpoints: [{ name: controllerListenerName, host: voter.host, port: voter.port }],
      kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
    })),
  }
  const records = [
    header(nowMs, nowMs),
    controlRecord(ControlType.kraftVersion, KRaftVersionRecord, version, nowMs),
    controlRecord(ControlType.kraftVoters, VotersRecord, votersRecord, nowMs),
  ]
  return snapshotFile([
    { isControl: true, records },
    { isControl: true, records: [footer(nowMs)] },
  ])
}
