import type { BrokerConfig } from '../config/broker-config.ts'
import { StartupError } from '../config/startup-error.ts'
import type { InitialVoter } from '../metadata/format/checkpoints.ts'
import { metadataVersionName } from '../metadata/format/features.ts'
import { formatDirectories, standaloneVoter } from '../metadata/format/format.ts'
import { type MetaProperties, readMetaProperties } from '../metadata/format/meta-properties.ts'
import type { Disk } from '../platform/disk.ts'
import { nodePlatform } from '../platform/node-platform.ts'
import type { Platform } from '../platform/platform.ts'
import { randomUuid } from '../platform/random.ts'
import { type Arguments, parseArguments } from './arguments.ts'
import { type Console, UsageError } from './console.ts'
import { nodeConfig, readPropertiesFile } from './node-properties.ts'

const CONFIG = { name: 'config', short: 'c', takesValue: true }
const FORMAT_FLAGS = [
  CONFIG,
  { name: 'cluster-id', short: 't', takesValue: true },
  { name: 'add-scram', short: 'S', takesValue: true },
  { name: 'ignore-formatted', short: 'g', takesValue: false },
  { name: 'release-version', short: 'r', takesValue: true },
  { name: 'feature', short: 'f', takesValue: true },
  { name: 'standalone', short: 's', takesValue: false },
  { name: 'no-initial-controllers', short: 'N', takesValue: false },
  { name: 'initial-controllers', short: 'I', takesValue: true },
]

/** `ottla storage format|info|random-uuid`, with the flags of Apache Kafka's kafka-storage. Answers the exit code. */
export function storage(args: readonly string[], console: Console, platform: Platform = nodePlatform()): number {
  const [command, ...rest] = args
  switch (command) {
    case 'format':
      return format(noPositional(parseArguments(rest, FORMAT_FLAGS)), console, platform)
    case 'info':
      return info(noPositional(parseArguments(rest, [CONFIG])), console, platform.disk)
    case 'random-uuid':
      noPositional(parseArguments(rest, []))
      console.out(randomUuid(platform.random))
      return 0
    default:
      throw new UsageError(command === undefined ? 'storage needs a command' : `unknown storage command ${command}`)
  }
}

function noPositional(args: Arguments): Arguments {
  if (args.positional.length > 0) throw new UsageError(`unexpected ${args.positional[0]}`)
  return args
}

function loadConfig(args: Arguments, disk: Disk): BrokerConfig {
  const path = args.value('config')
  if (path === undefined) throw new UsageError('--config is required')
  return nodeConfig(readPropertiesFile(disk, path))
}

function format(args: Arguments, console: Console, platform: Platform): number {
  const config = loadConfig(args, platform.disk)
  if (args.has('add-scram')) throw new StartupError('--add-scram is not available yet: SCRAM users cannot be made here')
  const clusterId = args.value('cluster-id') ?? console.environment.get('CLUSTER_ID')
  if (clusterId === undefined || clusterId === '') throw new UsageError('--cluster-id is required')
  const { features, formatted } = formatDirectories(platform, config, {
    clusterId,
    ignoreFormatted: args.has('ignore-formatted'),
    initialVoters: initialVoters(args, config, platform),
    release: args.value('release-version'),
    featureLevels: new Map(args.values('feature').map(parseFeature)),
  })
  if (formatted.length === 0) console.out('All of the log directories are already formatted.')
  const version = metadataVersionName(features.metadataVersion)
  for (const { directory, description } of formatted) {
    console.out(`Formatting ${description} ${directory} with metadata.version ${version}.`)
  }
  return 0
}

function initialVoters(args: Arguments, config: BrokerConfig, platform: Platform): InitialVoter[] | undefined {
  const given = ['standalone', 'initial-controllers', 'no-initial-controllers'].filter((name) => args.has(name))
  if (given.length > 1) throw new UsageError(`--${given[0]} and --${given[1]} exclude each other`)
  const list = args.value('initial-controllers')
  if (config.quorumVoters.length > 0) {
    if (given.length === 0 || given[0] === 'no-initial-controllers') return undefined
    throw new StartupError(
      'You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. If ' +
        'you want to use dynamic quorum, please remove controller.quorum.voters and specify ' +
        'controller.quorum.bootstrap.servers instead.',
    )
  }
  if (list !== undefined) return parseInitialVoters(list)
  if (args.has('standalone')) return [standaloneVoter(platform, config)]
  if (config.isController && given.length === 0) {
    throw new StartupError(
      'Because controller.quorum.voters is not set on this controller, you must specify one of the following: ' +
        '--standalone, --initial-controllers, or --no-initial-controllers.',
    )
  }
  return undefined
}

/** id@host:port:directory-id, with commas; an IPv6 host in brackets. */
export function parseInitialVoters(text: string): InitialVoter[] {
  const voters = new Map<number, InitialVoter>()
  for (const entry of text.trim().split(',')) {
    if (entry === '') continue
    const match = /^([0-9]{1,10})@(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5}):([A-Za-z0-9_-]{22})$/.exec(entry.trim())
    if (match === null || Number(match[4]) > 65535) {
      throw new StartupError(`Invalid voter ${entry} in --initial-controllers: it must be id@host:port:directory-id`)
    }
    const voter = { id: Number(match[1]), host: match[2] ?? match[3]!, port: Number(match[4]), directoryId: match[5]! }
    if (voters.has(voter.id)) throw new StartupError(`Node id ${voter.id} was specified more than once.`)
    voters.set(voter.id, voter)
  }
  if (voters.size === 0) throw new StartupError('No voters given.')
  return [...voters.values()]
}

function parseFeature(text: string): [string, number] {
  const match = /^([^=]+)=\s*(-?[0-9]{1,5})\s*$/.exec(text)
  if (match === null) throw new UsageError(`--feature needs name=level, not '${text}'`)
  return [match[1]!.trim(), Number(match[2])]
}

function info(args: Arguments, console: Console, disk: Disk): number {
  const config = loadConfig(args, disk)
  const found: string[] = []
  const problems: string[] = []
  let first: MetaProperties | undefined
  for (const directory of [...config.allDirs].sort()) {
    const problem = inspect(directory, disk, found, (properties) => {
      first ??= properties
      if (first.clusterId !== properties.clusterId) return 'Mismatched cluster IDs between storage directories.'
      if (first.nodeId !== properties.nodeId) return 'Mismatched node IDs between storage directories.'
      return undefined
    })
    if (problem !== undefined) problems.push(problem)
  }
  printSection(console, found.length === 1 ? 'Found log directory:' : 'Found log directories:', found)
  if (first !== undefined) {
    const directoryId = first.directoryId === undefined ? '' : `directory.id=${first.directoryId}, `
    console.out(`Found metadata: {cluster.id=${first.clusterId}, ${directoryId}node.id=${first.nodeId}, version=1}`)
    console.out('')
  }
  printSection(console, problems.length === 1 ? 'Found problem:' : 'Found problems:', problems)
  return problems.length === 0 ? 0 : 1
}

function inspect(
  directory: string,
  disk: Disk,
  found: string[],
  compare: (properties: MetaProperties) => string | undefined,
): string | undefined {
  const stat = disk.stat(directory)
  if (stat === undefined) return `${directory} does not exist`
  if (!stat.isDirectory) return `${directory} is not a directory`
  found.push(directory)
  try {
    const properties = readMetaProperties(disk, directory)
    return properties === undefined ? `${directory} is not formatted.` : compare(properties)
  } catch (error) {
    if (error instanceof StartupError) return error.message
    throw error
  }
}

function printSection(console: Console, title: string, lines: readonly string[]): void {
  if (lines.length === 0) return
  console.out(title)
  for (const line of lines) console.out(`  ${line}`)
  console.out('')
}
