import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Broker } from '../harness/broker.ts'
import { cached, freshDir, hashOf, repositoryRoot } from '../harness/cache.ts'
import { classpath, streamsCoordinates } from '../harness/maven.ts'
import { jvmFlags } from '../harness/oracle.ts'
import { Daemon, eventually, runOk } from '../harness/process.ts'

const sourceDir = join(repositoryRoot, 'conformance', 'streams', 'java')

/** The class path of the program `name`, compiled against one version of Kafka Streams. */
async function compiled(name: string, version: string): Promise<string> {
  const coordinates = streamsCoordinates(version)
  const path = await classpath(coordinates)
  const sources = readdirSync(sourceDir).map((file) => readFileSync(join(sourceDir, file), 'utf8'))
  const classes = await cached(join('java', hashOf([name, ...coordinates, ...sources])), async (building) => {
    const args = ['-nowarn', '-cp', path, '-sourcepath', sourceDir, '-d', building, join(sourceDir, `${name}.java`)]
    await runOk('javac', args)
  })
  return `${classes}:${path}`
}

async function launch(name: string, version: string, args: readonly string[]): Promise<Daemon> {
  const path = await compiled(name, version)
  const dir = freshDir(name)
  const flags = [...jvmFlags, '-Xmx256m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', path]
  return new Daemon('java', [...flags, name, ...args], { cwd: dir, logFile: join(dir, 'out'), stdin: 'pipe' })
}

export type Settings = Readonly<Record<string, string>>

/** Short pauses everywhere, so that much happens between two kills. */
const everyApplication: Settings = {
  'commit.interval.ms': '100',
  'poll.ms': '20',
  'reconnect.backoff.max.ms': '200',
  // Long enough for a slow machine: after it, the broker aborts, and Streams ends with INVALID_TXN_STATE.
  'transaction.timeout.ms': '60000',
  // Without this, who lost its state gets its tasks back at a probing rebalance, which is no sooner than in a minute.
  'acceptable.recovery.lag': String(Number.MAX_SAFE_INTEGER),
}

/** Quick to see that a member or a producer is gone. */
export const brokerSettings: Settings = {
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  'group.streams.initial.rebalance.delay.ms': '0',
  'group.streams.min.session.timeout.ms': '6000',
  'group.streams.session.timeout.ms': '6000',
  'group.streams.min.heartbeat.interval.ms': '500',
  'group.streams.heartbeat.interval.ms': '500',
}

export const groupProtocols = ['classic', 'streams'] as const

/** How an application finds its tasks: its own assignor in a classic group, or the broker's (KIP-1071). */
export function groupSettings(protocol: (typeof groupProtocols)[number]): Settings {
  if (protocol === 'streams') return { 'group.protocol': 'streams' }
  return { 'session.timeout.ms': '6000', 'heartbeat.interval.ms': '500' }
}

/** One instance of a Streams application, in a process of its own. See Runner.java. */
export class Instance {
  readonly stateDir: string = freshDir('state')
  private readonly program: string
  private readonly args: readonly string[]
  private readonly version: string
  private daemon: Daemon | undefined

  constructor(program: string, broker: Broker, application: string, version: string, settings: Settings) {
    this.program = program
    this.version = version
    const properties = Object.entries({ ...everyApplication, ...settings }).map(([name, value]) => `${name}=${value}`)
    this.args = [broker.bootstrap, application, this.stateDir, ...properties]
  }

  async start(): Promise<void> {
    this.daemon = await launch(this.program, this.version, this.args)
  }

  /** Whether it has ended by itself. */
  get hasEnded(): boolean {
    return this.daemon !== undefined && !this.daemon.running
  }

  /** Throws when it has ended by itself. */
  check(): void {
    if (this.hasEnded) throw new Error(`an instance ended\n${this.daemon?.output().slice(-6000)}`)
  }

  async kill(): Promise<void> {
    await this.daemon?.end('SIGKILL', 10_000)
    this.daemon = undefined
  }

  /** Ends as an application should; throws when it does not. */
  async stop(): Promise<void> {
    this.check()
    const status = await this.daemon?.end('SIGTERM', 90_000)
    if (status !== 0) throw new Error(`an instance ended with ${status}\n${this.daemon?.output().slice(-6000)}`)
    this.daemon = undefined
  }
}

export interface OutputRecord {
  topic: string
  partition: number
  offset: number
  timestampMs: number
  key: string
  value: string
}

/** Writes the input and reads the output of an application. See Driver.java. */
export class Driver {
  /** The output that is committed, as it comes. */
  readonly records: OutputRecord[] = []
  private again: OutputRecord[] = []
  private readonly words: Set<string> = new Set()
  private readonly daemon: Daemon
  private rest = ''

  private constructor(daemon: Daemon) {
    this.daemon = daemon
    daemon.child.stdout?.on('data', (chunk: Buffer) => this.onText(chunk.toString('latin1')))
  }

  static async start(version: string, broker: Broker, topics: readonly string[]): Promise<Driver> {
    // Of several on their way when it is killed, Apache Kafka may store some twice.
    const inFlight = broker.kind === 'oracle' ? '1' : '5'
    return new Driver(await launch('Driver', version, [broker.bootstrap, inFlight, ...topics]))
  }

  write(topic: string, partition: number, timestampMs: number, key: string, value: string): void {
    this.daemon.child.stdin?.write(`${topic}\t${partition}\t${timestampMs}\t${key}\t${value}\n`)
  }

  /** Waits until everything written is acknowledged. */
  async flush(): Promise<void> {
    await this.obeyed('flush', 'flushed')
  }

  /** All of the output, read anew when no transaction is open in it. */
  async readAgain(): Promise<OutputRecord[]> {
    this.again = []
    await this.obeyed('again', 'all')
    return this.again
  }

  /** Waits until `isThere` holds for the output. */
  async until(what: string, isThere: () => boolean, instances: readonly Instance[] = []): Promise<void> {
    const isOver = () => !this.daemon.running || instances.some((instance) => instance.hasEnded)
    const done = await eventually(what, 240_000, async () => isThere() || isOver() || undefined).catch(() => undefined)
    this.check()
    for (const instance of instances) instance.check()
    if (!done) throw new Error(`${what}: not there, after ${this.records.length} records of output`)
  }

  async stop(): Promise<void> {
    await this.daemon.end('SIGKILL', 10_000)
  }

  private check(): void {
    if (!this.daemon.running) throw new Error(`the driver ended\n${this.daemon.output('stderr').slice(-6000)}`)
  }

  private async obeyed(command: string, word: string): Promise<void> {
    this.words.delete(word)
    this.daemon.child.stdin?.write(`${command}\n`)
    await this.until(word, () => this.words.has(word))
  }

  private onText(text: string): void {
    const lines = (this.rest + text).split('\n')
    this.rest = lines.pop() ?? ''
    for (const line of lines) {
      const [word, topic, partition, offset, timestampMs, key, value] = line.split('\t')
      if (topic === undefined) this.words.add(word!)
      else {
        const place = { topic, partition: Number(partition), offset: Number(offset), timestampMs: Number(timestampMs) }
        ;(word === 'again' ? this.again : this.records).push({ ...place, key: key!, value: value! })
      }
    }
  }
}
