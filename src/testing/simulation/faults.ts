import type { DiskOperation } from '../../platform/memory-disk.ts'
import type { Ending, SimulatedNode } from './node.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { World } from './world.ts'

export interface FaultOptions {
  /** How much time there is between two faults, at most. */
  readonly maxPauseMs: number
  /** Nothing is acknowledged that is not on stable storage: the power may fail anywhere. */
  readonly isAllSynced: boolean
  /** Disks refuse to work, or are full, for a while. */
  readonly hasDiskFailures: boolean
}

/** A node that does not serve after that time might never. */
const START_MS = 3000

/** What fails together. */
const FAILING_OPERATIONS: readonly (readonly DiskOperation[])[] = [
  ['write'],
  ['sync'],
  ['write', 'sync', 'replace', 'rename', 'open', 'truncate', 'remove'],
  ['write', 'sync', 'replace', 'rename', 'open', 'truncate', 'remove', 'read'],
]

type Fault = (node: SimulatedNode) => Promise<void> | void

/** Breaks things, without end and limit but for what replication cannot make good. */
export class Faults {
  readonly #world: World
  readonly #random: SeededRandom
  readonly #options: FaultOptions
  isOver = false
  readonly #faults: readonly (readonly [weight: number, fault: Fault])[]

  constructor(world: World, options: FaultOptions) {
    this.#world = world
    this.#random = world.random.fork()
    this.#options = options
    this.#faults = [
      [5, (node) => this.#end(node, 'kill')],
      [4, (node) => this.#end(node, 'power')],
      [6, (node) => this.#crashAtChange(node)],
      [2, (node) => this.#stop(node)],
      [3, (node) => this.#pause(node)],
      [4, (node) => this.#isolate(node)],
      [3, (node) => this.#cutOneWay(node)],
      [3, () => this.#world.network.reset((count) => this.#random.below(count))],
      [2, (node) => this.#jump(node)],
      [2, (node) => this.#slowDisk(node)],
      [2, () => this.#slowNetwork()],
      [options.hasDiskFailures ? 4 : 0, (node) => this.#failDisk(node)],
    ]
  }

  async run(): Promise<void> {
    while (!this.isOver) {
      await this.#world.sleep(this.#random.below(this.#options.maxPauseMs))
      if (this.isOver) return
      void this.#draw()(this.#random.pick(this.#world.nodes))
    }
  }

  #draw(): Fault {
    let left = this.#random.below(this.#faults.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, fault] of this.#faults) {
      left -= weight
      if (left < 0) return fault
    }
    throw new RangeError('no fault')
  }

  /**
   * The power may fail here: what this node lacks then, all others have. Until it is in sync again none of them ends: as in
   * Apache Kafka, who was not shut down in order is not trusted to have everything, whatever it was that ended it.
   */
  #mayLosePower(node: SimulatedNode): boolean {
    if (this.#options.isAllSynced) return true
    return this.#world.nodes.every(
      (each) => each === node || (each.isServing && !each.isBehind && !each.hasDiskFailed && this.isInSync(each.id)),
    )
  }

  #mayEnd(node: SimulatedNode): boolean {
    return this.#options.isAllSynced || this.#world.nodes.every((each) => each === node || !each.isBehind)
  }

  async #restart(node: SimulatedNode): Promise<void> {
    await this.#world.sleep(this.#random.percent(50) ? this.#random.below(500) : this.#random.below(6000))
    node.start()
  }

  #end(node: SimulatedNode, ending: Ending): Promise<void> | void {
    if (!node.isUp) return this.#restart(node)
    if (!this.#mayEnd(node)) return
    node.end(ending === 'power' && !this.#mayLosePower(node) ? 'kill' : ending)
    return this.#restart(node)
  }

  async #crashAtChange(node: SimulatedNode): Promise<void> {
    if (!this.#mayEnd(node)) return
    const isPower = this.#random.percent(50)
    // From the start of a process on: recovery is where a crash is least expected.
    if (this.#random.percent(40) && node.isUp) {
      node.end('kill')
      await this.#world.sleep(this.#random.below(300))
      node.start()
    }
    if (!node.isUp || this.isOver) return
    const left = this.#random.between(1, this.#random.percent(50) ? 10 : 100)
    node.crashAfterChanges = { left, ending: () => this.#endingOf(node, isPower) }
    const { life } = node
    while (life?.isAlive && !this.isOver && life === node.life) await this.#world.sleep(100)
    await this.#restart(node)
  }

  /** What may happen to it now; undefined for nothing. */
  #endingOf(node: SimulatedNode, isPower: boolean): Ending | undefined {
    if (isPower && this.#mayLosePower(node)) return 'power'
    return this.#mayEnd(node) ? 'kill' : undefined
  }

  async #stop(node: SimulatedNode): Promise<void> {
    await node.stop()
    await this.#restart(node)
  }

  async #pause(node: SimulatedNode): Promise<void> {
    node.pause()
    await this.#world.sleep(this.#random.below(this.#random.percent(50) ? 1000 : 8000))
    node.resume()
  }

  async #isolate(node: SimulatedNode): Promise<void> {
    const { network, nodes, trace } = this.#world
    // With or without the clients.
    const withClients = this.#random.percent(30)
    trace.note(`node ${node.id} is cut off from the other nodes${withClients ? ' and clients' : ''}`)
    for (const { host } of nodes) {
      if (host === node.host) continue
      network.cut(node.host, host)
      network.cut(host, node.host)
    }
    if (withClients) for (const host of this.clientHosts) network.cut(host, node.host)
    await this.#healLater()
  }

  /** Hosts of clients. */
  clientHosts: readonly string[] = []
  /** Whether a node is in sync in all its partitions. */
  isInSync: (nodeId: number) => boolean = () => true

  async #cutOneWay(node: SimulatedNode): Promise<void> {
    const other = this.#random.pick(this.#world.nodes)
    if (other === node) return
    this.#world.trace.note(`nothing comes from node ${node.id} to node ${other.id}`)
    this.#world.network.cut(node.host, other.host)
    await this.#healLater()
  }

  async #healLater(): Promise<void> {
    await this.#world.sleep(this.#random.below(7000))
    this.#world.trace.note('the network is whole')
    this.#world.network.heal()
  }

  #jump(node: SimulatedNode): void {
    node.skewMs = this.#random.percent(30) ? 0 : this.#random.between(-60_000, 60_000)
    this.#world.trace.note(`the clock of node ${node.id} jumps to ${node.skewMs} ms off`)
  }

  async #slowDisk(node: SimulatedNode): Promise<void> {
    node.pace.maxSyncMs = this.#random.between(20, 800)
    this.#world.trace.note(`the disk of node ${node.id} takes up to ${node.pace.maxSyncMs} ms`)
    await this.#world.sleep(this.#random.below(5000))
    node.pace.maxSyncMs = 4
  }

  /**
   * For a while; whoever has given up a part of the disk needs a new start then, and is not trusted to have everything: as
   * with an ending, not while another lacks what its power took.
   */
  async #failDisk(node: SimulatedNode): Promise<void> {
    if (node.isDiskFailing || !this.#mayEnd(node)) return
    const { trace } = this.#world
    const random = this.#random
    if (random.percent(30)) {
      const roomBytes = random.below(6000)
      trace.note(`the disk of node ${node.id} has room for ${roomBytes} bytes`)
      node.fillDisk(roomBytes)
    } else {
      const directory = random.pick([...node.logDirectories, '/'])
      const percent = random.pick([5, 30, 100])
      const operations = random.pick(FAILING_OPERATIONS)
      trace.note(`in ${directory} of node ${node.id} ${percent} % of all ${operations.join(', ')} fail`)
      node.diskFailure = { code: 'EIO', directory, percent, operations }
    }
    await this.#world.sleep(random.below(6000))
    if (this.isOver) return
    trace.note(`the disk of node ${node.id} is repaired`)
    node.repairDisk()
    await this.#world.sleep(random.below(2000))
    if (!this.isOver) await this.#renew(node)
  }

  async #renew(node: SimulatedNode): Promise<void> {
    await this.#world.sleep(START_MS)
    if (!node.isUp) await this.#restart(node)
    else if (node.isServing && node.hasDiskFailed) await this.#stop(node)
    else if (node.hasDiskFailed) {
      // It has no part in its quorum any more, or waits for somebody, and never serves.
      while (!this.#mayEnd(node)) await this.#world.sleep(100)
      this.#end(node, 'kill')
    }
  }

  async #slowNetwork(): Promise<void> {
    this.#world.pace.maxDelayMs = this.#random.between(10, 300)
    this.#world.trace.note(`the network takes up to ${this.#world.pace.maxDelayMs} ms`)
    await this.#world.sleep(this.#random.below(4000))
    this.#world.pace.maxDelayMs = 2
  }

  /** All is well from now on. */
  heal(): void {
    this.isOver = true
    const { network, nodes, pace, trace } = this.#world
    trace.note('everything is healed')
    pace.maxDelayMs = 2
    network.heal()
    for (const node of nodes) {
      node.crashAfterChanges = undefined
      node.skewMs = 0
      node.pace.maxSyncMs = 4
      node.repairDisk()
      node.resume()
      node.start()
      void this.#renew(node)
    }
  }
}
