import { invalid } from './errors.ts'

/** The kinds of control records: the type in their key. */
export const ControlType = {
  abort: 0,
  commit: 1,
  leaderChange: 2,
  snapshotHeader: 3,
  snapshotFooter: 4,
  kraftVersion: 5,
  kraftVoters: 6,
} as const
export type ControlType = (typeof ControlType)[keyof typeof ControlType]

const KEY_SIZE = 4
const MARKER_SIZE = 6

/** The key of a control record: int16 version 0, int16 type. */
export function controlKey(type: ControlType): Buffer {
  const key = Buffer.alloc(KEY_SIZE)
  key.writeInt16BE(type, 2)
  return key
}

/**
 * The type in a control record's key, which may be one that this list does not know: readers pass over those. A later
 * key version is read as version 0. Throws RecordsError `invalid` for a key too short or of a negative version.
 */
export function parseControlType(key: Buffer): number {
  if (key.length < KEY_SIZE) throw invalid(`control record key of ${key.length} bytes`)
  const version = key.readInt16BE(0)
  if (version < 0) throw invalid(`control record key version ${version}`)
  return key.readInt16BE(2)
}

/** The value of an ABORT or COMMIT marker: int16 version 0, int32 epoch of the transaction coordinator. */
export function endTxnMarkerValue(coordinatorEpoch: number): Buffer {
  const value = Buffer.alloc(MARKER_SIZE)
  value.writeInt32BE(coordinatorEpoch, 2)
  return value
}

/** The coordinator epoch in a marker's value. Throws RecordsError `invalid`. */
export function parseEndTxnMarkerValue(value: Buffer): number {
  if (value.length < MARKER_SIZE) throw invalid(`end transaction marker of ${value.length} bytes`)
  const version = value.readInt16BE(0)
  if (version < 0) throw invalid(`end transaction marker version ${version}`)
  return value.readInt32BE(2)
}
