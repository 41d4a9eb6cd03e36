import type { RunningServer } from '../../broker/server.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { Connection, ConnectionHandler, Listener, Network } from '../../platform/network.ts'
import type { Scheduled, Time } from '../../platform/time.ts'
import type { VirtualTime } from '../../platform/virtual-time.ts'
import type { ReplicaManager } from '../../replication/replica-manager.ts'

/** A connection of a process that does not exist any more. */
const NOWHERE: Connection = {
  remoteAddress: '',
  remotePort: 0,
  handle() {},
  write: () => true,
  pendingBytes: () => 0,
  pause() {},
  resume() {},
  end() {},
  destroy() {},
}

export interface LifeOptions {
  readonly time: VirtualTime
  readonly network: Network
  /** How far the node's wall clock is off, in ms. */
  readonly skewMs: () => number
  /** Carries out what the process does next. */
  readonly run: (life: Life, task: () => void) => void
}

/**
 * One run of a node's process, from its start to its end. What a process that has ended still does (promises settle, code
 * in the middle of something goes on) reaches nothing: neither clock nor network, and a disk that nobody looks at.
 */
export class Life {
  readonly nodeId: number
  readonly number: number
  isAlive = true
  isPaused = false
  /** Since its listeners are open. */
  server: RunningServer | undefined
  replicas: ReplicaManager | undefined
  metadata: MetadataImage | undefined
  readonly time: Time
  readonly network: Network
  readonly #options: LifeOptions
  #waiting: (() => void)[] = []

  constructor(nodeId: number, number: number, options: LifeOptions) {
    this.nodeId = nodeId
    this.number = number
    this.#options = options
    const { time, skewMs } = options
    this.time = {
      nowMs: () => Math.floor(time.nowMs()) + skewMs(),
      monotonicMs: () => time.monotonicMs(),
      after: (delayMs, task) => this.#after(delayMs, task),
      soon: (task) => void this.#after(0, task),
    }
    this.network = {
      listen: (address, accept) => this.#listen(address, accept),
      connect: (address, handler) => this.#connect(address, handler),
    }
  }

  get name(): string {
    return `node ${this.nodeId}.${this.number}`
  }

  #after(delayMs: number, task: () => void): Scheduled {
    let isCancelled = false
    const scheduled = this.#options.time.after(delayMs, () => {
      this.enter(() => {
        if (!isCancelled) task()
      })
    })
    return {
      cancel: () => {
        isCancelled = true
        scheduled.cancel()
      },
    }
  }

  #listen(address: { host: string; port: number }, accept: (connection: Connection) => void): Promise<Listener> {
    if (!this.isAlive) return new Promise(() => {})
    return this.#options.network.listen(address, accept)
  }

  #connect(address: { host: string; port: number }, handler: ConnectionHandler): Connection {
    return this.isAlive ? this.#options.network.connect(address, handler) : NOWHERE
  }

  /** Something happens to the process: now, after its pause, or never. */
  enter(task: () => void): void {
    if (!this.isAlive) return
    if (this.isPaused) this.#waiting.push(task)
    else this.#options.run(this, task)
  }

  /** After a pause: all that was due meanwhile. */
  resume(): void {
    this.isPaused = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const task of waiting) this.#options.time.after(0, () => this.enter(task))
  }

  end(): void {
    this.isAlive = false
    this.#waiting = []
  }
}
