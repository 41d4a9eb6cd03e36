import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { runDir } from './cache.ts'

export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  stdin?: string | Buffer
  /** After this the process is killed and the run fails. Default two minutes. */
  timeoutMs?: number
}

export interface RunResult {
  /** The exit status; null when a signal ended it. */
  status: number | null
  stdout: string
  stderr: string
}

/** The folder in which every started process leaves its pid, so that the end of a run can stop what a test left. */
export function pidDir(): string {
  const dir = join(runDir(), 'pids')
  mkdirSync(dir, { recursive: true })
  return dir
}

function trackPid(child: ChildProcess): void {
  if (child.pid === undefined) return
  const file = join(pidDir(), String(child.pid))
  writeFileSync(file, '')
  child.once('exit', () => rmSync(file, { force: true }))
}

/** Runs a command to its end. Rejects only when it cannot be started or outlives `timeoutMs`. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { cwd, env, stdin, timeoutMs = 120_000 } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: env ?? process.env, stdio: ['pipe', 'pipe', 'pipe'] })
    trackPid(child)
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    // A command that ends without reading all its input closes the pipe; its output says what happened.
    child.stdin.on('error', () => {})
    child.stdin.end(stdin ?? '')
    let expired = false
    const timer = setTimeout(() => {
      expired = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (status) => {
      clearTimeout(timer)
      const result = { status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
      if (!expired) return resolve(result)
      reject(new Error(`${command} ${args.join(' ')}: no end in ${timeoutMs} ms\n${result.stdout}\n${result.stderr}`))
    })
  })
}

/** Runs a command that must succeed, and returns its standard output. */
export async function runOk(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(command, args, options)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: status ${status}\n${stdout}\n${stderr}`)
  return stdout
}

/** A process that keeps running beside the test, such as a broker. Its output goes to `logFile` and to `output()`. */
export class Daemon {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  private readonly chunks: Array<{ name: 'stdout' | 'stderr'; chunk: Buffer }> = []
  private ended = false

  constructor(
    command: string,
    args: readonly string[],
    options: { cwd: string; env?: NodeJS.ProcessEnv; logFile: string; stdin?: 'ignore' | 'pipe' },
  ) {
    const { cwd, env, logFile, stdin = 'ignore' } = options
    this.child = spawn(command, args, { cwd, env: env ?? process.env, stdio: [stdin, 'pipe', 'pipe'] })
    this.child.stdin?.on('error', () => {})
    trackPid(this.child)
    const file = createWriteStream(logFile, { flags: 'a' })
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.on('data', (chunk: Buffer) => {
        this.chunks.push({ name, chunk })
        file.write(chunk)
      })
    }
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (status) => {
        this.ended = true
        file.end()
        resolve(status)
      })
    })
    this.exited.catch(() => {})
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the process did not start')
    return this.child.pid
  }

  get running(): boolean {
    return !this.ended
  }

  /** What it printed so far: on both streams in the order of arrival, or on one of them. */
  output(only?: 'stdout' | 'stderr'): string {
    const chunks = this.chunks.filter(({ name }) => only === undefined || name === only)
    return Buffer.concat(chunks.map(({ chunk }) => chunk)).toString()
  }

  /** Tells each line of standard output from now on, when it is whole. */
  onLine(listener: (line: string) => void): void {
    createInterface({ input: this.child.stdout! }).on('line', listener)
  }

  /** Sends `signal` and waits for the end; after `timeoutMs` the process is killed and this rejects. */
  async end(signal: NodeJS.Signals, timeoutMs: number): Promise<number | null> {
    if (this.ended) return this.exited
    this.child.kill(signal)
    let timer: NodeJS.Timeout | undefined
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.child.kill('SIGKILL')
        reject(new Error(`still running ${timeoutMs} ms after ${signal}\n${this.output().slice(-4000)}`))
      }, timeoutMs)
    })
    try {
      return await Promise.race([this.exited, expiry])
    } finally {
      clearTimeout(timer)
    }
  }
}

// Below the range from which Linux takes the ports of outgoing connections, so that a broker finds its port free again
// when it restarts.
/** Where the ports of a run begin, unless it is said; and how many each of the processes that run files at the same time has. */
export const FIRST_PORT = 20_000 + Math.floor(Math.random() * 8_000)
const PORTS_PER_WORKER = 1000

const worker = Number(process.env.VITEST_POOL_ID ?? 1)
let nextPort = Number(process.env.OTTLA_CONFORMANCE_PORT ?? FIRST_PORT) + (worker - 1) * PORTS_PER_WORKER

/** A loopback port that was free a moment ago: from `OTTLA_CONFORMANCE_PORT` upwards if it is set. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort++
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

export function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}

/** Asks `probe` until it gives something other than undefined. The last error is in the failure's text. */
export async function eventually<T>(what: string, timeoutMs: number, probe: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + timeoutMs
  let last: unknown
  while (Date.now() < deadline) {
    try {
      const value = await probe()
      if (value !== undefined) return value
    } catch (error) {
      last = error
    }
    await sleep(20)
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last })
}
