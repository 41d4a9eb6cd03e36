import { StartupError } from '../config/startup-error.ts'
import { CommandError, type Console, UsageError } from './console.ts'
import { HELP } from './help.ts'

/**
 * Runs a command line (without node and script) to its end and answers the exit code: 0, 1 for a failure, 2 for a
 * command line that cannot be understood. `start` and `dev` end when the server has stopped.
 */
export async function run(args: readonly string[], console: Console): Promise<number> {
  try {
    return await dispatch(args, console)
  } catch (error) {
    if (error instanceof UsageError) {
      console.err(`ottla: ${error.message}. See: ${error.help}`)
      return 2
    }
    console.err(`ottla: ${describeFailure(error)}`)
    return 1
  }
}

/** One line for what was foreseen, and everything there is for what was not. */
function describeFailure(error: unknown): string {
  if (error instanceof StartupError || error instanceof CommandError) return error.message.replace(/[\r\n]+/g, ' ')
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && 'syscall' in error) return error.message
  return error.stack ?? error.message
}

/** The commands that the general help tells all of. */
const NODE_COMMANDS = ['start', 'dev', 'storage', 'kafka-storage']

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h'
}

function help(console: Console): number {
  for (const line of HELP) console.out(line)
  return 0
}

// Each command is loaded when it is asked for: a start must not pay for the others.
async function dispatch(args: readonly string[], console: Console): Promise<number> {
  const [command, ...rest] = args
  if (command !== undefined && NODE_COMMANDS.includes(command) && rest.some(isHelp)) return help(console)
  switch (command) {
    case 'start':
      return (await import('./start.ts')).start(rest, console)
    case 'dev':
      return (await import('./start.ts')).dev(rest, console)
    case 'storage':
    case 'kafka-storage':
      return (await import('./storage.ts')).storage(rest, console)
    case '--version':
    case '-v':
      console.out(`ottla ${(await import('./version.ts')).version()}`)
      return 0
    case '--help':
    case '-h':
    case 'help':
      return help(console)
    case undefined:
      throw new UsageError('no command given')
    default: {
      const asked = await (await import('./admin/commands.ts')).adminCommand(command)
      if (asked === undefined) throw new UsageError(`unknown command ${command}`)
      return (await import('./admin/command.ts')).runAdminCommand(asked, rest, console)
    }
  }
}

/** Runs the command line of this process and leaves with its exit code. */
export async function runProcess(): Promise<void> {
  // What is printed may have nowhere to go, to a pipe whose reader has gone or a disk that is full: a broker serves on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const environment = new Map<string, string>()
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) environment.set(name, value)
  const code = await run(process.argv.slice(2), {
    environment,
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
  })
  // A server that failed to start may have left something open, and what was written to a pipe may be on its way still.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}
