import { StartupError } from '../config/startup-error.ts'
import { partitionKey } from './checkpoint.ts'
import type { LogDirectory } from './log-directory.ts'
import type { FoundCopy } from './log-moves.ts'
import { DELETE_SUFFIX, FUTURE_SUFFIX, type KnownState, type LogStore, STRAY_SUFFIX } from './log-store.ts'
import { hasMoveMark, removeMoveMark } from './move-mark.ts'
import type { PartitionLog } from './partition-log.ts'
import type { LogConfig } from './types.ts'

/** The metadata log lives beside the others, and is not ours. */
const METADATA_LOG = '__cluster_metadata-0'

export interface LoadOptions {
  /** The settings of a topic as far as they are known; the broker's for a topic named ''. */
  readonly configOf: (topic: string) => LogConfig
  /** Told of the unfinished copies of moves between directories. */
  readonly onCopy: (copy: FoundCopy) => void
}

/**
 * Loads every partition in a directory. Answers the broker epoch of the last clean shutdown, -1 for none. Throws what the
 * disk throws, and StartupError where a partition is there twice.
 */
export function loadDirectory(store: LogStore, directory: LogDirectory, options: LoadOptions): number {
  const clean = directory.takeCleanShutdown()
  const checkpoints = directory.readCheckpoints()
  const stateOf = (key: string): KnownState => ({
    cleanShutdown: clean !== undefined,
    recoveryPoint: checkpoints.recoveryPoints.get(key) ?? 0,
    logStartOffset: checkpoints.logStarts.get(key) ?? 0,
    highWatermark: checkpoints.highWatermarks.get(key) ?? 0,
    wasCompacted: checkpoints.cleaned.has(key),
  })
  for (const { name, isDirectory } of store.environment.disk.list(directory.path)) {
    if (!isDirectory || name === METADATA_LOG) continue
    const match = /^([\w.-]+)-(\d{1,10})$/.exec(name)
    if (!match || isOnItsWay(name)) {
      passOver(store, directory, name, options, stateOf)
      continue
    }
    const [topic, partition] = [match[1]!, Number(match[2])]
    const key = partitionKey(topic, partition)
    const entries = store.environment.disk.list(`${directory.path}/${name}`)
    if (entries.length === 0) {
      removeEmpty(store, `${directory.path}/${name}`)
      continue
    }
    const log = store.open(directory, topic, partition, options.configOf(topic), { ...stateOf(key), entries })
    const other = store.logs.get(key)
    if (other === undefined) store.list(directory, log)
    else keepOne(store, directory, log, other)
  }
  return clean?.brokerEpoch ?? -1
}

/** What a creation left that the disk refused to go on with, or to take back: the log may be in another directory by now. */
function removeEmpty({ environment: { disk, logger } }: LogStore, path: string): void {
  logger.info(`${path} is empty, and is removed`)
  disk.removeTree(path)
}

function isOnItsWay(name: string): boolean {
  return [FUTURE_SUFFIX, DELETE_SUFFIX, STRAY_SUFFIX].some((suffix) => name.endsWith(suffix))
}

/** A directory that is not a partition's, or not any more, or not yet. */
function passOver(
  store: LogStore,
  directory: LogDirectory,
  name: string,
  options: LoadOptions,
  stateOf: (key: string) => KnownState,
): void {
  const path = `${directory.path}/${name}`
  const copy = new RegExp(`^([\\w.-]+)-(\\d{1,10})\\.[0-9a-z]+${FUTURE_SUFFIX}$`).exec(name)
  if (copy) {
    const [topic, partition] = [copy[1]!, Number(copy[2])]
    options.onCopy({ topic, partition, directory, path, state: stateOf(partitionKey(topic, partition)) })
  } else if (name.endsWith(DELETE_SUFFIX)) store.removeLater(path, options.configOf('').fileDeleteDelayMs)
  else if (name.endsWith(STRAY_SUFFIX)) {
    store.environment.logger.warn(`${path} is of a partition that the metadata did not know; it is left alone`)
  } else store.environment.logger.warn(`${path} is no directory of a partition and left alone`)
}

/**
 * A move between directories was interrupted when the copy had its final name and the log that it replaces still had it too.
 * The mark in the copy says which of the two it is; without one, as when a disk was away for a while, only the operator knows.
 */
function keepOne(store: LogStore, directory: LogDirectory, found: PartitionLog, known: PartitionLog): void {
  const { disk, logger } = store.environment
  const marked = [found, known].filter((log) => hasMoveMark(disk, log.directory))
  const [kept] = marked
  const replaced = kept === found ? known : found
  const isPlain = marked.length === 1 && kept!.offline === undefined && kept!.logEndOffset >= replaced.logEndOffset
  if (!isPlain) {
    for (const log of [found, known]) log.closeFiles()
    const places = `${known.directory} and ${found.directory}`
    throw new StartupError(`${found.name} is in more than one log directory: ${places}. Move one of them away.`)
  }
  logger.info(`${kept!.directory} takes the place of ${replaced.directory}: the move was complete`)
  const knownIn = store.directoryOf(known)!
  const replacedIn = replaced === known ? knownIn : directory
  const path = store.putAway(replacedIn, replaced, DELETE_SUFFIX)
  store.removeLater(path, replaced.config.fileDeleteDelayMs)
  if (kept === known) return
  store.unlist(knownIn, known)
  store.list(directory, found)
}

/** Once every directory is loaded, nothing can be there twice any more. */
export function removeMoveMarks({ environment, logs, directories }: LogStore): void {
  const { disk } = environment
  // What a directory that is away holds is not known.
  if (directories.length < 2 || directories.some(({ failure }) => failure !== undefined)) return
  for (const { directory } of logs.values()) if (hasMoveMark(disk, directory)) removeMoveMark(disk, directory)
}
