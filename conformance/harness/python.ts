import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cached, freshDir, hashOf, repositoryRoot } from './cache.ts'
import { Daemon, type RunResult, run, runOk } from './process.ts'

/** What the Python clients are made of: librdkafka in a wheel; kafka-python, aiokafka, and the codecs that they borrow. */
const requirements: readonly string[] = [
  'confluent-kafka==2.16.1',
  'kafka-python==3.0.12',
  'python-snappy==0.7.3',
  'lz4==4.4.5',
  'zstandard==0.25.0',
  'aiokafka==0.14.0',
  'cramjam==2.14.0',
]

/** The last kafka-python of 1.3. */
const oldRequirements: readonly string[] = ['kafka-python==1.3.5']

/** It has a parameter whose name became a keyword in Python 3.7. */
const renamesKeyword = `
import pathlib, re, sysconfig
for path in pathlib.Path(sysconfig.get_paths()["purelib"], "kafka").rglob("*.py"):
    path.write_text(re.sub(r"\\basync\\b", "is_async", path.read_text("utf-8")), "utf-8")
`

/** librdkafka with what its client of schema registries needs. */
const registryRequirements: readonly string[] = [
  'confluent-kafka==2.16.1',
  'attrs==26.1.0',
  'authlib==1.9.9',
  'cachetools==8.0.1',
  'fastavro==1.13.1',
  'httpx==0.28.1',
  'jsonschema==4.26.0',
]

/** The Python of a virtual environment with the clients. A venv cannot be moved, so it is built where it stays. */
export function python(): Promise<string> {
  return environmentOf(requirements)
}

/** The Python with a client of schema registries. */
export function registryPython(): Promise<string> {
  return environmentOf(registryRequirements)
}

/** `afterwards` is a script for what `requirements` have installed. */
async function environmentOf(requirements: readonly string[], afterwards = ''): Promise<string> {
  const dir = await cached(join('python', hashOf([...requirements, afterwards])), async () => {})
  const interpreter = join(dir, 'bin', 'python')
  const complete = join(dir, '.complete')
  if (!existsSync(complete)) {
    await runOk('python3', ['-m', 'venv', '--clear', dir])
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:']
    await runOk(interpreter, [...install, ...requirements], { timeoutMs: 600_000 })
    await runOk(interpreter, ['-c', afterwards])
    await runOk('touch', [complete])
  }
  return interpreter
}

/** Runs `conformance/clients/python/<script>`. */
export async function runPython(script: string, args: readonly string[], timeoutMs = 180_000): Promise<RunResult> {
  const path = join(repositoryRoot, 'conformance', 'clients', 'python', script)
  return run(await python(), ['-B', path, ...args], { timeoutMs })
}

/** As `runPython`, beside the test. */
export async function launchPython(script: string, args: readonly string[]): Promise<Daemon> {
  const path = join(repositoryRoot, 'conformance', 'clients', 'python', script)
  const dir = freshDir('python')
  return new Daemon(await python(), ['-B', path, ...args], { cwd: dir, logFile: join(dir, 'out') })
}

/** Runs a script likewise, with the old kafka-python. */
export async function runOldPython(script: string, args: readonly string[]): Promise<RunResult> {
  const path = join(repositoryRoot, 'conformance', 'clients', 'python', script)
  return run(await environmentOf(oldRequirements, renamesKeyword), ['-B', path, ...args], { timeoutMs: 180_000 })
}

/** Runs the producer and the consumer of `conformance/registry/serde.py`. */
export async function runRegistryPython(args: readonly string[]): Promise<RunResult> {
  const path = join(repositoryRoot, 'conformance', 'registry', 'serde.py')
  return run(await registryPython(), ['-B', path, ...args], { timeoutMs: 180_000 })
}
