import { decode, encode } from '../../../protocol/codec.ts'
import type { BatchView } from '../../../protocol/records/batch.ts'
import { ControlType, parseControlType } from '../../../protocol/records/control.ts'
import { RecordCursor } from '../../../protocol/records/cursor.ts'
import { KRaftVersionRecord, LeaderChangeMessage, VotersRecord } from '../../../protocol/storage/control-records.ts'
import { type ControlRecord, MAX_UNCOMPRESSED_BYTES } from '../batches.ts'
import { type VoterHistory, VoterSet } from './voters.ts'

/** Takes note of what a batch of control records names. In a snapshot, `offset` is the last that the snapshot covers. */
export function replayControls(batch: BatchView, history: VoterHistory, offset?: number): void {
  const cursor = new RecordCursor().open(batch, MAX_UNCOMPRESSED_BYTES)
  while (cursor.next()) {
    const key = cursor.key()
    const value = cursor.value()
    if (key === null || value === null) continue
    const type = parseControlType(key)
    const at = offset ?? cursor.offset
    if (type === ControlType.kraftVersion) history.addVersion(at, decode(KRaftVersionRecord, 0, value).kRaftVersion)
    if (type === ControlType.kraftVoters) history.addVoters(at, decodeVoters(value))
  }
}

/** Throws DecodeError. */
function decodeVoters(value: Buffer): VoterSet {
  const { voters } = decode(VotersRecord, 0, value)
  return new VoterSet(
    voters.map(({ voterId, voterDirectoryId, endpoints, kRaftVersionFeature }) => ({
      id: voterId,
      directoryId: voterDirectoryId,
      endpoints,
      kraftVersions: { min: kRaftVersionFeature.minSupportedVersion, max: kRaftVersionFeature.maxSupportedVersion },
    })),
  )
}

export function versionRecord(kraftVersion: number): ControlRecord {
  const value = encode(KRaftVersionRecord, 0, { version: 0, kRaftVersion: kraftVersion })
  return { type: ControlType.kraftVersion, value }
}

export function votersRecord(voters: VoterSet): ControlRecord {
  const nodes = voters.nodes.map(({ id, directoryId, endpoints, kraftVersions }) => ({
    voterId: id,
    voterDirectoryId: directoryId,
    endpoints,
    kRaftVersionFeature: { minSupportedVersion: kraftVersions.min, maxSupportedVersion: kraftVersions.max },
  }))
  return { type: ControlType.kraftVoters, value: encode(VotersRecord, 0, { version: 0, voters: nodes }) }
}

/** The record with which a leader begins its epoch. */
export function leaderChangeRecord(
  leaderId: number,
  voters: readonly number[],
  granting: readonly number[],
): ControlRecord {
  const value = encode(LeaderChangeMessage, 0, {
    version: 0,
    leaderId,
    voters: voters.map((voterId) => ({ voterId })),
    grantingVoters: granting.map((voterId) => ({ voterId })),
  })
  return { type: ControlType.leaderChange, value }
}
