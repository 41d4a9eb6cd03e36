import { describe, expect, it } from 'vitest'
import { NotLeaderError } from '../replication/raft/types.ts'
import { heartbeatOf, idOf, registrationOf } from './brokers.testkit.ts'
import { ControllerWorld, newTopics } from './controller.testkit.ts'
import type { Controller } from './controller.ts'
import { Refusal } from './result.ts'

const NEWEST = 4

/** A broker with heartbeats of its own, each of which says that it knows everything. */
async function join(controller: Controller, brokerId: number, incarnation = 'first'): Promise<number> {
  const request = registrationOf(brokerId, { incarnationId: idOf(`${incarnation} of ${brokerId}`) })
  const epoch = await controller.registerBroker(request, NEWEST)
  await beat(controller, brokerId, epoch)
  return epoch
}

function beat(controller: Controller, brokerId: number, epoch: number, change = {}) {
  const currentMetadataOffset = controller.image.offset
  return controller.brokerHeartbeat(heartbeatOf(brokerId, epoch, { currentMetadataOffset, ...change }))
}

function livingIn({ image }: Controller): number[] {
  return [...image.brokers.values()].filter(({ fenced }) => !fenced).map(({ id }) => id)
}

describe('the life of brokers', () => {
  it('goes from the registration by heartbeats to silence', async () => {
    const world = new ControllerWorld()
    const controller = await world.open(false)
    const epoch = await controller.registerBroker(registrationOf(2), NEWEST)
    // The broker's epoch is the offset of its registration, of which it must have heard.
    expect(epoch).toBe(controller.image.offset)
    expect(await beat(controller, 2, epoch, { currentMetadataOffset: epoch - 1 })).toMatchObject({ isFenced: true })
    expect(await beat(controller, 2, epoch)).toMatchObject({ isFenced: false })
    const other = await join(controller, 3)
    await controller.createTopics(newTopics({ name: 't', numPartitions: 2, replicationFactor: 2 }))
    for (let second = 0; second < 20; second++) {
      await world.time.advance(1000)
      await beat(controller, 3, other)
    }
    expect(livingIn(controller)).toEqual([3])
    for (const { leader, isr } of controller.image.topics.byName('t')!.partitions.values()) {
      expect([leader, isr]).toEqual([3, [3]])
    }
    // A broker that was only silent serves again.
    expect(await beat(controller, 2, epoch)).toMatchObject({ isFenced: false })
    await controller.close()
  })

  it('another process of that id has to wait until the first is silent', async () => {
    const world = new ControllerWorld({ 'broker.session.timeout.ms': '2000' })
    const controller = await world.open(false)
    await join(controller, 2)
    const again = () => join(controller, 2, 'second')
    await expect(again()).rejects.toThrow(Refusal)
    await world.time.advance(2000)
    await expect(again()).rejects.toMatchObject({ error: 'DUPLICATE_BROKER_REGISTRATION' })
    await world.time.advance(1)
    const epoch = await again()
    expect(controller.image.brokers.get(2)).toMatchObject({ epoch, incarnationId: idOf('second of 2') })
    await controller.close()
  })

  it('a controller that becomes active gives everybody a full session, and none longer', async () => {
    const world = new ControllerWorld()
    const controller = await world.open(false)
    const epochs = [await join(controller, 2), await join(controller, 3)]
    await world.time.advance(8000)
    controller.quorum.resign(controller.quorum.leaderEpoch)
    await world.time.advance(2000)
    expect(controller.isActive).toBe(true)
    expect(livingIn(controller)).toEqual([2, 3])
    await world.time.advance(5000)
    await beat(controller, 3, epochs[1]!)
    await world.time.advance(6000)
    expect(livingIn(controller)).toEqual([3])
    await controller.close()
  })

  it('so does one that finds its log after a crash', async () => {
    const world = new ControllerWorld()
    const first = await world.open(false)
    const epoch = await join(first, 2)
    first.abandon()
    await world.time.advance(60_000)
    const second = await world.open(false)
    expect(livingIn(second)).toEqual([2])
    expect(await beat(second, 2, epoch)).toMatchObject({ isFenced: false, isCaughtUp: true })
    await world.time.advance(11_000)
    expect(livingIn(second)).toEqual([])
    await second.close()
  })

  it('nobody is looked after by a controller that is not active, or no longer there', async () => {
    const world = new ControllerWorld()
    const controller = await world.open(false)
    await join(controller, 2)
    expect(world.time.pendingTasks).toBeGreaterThan(0)
    await controller.close()
    expect(world.time.pendingTasks).toBe(0)
    await expect(beat(controller, 2, 1)).rejects.toThrow(NotLeaderError)
  })

  it('a failed directory counts before the rest of the heartbeat that tells of it (KIP-858)', async () => {
    const world = new ControllerWorld()
    const controller = await world.open(false)
    const directories = [idOf('a'), idOf('b')]
    const epoch = await controller.registerBroker(registrationOf(2, { logDirs: directories }), NEWEST)
    expect(await beat(controller, 2, epoch, { offlineLogDirs: [idOf('a')] })).toMatchObject({ isFenced: false })
    expect(controller.image.brokers.get(2)!.directories).toEqual([idOf('b')])
    await controller.close()
  })

  it('producer ids are for brokers of the current epoch (KIP-730)', async () => {
    const world = new ControllerWorld()
    const controller = await world.open(false)
    const brokerEpoch = await join(controller, 2)
    const ask = (request: { brokerId: number; brokerEpoch: number }) => controller.allocateProducerIds(request)
    expect(await ask({ brokerId: 2, brokerEpoch })).toEqual({ firstProducerId: 0, size: 1000 })
    expect(await ask({ brokerId: 2, brokerEpoch })).toEqual({ firstProducerId: 1000, size: 1000 })
    for (const stale of [
      { brokerId: 2, brokerEpoch: brokerEpoch - 1 },
      { brokerId: 3, brokerEpoch },
    ]) {
      await expect(ask(stale)).rejects.toMatchObject({ error: 'STALE_BROKER_EPOCH' })
    }
    await controller.close()
  })

  it('more partitions change with a broker than one write takes', async () => {
    const world = new ControllerWorld()
    const controller = await world.open(false)
    const epochs = [await join(controller, 2), await join(controller, 3)]
    for (const name of ['a', 'b', 'c']) {
      await controller.createTopics(newTopics({ name, numPartitions: 3400, replicationFactor: 2 }))
    }
    await beat(controller, 2, epochs[0]!, { wantFence: true })
    for (const { partitions } of controller.image.topics.all()) {
      for (const { leader, isr } of partitions.values()) expect([leader, isr]).toEqual([3, [3]])
    }
    await controller.close()
  })
})
