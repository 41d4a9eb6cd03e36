import { describe, expect, it } from 'vitest'
import { silentLogger } from '../platform/logger.ts'
import { errors } from '../protocol/errors.ts'
import { brokersOf, idOf, ownFeatures, registrationOf } from './brokers.testkit.ts'
import { apply, directoryOf } from './partitions.testkit.ts'
import { registerBroker } from './register-broker.ts'
import { registerController } from './register-controller.ts'
import { outcomeOf } from './result.ts'

const NEWEST = 4
const second = idOf('second')

function errorOf(body: () => void): string {
  const { errorCode, errorMessage } = outcomeOf(body)
  const [name] = Object.entries(errors).find(([, { code }]) => code === errorCode)!
  return errorMessage === null ? name : `${name}: ${errorMessage}`
}

describe('BrokerRegistration (KIP-631)', () => {
  it('makes a fenced broker whose epoch is the offset of its record', () => {
    const context = brokersOf()
    const request = registrationOf(4, { rack: 'north' })
    const { records, response } = registerBroker(context, request, NEWEST, false)
    expect(response).toBe(1000)
    expect(records.map(({ name, version }) => [name, version])).toEqual([['RegisterBroker', 4]])
    apply(context, records)
    expect(context.head.brokers.get(4)).toEqual({
      id: 4,
      epoch: 1000,
      incarnationId: request.incarnationId,
      endPoints: request.listeners,
      features: request.features,
      rack: 'north',
      fenced: true,
      inControlledShutdown: false,
      isMigratingZkBroker: false,
      directories: [directoryOf(4)],
      cordonedDirectories: null,
    })
    expect(context.sessions.registrationOffset(4)).toBe(1000)
    expect(context.sessions.isValid(4, 1000, 0)).toBe(false)
  })

  it('keeps epoch and state where the same incarnation registers again', () => {
    const context = brokersOf()
    apply(context, registerBroker(context, registrationOf(4), NEWEST, false).records)
    context.head.brokers.set(4, { ...context.head.brokers.get(4)!, fenced: false })
    const again = registerBroker({ ...context, nextOffset: 1005 }, registrationOf(4, { rack: 'south' }), NEWEST, false)
    expect(again.response).toBe(1000)
    apply(context, again.records)
    expect(context.head.brokers.get(4)).toMatchObject({ epoch: 1000, fenced: false, rack: 'south' })
    expect(context.sessions.registrationOffset(4)).toBe(1005)
  })

  it('does not take a second process for a broker that lives', () => {
    const context = brokersOf()
    const request = registrationOf(1, { incarnationId: second })
    context.sessions.heard(1, 100, 0)
    const at = (nowMs: number, isOwn = false) =>
      errorOf(() => registerBroker({ ...context, nowMs }, request, NEWEST, isOwn)).split(':')[0]
    expect([at(9000), at(9001), at(9000, true)]).toEqual(['DUPLICATE_BROKER_REGISTRATION', 'NONE', 'NONE'])
  })

  it('gives a new incarnation no session before it is heard of', () => {
    const context = brokersOf()
    context.sessions.heard(1, 100, 0)
    apply(context, registerBroker(context, registrationOf(1, { incarnationId: second }), NEWEST, true).records)
    expect(context.sessions.takeExpired(1e9)).toBeUndefined()
  })

  it('takes a broker that died out of sync, and from what it was eligible for (KIP-966)', () => {
    const context = brokersOf({ partitions: [{}, { isr: [2], elr: [1], leader: 2 }], minIsr: 2 })
    const request = registrationOf(1, { incarnationId: second })
    const { records } = registerBroker(context, request, NEWEST, false)
    expect(records.map(({ name }) => name)).toEqual(['PartitionChange', 'PartitionChange', 'RegisterBroker'])
    expect(context.sessions.registrationOffset(1)).toBe(1002)
    expect(apply(context, records)).toMatchObject({ isr: [2, 3], elr: [], leader: 2 })
    expect(apply(context, [], 1)).toMatchObject({ isr: [2], elr: [] })
    expect(context.head.brokers.get(1)!.epoch).toBe(1000)
  })

  it.each([
    [3, 100, [1]],
    [3, 99, []],
    [2, 100, []],
  ])('version %i with the epoch %i of a shutdown leaves eligible: %j', (version, previousBrokerEpoch, elr) => {
    const context = brokersOf({ partitions: [{ isr: [2], elr: [1], leader: 2 }], minIsr: 2 })
    const request = registrationOf(1, { incarnationId: second, previousBrokerEpoch })
    expect(apply(context, registerBroker(context, request, version, false).records).elr).toEqual(elr)
  })

  it.each([
    [
      { clusterId: 'other' },
      'INCONSISTENT_CLUSTER_ID: Expected cluster ID 4L6g3nShT-eMCtK--X86sw, but got cluster ID other',
    ],
    [{ isMigratingZkBroker: true }, 'BROKER_ID_NOT_REGISTERED: Controller does not support registering ZK brokers.'],
    [{ logDirs: [] }, 'INVALID_REGISTRATION: No directories specified in request'],
    [{ logDirs: ['AAAAAAAAAAAAAAAAAAAAYw'] }, 'INVALID_REGISTRATION: Reserved directory ID in request'],
    [{ logDirs: ['AAAAAAAAAAAAAAAAAAAAZA'] }, 'NONE'],
    [{ logDirs: [directoryOf(4), directoryOf(4)] }, 'INVALID_REGISTRATION: Duplicate directory ID in request'],
    [
      { logDirs: [directoryOf(2)] },
      `INVALID_REGISTRATION: Broker 2 is already registered with directory ${directoryOf(2)}`,
    ],
    [{ features: [] }, "INVALID_REGISTRATION: Request features do not contain 'metadata.version'"],
    [
      { listeners: [{ name: 'X', host: 'h', port: 1, securityProtocol: 9 }] },
      'UNKNOWN_SERVER_ERROR: Unknown security protocol 9 in listener X',
    ],
    [
      { features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 29 }] },
      'UNSUPPORTED_VERSION: Unable to register because the broker does not support finalized version 30 of ' +
        'metadata.version. The broker wants a version between 7 and 29, inclusive.',
    ],
    [
      { features: ownFeatures.filter(({ name }) => name !== 'kraft.version') },
      'UNSUPPORTED_VERSION: Unable to register because the broker does not support finalized version 1 of ' +
        'kraft.version. The broker wants a version between 0 and 0, inclusive.',
    ],
    [
      { features: [...ownFeatures, { name: 'new.version', minSupportedVersion: 1, maxSupportedVersion: 2 }] },
      'UNSUPPORTED_VERSION: Unable to register because the broker does not support finalized version 0 of ' +
        'new.version. The broker wants a version between 1 and 2, inclusive.',
    ],
  ])('with %j: %s', (change, error) => {
    const context = brokersOf()
    expect(errorOf(() => registerBroker(context, registrationOf(4, change), NEWEST, false))).toBe(error)
  })

  it('tells once why a broker is refused that asks again and again', () => {
    const told: string[] = []
    const logger = { ...silentLogger, warn: (message: string) => void told.push(message) }
    const context = { ...brokersOf(), logger }
    const ask = (change: Parameters<typeof registrationOf>[1]) =>
      outcomeOf(() => void registerBroker(context, registrationOf(4, change), NEWEST, false))
    for (let attempt = 0; attempt < 3; attempt++) ask({ clusterId: 'other' })
    for (let attempt = 0; attempt < 3; attempt++) ask({ logDirs: [] })
    expect(told).toEqual([
      `Broker 4 at host-4:9092 is not registered: Expected cluster ID ${context.clusterId}, but got cluster ID other`,
      'Broker 4 at host-4:9092 is not registered: No directories specified in request',
    ])
  })

  it('does without directories before metadata.version 3.7', () => {
    const context = brokersOf({ level: 16, elr: 0 })
    const { records } = registerBroker(context, registrationOf(4, { logDirs: [] }), 2, false)
    expect(records[0]).toMatchObject({ name: 'RegisterBroker', version: 2, value: { logDirs: [] } })
  })
})

describe('ControllerRegistration (KIP-919)', () => {
  const request = {
    controllerId: 7,
    incarnationId: second,
    zkMigrationReady: true,
    listeners: [
      { name: 'CONTROLLER', host: 'old', port: 9093, securityProtocol: 0 },
      { name: 'CONTROLLER', host: 'new', port: 9094, securityProtocol: 0 },
    ],
    features: ownFeatures,
  }

  it('says where a controller is and what it supports', () => {
    const { head } = brokersOf()
    head.replay(registerController(head, request))
    expect(head.controllers.get(7)).toMatchObject({
      incarnationId: second,
      zkMigrationReady: false,
      endPoints: [{ name: 'CONTROLLER', host: 'new', port: 9094, securityProtocol: 0 }],
      features: ownFeatures,
    })
  })

  it('has no record before metadata.version 3.7', () => {
    const { head } = brokersOf({ level: 14, elr: 0 })
    expect(errorOf(() => registerController(head, request))).toBe(
      'UNSUPPORTED_VERSION: The current MetadataVersion is too old to support controller registrations.',
    )
  })
})
