import { parseProperties } from '../../config/properties.ts'
import type { Disk } from '../../platform/disk.ts'
import { diskErrorCode } from '../../platform/disk.ts'
import { nodePlatform } from '../../platform/node-platform.ts'
import { type Arguments, type Flag, parseArguments } from '../arguments.ts'
import { CommandError, type Console, UsageError } from '../console.ts'
import { type Address, AdminClient, type AdminOptions } from './client.ts'

/** What a command did or found out. */
export interface Result {
  /** What --json prints. Its field names are documented in docs/cli.md and do not change. */
  readonly json: unknown
  /** The same for a person. */
  readonly text: readonly string[]
  /** What failed, one line each; with any of them the exit code is 1. */
  readonly errors?: readonly string[]
}

/** What a command works with. */
export interface World {
  readonly admin: AdminClient
  readonly disk: Disk
  /** The properties of --command-config. */
  readonly properties: ReadonlyMap<string, string>
  /** A line for the person that does not make the command fail. */
  warn(line: string): void
}

/** A command that asks a running cluster. */
export interface AdminCommand {
  readonly name: string
  readonly help: readonly string[]
  readonly flags: readonly Flag[]
  /** Whether controllers may be asked in place of brokers (--bootstrap-controller). */
  readonly mayAskController?: boolean
  /** The flag that says how long an operation may take, in milliseconds. */
  readonly timeoutFlag?: string
  /** Whether the file of --command-config may hold other properties than a client's. */
  readonly takesAnyProperty?: boolean
  /** Throws UsageError before anything is asked, CommandError after. */
  run(args: Arguments, world: World): Promise<Result>
}

const COMMON_FLAGS: readonly Flag[] = [
  { name: 'bootstrap-server', takesValue: true },
  { name: 'command-config', takesValue: true },
  { name: 'json', takesValue: false },
  { name: 'help', short: 'h', takesValue: false },
]
const CONTROLLER_FLAG: Flag = { name: 'bootstrap-controller', takesValue: true }

export const COMMON_HELP: readonly string[] = [
  '',
  '    --bootstrap-server HOST:PORT,...   whom to ask (localhost:9092)',
  '    --command-config FILE              properties: client.id, request.timeout.ms, default.api.timeout.ms, retry.backoff.ms',
  '    --json                             one JSON document on standard output',
]
export const CONTROLLER_HELP = '    --bootstrap-controller HOST:PORT,...  ask controllers instead of brokers'

const DEFAULT_SERVER = 'localhost:9092'
const USED_PROPERTIES = new Set([
  'bootstrap.servers',
  'client.id',
  'request.timeout.ms',
  'default.api.timeout.ms',
  'retry.backoff.ms',
  'security.protocol',
])

/** Runs one command to its end and answers the exit code. Throws UsageError and CommandError. */
export async function runAdminCommand(
  command: AdminCommand,
  words: readonly string[],
  console: Console,
): Promise<number> {
  const help = `ottla ${command.name} --help`
  try {
    if (words.length === 0) throw new UsageError('nothing to do')
    return await parsedCommand(command, words, console)
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(error.message, help)
    throw error
  }
}

async function parsedCommand(command: AdminCommand, words: readonly string[], console: Console): Promise<number> {
  const flags = [...command.flags, ...COMMON_FLAGS, ...(command.mayAskController ? [CONTROLLER_FLAG] : [])]
  const args = parseArguments(words, flags)
  if (args.has('help')) {
    for (const line of command.help) console.out(line)
    return 0
  }
  const { disk, network, time } = nodePlatform()
  const warn = (line: string) => console.err(`ottla: warning: ${line}`)
  const file = args.value('command-config')
  const properties = file === undefined ? new Map<string, string>() : parseProperties(readText(disk, file))
  if (!command.takesAnyProperty) {
    for (const name of properties.keys()) if (!USED_PROPERTIES.has(name)) warn(`${name} in ${file} has no effect here`)
  }
  const admin = new AdminClient({ network, time, ...clientOptions(command, args, properties) })
  try {
    const result = await command.run(args, { admin, disk, properties, warn })
    if (args.has('json')) console.out(JSON.stringify(result.json, null, 2))
    else for (const line of result.text) console.out(line)
    for (const line of result.errors ?? []) console.err(`ottla: ${line.replace(/\s*[\r\n]+\s*/g, ' ')}`)
    return result.errors !== undefined && result.errors.length > 0 ? 1 : 0
  } finally {
    admin.close()
  }
}

function clientOptions(
  command: AdminCommand,
  args: Arguments,
  properties: ReadonlyMap<string, string>,
): Omit<AdminOptions, 'network' | 'time'> {
  const protocol = properties.get('security.protocol') ?? 'PLAINTEXT'
  if (protocol !== 'PLAINTEXT') throw new CommandError(`security.protocol=${protocol}: only PLAINTEXT is available yet`)
  const controllers = args.value('bootstrap-controller')
  if (controllers !== undefined && args.has('bootstrap-server')) {
    throw new UsageError('--bootstrap-server and --bootstrap-controller exclude each other')
  }
  const servers = controllers ?? args.value('bootstrap-server') ?? properties.get('bootstrap.servers') ?? DEFAULT_SERVER
  return {
    servers: parseServers(servers),
    viaController: controllers !== undefined,
    clientId: properties.get('client.id') ?? `ottla-${command.name}`,
    requestTimeoutMs: milliseconds(properties, 'request.timeout.ms', 30_000),
    apiTimeoutMs:
      (command.timeoutFlag === undefined ? undefined : wholeNumber(args, command.timeoutFlag)) ??
      milliseconds(properties, 'default.api.timeout.ms', 60_000),
    retryBackoffMs: milliseconds(properties, 'retry.backoff.ms', 100),
  }
}

function milliseconds(properties: ReadonlyMap<string, string>, name: string, otherwise: number): number {
  const text = properties.get(name)?.trim()
  if (text === undefined) return otherwise
  if (!/^[0-9]{1,10}$/.test(text) || Number(text) > 2 ** 31 - 1) throw new CommandError(`${name}=${text} is no time`)
  return Number(text)
}

/** host:port,... with an IPv6 host in brackets. Throws UsageError. */
export function parseServers(text: string): Address[] {
  const entries = text.split(',').map((entry) => entry.trim())
  const servers = entries
    .filter((entry) => entry !== '')
    .map((entry) => {
      const match = /^(?:[A-Za-z_]+:\/\/)?(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(entry)
      const port = Number(match?.[3])
      if (match === null || port < 1 || port > 65535) throw new UsageError(`'${entry}' is not host:port`)
      return { host: match[1] ?? match[2]!, port }
    })
  if (servers.length === 0) throw new UsageError('no server is given')
  return servers
}

/** The text of a file. Throws CommandError where it cannot be read. */
export function readText(disk: Disk, path: string): string {
  try {
    return disk.readFile(path).toString('utf8')
  } catch (error) {
    const code = diskErrorCode(error)
    if (code === undefined) throw error
    throw new CommandError(`cannot read ${path}: ${code === 'ENOENT' ? 'no such file' : code}`)
  }
}

/** The one of `actions` that is asked for. Throws UsageError for none or several. */
export function oneAction<Name extends string>(args: Arguments, actions: readonly Name[]): Name {
  const given = actions.filter((name) => args.has(name))
  if (given.length !== 1) {
    throw new UsageError(`exactly one action is needed: ${actions.map((name) => `--${name}`).join(', ')}`)
  }
  return given[0]!
}

/**
 * Checks which flags go with an action: `allowed` are those that do, of all the flags of the command. Throws UsageError
 * for another one, and for a word that belongs to no flag.
 */
export function onlyWith(args: Arguments, action: string, allowed: readonly string[]): void {
  const [word] = args.positional
  if (word !== undefined) throw new UsageError(`unexpected ${word}`)
  const common = [...COMMON_FLAGS, CONTROLLER_FLAG].map(({ name }) => name)
  const other = args.order.find((name) => name !== action && !allowed.includes(name) && !common.includes(name))
  if (other !== undefined) throw new UsageError(`--${other} cannot be used with --${action}`)
}

/** The value of a flag that must be there. */
export function required(args: Arguments, name: string): string {
  const value = args.value(name)
  if (value === undefined) throw new UsageError(`--${name} is required`)
  return value
}

/** The whole number of a flag, if it is given. Throws UsageError where it is none, or below `least`. */
export function wholeNumber(args: Arguments, name: string, least = 0): number | undefined {
  const text = args.value(name)
  if (text === undefined) return undefined
  const number = Number(text)
  if (!/^[+-]?[0-9]{1,16}$/.test(text.trim()) || !Number.isSafeInteger(number) || number < least) {
    throw new UsageError(`--${name} takes a whole number from ${least} on, not '${text}'`)
  }
  return number
}

/** What --json of a command takes: a flag without value. */
export function switches(...names: string[]): Flag[] {
  return names.map((name) => ({ name, takesValue: false }))
}

/** Flags with a value. */
export function settings(...names: string[]): Flag[] {
  return names.map((name) => ({ name, takesValue: true }))
}
