import { describe, expect, it } from 'vitest'
import { ownFeatures } from './brokers.testkit.ts'
import { ControllerWorld } from './controller.testkit.ts'
import { clusterOf, type TestCluster } from './partitions.testkit.ts'
import { updateFeatures } from './update-features.ts'

const UPGRADE = 1

const others = ownFeatures.filter(({ name }) => name !== 'share.version')

/** A quorum whose voters come from controller.quorum.voters, and cannot have others. */
const fixedVoters = { kraftVersion: 0, upgradeKraftVersion: () => false }

/** Whether share.version may be raised, with nodes that support `features`. */
function raise(cluster: TestCluster, brokerFeatures: typeof ownFeatures, controllers = new Map([[1, ownFeatures]])) {
  const context = clusterOf(cluster)
  for (const broker of context.head.brokers.values()) {
    context.head.brokers.set(broker.id, { ...broker, features: brokerFeatures })
  }
  for (const [id, features] of controllers) {
    context.head.controllers.set(id, { id, incarnationId: '', zkMigrationReady: false, endPoints: [], features })
  }
  const { config } = new ControllerWorld({
    'controller.quorum.voters': '1@127.0.0.1:9093,2@127.0.0.1:9094',
  })
  const featureUpdates = [{ feature: 'share.version', maxVersionLevel: 1, upgradeType: UPGRADE, allowDowngrade: false }]
  const request = { timeoutMs: 1000, featureUpdates, validateOnly: false }
  const { records, response } = updateFeatures({ ...context, config }, request, 2, fixedVoters)
  expect(records.length).toBe(response.errorCode === 0 ? 1 : 0)
  return response.errorMessage?.replace(/^.* for feature share.version. /, '')
}

describe('a level of a feature (KIP-584, KIP-919)', () => {
  const all = new Map([1, 2].map((id) => [id, ownFeatures]))

  it('is raised where every broker and every controller supports it', () => {
    expect(raise({}, ownFeatures, all)).toBeUndefined()
  })

  it.each([
    ['a broker does not support it', others, all, 'Broker 1 does not support this feature.'],
    [
      'another controller does not',
      ownFeatures,
      new Map([
        [1, ownFeatures],
        [2, others],
      ]),
      'Controller 2 does not support this feature.',
    ],
    [
      'a voter has not registered',
      ownFeatures,
      new Map([[1, ownFeatures]]),
      'controller 2 has not registered, and may not support this feature',
    ],
  ])('is not where %s', (_, brokerFeatures, controllers, text) => {
    expect(raise({}, brokerFeatures, controllers)).toBe(text)
  })

  it('nothing is known of controllers before metadata.version 3.7', () => {
    expect(raise({ level: 14, elr: 0 }, ownFeatures, new Map())).toBeUndefined()
  })
})

describe('kraft.version (KIP-853)', () => {
  const raiseTo = (maxVersionLevel: number, kraftVersion: number, validateOnly: boolean, isSupported = true) => {
    const upgrades: boolean[] = []
    const upgradeKraftVersion = (isTrial: boolean) => {
      upgrades.push(isTrial)
      return isSupported
    }
    const featureUpdates = [{ feature: 'kraft.version', maxVersionLevel, upgradeType: UPGRADE, allowDowngrade: false }]
    const request = { timeoutMs: 1000, featureUpdates, validateOnly }
    const context = clusterOf({})
    for (const broker of context.head.brokers.values()) {
      context.head.brokers.set(broker.id, { ...broker, features: ownFeatures })
    }
    const { config } = new ControllerWorld({ 'controller.quorum.voters': '1@127.0.0.1:9093' })
    const quorum = { kraftVersion, upgradeKraftVersion }
    const { records, response } = updateFeatures({ ...context, config }, request, 2, quorum)
    if (response.errorCode !== 0) expect(response.errorMessage).toContain('support it')
    return { isDone: upgrades.includes(false), errorCode: response.errorCode, records: records.map(({ name }) => name) }
  }

  it('is raised by the quorum, and by nothing in the metadata', () => {
    expect(raiseTo(1, 0, false)).toEqual({ isDone: true, errorCode: 0, records: ['NoOp'] })
    expect(raiseTo(1, 0, true)).toEqual({ isDone: false, errorCode: 0, records: [] })
    expect(raiseTo(1, 1, false)).toEqual({ isDone: false, errorCode: 0, records: [] })
  })

  it('is not where a voter does not support it', () => {
    expect(raiseTo(1, 0, false, false)).toEqual({ isDone: false, errorCode: 95, records: [] })
  })
})

describe('eligible.leader.replicas.version (KIP-966)', () => {
  const enable = (context: ReturnType<typeof clusterOf>, maxVersionLevel = 1) => {
    for (const broker of context.head.brokers.values()) {
      context.head.brokers.set(broker.id, { ...broker, features: ownFeatures })
    }
    const update = { feature: 'eligible.leader.replicas.version', maxVersionLevel, upgradeType: UPGRADE }
    const request = { timeoutMs: 1000, featureUpdates: [{ ...update, allowDowngrade: false }], validateOnly: false }
    const { config } = new ControllerWorld({ 'min.insync.replicas': '3' })
    for (const record of updateFeatures({ ...context, config }, request, 2, fixedVoters).records) {
      context.head.replay(record)
    }
    return (name: string) => context.head.configs.of(4, name).get('min.insync.replicas')
  }

  it('comes with one min.insync.replicas for all brokers', () => {
    const context = clusterOf({ elr: 0 })
    context.head.configs.set(4, '', 'min.insync.replicas', null)
    context.head.configs.set(4, '2', 'min.insync.replicas', '1')
    context.head.configs.set(4, '3', 'log.retention.ms', '1')
    const minIsr = enable(context)
    expect([minIsr(''), minIsr('2')]).toEqual(['3', undefined])
    expect(context.head.configs.of(4, '3').size).toBe(1)
    expect(context.head.featureLevel('eligible.leader.replicas.version')).toBe(1)
  })

  it('leaves one that the cluster has, and all where it is not wanted', () => {
    expect(enable(clusterOf({ elr: 0, minIsr: 2 }))('')).toBe('2')
    const context = clusterOf({ elr: 0 })
    context.head.configs.set(4, '2', 'min.insync.replicas', '1')
    expect(enable(context, 0)('2')).toBe('1')
  })
})
