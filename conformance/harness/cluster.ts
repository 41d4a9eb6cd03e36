import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Admin, PATIENCE_MS } from './admin.ts'
import { clusterId as defaultClusterId } from './broker.ts'
import { freshDir, repositoryRoot } from './cache.ts'
import { classpath, kafkaCoordinates } from './maven.ts'
import { jvmFlags, logging } from './oracle.ts'
import { Daemon, eventually, freePort, runOk } from './process.ts'
import { Links } from './proxy.ts'
import { targetKind } from './target.ts'
import { answersApiVersions } from './wire.ts'

export type NodeKind = 'ottla' | 'oracle'
export type NodeRoles = 'broker' | 'controller' | 'broker,controller'

export interface NodePlan {
  /** What `OTTLA_TARGET` says, unless given. */
  readonly kind?: NodeKind
  /** Both, unless given. */
  readonly roles?: NodeRoles
  /** A controller that is none of the first voters: it finds a quorum that there is. */
  readonly isLate?: boolean
}

export interface ClusterOptions {
  /** Nodes 1, 2, 3 ... */
  readonly nodes: readonly NodePlan[]
  /** How voters are known: written into the directories (KIP-853), or in each node's properties. */
  readonly voters?: 'dynamic' | 'static'
  /** What goes between nodes goes through `links`. */
  readonly isProxied?: boolean
  /** Properties of every node over the defaults. */
  readonly overrides?: Readonly<Record<string, string>>
  /** Flags of Apache Kafka's virtual machines, in place of those that keep them small. */
  readonly jvm?: readonly string[]
}

/** Small virtual machines: a cluster is three of them. */
const SMALL_JVM = [...jvmFlags, '-Xms64m', '-Xmx256m']

/** An id as Kafka writes them; one that starts with a dash would look like a flag to tools. */
function randomId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A')
}

/** Everything of a cluster that its nodes must agree on. */
interface Setting {
  readonly options: ClusterOptions
  readonly clusterId: string
  /** Of the nodes that vote from the beginning, in the order of their ids. */
  firstVoters(): readonly ClusterNode[]
}

/** One node, running or not. Its kind may change between two lives. */
export class ClusterNode {
  readonly id: number
  readonly roles: NodeRoles
  readonly isLate: boolean
  readonly dir: string
  readonly dataDir: string
  /** Of the listener for clients; nodes without the role of a broker have none. */
  readonly port: number
  readonly controllerPort: number
  /** Between brokers; the one for clients where nothing is proxied. */
  readonly internalPort: number
  /** Where other nodes find the listeners. */
  readonly advertised: { readonly controllerPort: number; readonly internalPort: number }
  /** As the first voters know it. */
  readonly directoryId: string = randomId()
  kind: NodeKind
  /** Properties of this node alone. */
  overrides: Record<string, string> = {}
  /** A command that runs what follows it, for example in another mount namespace. */
  wrap: readonly string[] = []
  private readonly setting: Setting
  private daemon: Daemon | undefined
  private lives = 0
  private isFormatted = false

  constructor(id: number, plan: NodePlan, ports: readonly number[], setting: Setting) {
    this.id = id
    this.kind = plan.kind ?? targetKind()
    this.roles = plan.roles ?? 'broker,controller'
    this.isLate = plan.isLate === true
    this.dir = freshDir(`node-${id}`)
    this.dataDir = join(this.dir, 'data')
    const isProxied = setting.options.isProxied === true
    this.port = ports[0]!
    this.controllerPort = ports[1]!
    this.internalPort = isProxied ? ports[2]! : this.port
    this.advertised = {
      controllerPort: isProxied ? ports[3]! : this.controllerPort,
      internalPort: isProxied ? ports[4]! : this.port,
    }
    this.setting = setting
  }

  get isBroker(): boolean {
    return this.roles.includes('broker')
  }

  get isController(): boolean {
    return this.roles.includes('controller')
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.port}`
  }

  get running(): boolean {
    return this.daemon?.running === true
  }

  get pid(): number {
    if (!this.daemon?.running) throw new Error(`node ${this.id} does not run`)
    return this.daemon.pid
  }

  /** All that its present or last life printed. */
  log(): string {
    return this.daemon?.output() ?? ''
  }

  /** Where voters and observers find this controller. */
  get voter(): string {
    return `127.0.0.1:${this.advertised.controllerPort}`
  }

  /** The id that its formatted directory has. */
  get formattedDirectoryId(): string {
    return /directory\.id=(.*)/.exec(readFileSync(join(this.dataDir, 'meta.properties'), 'utf8'))![1]!
  }

  get propertiesFile(): string {
    return join(this.dir, 'server.properties')
  }

  /** Starts the process. Formats an empty directory first. */
  async launch(): Promise<Daemon> {
    this.writeProperties()
    const isFormatted = this.wrap.length > 0 ? this.isFormatted : existsSync(join(this.dataDir, 'meta.properties'))
    if (!isFormatted) await this.format()
    return this.launchUnformatted()
  }

  /** Starts the process on whatever is in its directory. */
  async launchUnformatted(): Promise<Daemon> {
    if (this.running) throw new Error(`node ${this.id} runs already`)
    this.writeProperties()
    const [command, ...args] = [...this.wrap, ...(await this.command('start'))]
    this.lives += 1
    this.daemon = new Daemon(command!, args, { cwd: this.dir, logFile: join(this.dir, `${this.lives}.out`) })
    return this.daemon
  }

  /** Starts the process and waits until it answers. */
  async start(): Promise<void> {
    await this.launch()
    await this.answering()
  }

  /** Waits until it answers on its first listener. Fails at once when it ends before. */
  async answering(timeoutMs = PATIENCE_MS): Promise<void> {
    const daemon = this.daemon!
    const port = this.isBroker ? this.port : this.controllerPort
    const found = await eventually(`node ${this.id} on port ${port}`, timeoutMs, async () => {
      if (!daemon.running) return 'ended'
      return (await answersApiVersions('127.0.0.1', port)) ? 'up' : undefined
    })
    if (found === 'ended') throw new Error(`node ${this.id} ended\n${daemon.output().slice(-6000)}`)
  }

  async kill(): Promise<void> {
    await this.daemon?.end('SIGKILL', 10_000)
  }

  /** SIGTERM, and a clean end. */
  async stop(timeoutMs = 60_000): Promise<void> {
    if (!this.running) return
    const status = await this.daemon!.end('SIGTERM', timeoutMs)
    // A virtual machine that ends because of a signal says so in its status.
    const clean = this.kind === 'oracle' ? 128 + 15 : 0
    if (status !== clean) throw new Error(`node ${this.id} ended with ${status}\n${this.log().slice(-4000)}`)
  }

  /** The process does nothing any more, and its connections stay. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  /** `knowsVoters`: not of a controller that is to find a quorum that there is. */
  async format(clusterId: string = this.setting.clusterId, knowsVoters = !this.isLate): Promise<void> {
    this.writeProperties()
    const voters = this.setting.firstVoters().map(({ id, voter, directoryId }) => `${id}@${voter}:${directoryId}`)
    const flags = ['-t', clusterId, '-c', this.propertiesFile]
    if (this.isController && this.setting.options.voters !== 'static') {
      if (knowsVoters) flags.push('--initial-controllers', voters.join(','))
      else flags.push('--no-initial-controllers')
    }
    const [command, ...args] = [...this.wrap, ...(await this.command('format')), ...flags]
    await runOk(command!, args)
    this.isFormatted = true
  }

  properties(): Record<string, string> {
    const { options, firstVoters } = this.setting
    const listener = (name: string, port: number) => `${name}://127.0.0.1:${port}`
    const bound: string[] = []
    const advertised: string[] = []
    if (this.isBroker) {
      bound.push(listener('PLAINTEXT', this.port))
      advertised.push(listener('PLAINTEXT', this.port))
      if (options.isProxied) {
        bound.push(listener('INTERNAL', this.internalPort))
        advertised.push(listener('INTERNAL', this.advertised.internalPort))
      }
    }
    if (this.isController) {
      bound.push(listener('CONTROLLER', this.controllerPort))
      advertised.push(listener('CONTROLLER', this.advertised.controllerPort))
    }
    const addresses = firstVoters().map(({ voter }) => voter)
    return {
      'process.roles': this.roles,
      'node.id': String(this.id),
      ...(options.voters === 'static'
        ? {
            'controller.quorum.voters': firstVoters()
              .map(({ id, voter }) => `${id}@${voter}`)
              .join(),
          }
        : { 'controller.quorum.bootstrap.servers': addresses.join() }),
      listeners: bound.join(),
      'advertised.listeners': advertised.join(),
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT',
      'controller.listener.names': 'CONTROLLER',
      ...(this.isBroker ? { 'inter.broker.listener.name': options.isProxied ? 'INTERNAL' : 'PLAINTEXT' } : {}),
      'log.dirs': this.dataDir,
      ...internalTopics(options.nodes.filter(({ roles = 'broker' }) => roles.includes('broker')).length),
      'group.initial.rebalance.delay.ms': '0',
      'initial.broker.registration.timeout.ms': String(PATIENCE_MS),
      // The cleaner's default buffer of 128 MB has to fit in the heap; nothing here needs more than its minimum.
      ...(this.kind === 'oracle' ? { 'log.cleaner.dedupe.buffer.size': '4194304' } : {}),
      ...options.overrides,
      ...this.overrides,
    }
  }

  private writeProperties(): void {
    const lines = Object.entries(this.properties()).map(([name, value]) => `${name}=${value}`)
    writeFileSync(this.propertiesFile, `${lines.join('\n')}\n`)
  }

  private async command(what: 'start' | 'format'): Promise<string[]> {
    if (this.kind === 'ottla') {
      const program = [process.execPath, join(repositoryRoot, 'bin', 'ottla.js')]
      return [...program, ...(what === 'start' ? ['start', this.propertiesFile] : ['storage', 'format'])]
    }
    const path = await classpath(kafkaCoordinates)
    const java = (flags: readonly string[], level: string) => ['java', ...flags, ...logging(level), '-cp', path]
    if (what === 'format') return [...java(SMALL_JVM, 'error'), 'kafka.tools.StorageTool', 'format']
    return [...java(this.setting.options.jvm ?? SMALL_JVM, 'info'), 'kafka.Kafka', this.propertiesFile]
  }
}

function internalTopics(brokerCount: number): Record<string, string> {
  const replicas = String(Math.min(3, brokerCount))
  const inSync = String(brokerCount < 3 ? 1 : 2)
  return {
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': '2',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
  }
}

/** Some nodes that form one cluster. */
export class Cluster {
  readonly nodes: readonly ClusterNode[]
  readonly clusterId: string = defaultClusterId
  readonly links: Links
  readonly admin: Admin
  /** A node that clients and `admin` ask last, because it cannot know how things are. */
  avoid: number | undefined

  private constructor(options: ClusterOptions, ports: readonly (readonly number[])[]) {
    const firstVoters = () => this.controllers.filter(({ isLate }) => !isLate)
    const setting = { options, clusterId: this.clusterId, firstVoters }
    this.nodes = options.nodes.map((plan, index) => new ClusterNode(index + 1, plan, ports[index]!, setting))
    this.links = new Links(() => new Map(this.nodes.filter(({ running }) => running).map(({ id, pid }) => [id, pid])))
    this.admin = new Admin(() => this.ports)
  }

  /** Makes the nodes without starting them. */
  static async of(options: ClusterOptions): Promise<Cluster> {
    const ports: number[][] = []
    for (const _ of options.nodes) {
      const own: number[] = []
      while (own.length < 5) own.push(await freePort())
      ports.push(own)
    }
    const cluster = new Cluster(options, ports)
    if (options.isProxied) await cluster.connect()
    return cluster
  }

  /** Makes the nodes, starts them, and waits until all brokers are in service. Leaves nothing behind when that fails. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.of(options)
    await cluster.launch()
    return cluster
  }

  /** Starts nodes, and waits until all brokers that run are in service. Leaves nothing behind when that fails. */
  async launch(nodes: readonly ClusterNode[] = this.nodes): Promise<void> {
    try {
      await Promise.all(nodes.map((node) => node.launch()))
      await Promise.all(nodes.map((node) => node.answering()))
      await this.admin.brokersAre(this.brokers.filter(({ running }) => running).map(({ id }) => id))
    } catch (error) {
      await this.destroy()
      throw new Error(`the cluster did not start\n${this.logs(3000)}`, { cause: error })
    }
  }

  get brokers(): ClusterNode[] {
    return this.nodes.filter(({ isBroker }) => isBroker)
  }

  get controllers(): ClusterNode[] {
    return this.nodes.filter(({ isController }) => isController)
  }

  /** Where clients find brokers that run. */
  get ports(): number[] {
    const running = this.brokers.filter(({ running }) => running)
    return running.sort((a, b) => Number(a.id === this.avoid) - Number(b.id === this.avoid)).map(({ port }) => port)
  }

  /** Of the brokers, running or not. */
  get bootstrap(): string {
    return this.brokers.map(({ bootstrap }) => bootstrap).join()
  }

  node(id: number): ClusterNode {
    const found = this.nodes.find((node) => node.id === id)
    if (found === undefined) throw new Error(`no node ${id}`)
    return found
  }

  /** The end of all output, for a failure's text. */
  logs(characters = 2000): string {
    const texts = this.nodes.map((node) => `-- node ${node.id} (${node.kind})\n${node.log().slice(-characters)}`)
    return texts.join('\n')
  }

  async stop(): Promise<void> {
    await Promise.all(this.brokers.filter(({ isController }) => !isController).map((node) => node.stop()))
    await Promise.all(this.nodes.map((node) => node.stop()))
    this.links.close()
  }

  /** Kills whatever runs. */
  async destroy(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    this.links.close()
  }

  private async connect(): Promise<void> {
    for (const { id, isBroker, isController, advertised, internalPort, controllerPort } of this.nodes) {
      if (isBroker) await this.links.add(id, advertised.internalPort, internalPort)
      if (isController) await this.links.add(id, advertised.controllerPort, controllerPort)
    }
  }
}
