/**
 * Makes a checkout ready for the command that follows it: installs the locked packages if they are missing or older
 * than the lock file, and with `--build` compiles `src` into `dist`. Run by npm before `start`, `test`, `check`,
 * `conformance` and `bench`; needs nothing but Node and npm.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

/** npm writes `node_modules/.package-lock.json` at the end of every complete installation. */
function isInstalled() {
  const marker = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(marker) || !existsSync(join(root, 'node_modules', 'rolldown'))) return false
  return statSync(marker).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
}

if (!isInstalled()) run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'])
if (process.argv.includes('--build')) run('npm', ['run', '--silent', 'build'])
