import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cached, freshDir, hashOf, repositoryRoot } from './cache.ts'
import { classpath, clientCoordinates, kafkaVersion } from './maven.ts'
import { jvmFlags } from './oracle.ts'
import { Daemon, type RunResult, run, runOk } from './process.ts'

/** Compiles `source` (a path from the root of the checkout) against `coordinates`; returns the class path to run it. */
export async function compileJava(source: string, coordinates: readonly string[]): Promise<string> {
  const file = join(repositoryRoot, source)
  const path = await classpath(coordinates)
  const name = join('java', hashOf([...coordinates, readFileSync(file, 'utf8')]))
  const classes = await cached(name, async (building) => {
    await runOk('javac', ['-nowarn', '-cp', path, '-d', building, file])
  })
  return `${classes}:${path}`
}

async function runClient(name: string, version: string, args: readonly string[]): Promise<RunResult> {
  const path = await compileJava(`conformance/clients/java/${name}.java`, clientCoordinates(version))
  const logging = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
  return run('java', [...jvmFlags, '-Xmx256m', logging, '-cp', path, name, ...args], { timeoutMs: 180_000 })
}

/** Runs the round trip of the Java client of one version. */
export function runJavaRoundTrip(version: string, args: readonly string[]): Promise<RunResult> {
  return runClient('RoundTrip', version, args)
}

/** Runs the round trip of the Java clients that are older than headers, admin clients and durations. */
export function runOldJavaRoundTrip(version: string, args: readonly string[]): Promise<RunResult> {
  return runClient('OldRoundTrip', version, args)
}

/** What consumers with group.protocol=consumer see; see ConsumerProtocol.java. */
export function runConsumerProtocol(version: string, args: readonly string[]): Promise<RunResult> {
  return runClient('ConsumerProtocol', version, args)
}

/** What share consumers can do; see ShareStory.java. */
export function runShareStory(version: string, args: readonly string[]): Promise<RunResult> {
  return runClient('ShareStory', version, args)
}

/** Copies in transactions; see Copiers.java for the arguments. */
export function runCopiers(version: string, args: readonly string[]): Promise<RunResult> {
  return runClient('Copiers', version, args)
}

/** Compiles and starts a program beside the test. `flags` are for the virtual machine, its heap among them. */
export async function launchJava(
  source: string,
  coordinates: readonly string[],
  args: readonly string[],
  flags: readonly string[],
  stdin: 'ignore' | 'pipe' = 'ignore',
): Promise<Daemon> {
  const name = basename(source, '.java')
  const path = await compileJava(source, coordinates)
  const dir = freshDir(name.toLowerCase())
  const all = [...jvmFlags, ...flags, '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', path]
  return new Daemon('java', [...all, name, ...args], { cwd: dir, logFile: join(dir, 'out'), stdin })
}

/** As `runCopiers`, beside the test. With `pipe`, they do not end before their standard input does. */
export function launchCopiers(version: string, args: readonly string[], stdin?: 'pipe'): Promise<Daemon> {
  return launchClient('Copiers', version, args, stdin)
}

/** Fills the topic of a share group; see ShareLedger.java for the arguments. */
export function runShareLedger(version: string, args: readonly string[]): Promise<RunResult> {
  return runClient('ShareLedger', version, args)
}

/** As `runShareLedger`, beside the test. With `pipe`, the members do not end before their standard input does. */
export function launchShareLedger(version: string, args: readonly string[], stdin?: 'pipe'): Promise<Daemon> {
  return launchClient('ShareLedger', version, args, stdin)
}

function launchClient(name: string, version: string, args: readonly string[], stdin?: 'pipe'): Promise<Daemon> {
  return launchJava(`conformance/clients/java/${name}.java`, clientCoordinates(version), args, ['-Xmx256m'], stdin)
}

/** What a broker holds, as lines: see Fingerprint.java. Internal topics are left out. */
export async function fingerprint(bootstrap: string): Promise<string[]> {
  const { status, stdout, stderr } = await runClient('Fingerprint', kafkaVersion, [bootstrap])
  if (status !== 0) throw new Error(`no fingerprint of ${bootstrap}\n${stderr}`)
  return stdout.trim().split('\n')
}
