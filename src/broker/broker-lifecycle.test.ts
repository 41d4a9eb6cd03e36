import { describe, expect, test } from 'vitest'
import { MetadataImage } from '../metadata/image.ts'
import { metadataRecord } from '../metadata/records.ts'
import { silentLogger } from '../platform/logger.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { type Api, apis } from '../protocol/api-keys.ts'
import { errors } from '../protocol/errors.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import { BrokerLifecycle } from './broker-lifecycle.ts'

type Body = Record<string, unknown>

/** A controller that does what it is told to, and the broker's metadata. */
class World {
  readonly time = new VirtualTime()
  readonly image = new MetadataImage()
  readonly asked: [string, Body][] = []
  readonly offline: string[] = []
  isStuck = false
  /** Of which no controller has heard in time. */
  readonly untold: string[] = []
  readonly cordoned: string[] = []
  registrationErrors: number[] = []
  /** Nobody takes any request. */
  isSilent = false
  /** How long the controller works on each. */
  workMs = 0
  heartbeat: () => Body = () => ({ errorCode: 0, isCaughtUp: true, isFenced: false, shouldShutDown: false })
  #epoch = 10

  readonly link = {
    request: async (api: Api, body: (version: number) => unknown) => {
      if (this.isSilent) throw new RequestError('timed out', 'nobody')
      this.asked.push([api.name, body(2) as Body])
      await new Promise<void>((resolve) => this.time.after(this.workMs, resolve))
      const response = (api as unknown) === apis.BrokerRegistration ? this.#register() : this.heartbeat()
      return { version: 2, response }
    },
  } as unknown as ControllerLink

  readonly lifecycle = new BrokerLifecycle({
    nodeId: 1,
    clusterId: 'cluster',
    endPoints: [],
    rack: null,
    directories: ['directory'],
    offlineDirectories: () => this.offline,
    directoryFailureTimeoutMs: 30_000,
    isStuck: () => this.isStuck,
    onUntoldDirectory: (id) => this.untold.push(id),
    cordonedDirectories: () => this.cordoned,
    previousBrokerEpoch: 7,
    heartbeatIntervalMs: 2000,
    sessionTimeoutMs: 9000,
    registrationTimeoutMs: 60_000,
    link: this.link,
    image: this.image,
    time: this.time,
    random: { bytes: (length) => Buffer.alloc(length, 3), below: () => 0 },
    logger: silentLogger,
  })

  #register(): Body {
    const errorCode = this.registrationErrors.shift() ?? 0
    return { errorCode, brokerEpoch: errorCode === 0 ? ++this.#epoch : -1 }
  }

  /** The records of the registration, or of what came after, reach this node. */
  catchUp(fenced: boolean): void {
    const rest = { incarnationId: 'i', isMigratingZkBroker: false, endPoints: [], features: [], rack: null }
    const value = { brokerId: 1, brokerEpoch: this.#epoch, ...rest, fenced, inControlledShutdown: false }
    this.image.replay(metadataRecord('RegisterBroker', { ...value, logDirs: [], cordonedLogDirs: null }))
  }

  bodies(name: string): Body[] {
    return this.asked.filter(([api]) => api === name).map(([, body]) => body)
  }
}

function watched(promise: Promise<void>): { state: string } {
  const outcome = { state: 'waits' }
  promise.then(
    () => {
      outcome.state = 'done'
    },
    (error) => {
      outcome.state = error.message
    },
  )
  return outcome
}

async function registered(): Promise<World> {
  const world = new World()
  const registering = watched(world.lifecycle.register())
  await world.time.advance(20)
  world.catchUp(true)
  await world.time.advance(20)
  expect(registering.state).toBe('done')
  return world
}

describe('the life of a broker (KIP-631)', () => {
  test('is registered when its own metadata have the registration, and stays fenced until it is ready', async () => {
    const world = new World()
    const registering = watched(world.lifecycle.register())
    await world.time.advance(5000)
    expect(registering.state).toBe('waits')
    world.catchUp(true)
    await world.time.advance(20)
    expect(registering.state).toBe('done')
    expect(world.bodies('BrokerRegistration')).toMatchObject([{ previousBrokerEpoch: 7, logDirs: ['directory'] }])
    expect(world.bodies('BrokerHeartbeat').map(({ wantFence }) => wantFence)).toEqual([true, true, true])
    const unfencing = watched(world.lifecycle.unfence())
    await world.time.advance(20)
    expect(unfencing.state).toBe('waits')
    world.catchUp(false)
    await world.time.advance(20)
    expect(unfencing.state).toBe('done')
    expect(world.bodies('BrokerHeartbeat').at(-1)).toMatchObject({ wantFence: false, brokerEpoch: 11 })
    world.lifecycle.close()
  })

  test('waits for the session of one of the same id to end', async () => {
    const world = new World()
    world.registrationErrors = [errors.DUPLICATE_BROKER_REGISTRATION.code, errors.DUPLICATE_BROKER_REGISTRATION.code]
    const registering = watched(world.lifecycle.register())
    await world.time.advance(300)
    world.catchUp(true)
    await world.time.advance(20)
    expect(registering.state).toBe('done')
    world.lifecycle.close()
  })

  test('another cluster is none to go on trying with; nor is a broker of the same id that lives on', async () => {
    const foreign = new World()
    foreign.registrationErrors = [errors.INCONSISTENT_CLUSTER_ID.code]
    const refused = watched(foreign.lifecycle.register())
    await foreign.time.advance(10)
    expect(refused.state).toContain('INCONSISTENT_CLUSTER_ID')
    const twin = new World()
    twin.registrationErrors = new Array(1000).fill(errors.DUPLICATE_BROKER_REGISTRATION.code)
    const outdated = watched(twin.lifecycle.register())
    await twin.time.advance(61_000)
    expect(outdated.state).toContain('DUPLICATE_BROKER_REGISTRATION')
  })

  test('the reason that a controller gave is told, also if the last try had no answer', async () => {
    const world = new World()
    world.registrationErrors = new Array(1000).fill(errors.DUPLICATE_BROKER_REGISTRATION.code)
    const refused = watched(world.lifecycle.register())
    await world.time.advance(50_000)
    world.isSilent = true
    await world.time.advance(11_000)
    expect(refused.state).toContain('DUPLICATE_BROKER_REGISTRATION')
    const lonely = new World()
    lonely.isSilent = true
    const unheard = watched(lonely.lifecycle.register())
    await lonely.time.advance(61_000)
    expect(unheard.state).toContain('REQUEST_TIMED_OUT (nobody)')
  })

  test('registers again when the controller knows it no more', async () => {
    const world = await registered()
    world.heartbeat = () => ({ errorCode: errors.STALE_BROKER_EPOCH.code, isFenced: true, shouldShutDown: false })
    await world.time.advance(2000)
    world.heartbeat = () => ({ errorCode: 0, isFenced: false, shouldShutDown: false })
    await world.time.advance(2000)
    expect(world.bodies('BrokerRegistration').length).toBe(2)
    expect(world.bodies('BrokerRegistration')[1]).toMatchObject({ previousBrokerEpoch: 11 })
    expect(world.lifecycle.brokerEpoch).toBe(12)
    world.lifecycle.close()
  })

  test('has itself fenced as long as its metadata stand still', async () => {
    const world = await registered()
    void world.lifecycle.unfence()
    world.catchUp(false)
    await world.time.advance(20)
    const wanted = async (isStuck: boolean) => {
      world.isStuck = isStuck
      await world.time.advance(2000)
      return world.bodies('BrokerHeartbeat').at(-1)!.wantFence
    }
    expect([await wanted(false), await wanted(true), await wanted(false)]).toEqual([false, true, false])
    world.lifecycle.close()
  })

  test('goes on after heartbeats that reached nobody', async () => {
    const world = await registered()
    world.heartbeat = () => {
      throw new RequestError('timed out', 'nobody')
    }
    await world.time.advance(2100)
    const before = world.bodies('BrokerHeartbeat').length
    await world.time.advance(1000)
    expect(world.bodies('BrokerHeartbeat').length).toBeGreaterThan(before)
    world.lifecycle.close()
  })

  test('a directory that fails is told of at once (KIP-858)', async () => {
    const world = await registered()
    const before = world.bodies('BrokerHeartbeat').length
    world.offline.push('directory')
    world.lifecycle.directoryFailed()
    await world.time.advance(1)
    expect(world.bodies('BrokerHeartbeat').slice(before)).toMatchObject([{ offlineLogDirs: ['directory'] }])
    world.lifecycle.close()
  })

  test.each([
    ['in the first request after a silence', 20_000, []],
    ['too late (log.dir.failure.timeout.ms)', 30_000, ['directory']],
  ])('a directory that fails is told of %s', async (_, silenceMs, untold) => {
    const world = await registered()
    world.isSilent = true
    world.offline.push('directory')
    world.lifecycle.directoryFailed()
    await world.time.advance(silenceMs - 1)
    expect(world.untold).toEqual([])
    world.isSilent = silenceMs === 30_000
    await world.time.advance(60_000)
    expect(world.untold).toEqual(untold)
    world.lifecycle.close()
  })

  test('a directory that had failed before is told of in time, too', async () => {
    const world = new World()
    world.offline.push('directory')
    world.registrationErrors = [errors.DUPLICATE_BROKER_REGISTRATION.code]
    const registering = watched(world.lifecycle.register())
    world.isSilent = true
    await world.time.advance(30_000)
    expect([registering.state, world.untold]).toEqual(['waits', ['directory']])
    world.lifecycle.close()
  })

  test('tells which directories take no replicas once it knows its settings (KIP-1066)', async () => {
    const world = await registered()
    const unfenced = watched(world.lifecycle.unfence())
    await world.time.advance(1)
    world.catchUp(false)
    await world.time.advance(100)
    expect(unfenced.state).toBe('done')
    world.cordoned.push('directory')
    await world.time.advance(2100)
    const told = world.bodies('BrokerHeartbeat').filter(({ wantFence }) => !wantFence)
    expect(told.at(0)).toMatchObject({ cordonedLogDirs: [] })
    expect(told.at(-1)).toMatchObject({ cordonedLogDirs: ['directory'] })
    for (const body of world.bodies('BrokerHeartbeat')) expect('cordonedLogDirs' in body).toBe(!body.wantFence)
    world.lifecycle.close()
  })

  test('goes when the controller has moved away what it leads, or after a while', async () => {
    const world = await registered()
    const going = watched(world.lifecycle.shutDown(30_000))
    await world.time.advance(1000)
    expect(going.state).toBe('waits')
    expect(world.bodies('BrokerHeartbeat').at(-1)).toMatchObject({ wantShutDown: true })
    world.heartbeat = () => ({ errorCode: 0, isFenced: false, shouldShutDown: true })
    await world.time.advance(200)
    expect(going.state).toBe('done')
    world.lifecycle.close()

    const stuck = await registered()
    const waiting = watched(stuck.lifecycle.shutDown(30_000))
    await stuck.time.advance(30_000)
    expect(waiting.state).toBe('done')
    stuck.lifecycle.close()
  })

  test('goes sooner when it has failed meanwhile', async () => {
    const world = await registered()
    const going = watched(world.lifecycle.shutDown(300_000))
    await world.time.advance(20_000)
    world.lifecycle.hurry(10_000)
    await world.time.advance(9000)
    expect(going.state).toBe('waits')
    await world.time.advance(2000)
    expect(going.state).toBe('done')
    world.lifecycle.close()
  })

  test('does not wait for controllers that have all gone', async () => {
    const world = await registered()
    const going = watched(world.lifecycle.shutDown(30_000))
    await world.time.advance(10_000)
    expect(going.state).toBe('waits')
    world.isSilent = true
    await world.time.advance(5000)
    expect(going.state).toBe('done')
    world.lifecycle.close()
  })

  test('counts the time without a controller from the moment on in which the last one went', async () => {
    const world = await registered()
    world.workMs = 3000
    world.heartbeat = () => {
      world.isSilent = true
      throw new RequestError('disconnected', 'was closed')
    }
    const going = watched(world.lifecycle.shutDown(60_000))
    await world.time.advance(6500)
    expect(going.state).toBe('waits')
    await world.time.advance(1000)
    expect(going.state).toBe('done')
    world.lifecycle.close()
  })

  test('waits for a controller that works on its heartbeat, and has time to look for the next when that one ends', async () => {
    const world = await registered()
    world.workMs = 20_000
    world.heartbeat = () => {
      throw new RequestError('disconnected', 'was closed')
    }
    const going = watched(world.lifecycle.shutDown(60_000))
    await world.time.advance(20_500)
    world.heartbeat = () => ({ errorCode: 0, isFenced: false, shouldShutDown: true })
    await world.time.advance(18_000)
    expect(going.state).toBe('waits')
    await world.time.advance(3000)
    expect(going.state).toBe('done')
    expect(world.bodies('BrokerHeartbeat').filter(({ wantShutDown }) => wantShutDown).length).toBe(2)
    world.lifecycle.close()
  })
})
