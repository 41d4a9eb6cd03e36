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
