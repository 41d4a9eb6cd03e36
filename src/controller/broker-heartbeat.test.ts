import { describe, expect, it } from 'vitest'
import { fenceStaleBroker, heartbeat, heartbeatDirectories } from './broker-heartbeat.ts'
import { brokersOf, heartbeatOf, idOf, registrationOf, SESSION_MS } from './brokers.testkit.ts'
import { apply, directoryOf, type TestCluster } from './partitions.testkit.ts'
import { type RegistrationContext, registerBroker } from './register-broker.ts'
import { Refusal } from './result.ts'

const OTHER_DIRECTORY = 'OOieC9GbRMy7po1nB9IrzQ'

/** Sends a heartbeat, makes its records come true, and answers what the broker is told. */
function beat(context: RegistrationContext, brokerId: number, change: Parameters<typeof heartbeatOf>[2] = {}) {
  const { records, response } = heartbeat(context, heartbeatOf(brokerId, brokerId * 100, change))
  apply(context, records)
  return response
}

const living = { isCaughtUp: true, isFenced: false, shouldShutDown: false }
const fenced = { isCaughtUp: true, isFenced: true, shouldShutDown: false }
const gone = { isCaughtUp: true, isFenced: true, shouldShutDown: true }

/** Broker 3 is fenced and not in sync. */
const withFenced: TestCluster = {
  brokers: [{ id: 1 }, { id: 2 }, { id: 3, fenced: true }],
  partitions: [{ isr: [1, 2] }],
}

describe('BrokerHeartbeat (KIP-631)', () => {
  it('unfences a broker that has caught up with its registration', () => {
    const context = brokersOf()
    apply(context, registerBroker(context, registrationOf(4), 4, false).records)
    const of = (currentMetadataOffset: number) => {
      const { records, response } = heartbeat(context, heartbeatOf(4, 1000, { currentMetadataOffset }))
      apply(context, records)
      return response
    }
    expect(of(999)).toEqual({ ...fenced, isCaughtUp: false })
    expect(context.head.brokers.get(4)!.fenced).toBe(true)
    expect(of(1000)).toEqual(living)
    expect(context.head.brokers.get(4)!.fenced).toBe(false)
  })

  it('takes what was decided before this controller for the registration that it does not know', () => {
    const context = brokersOf(withFenced)
    expect(beat(context, 3, { currentMetadataOffset: 998 })).toEqual({ ...fenced, isCaughtUp: false })
    expect(beat(context, 3, { currentMetadataOffset: 999 })).toEqual(living)
  })

  it('fences a broker that wants it, and one that wants to be gone at once', () => {
    const context = brokersOf()
    expect(beat(context, 1, { wantFence: true })).toEqual(fenced)
    expect(apply(context, [])).toMatchObject({ leader: 2, isr: [2, 3] })
    expect(beat(context, 1, { wantFence: true })).toEqual(fenced)
    expect(beat(context, 2, { wantFence: true, wantShutDown: true })).toEqual(gone)
    expect(apply(context, [])).toMatchObject({ leader: 3, isr: [3] })
  })

  it.each([
    ['of no broker', 4, 400, 'No broker registration found for broker id 4'],
    ['of another epoch', 1, 99, 'Expected broker epoch 100, but got broker epoch 99'],
  ])('is refused %s', (_, brokerId, epoch, text) => {
    const context = brokersOf()
    for (const decide of [heartbeat, heartbeatDirectories]) {
      expect(() => decide(context, heartbeatOf(brokerId, epoch))).toThrow(new Refusal('STALE_BROKER_EPOCH', text))
    }
    expect(context.sessions.isValid(brokerId, epoch, 0)).toBe(false)
  })
})

describe('controlled shutdown', () => {
  it('lets a broker go that leads nothing, and one that is fenced', () => {
    const context = brokersOf(withFenced)
    expect(beat(context, 2, { wantShutDown: true })).toEqual(gone)
    expect(apply(context, [])).toMatchObject({ leader: 1, isr: [1] })
    expect(beat(context, 3, { wantShutDown: true })).toEqual(gone)
  })

  it('moves the lead away first, and waits until all others know', () => {
    const context = brokersOf()
    for (const id of [2, 3]) beat(context, id)
    expect(beat(context, 1, { wantShutDown: true })).toEqual(living)
    expect(apply(context, [])).toMatchObject({ leader: 2, isr: [2, 3] })
    expect(context.head.brokers.get(1)).toMatchObject({ inControlledShutdown: true, fenced: false })
    // The two records of the shutdown end at offset 1001.
    expect(context.sessions.shutdownOffset(1)).toBe(1001)
    expect(beat(context, 1, { wantShutDown: true })).toEqual(living)
    beat(context, 2, { currentMetadataOffset: 1001 })
    expect(beat(context, 1, { wantShutDown: true })).toEqual(living)
    beat(context, 3, { currentMetadataOffset: 1005 })
    expect(beat(context, 1, { wantShutDown: true })).toEqual(gone)
    expect(context.head.brokers.get(1)!.fenced).toBe(true)
    expect(beat(context, 1, { wantShutDown: true })).toEqual(gone)
  })

  it('waits for nobody where no other broker lives', () => {
    const context = brokersOf({
      brokers: [{ id: 1 }, { id: 2, fenced: true }],
      partitions: [{ replicas: [1, 2], isr: [1] }],
      elr: 0,
    })
    expect(beat(context, 1, { wantShutDown: true })).toEqual(living)
    expect(apply(context, []).leader).toBe(-1)
    expect(beat(context, 1, { wantShutDown: true })).toEqual(gone)
  })

  it('a broker that another controller was shutting down begins anew with this one', () => {
    const context = brokersOf({ brokers: [{ id: 1, inControlledShutdown: true }, { id: 2 }, { id: 3 }] })
    expect(beat(context, 1, { wantShutDown: true })).toEqual(living)
    for (const id of [2, 3]) beat(context, id)
    expect(beat(context, 1, { wantShutDown: true })).toEqual(gone)
  })
})

describe('directories in heartbeats', () => {
  const brokers = [{ id: 1, directories: [directoryOf(1), OTHER_DIRECTORY] }, { id: 2 }, { id: 3 }]
  const failed = heartbeatOf(1, 100, { offlineLogDirs: [directoryOf(1)] })

  it('a failed one takes its partitions out of sync, once (KIP-858)', () => {
    const context = brokersOf({ brokers })
    expect(apply(context, heartbeatDirectories(context, failed))).toMatchObject({ leader: 2, isr: [2, 3] })
    expect(context.head.brokers.get(1)!.directories).toEqual([OTHER_DIRECTORY])
    expect(heartbeatDirectories(context, failed)).toEqual([])
  })

  it('a failed one does not matter before metadata.version 3.7', () => {
    expect(heartbeatDirectories(brokersOf({ brokers, level: 16, elr: 0 }), failed)).toEqual([])
  })

  it('those that take no new replicas are written down where they change (KIP-1066)', () => {
    const context = brokersOf({ brokers })
    const of = (cordonedLogDirs: string[] | null) =>
      heartbeatDirectories(context, heartbeatOf(1, 100, { cordonedLogDirs }))
    expect(of(null)).toEqual([])
    const none = of([])
    expect(none).toMatchObject([{ name: 'BrokerRegistrationChange', version: 3, value: { cordonedLogDirs: [] } }])
    apply(context, none)
    expect(of([])).toEqual([])
    apply(context, of([OTHER_DIRECTORY, directoryOf(1)]))
    expect(context.head.brokers.get(1)!.cordonedDirectories).toEqual([OTHER_DIRECTORY, directoryOf(1)])
    expect(of([directoryOf(1), OTHER_DIRECTORY])).toEqual([])
    expect(
      heartbeatDirectories(brokersOf({ brokers, level: 29 }), heartbeatOf(1, 100, { cordonedLogDirs: [] })),
    ).toEqual([])
  })
})

describe('sessions', () => {
  it('one silent broker is fenced at a time', () => {
    const context = brokersOf()
    for (const id of [1, 2, 3]) beat(context, id)
    beat({ ...context, nowMs: 1 }, 3)
    const fence = (nowMs: number) => {
      const { records, response } = fenceStaleBroker({ ...context, nowMs })
      apply(context, records)
      return [response, ...[...context.head.brokers.values()].filter((broker) => broker.fenced).map(({ id }) => id)]
    }
    expect(fence(SESSION_MS)).toEqual([false])
    expect(fence(SESSION_MS + 1)).toEqual([true, 1])
    expect(apply(context, [])).toMatchObject({ leader: 2, isr: [2, 3] })
    expect(fence(SESSION_MS + 1)).toEqual([true, 1, 2])
    expect(fence(SESSION_MS + 1)).toEqual([false, 1, 2])
    expect(beat({ ...context, nowMs: SESSION_MS + 2 }, 1)).toEqual(living)
  })

  it('one of an earlier incarnation, or of a broker that is gone or fenced, ends without more', () => {
    const context = brokersOf()
    context.sessions.heard(1, 99, 0)
    context.sessions.heard(9, 900, 0)
    beat(context, 3, { wantFence: true })
    const at = { ...context, nowMs: SESSION_MS + 1 }
    const none = { records: [], response: true }
    expect([1, 2, 3].map(() => fenceStaleBroker(at))).toEqual([none, none, none])
  })

  it('a broker that is fenced while it shuts down may go at once', () => {
    const context = brokersOf()
    beat(context, 1, { wantShutDown: true })
    apply(context, fenceStaleBroker({ ...context, nowMs: SESSION_MS + 1 }).records)
    expect(beat(context, 1, { wantShutDown: true })).toEqual(gone)
  })

  it('time in which the controller stood still does not count', () => {
    const { sessions } = brokersOf()
    sessions.heard(1, 100, 0)
    sessions.heard(2, 200, 18_000)
    sessions.excuse(15_000, 20_000)
    expect([sessions.isValid(1, 100, 24_000), sessions.isValid(1, 100, 24_001)]).toEqual([true, false])
    expect([sessions.isValid(2, 200, 29_000), sessions.isValid(2, 200, 29_001)]).toEqual([true, false])
  })

  it('a broker whose connection ends has little time to come back by another', () => {
    const { sessions } = brokersOf()
    const graceMs = 3000
    sessions.heard(1, 100, 0)
    sessions.heardBy(1, 7)
    sessions.disconnected(1, 7, 1000, graceMs)
    expect([sessions.isValid(1, 100, 4000), sessions.isValid(1, 100, 4001)]).toEqual([true, false])
    sessions.heard(1, 100, 2000)
    sessions.heardBy(1, 8)
    expect(sessions.isValid(1, 100, 2000 + SESSION_MS)).toBe(true)
    sessions.disconnected(1, 7, 3000, graceMs)
    expect(sessions.isValid(1, 100, 2000 + SESSION_MS)).toBe(true)
  })

  it('one that was told that it may go has ended with its connection, and may be started again', () => {
    const context = brokersOf()
    const again = registrationOf(2, { incarnationId: idOf('second of 2') })
    const register = () => registerBroker(context, again, 4, false)
    const end = () => context.sessions.disconnected(2, 7, 0, SESSION_MS)
    expect(beat(context, 2, { wantShutDown: true })).toEqual(gone)
    context.sessions.heardBy(2, 7)
    // It may have something to finish as long as the connection stays.
    expect(register).toThrow(expect.objectContaining({ error: 'DUPLICATE_BROKER_REGISTRATION' }))
    expect(beat(context, 2)).toEqual(living)
    end()
    expect(register).toThrow(expect.objectContaining({ error: 'DUPLICATE_BROKER_REGISTRATION' }))
    expect(beat(context, 2, { wantShutDown: true })).toEqual(gone)
    end()
    expect(register().response).toBe(1000)
  })

  it('nor has it more time than it had', () => {
    const { sessions } = brokersOf()
    sessions.heard(1, 100, 0)
    sessions.heardBy(1, 7)
    sessions.disconnected(1, 7, SESSION_MS - 1000, 3000)
    expect([sessions.isValid(1, 100, SESSION_MS), sessions.isValid(1, 100, SESSION_MS + 1)]).toEqual([true, false])
  })
})
