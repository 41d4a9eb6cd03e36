import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freshDir } from './cache.ts'
import { type Daemon, eventually, freePort } from './process.ts'
import { answersApiVersions } from './wire.ts'

export interface BrokerOptions {
  /** Properties over the defaults below. */
  overrides?: Readonly<Record<string, string>>
  /** Start on what another broker left: its directory, ports and node id are taken over. */
  home?: BrokerHome
  /** Apache Kafka only: flags of the virtual machine, in place of those that make a short life cheap. */
  jvm?: readonly string[]
  /** Apache Kafka only: another version than the one that everything is compared with. */
  olderVersion?: string
}

/** Where one node lives: Ottla and Apache Kafka can be started on the same home one after the other. */
export interface BrokerHome {
  readonly dir: string
  readonly dataDir: string
  readonly port: number
  readonly controllerPort: number
  readonly propertiesFile: string
}

/** A running broker, whichever it is. */
export interface Broker {
  readonly kind: 'ottla' | 'oracle'
  readonly home: BrokerHome
  readonly host: string
  readonly port: number
  /** `host:port` */
  readonly bootstrap: string
  readonly dataDir: string
  readonly pid: number
  /** Milliseconds from the start of the process to its first answer. */
  readonly startupMs: number
  /** All that it printed. */
  log(): string
  /** SIGTERM; resolves with the exit status. */
  stop(): Promise<number | null>
  /** SIGKILL. */
  kill(): Promise<void>
}

export const clusterId = 'Ottla0conformance0test'

/** What both brokers are started with: one combined node on loopback, small internal topics, no waiting for groups. */
export function defaultProperties(home: BrokerHome): Record<string, string> {
  const listeners = `PLAINTEXT://127.0.0.1:${home.port},CONTROLLER://127.0.0.1:${home.controllerPort}`
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${home.controllerPort}`,
    listeners,
    'advertised.listeners': listeners,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': home.dataDir,
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '2',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
  }
}

export async function newHome(name: string): Promise<BrokerHome> {
  const dir = freshDir(name)
  const port = await freePort()
  const controllerPort = await freePort()
  return { dir, dataDir: join(dir, 'data'), port, controllerPort, propertiesFile: join(dir, 'server.properties') }
}

export function writeProperties(home: BrokerHome, overrides: Readonly<Record<string, string>>): void {
  const lines = Object.entries({ ...defaultProperties(home), ...overrides }).map(([name, value]) => `${name}=${value}`)
  writeFileSync(home.propertiesFile, `${lines.join('\n')}\n`)
}

/** Waits until `daemon` answers ApiVersions, and wraps it. Fails at once when the process ends before. */
export async function running(
  kind: Broker['kind'],
  home: BrokerHome,
  daemon: Daemon,
  timeoutMs: number,
): Promise<Broker> {
  const startedMs = performance.now()
  await eventually(`${kind} on port ${home.port}`, timeoutMs, async () => {
    if (!daemon.running) return 'ended'
    return (await answersApiVersions('127.0.0.1', home.port)) ? 'up' : undefined
  }).catch((error) => {
    daemon.child.kill('SIGKILL')
    throw new Error(`${kind} did not start\n${daemon.output().slice(-6000)}`, { cause: error })
  })
  if (!daemon.running) throw new Error(`${kind} ended with ${await daemon.exited}\n${daemon.output().slice(-6000)}`)
  const startupMs = performance.now() - startedMs
  return {
    kind,
    home,
    host: '127.0.0.1',
    port: home.port,
    bootstrap: `127.0.0.1:${home.port}`,
    dataDir: home.dataDir,
    pid: daemon.pid,
    startupMs,
    log: () => daemon.output(),
    stop: () => daemon.end('SIGTERM', 60_000),
    kill: async () => {
      await daemon.end('SIGKILL', 10_000)
    },
  }
}
