import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Broker, type BrokerHome, type BrokerOptions, newHome, running, writeProperties } from './broker.ts'
import { repositoryRoot } from './cache.ts'
import { Daemon } from './process.ts'

/** Starts `bin/ottla.js start` and returns at once, for tests that do not wait until it answers. */
export async function launchOttla(options: BrokerOptions = {}): Promise<{ home: BrokerHome; daemon: Daemon }> {
  const command = join(repositoryRoot, 'bin', 'ottla.js')
  if (!existsSync(join(repositoryRoot, 'dist'))) throw new Error('dist/ is missing: run `npm run build` first')
  const home = options.home ?? (await newHome('ottla'))
  writeProperties(home, options.overrides ?? {})
  const daemon = new Daemon(process.execPath, [command, 'start', home.propertiesFile], {
    cwd: home.dir,
    logFile: join(home.dir, 'ottla.out'),
  })
  return { home, daemon }
}

/** Starts `bin/ottla.js start` and waits until it answers. It formats an empty directory by itself. */
export async function startOttla(options: BrokerOptions = {}): Promise<Broker> {
  const { home, daemon } = await launchOttla(options)
  return running('ottla', home, daemon, 20_000)
}
