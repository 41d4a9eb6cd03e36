import { decode, encode } from '../../protocol/codec.ts'
import type { BatchView } from '../../protocol/records/batch.ts'
import { ControlType, parseControlType } from '../../protocol/records/control.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import { KRaftVersionRecord, VotersRecord } from '../../protocol/storage/control-records.ts'
import { type ControlRecord, MAX_UNCOMPRESSED_BYTES } from './batches.ts'
import type { Voter } from './types.ts'

const SUPPORTED_KRAFT_VERSIONS = { minSupportedVersion: 0, maxSupportedVersion: 1 }

/** What the control records of log and snapshot say of the quorum itself. */
export class ControlState {
  kraftVersion = 0
  /** undefined where the log names none. */
  voters: readonly Voter[] | undefined
  /** Where the voters were named: -1 in the snapshot that a format command made. */
  votersOffset = -1

  /** Takes note of a batch of control records. In a snapshot, `offset` is the last that the snapshot covers. */
  replay(batch: BatchView, offset?: number): void {
    const cursor = new RecordCursor().open(batch, MAX_UNCOMPRESSED_BYTES)
    while (cursor.next()) {
      const key = cursor.key()
      const value = cursor.value()
      if (key === null || value === null) continue
      const type = parseControlType(key)
      if (type === ControlType.kraftVersion) this.kraftVersion = decode(KRaftVersionRecord, 0, value).kRaftVersion
      if (type !== ControlType.kraftVoters) continue
      this.voters = decode(VotersRecord, 0, value).voters.map(({ voterId, voterDirectoryId, endpoints }) => ({
        id: voterId,
        directoryId: voterDirectoryId,
        endpoints,
      }))
      this.votersOffset = offset ?? cursor.offset
    }
  }

  /** The records that name version and voters; none with static voters. */
  records(): ControlRecord[] {
    if (this.kraftVersion === 0 || this.voters === undefined) return []
    const version = encode(KRaftVersionRecord, 0, { version: 0, kRaftVersion: this.kraftVersion })
    const voters = this.voters.map(({ id, directoryId, endpoints }) => ({
      voterId: id,
      voterDirectoryId: directoryId,
      endpoints,
      kRaftVersionFeature: SUPPORTED_KRAFT_VERSIONS,
    }))
    return [
      { type: ControlType.kraftVersion, value: version },
      { type: ControlType.kraftVoters, value: encode(VotersRecord, 0, { version: 0, voters }) },
    ]
  }
}
