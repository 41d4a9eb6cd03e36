import type { Disk } from '../../platform/disk.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { MetadataLogError } from './types.ts'

const FILE_NAME = 'quorum-state'

/** What a node must not forget of elections. Ids are -1 for none. */
export interface ElectionState {
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly votedId: number
  readonly votedDirectoryId: string
}

/** The election state in a metadata log's directory; undefined before the first election. Throws MetadataLogError. */
export function readQuorumState(disk: Disk, directory: string): ElectionState | undefined {
  const path = `${directory}/${FILE_NAME}`
  if (!disk.exists(path)) return undefined
  const text = disk.readFile(path).toString('utf8')
  const data = parseObject(text)
  if (data?.data_version !== 0 && data?.data_version !== 1) {
    throw new MetadataLogError(`${path} is not a quorum-state file of version 0 or 1: ${text.slice(0, 200)}`)
  }
  const { leaderId = -1, leaderEpoch, votedId = -1, votedDirectoryId = ZERO_UUID } = data
  if (!isInt(leaderId) || !isInt(leaderEpoch) || !isInt(votedId) || typeof votedDirectoryId !== 'string') {
    throw new MetadataLogError(`${path} is damaged: ${text.slice(0, 200)}`)
  }
  return { leaderId, leaderEpoch, votedId, votedDirectoryId }
}

/**
 * Durable when it returns. `voterIds` are written only with kraft.version 0, whose file has another form.
 */
export function writeQuorumState(
  disk: Disk,
  directory: string,
  state: ElectionState,
  kraftVersion: number,
  voterIds: readonly number[],
): void {
  const { leaderId, leaderEpoch, votedId, votedDirectoryId } = state
  const data =
    kraftVersion === 0
      ? {
          clusterId: '',
          leaderId,
          leaderEpoch,
          votedId,
          appliedOffset: 0,
          currentVoters: voterIds.map((voterId) => ({ voterId })),
          data_version: 0,
        }
      : { leaderId, leaderEpoch, votedId, votedDirectoryId, data_version: 1 }
  disk.replaceFile(`${directory}/${FILE_NAME}`, Buffer.from(JSON.stringify(data)))
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isInt(value: unknown): value is number {
  return Number.isInteger(value)
}
