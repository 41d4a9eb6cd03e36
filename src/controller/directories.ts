import type { BrokerImage } from '../metadata/types.ts'

// The ids that stand for no directory in particular (KIP-858).
/** Of a replica that lies in one that nobody has named: from before directories had ids. */
const MIGRATING_DIRECTORY = 'AAAAAAAAAAAAAAAAAAAAAA'
/** Of a replica that its broker has not placed yet. */
const UNASSIGNED_DIRECTORY = 'AAAAAAAAAAAAAAAAAAAAAQ'
/** Of a replica that lies in one of several that failed. */
export const LOST_DIRECTORY = 'AAAAAAAAAAAAAAAAAAAAAg'

/** Whether a replica in the directory `id` of this broker can be read, as far as is known. */
export function isOnline(broker: BrokerImage, id: string): boolean {
  if (id === UNASSIGNED_DIRECTORY || id === MIGRATING_DIRECTORY) return true
  if (id === LOST_DIRECTORY) return false
  // A broker that registered before directories had ids has told none.
  return broker.directories.length === 0 || broker.directories.includes(id)
}

/** The directory of a new replica as far as the controller can tell: only where there is but one. */
export function defaultDirectory(broker: BrokerImage | undefined): string {
  if (broker === undefined) return UNASSIGNED_DIRECTORY
  if (broker.directories.length === 0) return MIGRATING_DIRECTORY
  return broker.directories.length === 1 ? broker.directories[0]! : UNASSIGNED_DIRECTORY
}
