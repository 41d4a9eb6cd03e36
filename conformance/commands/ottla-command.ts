import { join } from 'node:path'
import { repositoryRoot } from '../harness/cache.ts'
import { type RunResult, run } from '../harness/process.ts'
import type { Bootstrap } from '../harness/tools.ts'

export const ottlaScript: string = join(repositoryRoot, 'bin', 'ottla.js')

/** Runs the command that users run, in a process of its own. */
export function ottla(args: readonly string[]): Promise<RunResult> {
  return run(process.execPath, [ottlaScript, ...args])
}

/** What a command prints with --json. Fails where the command does. */
export async function ottlaJson(broker: Bootstrap, line: string): Promise<unknown> {
  const [command = '', ...words] = line.split(' ')
  const { status, stdout, stderr } = await ottla([command, '--bootstrap-server', broker.bootstrap, '--json', ...words])
  if (status !== 0) throw new Error(`ottla ${line}: ${status}\n${stderr}`)
  return JSON.parse(stdout)
}
