import { expect } from 'vitest'
import { MemoryDisk } from '../../platform/memory-disk.ts'
import { MemoryNetwork } from '../../platform/memory-network.ts'
import type { Connection } from '../../platform/network.ts'
import type { Platform } from '../../platform/platform.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { QuorumChannel } from '../channel/quorum-channel.ts'
import { seededRandom } from './core/quorum.testkit.ts'
import type { VoterNode } from './core/types.ts'
import { VoterSet } from './core/voters.ts'
import { answerQuorum, DIRECTORY, formatWith, Journal, QUORUM_DEFAULTS, serde } from './quorum.testkit.ts'
import { Quorum } from './quorum.ts'
import type { QuorumNodeOptions } from './quorum-options.ts'

export const LISTENER = 'CONTROLLER'

/** Nodes on hosts of their own, which talk over the wire. */
export class World {
  readonly time = new VirtualTime()
  readonly network = new MemoryNetwork(this.time)
  readonly nodes: Node[]

  constructor(count: number, change: Partial<QuorumNodeOptions> = {}) {
    this.network.delayMs = () => 1
    this.nodes = Array.from({ length: count }, (_, index) => new Node(this, index + 1, change))
  }

  /** What a format command with initial controllers leaves: the first `count` nodes are the voters. */
  format(count: number): void {
    const voters = this.nodes.slice(0, count).map((node) => node.asVoter)
    for (const { disk } of this.nodes) formatWith(disk, voters)
  }

  async startAll(): Promise<void> {
    for (const node of this.nodes) await node.start()
  }

  async until(isSo: () => boolean): Promise<void> {
    for (let step = 0; step < 3000 && !isSo(); step++) await this.time.advance(10)
    expect(isSo()).toBe(true)
  }

  get leader(): Node | undefined {
    const led = this.nodes.filter(({ quorum, id }) => quorum?.leaderId === id)
    return led.sort((a, b) => b.quorum!.leaderEpoch - a.quorum!.leaderEpoch)[0]
  }
}

export class Node {
  readonly id: number
  readonly disk = new MemoryDisk()
  readonly #world: World
  readonly #change: Partial<QuorumNodeOptions>
  directoryId: string
  quorum: Quorum<string> | undefined
  journal = new Journal()

  constructor(world: World, id: number, change: Partial<QuorumNodeOptions>) {
    this.id = id
    this.#world = world
    this.#change = change
    this.directoryId = Buffer.alloc(16, id).toString('base64url')
    this.disk.makeDirectory(DIRECTORY)
  }

  get asVoter(): VoterNode {
    const endpoints = [{ name: LISTENER, host: `host-${this.id}`, port: 9093 }]
    return { id: this.id, directoryId: this.directoryId, endpoints, kraftVersions: { min: 0, max: 1 } }
  }

  options(): QuorumNodeOptions {
    const { time, network, nodes } = this.#world
    const below = seededRandom(this.id)
    const platform = { disk: this.disk, time, random: { below } } as unknown as Platform
    const channel = new QuorumChannel({
      network: network.of(`host-${this.id}`),
      time,
      clientId: `node-${this.id}`,
      requestTimeoutMs: 2000,
      maxResponseBytes: 1e8,
      listenerName: LISTENER,
    })
    return {
      ...QUORUM_DEFAULTS,
      platform,
      channel,
      nodeId: this.id,
      directoryId: this.directoryId,
      endpoints: this.asVoter.endpoints,
      bootstrapPeers: nodes.map(({ id }) => ({ id: -1 - id, host: `host-${id}`, port: 9093 })),
      fetchSnapshotMaxBytes: 200,
      staticVoters: new VoterSet([]),
      ...this.#change,
    }
  }

  async start(): Promise<void> {
    this.journal = new Journal()
    this.quorum = Quorum.open(this.options(), serde, this.journal)
    const accept = (connection: Connection) => answerQuorum(connection, LISTENER, () => this.quorum)
    await this.#world.network.of(`host-${this.id}`).listen({ host: `host-${this.id}`, port: 9093 }, accept)
  }

  /** As a loss of power. */
  crash(): void {
    this.#world.network.crash(`host-${this.id}`)
    const abandoned = this.quorum
    this.quorum = undefined
    this.disk.crash()
    abandoned?.abandon()
  }
}
