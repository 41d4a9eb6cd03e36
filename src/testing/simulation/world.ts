import { StartupError } from '../../config/startup-error.ts'
import { diskErrorCode } from '../../platform/disk.ts'
import type { DiskOperation } from '../../platform/memory-disk.ts'
import { MemoryNetwork } from '../../platform/memory-network.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { crc32c } from '../../protocol/records/crc.ts'
import { MetadataLogError } from '../../replication/raft/types.ts'
import type { ClientConnection } from './connection.ts'
import type { Life } from './life.ts'
import type { SimulatedNode } from './node.ts'
import { SeededRandom } from './seeded-random.ts'
import { Trace } from './trace.ts'

/** What must never be, has been. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** How long messages take. */
export interface NetworkPace {
  maxDelayMs: number
  /** Of a hundred messages, how many take much longer. */
  slowPercent: number
}

/** What an operator is told in one line, of a disk that does not work. */
function isOfDisk(error: unknown): boolean {
  return error instanceof StartupError || error instanceof MetadataLogError || diskErrorCode(error) !== undefined
}

const SLOW_FACTOR = 20

/** What there is besides the nodes: time, network, chance; and what is known of the run so far. */
export class World {
  readonly time = new VirtualTime()
  readonly network: MemoryNetwork
  readonly random: SeededRandom
  readonly trace: Trace
  readonly nodes: SimulatedNode[] = []
  /** Those of clients that are open. */
  readonly connections = new Set<ClientConnection>()
  readonly pace: NetworkPace = { maxDelayMs: 2, slowPercent: 1 }
  /** The first thing that went wrong. */
  failure: Error | undefined
  /** The process that does something now; undefined for clients and the network. */
  current: Life | undefined
  /** Nothing more is asked of the cluster. */
  isOver = false
  onDiskChange: (node: SimulatedNode, operation: DiskOperation, path: string) => void = () => {}
  /** Called after every event, with each process that it was for. */
  afterEvent: (life: Life) => void = () => {}
  /** Processes that have done something since `afterEvent` was called. */
  readonly #entered = new Set<Life>()
  events = 0

  constructor(seed: number, isVerbose: boolean) {
    this.random = new SeededRandom(seed)
    this.trace = new Trace(this.time, isVerbose)
    this.network = new MemoryNetwork(this.time)
    const random = this.random.fork()
    this.network.delayMs = () => {
      const isSlow = random.percent(this.pace.slowPercent)
      return random.fraction() * this.pace.maxDelayMs * (isSlow ? SLOW_FACTOR : 1)
    }
    this.network.connectTimeoutMs = 2000
    this.network.deliver = (host, run) => this.#deliver(host, run)
    this.network.onBytes = (from, to, chunk, connection) => {
      this.trace.mix(connection)
      this.trace.mix(crc32c(chunk, 0, chunk.length))
      this.trace.mixText(to)
      this.trace.detail(() => `${from} -> ${to} #${connection} ${chunk.length} bytes`)
    }
  }

  #deliver(host: string, run: () => void): void {
    const node = this.nodes.find((each) => each.host === host)
    if (node === undefined) run()
    else node.life?.enter(run)
  }

  /** A violation; the run ends. */
  fail(what: string): void {
    if (this.failure !== undefined) return
    this.trace.note(`VIOLATION: ${what}`)
    this.failure = new Violation(what)
  }

  runAs(life: Life, task: () => void): void {
    this.current = life
    this.#entered.add(life)
    try {
      task()
    } catch (error) {
      this.nodeFailed(life, error)
    }
  }

  /** A process ended on its own account: an assertion did not hold, or it could not start. */
  nodeFailed(life: Life, error: unknown): void {
    if (!life.isAlive) return
    const node = this.nodes.find(({ id }) => id === life.nodeId)!
    if (node.isDiskFailing && isOfDisk(error)) {
      this.trace.note(`${life.name} gives up: ${(error as Error).message}`)
      node.end('kill')
      return
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.fail(`${life.name} stopped: ${text}`)
  }

  /** Until `isDone`, or for `durationMs`; false where the time ran out first. */
  async run(durationMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    const endMs = this.time.nowMs() + durationMs
    while (this.failure === undefined && !isDone()) {
      this.current = undefined
      if (!(await this.time.step(endMs))) {
        await this.time.advance(Math.max(0, endMs - this.time.nowMs()))
        return isDone()
      }
      this.events++
      this.current = undefined
      for (const life of this.#entered) this.afterEvent(life)
      this.#entered.clear()
    }
    return this.failure === undefined
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.time.after(durationMs, resolve))
  }
}
