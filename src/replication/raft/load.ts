import { replayControls } from './core/control-records.ts'
import { LogState } from './core/log-state.ts'
import { VoterHistory } from './core/voters.ts'
import { MetadataLog } from './metadata-log.ts'
import type { QuorumNodeOptions } from './quorum-options.ts'
import { SnapshotStore } from './snapshot-store.ts'
import { MetadataLogError, type SnapshotId } from './types.ts'

export const LOG_DIRECTORY = '__cluster_metadata-0'

interface LoadedLog {
  readonly log: MetadataLog
  readonly store: SnapshotStore
  /** What the core has to know of both. */
  readonly state: LogState
  readonly history: VoterHistory
}

/**
 * Opens or makes a metadata log and its snapshots. Throws MetadataLogError where something is missing or damaged: starting
 * on metadata that is not all there would be to forget topics that were acknowledged.
 */
export function loadLog(options: QuorumNodeOptions): LoadedLog {
  const { platform, logger, segmentBytes, segmentMs, retentionBytes, retentionMs } = options
  const directory = `${options.directory}/${LOG_DIRECTORY}`
  const log = MetadataLog.open({ disk: platform.disk, logger, directory, segmentBytes, segmentMs })
  const store = new SnapshotStore({ platform, directory, retentionBytes, retentionMs })
  const history = loadHistory(options, directory, log, store)
  const epochs = log.epochs.map(({ epoch, startOffset }) => ({ epoch, offset: startOffset }))
  return { log, store, state: new LogState(log.startOffset, log.endOffset, epochs, store.ids), history }
}

function loadHistory(
  options: QuorumNodeOptions,
  directory: string,
  log: MetadataLog,
  store: SnapshotStore,
): VoterHistory {
  const history = new VoterHistory(options.staticVoters)
  const { latest } = store
  if (log.startOffset > (latest?.offset ?? 0)) {
    throw new MetadataLogError(
      `${directory}: the log starts at offset ${log.startOffset} and no snapshot covers what was before`,
    )
  }
  if (latest !== undefined) {
    store.read(
      latest,
      (batch) => replayControls(batch, history, latest.offset - 1),
      () => {},
    )
  }
  log.load(latest?.offset ?? 0, (batch) => {
    if (batch.isControl) replayControls(batch, history)
  })
  if (latest !== undefined && isOlder(log, latest)) {
    log.restartAt(latest.offset)
    history.truncateFrom(latest.offset)
  }
  checkEnd(options, directory, log)
  checkVoters(options, directory, history)
  return history
}

/**
 * Whether a snapshot was fetched to take the place of the log, which it then did not, or not wholly: the log ends before it,
 * or is of an earlier epoch, and the leader that the snapshot comes from has something else.
 */
function isOlder(log: MetadataLog, snapshot: SnapshotId): boolean {
  const isEmpty = log.startOffset === log.endOffset
  return log.endOffset < snapshot.offset || (!isEmpty && log.lastEpoch < snapshot.epoch)
}

function checkEnd(options: QuorumNodeOptions, directory: string, log: MetadataLog): void {
  const { endOffset } = log
  const epochStart = log.epochStartOnRecord
  if (endOffset < epochStart) {
    throw new MetadataLogError(
      `${directory}: the log ends at offset ${endOffset}, but an epoch began at ${epochStart}: records are lost`,
    )
  }
  if (endOffset > 0) return
  const partition = options.platform.disk.list(options.directory).find(({ name, isDirectory }) => {
    return isDirectory && name !== LOG_DIRECTORY && /-\d+$/.test(name)
  })
  if (partition === undefined) return
  throw new MetadataLogError(
    `${directory}: the log is empty, though there are partitions such as ${partition.name}: its records are lost`,
  )
}

/**
 * A voter whose disk was wiped has forgotten what it voted for and what it said it had: it must not vote as the old one. Among
 * others it only follows, until its old self is removed and it is added (KIP-853); alone it would wait for itself for ever.
 */
function checkVoters(options: QuorumNodeOptions, directory: string, { voters }: VoterHistory): void {
  const { nodeId, directoryId, bootstrapPeers, canVote, autoJoins, logger } = options
  if (voters.size === 0 && bootstrapPeers.length === 0) {
    throw new MetadataLogError(
      `${directory} names no voters: set controller.quorum.voters or controller.quorum.bootstrap.servers, or format the directory with --standalone`,
    )
  }
  const voter = voters.get(nodeId)
  if (voter === undefined || !canVote || autoJoins || voters.has({ id: nodeId, directoryId })) return
  const message = `${directory}: the voter is directory ${voter.directoryId}, but meta.properties says ${directoryId}`
  if (voters.size === 1) throw new MetadataLogError(message)
  logger.warn(`${message}: this node is no voter until the old one is removed, and this one added`)
}
