import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freshDir } from '../harness/cache.ts'
import { classpath, connectCoordinates } from '../harness/maven.ts'
import { jvmFlags } from '../harness/oracle.ts'
import { Daemon, eventually, freePort } from '../harness/process.ts'

/** How long anything may take that a worker does by itself: rebalances, tasks that start, records on their way. */
export const settleMs = 120_000

type Properties = Readonly<Record<string, string>>

/** Writes a file of properties and returns its path. */
export function propertiesFile(dir: string, name: string, properties: Properties): string {
  const path = join(dir, `${name}.properties`)
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

/** Runs a main class of Kafka Connect or MirrorMaker 2 beside the test. */
export async function launchConnect(mainClass: string, args: readonly string[]): Promise<Daemon> {
  const dir = freshDir('connect')
  const logging = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=info', '-Dorg.slf4j.simpleLogger.showDateTime=true']
  const flags = [...jvmFlags, '-Xmx256m', ...logging, '-cp', await classpath(connectCoordinates)]
  return new Daemon('java', [...flags, mainClass, ...args], { cwd: dir, logFile: join(dir, 'out') })
}

export interface ConnectorStatus {
  connector: { state: string; worker_id: string }
  tasks: Array<{ id: number; state: string; worker_id: string; trace?: string }>
}

export interface ConnectorOffset {
  partition: Record<string, unknown>
  offset: Record<string, unknown> | null
}

/** A worker of Kafka Connect, and what its REST interface tells. */
export class ConnectWorker {
  readonly daemon: Daemon
  readonly port: number

  constructor(daemon: Daemon, port: number) {
    this.daemon = daemon
    this.port = port
  }

  get id(): string {
    return `127.0.0.1:${this.port}`
  }

  /** One request. Answers that mean "not now" (a rebalance, a leader that is not known yet) are asked for again. */
  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const what = `${method} ${path} of ${this.id}`
    const headers = { 'content-type': 'application/json' }
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    return eventually(what, settleMs, async () => {
      if (!this.daemon.running) throw new Error(`the worker ended\n${this.daemon.output().slice(-6000)}`)
      const response = await fetch(`http://${this.id}${path}`, init)
      const text = await response.text()
      if (!response.ok) throw new Error(`${what}: ${response.status} ${text}`)
      return (text === '' ? null : JSON.parse(text)) as T
    })
  }

  async configure(connector: string, config: Properties): Promise<void> {
    await this.request('PUT', `/connectors/${connector}/config`, config)
  }

  status(connector: string): Promise<ConnectorStatus> {
    return this.request('GET', `/connectors/${connector}/status`)
  }

  async offsets(connector: string): Promise<ConnectorOffset[]> {
    return (await this.request<{ offsets: ConnectorOffset[] }>('GET', `/connectors/${connector}/offsets`)).offsets
  }

  /** Waits until the connector and its one task run, on this worker or another; returns the id of the task's worker. */
  async running(connector: string, notOn?: string): Promise<string> {
    return eventually(`${connector} runs`, settleMs, async () => {
      const { connector: self, tasks } = await this.status(connector)
      const failed = tasks.find(({ state }) => state === 'FAILED')
      if (failed !== undefined) throw new Error(`task ${failed.id} of ${connector}: ${failed.trace}`)
      const task = tasks[0]
      const runs = self.state === 'RUNNING' && task?.state === 'RUNNING'
      return runs && self.worker_id !== notOn && task.worker_id !== notOn ? task.worker_id : undefined
    })
  }

  /** Stops the connector and waits until nothing of it runs, so that its offsets may be changed. */
  async stopConnector(connector: string): Promise<void> {
    await this.request('PUT', `/connectors/${connector}/stop`)
    await eventually(`${connector} is stopped`, settleMs, async () => {
      const { connector: self, tasks } = await this.status(connector)
      return (self.state === 'STOPPED' && tasks.length === 0) || undefined
    })
  }

  async resumeConnector(connector: string): Promise<void> {
    await this.request('PUT', `/connectors/${connector}/resume`)
    await this.running(connector)
  }
}

/** What both kinds of worker are started with. */
export function workerProperties(bootstrap: string, port: number): Record<string, string> {
  return {
    'bootstrap.servers': bootstrap,
    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'offset.flush.interval.ms': '500',
    listeners: `http://127.0.0.1:${port}`,
    'plugin.discovery': 'service_load',
  }
}

/** A distributed worker; it has a port of its own and shares everything else with the others of `group`. */
export async function launchDistributed(bootstrap: string, group: string, more: Properties): Promise<ConnectWorker> {
  const port = await freePort()
  const file = propertiesFile(freshDir('worker'), 'worker', {
    ...workerProperties(bootstrap, port),
    'group.id': group,
    'config.storage.topic': `${group}-configs`,
    'offset.storage.topic': `${group}-offsets`,
    'status.storage.topic': `${group}-status`,
    'config.storage.replication.factor': '1',
    'offset.storage.replication.factor': '1',
    'status.storage.replication.factor': '1',
    'offset.storage.partitions': '2',
    'status.storage.partitions': '1',
    ...more,
  })
  return new ConnectWorker(await launchConnect('org.apache.kafka.connect.cli.ConnectDistributed', [file]), port)
}
