import { startServer } from '../../broker/server.ts'
import { BrokerConfig } from '../../config/broker-config.ts'
import type { InitialVoter } from '../../metadata/format/checkpoints.ts'
import { formatDirectories } from '../../metadata/format/format.ts'
import { type Logger, type LogLevel, silentLogger } from '../../platform/logger.ts'
import { type DiskOperation, MemoryDisk } from '../../platform/memory-disk.ts'
import { Life } from './life.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { World } from './world.ts'

/** How a process may end. */
export type Ending = 'kill' | 'power'

/** How long operations of a disk take that are waited for, at most. */
export interface DiskPace {
  maxSyncMs: number
  maxReadMs: number
}

/** What a disk refuses to do. */
interface DiskFailure {
  readonly code: string
  /** Where: all below it. */
  readonly directory: string
  /** Of a hundred operations, how many. */
  readonly percent: number
  readonly operations: readonly DiskOperation[]
}

/** A machine with its disk and clock, and the processes that run on it, one after the other. */
export class SimulatedNode {
  readonly id: number
  readonly host: string
  readonly config: Readonly<Record<string, string>>
  disk = new MemoryDisk()
  /** How many it has had that were new. */
  disks = 1
  life: Life | undefined
  /** How far its wall clock is off. */
  skewMs = 0
  /** Changes of the disk by this process until it crashes; undefined for no such plan. */
  crashAfterChanges: { left: number; readonly ending: () => Ending | undefined } | undefined
  /** Power failed, and it may lack what was acknowledged until it is in sync again. */
  isBehind = false
  diskFailure: DiskFailure | undefined
  /** The disk has failed under this process, which may have given up a part of it until the next start. */
  hasDiskFailed = false
  readonly pace: DiskPace = { maxSyncMs: 4, maxReadMs: 1 }
  readonly #world: World
  readonly #random: SeededRandom
  #lives = 0

  constructor(world: World, id: number, config: Readonly<Record<string, string>>) {
    this.#world = world
    this.id = id
    this.host = `node-${id}`
    this.config = config
    this.#random = world.random.fork()
    this.#attach()
  }

  get isBroker(): boolean {
    return this.config['process.roles']!.includes('broker')
  }

  get isController(): boolean {
    return this.config['process.roles']!.includes('controller')
  }

  /** The first one has the metadata. */
  get logDirectories(): string[] {
    return this.config['log.dirs']!.split(',')
  }

  get isUp(): boolean {
    return this.life !== undefined
  }

  get isServing(): boolean {
    return this.life?.server !== undefined
  }

  #brokerConfig(): BrokerConfig {
    return new BrokerConfig(new Map(Object.entries(this.config)))
  }

  /** As an operator does before the first start. */
  format(clusterId: string, initialVoters: readonly InitialVoter[] | undefined): void {
    const platform = {
      ...this.#world,
      disk: this.disk,
      random: this.#random,
      network: this.#world.network.of(this.host),
    }
    formatDirectories(platform, this.#brokerConfig(), { clusterId, ignoreFormatted: false, initialVoters })
  }

  /** A new disk, with nothing on it, takes the place of the old one. */
  wipe(): void {
    this.disk = new MemoryDisk()
    this.disks++
    this.#attach()
  }

  #attach(): void {
    const { disk } = this
    disk.fault = (operation, path) => this.#faultOf(operation, path)
    disk.delay = (operation) => this.#delay(operation)
    disk.onChange = (operation, path, sizeBytes) => {
      if (disk === this.disk) this.#onChange(operation, path, sizeBytes)
    }
  }

  #faultOf(operation: DiskOperation, path: string): string | undefined {
    const failure = this.diskFailure
    // Whoever looks on from outside sees what is there.
    if (failure === undefined || this.#world.current?.nodeId !== this.id) return undefined
    if (!path.startsWith(failure.directory) || !failure.operations.includes(operation)) return undefined
    if (!this.#random.percent(failure.percent)) return undefined
    this.hasDiskFailed = true
    this.#world.trace.detail(() => `node ${this.id} disk ${operation} ${path}: ${failure.code}`)
    return failure.code
  }

  /** From now on there is room for so much more. */
  fillDisk(roomBytes: number): void {
    this.hasDiskFailed = true
    this.disk.capacityBytes = this.disk.usedBytes() + roomBytes
  }

  get isDiskFailing(): boolean {
    return this.diskFailure !== undefined || this.disk.capacityBytes < Number.POSITIVE_INFINITY
  }

  repairDisk(): void {
    this.diskFailure = undefined
    this.disk.capacityBytes = Number.POSITIVE_INFINITY
  }

  #delay(operation: DiskOperation): Promise<void> | undefined {
    const { life } = this
    const maxMs = operation === 'read' ? this.pace.maxReadMs : this.pace.maxSyncMs
    if (life === undefined || maxMs === 0) return undefined
    const delayMs = this.#random.fraction() * maxMs
    return new Promise((resolve) => life.time.after(delayMs, resolve))
  }

  #onChange(operation: DiskOperation, path: string, sizeBytes: number): void {
    const { trace } = this.#world
    trace.mix(this.id)
    trace.mix(sizeBytes)
    trace.mixText(path)
    trace.detail(() => `node ${this.id} disk ${operation} ${path} ${sizeBytes}`)
    this.#world.onDiskChange(this, operation, path)
    const plan = this.crashAfterChanges
    if (plan === undefined || this.life === undefined || --plan.left > 0) return
    this.crashAfterChanges = undefined
    const ending = plan.ending()
    if (ending === undefined) return
    trace.note(`node ${this.id} is about to crash in its ${operation} of ${path}`)
    this.end(ending, operation === 'write' ? path : undefined)
  }

  start(): void {
    if (this.isUp) return
    this.hasDiskFailed = this.isDiskFailing
    const { network, time } = this.#world
    const life = new Life(this.id, ++this.#lives, {
      time,
      network: network.of(this.host),
      skewMs: () => this.skewMs,
      run: (entered, task) => this.#world.runAs(entered, task),
    })
    this.life = life
    this.#world.trace.note(`${life.name} starts`)
    const platform = {
      time: life.time,
      network: life.network,
      disk: this.disk,
      random: this.#random,
      hostName: this.host,
    }
    life.enter(() => {
      startServer(this.#brokerConfig(), platform, this.#logger(life)).then(
        (server) => {
          if (!life.isAlive) return
          life.server = server
          this.#world.trace.note(`${life.name} serves`)
          // It may do so by itself.
          void server.stopped.then(() => this.#stopped(life))
        },
        (error: unknown) => this.#world.nodeFailed(life, error),
      )
    })
  }

  #logger(life: Life): Logger {
    const { trace } = this.#world
    const say = (level: string) => (message: string) => {
      if (!life.isAlive) return
      trace.mixText(message)
      if (level === 'ERROR' || level === 'WARN') trace.lines.push(`         ${life.name} ${level} ${message}`)
      else trace.detail(() => `${life.name} ${level} ${message}`)
    }
    const level: LogLevel = trace.isVerbose ? 'DEBUG' : 'INFO'
    return { ...silentLogger, debug: say('DEBUG'), info: say('INFO'), warn: say('WARN'), error: say('ERROR'), level }
  }

  /**
   * The process ends at once; with the power goes what was not synced, or some of it. `torn`: the file that is being
   * written to.
   */
  end(ending: Ending, torn?: string): void {
    const { life } = this
    if (life === undefined) return
    this.#world.trace.note(`${life.name} ends: ${ending}`)
    life.end()
    this.life = undefined
    this.crashAfterChanges = undefined
    const random = this.#random
    const kept = (path: string, changes: number): number => {
      if (ending === 'power') return random.percent(30) ? 0 : random.fraction() * changes
      return path === torn && changes > 0 ? changes - 1 + random.fraction() : changes
    }
    const keptNames = (changes: number): number => (ending === 'power' ? random.between(0, changes) : changes)
    this.disk = this.disk.afterCrash({ kept, keptNames, isSynced: ending === 'power' })
    this.#attach()
    // All that a controller has said is on its disk.
    if (ending === 'power' && this.isBroker) this.isBehind = true
    this.#world.network.crash(this.host, ending === 'power')
  }

  /** Ends in order; resolves once it has. */
  async stop(): Promise<void> {
    const { life } = this
    if (life?.server === undefined) return
    this.#world.trace.note(`${life.name} stops`)
    const { server } = life
    await new Promise<void>((resolve) => {
      life.enter(() => {
        server.stop().then(
          () => {
            this.#stopped(life)
            resolve()
          },
          (error: unknown) => this.#world.nodeFailed(life, error),
        )
      })
      // It may crash meanwhile, and then never comes to an end.
      const look = () => (life.isAlive ? void this.#world.time.after(100, look) : resolve())
      look()
    })
  }

  #stopped(life: Life): void {
    if (!life.isAlive) return
    this.#world.trace.note(`${life.name} has stopped`)
    life.end()
    this.life = undefined
    this.disk = this.disk.afterCrash({
      kept: (_, changes) => changes,
      keptNames: (changes) => changes,
      isSynced: false,
    })
    this.#attach()
    this.#world.network.crash(this.host)
  }

  pause(): void {
    if (this.life === undefined || this.life.isPaused) return
    this.#world.trace.note(`${this.life.name} is paused`)
    this.life.isPaused = true
    this.#world.network.hold(this.host)
  }

  resume(): void {
    if (this.life?.isPaused !== true) return
    this.#world.trace.note(`${this.life.name} goes on`)
    this.life.resume()
    this.#world.network.release(this.host)
  }
}
