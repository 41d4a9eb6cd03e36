import type { BrokerConfig } from '../../config/broker-config.ts'
import { StartupError } from '../../config/startup-error.ts'
import { type Disk, diskErrorCode } from '../../platform/disk.ts'
import type { Platform } from '../../platform/platform.ts'
import { randomUuid } from '../../platform/random.ts'
import { metadataRecord } from '../records.ts'
import { bootstrapCheckpoint, type InitialVoter, votersCheckpoint } from './checkpoints.ts'
import { chooseFeatureLevels, type FeatureLevels } from './features.ts'
import { type MetaProperties, readMetaProperties, writeMetaProperties } from './meta-properties.ts'

export const BOOTSTRAP_FILE = 'bootstrap.checkpoint'
const METADATA_LOG_DIRECTORY = '__cluster_metadata-0'
const VOTERS_FILE = '00000000000000000000-0000000000.checkpoint'

export interface FormatOptions {
  readonly clusterId: string
  /** Skips directories that are formatted, instead of refusing to do anything. */
  readonly ignoreFormatted: boolean
  /** Voters of a quorum that keeps them in its log; undefined where controller.quorum.voters fixes them or none are known. */
  readonly initialVoters?: readonly InitialVoter[] | undefined
  readonly release?: string | undefined
  readonly featureLevels?: ReadonlyMap<string, number>
}

export interface FormatResult {
  readonly features: FeatureLevels
  readonly formatted: readonly { readonly directory: string; readonly description: string }[]
}

/** The formatted directories of a node. */
export interface LoadedDirectories {
  readonly clusterId: string
  /** By directory as configured; undefined where none was written yet. */
  readonly directoryIds: ReadonlyMap<string, string | undefined>
  readonly unformatted: readonly string[]
}

/** Why directories cannot be used, by their paths. Never that of the metadata log: no node starts without it. */
export type DirectoryFailures = Map<string, string>

function describe(directory: string, config: BrokerConfig, voters: readonly InitialVoter[] | undefined): string {
  if (directory !== config.metadataLogDir) return 'data directory'
  if (voters === undefined) return 'metadata directory'
  return voters.some((voter) => voter.id === config.nodeId)
    ? 'dynamic metadata voter directory'
    : 'dynamic metadata directory'
}

function verifyOwner(directory: string, properties: MetaProperties, config: BrokerConfig, clusterId: string): void {
  const path = `${directory}/meta.properties`
  if (properties.clusterId !== clusterId) {
    throw new StartupError(`Invalid cluster.id in: ${path}. Expected ${clusterId}, but read ${properties.clusterId}`)
  }
  if (properties.nodeId !== config.nodeId) {
    throw new StartupError(
      `Stored node id ${properties.nodeId} doesn't match previous node id ${config.nodeId} in ${path}. If you moved your ` +
        'data, make sure your configured node id matches. If you intend to create a new node, you should remove all data ' +
        'in your data directories.',
    )
  }
}

/** Where one of several directories fails, the node can do without it, and `failures` says why; else throws StartupError. */
function unlessFailed<T>(
  directory: string,
  config: BrokerConfig,
  failures: DirectoryFailures | undefined,
  work: () => T,
): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof StartupError) || failures === undefined || directory === config.metadataLogDir) throw error
    failures.set(directory, error.message)
    return undefined
  }
}

/**
 * Reads whose the node's directories are. Throws StartupError where they belong to another node, to different clusters,
 * to a cluster other than `clusterId`, or cannot be read; undefined where none is formatted. Those in `failures` are left
 * out, and so are those that cannot be read where there is such a map.
 */
export function loadDirectories(
  disk: Disk,
  config: BrokerConfig,
  clusterId?: string,
  failures?: DirectoryFailures,
): LoadedDirectories | undefined {
  const directoryIds = new Map<string, string | undefined>()
  const unformatted: string[] = []
  let found = clusterId
  for (const directory of config.allDirs) {
    if (failures?.has(directory)) continue
    const properties = unlessFailed(directory, config, failures, () => readMetaProperties(disk, directory))
    if (failures?.has(directory)) continue
    if (properties === undefined) {
      unformatted.push(directory)
      continue
    }
    found ??= properties.clusterId
    verifyOwner(directory, properties, config, found)
    const same = [...directoryIds].find(([, id]) => id !== undefined && id === properties.directoryId)
    if (same !== undefined) {
      throw new StartupError(`${directory} has the same directory.id ${properties.directoryId} as ${same[0]}`)
    }
    directoryIds.set(directory, properties.directoryId)
  }
  if (directoryIds.size === 0 || found === undefined) return undefined
  return { clusterId: found, directoryIds, unformatted }
}

/** Makes the file system's errors one line that says where. */
function onDisk<T>(directory: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const code = diskErrorCode(error)
    if (code === undefined) throw error
    throw new StartupError(`Cannot format ${directory}: ${code}`)
  }
}

function formatOne(
  platform: Platform,
  directory: string,
  properties: MetaProperties,
  files: Map<string, Buffer>,
): void {
  const { disk, time } = platform
  onDisk(directory, () => {
    disk.makeDirectory(directory)
    for (const [name, bytes] of files) {
      const slash = name.lastIndexOf('/')
      if (slash >= 0) disk.makeDirectory(`${directory}/${name.slice(0, slash)}`)
      disk.replaceFile(`${directory}/${name}`, bytes)
    }
    // Last, as it is what makes the directory a formatted one: a crash before leaves it to be formatted again.
    writeMetaProperties(disk, directory, properties, time.nowMs())
    disk.syncDirectory(directory)
  })
}

/**
 * Formats the directories of a node that are not formatted yet: the bytes that Apache Kafka's storage tool writes.
 * Throws StartupError, before anything is written, where a directory is formatted already (unless told to ignore it) or
 * belongs to another cluster or node.
 */
export function formatDirectories(platform: Platform, config: BrokerConfig, options: FormatOptions): FormatResult {
  const { disk, time, random } = platform
  const dynamicQuorum = config.quorumVoters.length === 0
  const levels = options.featureLevels ?? new Map<string, number>()
  const features = chooseFeatureLevels({ release: options.release, levels, dynamicQuorum })
  const loaded = loadDirectories(disk, config, options.clusterId)
  if (loaded !== undefined && !options.ignoreFormatted) {
    const [first] = loaded.directoryIds.keys()
    throw new StartupError(
      `Log directory ${first} is already formatted. Use --ignore-formatted to ignore this directory and format the others.`,
    )
  }
  const formatted: { directory: string; description: string }[] = []
  for (const directory of loaded?.unformatted ?? config.allDirs) {
    const nowMs = time.nowMs()
    const records = features.records.map(({ name, level }) =>
      metadataRecord('FeatureLevel', { name, featureLevel: level }),
    )
    const files = new Map([[BOOTSTRAP_FILE, bootstrapCheckpoint(records, nowMs)]])
    const isMetadata = directory === config.metadataLogDir
    if (isMetadata && options.initialVoters !== undefined) {
      const listenerName = config.controllerListenerNames[0]!
      const bytes = votersCheckpoint(options.initialVoters, features.kraftVersion, listenerName, nowMs)
      files.set(`${METADATA_LOG_DIRECTORY}/${VOTERS_FILE}`, bytes)
    }
    const voter = isMetadata ? options.initialVoters?.find((candidate) => candidate.id === config.nodeId) : undefined
    const directoryId = voter?.directoryId ?? randomUuid(random)
    formatOne(platform, directory, { clusterId: options.clusterId, nodeId: config.nodeId, directoryId }, files)
    formatted.push({ directory, description: describe(directory, config, options.initialVoters) })
  }
  return { features, formatted }
}

/** This node as the only voter of a new quorum that keeps its voters in its log. */
export function standaloneVoter(platform: Platform, config: BrokerConfig): InitialVoter {
  const [listener] = config.advertisedControllerListeners
  if (!config.isController || listener === undefined) {
    throw new StartupError('You can only use --standalone on a controller.')
  }
  const host = listener.host === '' ? 'localhost' : listener.host
  return { id: config.nodeId, host, port: listener.port, directoryId: randomUuid(platform.random) }
}

/** Whether this node is a controller and every voter or bootstrap server that its config names is itself. */
export function isAloneInQuorum(config: BrokerConfig): boolean {
  if (!config.isController) return false
  if (config.quorumVoters.length > 0) return config.quorumVoters.every((voter) => voter.id === config.nodeId)
  const own = [...config.controllerListeners, ...config.advertisedControllerListeners]
  return config.quorumBootstrapServers.every((server) =>
    own.some(({ host, port }) => port === server.port && (host === server.host || isLocal(host, server.host))),
  )
}

function isLocal(listenerHost: string, host: string): boolean {
  const loopback = host === 'localhost' || host === '::1' || host.startsWith('127.')
  return loopback && ['', '0.0.0.0', '::', 'localhost', '127.0.0.1', '::1'].includes(listenerHost)
}

/**
 * What a start does before it opens anything: finds out whose the directories are. Where the node is alone in its quorum
 * and all are new, they are formatted; a log directory that was added to a formatted node, or that has no id yet, gets
 * one. Call it with the directories locked. `clusterId` is taken for a new cluster and required of an old one.
 *
 * Throws StartupError where the directories must be formatted by hand, or are someone else's. One that cannot be used is
 * left out where the metadata log is in another one and readable: `failures` says why.
 */
export function openDirectories(
  platform: Platform,
  config: BrokerConfig,
  clusterId?: string,
  failures: DirectoryFailures = new Map(),
): LoadedDirectories {
  const { disk, random } = platform
  const loaded = loadDirectories(disk, config, clusterId, failures)
  for (const directory of loaded?.unformatted ?? config.allDirs) refuseLost(disk, directory)
  if (loaded === undefined && isAloneInQuorum(config)) {
    formatDirectories(platform, config, {
      clusterId: clusterId ?? randomUuid(random),
      ignoreFormatted: false,
      initialVoters: config.quorumVoters.length === 0 ? [standaloneVoter(platform, config)] : undefined,
    })
  } else if (loaded === undefined || loaded.unformatted.includes(config.metadataLogDir)) {
    const how = 'format it with: ottla storage format -t CLUSTER_ID -c CONFIG'
    throw new StartupError(`${config.metadataLogDir} is not formatted; ${how}`)
  } else {
    completeDirectories(platform, config, loaded, failures)
  }
  return loadDirectories(disk, config, clusterId, failures)!
}

function completeDirectories(
  platform: Platform,
  config: BrokerConfig,
  loaded: LoadedDirectories,
  failures: DirectoryFailures,
): void {
  for (const directory of config.allDirs) {
    if (loaded.directoryIds.get(directory) !== undefined || failures.has(directory)) continue
    const properties = {
      clusterId: loaded.clusterId,
      nodeId: config.nodeId,
      directoryId: randomUuid(platform.random),
    }
    unlessFailed(directory, config, failures, () => formatOne(platform, directory, properties, new Map()))
  }
}

/** A directory without meta.properties that holds partitions has lost it, and must not pass for a new one. */
function refuseLost(disk: Disk, directory: string): void {
  const isLog = (name: string) => {
    if (name !== METADATA_LOG_DIRECTORY) return /-[0-9]+$/.test(name)
    // Formatting that was interrupted leaves this directory, but never a log in it.
    return disk.list(`${directory}/${name}`).some((entry) => entry.name.endsWith('.log'))
  }
  const lost = onDisk(directory, () => {
    if (!disk.exists(directory)) return undefined
    return disk.list(directory).find((entry) => entry.isDirectory && isLog(entry.name))
  })
  if (lost === undefined) return
  throw new StartupError(`${directory} holds ${lost.name} but no meta.properties; it is not taken for a new directory`)
}
