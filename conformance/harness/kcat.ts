import { join } from 'node:path'
import { freshDir } from './cache.ts'
import { Daemon, type RunOptions, run, runOk } from './process.ts'

async function isInstalled(): Promise<boolean> {
  try {
    return (await run('kcat', ['-V'])).status === 0
  } catch {
    return false
  }
}

/** Installs Debian's kcat when there is none; needs root or a sudo that asks nothing. */
export async function installKcat(): Promise<void> {
  if (await isInstalled()) return
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const apt = (args: string[]) => {
    const [command, ...rest] = [...prefix, 'apt-get', ...args] as [string, ...string[]]
    return runOk(command, rest, { timeoutMs: 300_000, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  }
  await apt(['update'])
  await apt(['install', '-y', '--no-install-recommends', 'kcat'])
}

/** Runs kcat to its end and returns its standard output; any other status than 0 is a failure. */
export async function kcat(args: readonly string[], options: RunOptions = {}): Promise<string> {
  return runOk('kcat', args, { timeoutMs: 60_000, ...options })
}

/** A kcat that keeps consuming. */
export function kcatDaemon(args: readonly string[]): Daemon {
  const dir = freshDir('kcat')
  return new Daemon('kcat', args, { cwd: dir, logFile: join(dir, 'kcat.out') })
}
