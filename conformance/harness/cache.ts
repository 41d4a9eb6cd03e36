import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the checkout. */
export const repositoryRoot: string = rootAbove(dirname(fileURLToPath(import.meta.url)))

/** Where downloads and built clients stay between runs: `OTTLA_CONFORMANCE_CACHE`, or a folder under `~/.cache`. */
export function cacheDir(): string {
  const dir = process.env.OTTLA_CONFORMANCE_CACHE ?? join(homedir(), '.cache', 'ottla-conformance')
  mkdirSync(dir, { recursive: true })
  return dir
}

/** The folder of this run, removed at its end: data directories, logs and the pids of what was started. */
export function runDir(): string {
  process.env.OTTLA_CONFORMANCE_RUN ??= mkdtempSync(join(tmpdir(), 'ottla-conformance-'))
  return process.env.OTTLA_CONFORMANCE_RUN
}

/** A new empty folder inside the folder of this run. */
export function freshDir(name: string): string {
  return mkdtempSync(join(runDir(), `${name}-`))
}

/** A short stable name for `parts`. */
export function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)
}

/**
 * The folder `name` in the cache, built by `build` on first use. `build` fills a temporary folder, which is renamed
 * when it is complete, so an interrupted or a concurrent build never leaves half a folder behind.
 */
export async function cached(name: string, build: (dir: string) => Promise<void>): Promise<string> {
  const target = join(cacheDir(), name)
  if (existsSync(target)) return target
  mkdirSync(dirname(target), { recursive: true })
  const building = mkdtempSync(`${target}.building-`)
  try {
    await build(building)
    if (!existsSync(target)) renameSync(building, target)
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
  return target
}

/** The folder with package.json: this file runs from its source, and compiled from a folder below. */
function rootAbove(dir: string): string {
  return existsSync(join(dir, 'package.json')) ? dir : rootAbove(dirname(dir))
}
