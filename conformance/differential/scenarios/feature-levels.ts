import type { Body, Probe } from '../probe.ts'
import { makeTopic, type Scenario } from '../scenario.ts'
import { beat } from './shares.ts'
import { init, withCoordinator } from './transaction-tools.ts'

const UPGRADE = 1
const SAFE_DOWNGRADE = 2

/** Features with the level that switches something off, and their own. */
const LEVELS: readonly (readonly [feature: string, low: number, high: number])[] = [
  ['group.version', 0, 1],
  ['streams.version', 0, 1],
  ['share.version', 0, 1],
  ['transaction.version', 1, 2],
]

/** Sets a level, and waits until the broker tells it to clients. */
async function setLevel(probe: Probe, version: number, feature: string, level: number, upgradeType: number) {
  const featureUpdates = [{ feature, maxVersionLevel: level, upgradeType }]
  await probe.send('UpdateFeatures', version, { timeoutMs: 10_000, featureUpdates, validateOnly: false })
  for (let attempt = 0; attempt < 500; attempt++) {
    const software = { clientSoftwareName: 'x', clientSoftwareVersion: '1' }
    const { finalizedFeatures } = await probe.quietly('ApiVersions', 4, software)
    const told = finalizedFeatures.find(({ name }: Body) => name === feature)?.maxVersionLevel ?? 0
    if (told === level) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${feature} has not become ${level}`)
}

/** Requests of each kind that a level can switch off. What they make is not looked at. */
async function ask(probe: Probe, group: string): Promise<void> {
  const unknown = { groupId: `${group}-none`, memberId: 'm', memberEpoch: 5 }
  const share = { groupId: `${group}-none`, memberId: 'AAAAAAAAAAAAAAAAAAAAAw', shareSessionEpoch: -1, topics: [] }
  const waits = { maxWaitMs: 0, minBytes: 0, maxBytes: 1000, maxRecords: 1, batchSize: 1, forgottenTopicsData: [] }
  await probe.send('ConsumerGroupHeartbeat', 1, unknown)
  await probe.send('ConsumerGroupDescribe', 1, { groupIds: [`${group}-none`] })
  await probe.send('StreamsGroupHeartbeat', 0, { ...unknown, endpointInformationEpoch: 0 })
  await probe.send('StreamsGroupDescribe', 0, { groupIds: [`${group}-none`] })
  await probe.send('ShareGroupHeartbeat', 1, beat(`${group}-none`, 'm', { memberEpoch: 5 }))
  await probe.send('ShareGroupDescribe', 1, { groupIds: [`${group}-none`] })
  await probe.send('ShareFetch', 1, { ...share, ...waits })
  await probe.send('ShareAcknowledge', 1, share)
  await probe.send('DescribeShareGroupOffsets', 0, { groups: [{ groupId: `${group}-none`, topics: null }] })
  await probe.send('AlterShareGroupOffsets', 0, { groupId: `${group}-none`, topics: [] })
  await probe.send('DeleteShareGroupOffsets', 0, { groupId: `${group}-none`, topics: [] })
}

/** A transaction as producers end it under the level: its epoch after it is the same under 1, and the next under 2. */
async function endTransaction(probe: Probe, transactionalId: string, topic: string, version: number): Promise<void> {
  const { producerId, producerEpoch } = await init(probe, transactionalId)
  await probe.send('AddPartitionsToTxn', 3, {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: [{ name: topic, partitions: [0] }],
  })
  await probe.send('EndTxn', version, { transactionalId, producerId, producerEpoch, committed: true })
}

export const featureLevelScenarios: readonly Scenario[] = [
  {
    title: 'levels of features, lowered and raised again: what is refused meanwhile',
    api: 'UpdateFeatures',
    from: 1,
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      await withCoordinator(probe, 0, name)
      for (const [feature, low, high] of LEVELS) {
        try {
          await setLevel(probe, version, feature, low, SAFE_DOWNGRADE)
          await ask(probe, `${name}-${feature}`)
          if (feature === 'transaction.version') await endTransaction(probe, `${name}-4`, name, 4)
        } finally {
          await setLevel(probe, version, feature, high, UPGRADE)
        }
        await ask(probe, `${name}-${feature}`)
      }
      await endTransaction(probe, `${name}-5`, name, 5)
    },
  },
]
