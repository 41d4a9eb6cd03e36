import { parseProperties } from '../../config/properties.ts'
import { StartupError } from '../../config/startup-error.ts'
import type { InitialVoter } from '../../metadata/format/checkpoints.ts'
import { formatDirectories, loadDirectories } from '../../metadata/format/format.ts'
import { readMetaProperties } from '../../metadata/format/meta-properties.ts'
import { type Disk, diskErrorCode } from '../../platform/disk.ts'
import type { Platform } from '../../platform/platform.ts'
import { randomUuid } from '../../platform/random.ts'
import { nodeConfig } from '../node-properties.ts'
import { type KnownNode, MAX_BROKERS, type NodePlan, propertiesPath } from './plan.ts'

/** The nodes whose configuration files are in a directory, by id from 1 on. Throws StartupError for files that are not ours. */
export function knownNodes(disk: Disk, directory: string): KnownNode[] {
  const nodes: KnownNode[] = []
  for (let id = 1; id <= MAX_BROKERS && disk.exists(propertiesPath(directory, id)); id++) {
    const path = propertiesPath(directory, id)
    const config = nodeConfig(parseProperties(disk.readFile(path).toString('utf8')))
    const port = config.dataListeners[0]?.port
    if (config.nodeId !== id || port === undefined) throw new StartupError(`${path} does not describe node ${id}`)
    nodes.push({ id, port, controllerPort: config.controllerListeners[0]?.port })
  }
  return nodes
}

/**
 * Formats the directories of nodes that have none yet, and writes the configuration files. Answers the id of the cluster:
 * that of the nodes that are there, else `clusterId`, else a new one. Throws StartupError, with nothing written, where the
 * directories belong to another cluster.
 */
export function prepareDirectories(
  platform: Platform,
  directory: string,
  plan: readonly NodePlan[],
  isKnown: boolean,
  clusterId: string | undefined,
): string {
  const { disk, random } = platform
  const configs = plan.map(({ properties }) => nodeConfig(properties))
  const [formatted] = plan.flatMap(({ directory }) => {
    const clusterId = readMetaProperties(disk, directory)?.clusterId
    return clusterId === undefined ? [] : [{ directory, clusterId }]
  })
  if (formatted !== undefined && !isKnown) {
    throw new StartupError(
      `${formatted.directory} is formatted, but ${plan[0]!.propertiesFile} is missing: it is not taken for a new cluster`,
    )
  }
  const id = clusterId ?? formatted?.clusterId ?? randomUuid(random)
  for (const config of configs) loadDirectories(disk, config, id)
  const initialVoters = isKnown ? undefined : votersOf(plan, () => randomUuid(random))
  for (const [index, config] of configs.entries()) {
    if (isKnown && loadDirectories(disk, config, id) !== undefined) continue
    const isVoter = plan[index]!.controllerPort !== undefined
    formatDirectories(platform, config, {
      clusterId: id,
      ignoreFormatted: false,
      initialVoters: isVoter ? initialVoters : undefined,
    })
  }
  // Last: it is by these files that the cluster is found again.
  for (const node of [...plan].reverse()) writeProperties(disk, directory, node, plan.length)
  return id
}

function votersOf(plan: readonly NodePlan[], newId: () => string): InitialVoter[] {
  return plan.flatMap(({ id, controllerPort }) =>
    controllerPort === undefined ? [] : [{ id, host: '127.0.0.1', port: controllerPort, directoryId: newId() }],
  )
}

function writeProperties(
  disk: Disk,
  directory: string,
  { propertiesFile, properties }: NodePlan,
  brokers: number,
): void {
  const lines = [`# Written at every start with --brokers ${brokers}.`]
  for (const [name, value] of properties) lines.push(`${name}=${escaped(value)}`)
  try {
    disk.makeDirectory(directory)
    disk.replaceFile(propertiesFile, Buffer.from(`${lines.join('\n')}\n`))
  } catch (error) {
    const code = diskErrorCode(error)
    if (code === undefined) throw error
    throw new StartupError(`Cannot write ${propertiesFile}: ${code}`)
  }
}

/** A value as a .properties file has it. */
function escaped(value: string): string {
  const NAMED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\f': '\\f' }
  return value.replace(/[\\\n\r\t\f]/g, (char) => NAMED[char]!).replace(/^ /, '\\ ')
}
