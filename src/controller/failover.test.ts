import { describe, expect, it } from 'vitest'
import { BrokerConfig } from '../config/broker-config.ts'
import { silentLogger } from '../platform/logger.ts'
import { MemoryDisk } from '../platform/memory-disk.ts'
import { MemoryNetwork } from '../platform/memory-network.ts'
import type { Connection } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { answerQuorum } from '../replication/raft/quorum.testkit.ts'
import { heartbeatOf, idOf, registrationOf, SESSION_MS } from './brokers.testkit.ts'
import { CLUSTER_ID, contentsOf, newTopics } from './controller.testkit.ts'
import { Controller } from './controller.ts'

const LISTENER = 'CONTROLLER'
const IDS = [1, 2, 3]

/** Three controllers on hosts of their own, and brokers that are only what they say. */
class Controllers {
  readonly time = new VirtualTime()
  readonly network = new MemoryNetwork(this.time)
  readonly all = new Map<number, Controller>()
  readonly #disks = new Map(IDS.map((id) => [id, new MemoryDisk()]))
  #random = 1

  constructor() {
    this.network.delayMs = () => 1
  }

  async start(id: number): Promise<void> {
    const host = `host-${id}`
    const disk = this.#disks.get(id)!
    const config = new BrokerConfig(
      new Map(
        Object.entries({
          'node.id': String(id),
          'process.roles': 'controller',
          listeners: `${LISTENER}://${host}:9093`,
          'controller.listener.names': LISTENER,
          'controller.quorum.voters': IDS.map((voter) => `${voter}@host-${voter}:9093`).join(),
          'log.dirs': '/data',
        }),
      ),
    )
    disk.makeDirectory('/data')
    const below = (bound: number) => {
      this.#random = (Math.imul(this.#random, 1103515245) + 12345) >>> 0
      return (this.#random >>> 8) % bound
    }
    const random = { below, bytes: (length: number) => Buffer.from(Array.from({ length }, () => below(256))) }
    const network = this.network.of(host)
    const controller = await Controller.open({
      platform: { disk, time: this.time, random, network } as Platform,
      logger: silentLogger,
      config,
      clusterId: CLUSTER_ID,
      directoryId: Buffer.alloc(16, id).toString('base64url'),
      controllerEndpoints: [{ name: LISTENER, host, port: 9093 }],
    })
    this.all.set(id, controller)
    const accept = (connection: Connection) => answerQuorum(connection, LISTENER, () => this.all.get(id)?.quorum)
    await network.listen({ host, port: 9093 }, accept)
  }

  crash(id: number): void {
    const controller = this.all.get(id)!
    this.all.delete(id)
    this.network.crash(`host-${id}`)
    this.#disks.get(id)!.crash()
    controller.abandon()
  }

  /** Nothing comes from it or gets to it until the network is whole again. */
  cutOff(id: number): void {
    for (const other of IDS) {
      this.network.cut(`host-${id}`, `host-${other}`)
      this.network.cut(`host-${other}`, `host-${id}`)
    }
  }

  /** The one that decides, of the latest epoch where there are two that mean to. */
  get active(): Controller | undefined {
    const active = [...this.all.values()].filter(({ isActive }) => isActive)
    return active.sort((a, b) => b.quorum.leaderEpoch - a.quorum.leaderEpoch)[0]
  }

  idOf(controller: Controller): number {
    return [...this.all].find(([, each]) => each === controller)![0]
  }

  async until(isSo: () => boolean): Promise<void> {
    for (let step = 0; step < 3000 && !isSo(); step++) await this.time.advance(10)
    expect(isSo()).toBe(true)
  }

  /** What a decision answers, or why it was not made. */
  async outcome<T>(decision: Promise<T>): Promise<T | Error> {
    let outcome: { readonly value: T | Error } | undefined
    void decision.then(
      (value) => (outcome = { value }),
      (value: Error) => (outcome = { value }),
    )
    await this.until(() => outcome !== undefined)
    return outcome!.value
  }

  beat(controller: Controller, brokerId: number, epoch: number) {
    return controller.brokerHeartbeat(heartbeatOf(brokerId, epoch, { currentMetadataOffset: controller.image.offset }))
  }

  /** Registers a broker and makes it serve; answers its epoch. */
  async join(brokerId: number): Promise<number> {
    const active = this.active!
    const epoch = (await this.outcome(active.registerBroker(registrationOf(brokerId), 4))) as number
    expect(await this.outcome(this.beat(active, brokerId, epoch))).toMatchObject({ isFenced: false })
    return epoch
  }
}

async function started(): Promise<Controllers> {
  const world = new Controllers()
  for (const id of IDS) await world.start(id)
  await world.until(() => world.active !== undefined)
  return world
}

function livingIn(controller: Controller): number[] {
  return [...controller.image.brokers.values()].filter(({ fenced }) => !fenced).map(({ id }) => id)
}

describe('when the active controller is lost', () => {
  it('another decides in its place, and gives every broker a full session', async () => {
    const world = await started()
    const epochs = new Map([
      [11, await world.join(11)],
      [12, await world.join(12)],
    ])
    const topics = newTopics({ name: 't', numPartitions: 4, replicationFactor: 2 })
    expect(await world.outcome(world.active!.createTopics(topics))).toMatchObject({ topics: [{ errorCode: 0 }] })
    world.crash(world.idOf(world.active!))
    await world.until(() => world.active !== undefined)
    const next = world.active!
    expect(livingIn(next)).toEqual([11, 12])
    const sinceMs = world.time.monotonicMs()
    // The one lives, and its epoch is still what it was; the other is silent.
    while (world.time.monotonicMs() - sinceMs < SESSION_MS) {
      expect(livingIn(next)).toEqual([11, 12])
      expect(await world.outcome(world.beat(next, 11, epochs.get(11)!))).toMatchObject({ isFenced: false })
      await world.time.advance(1000)
    }
    await world.until(() => livingIn(next).length === 1)
    expect(livingIn(next)).toEqual([11])
    for (const { leader, isr } of next.image.topics.byName('t')!.partitions.values()) {
      expect([leader, isr]).toEqual([11, [11]])
    }
    const stale = await world.outcome(next.registerBroker(registrationOf(11, { incarnationId: idOf('other') }), 4))
    expect(stale).toMatchObject({ error: 'DUPLICATE_BROKER_REGISTRATION' })
  })

  it('a broker of the same process is gone with it, and gets no full session', async () => {
    const world = await started()
    const lost = world.idOf(world.active!)
    for (const id of IDS) await world.join(id)
    world.crash(lost)
    await world.until(() => world.active !== undefined)
    const next = world.active!
    const sinceMs = world.time.monotonicMs()
    await world.until(() => livingIn(next).length < 3)
    expect(livingIn(next)).toEqual(IDS.filter((id) => id !== lost))
    expect(world.time.monotonicMs() - sinceMs).toBeLessThan(SESSION_MS / 2)
  })

  it('a broker of a process that is only silent gets one', async () => {
    const world = await started()
    const lost = world.idOf(world.active!)
    for (const id of IDS) await world.join(id)
    const before = world.active!
    world.cutOff(lost)
    await world.until(() => world.active !== undefined && world.active !== before)
    const next = world.active!
    const sinceMs = world.time.monotonicMs()
    await world.until(() => livingIn(next).length < 3)
    expect(world.time.monotonicMs() - sinceMs).toBeGreaterThan(SESSION_MS - 10)
  })

  it('what it could not commit was not decided', async () => {
    const world = await started()
    const epoch = await world.join(11)
    const cutOff = world.active!
    world.cutOff(world.idOf(cutOff))
    const fence = { currentMetadataOffset: cutOff.image.offset, wantFence: true }
    const undecided = cutOff.brokerHeartbeat(heartbeatOf(11, epoch, fence))
    const outcome = world.outcome(undecided)
    await world.until(() => world.active !== undefined && world.active !== cutOff)
    expect(await outcome).toMatchObject({ name: 'NotLeaderError' })
    await world.until(() => !cutOff.isActive)
    expect(await world.outcome(world.beat(cutOff, 11, epoch))).toMatchObject({ name: 'NotLeaderError' })
    expect(livingIn(world.active!)).toEqual([11])
    world.network.heal()
    expect(await world.outcome(world.beat(world.active!, 11, epoch))).toMatchObject({ isFenced: false })
    const contents = () => [...world.all.values()].map(({ image }) => contentsOf(image).join())
    await world.until(() => new Set(contents()).size === 1)
    expect(livingIn(cutOff)).toEqual([11])
  })
})
