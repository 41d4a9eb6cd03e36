import { describe, expect, test } from 'vitest'
import { balanceLeaders, electUncleanLeaders } from './background-elections.ts'
import { heartbeatOf, registrationOf } from './brokers.testkit.ts'
import { ControllerWorld, newTopics } from './controller.testkit.ts'
import { apply, clusterOf } from './partitions.testkit.ts'

describe('balanceLeaders', () => {
  test('gives the lead back to preferred replicas that can lead, and to nobody else', () => {
    const partitions = [
      { leader: 2 },
      { leader: 1 },
      { leader: 2, isr: [2, 3] },
      { replicas: [3, 1], leader: 1, isr: [3, 1] },
    ]
    const context = clusterOf({ brokers: [{ id: 1 }, { id: 2 }, { id: 3, fenced: true }], partitions })
    const { records, response } = balanceLeaders(context)
    expect(records).toHaveLength(1)
    expect(apply(context, records)).toMatchObject({ leader: 1, leaderEpoch: 1 })
    expect(response).toBe(false)
    expect(balanceLeaders(context).records).toEqual([])
  })

  test('goes on later where there is much to do', () => {
    const context = clusterOf({ partitions: Array(1500).fill({ leader: 2 }) })
    const first = balanceLeaders(context)
    expect(first.records).toHaveLength(1000)
    expect(first.response).toBe(true)
    apply(context, first.records)
    expect(balanceLeaders(context)).toMatchObject({ response: false, records: { length: 500 } })
  })
})

describe('electUncleanLeaders', () => {
  const lost = { isr: [1], leader: -1 }
  const brokers = [{ id: 1, fenced: true }, { id: 2 }, { id: 3 }]

  test('elects where the topic has come to allow it', () => {
    const context = clusterOf({ brokers, partitions: [lost, { isr: [2], leader: 2 }] })
    expect(electUncleanLeaders(context).records).toEqual([])
    context.head.configs.set(2, 't', 'unclean.leader.election.enable', 'true')
    const { records } = electUncleanLeaders(context)
    expect(records).toHaveLength(1)
    expect(apply(context, records)).toMatchObject({ leader: 2, isr: [2], leaderRecoveryState: 1 })
  })

  test('elects where the cluster has come to allow it, but for topics that do not', () => {
    const context = clusterOf({ brokers, partitions: [lost] })
    context.head.configs.set(4, '', 'unclean.leader.election.enable', 'true')
    expect(electUncleanLeaders(context).records).toHaveLength(1)
    context.head.configs.set(2, 't', 'unclean.leader.election.enable', 'false')
    expect(electUncleanLeaders(context).records).toEqual([])
  })
})

describe('an active controller', () => {
  async function worldWith(properties: Readonly<Record<string, string>>) {
    const world = new ControllerWorld({ 'broker.session.timeout.ms': '10000000', ...properties })
    const controller = await world.open(false)
    const epochs = new Map<number, number>()
    const beat = (id: number, change = {}) =>
      controller.brokerHeartbeat(
        heartbeatOf(id, epochs.get(id)!, { currentMetadataOffset: controller.image.offset, ...change }),
      )
    for (const id of [2, 3]) {
      epochs.set(id, await controller.registerBroker(registrationOf(id), 4))
      await beat(id)
    }
    const configs = [{ name: 'unclean.leader.election.enable', value: 'true' }]
    const topic = { name: 't', assignments: [{ partitionIndex: 0, brokerIds: [2, 3] }], configs }
    await controller.createTopics(newTopics(topic))
    const partition = () => controller.image.topics.partition('t', 0)!
    return { world, controller, beat, partition }
  }

  async function ledByOther({ beat, partition }: Awaited<ReturnType<typeof worldWith>>) {
    await beat(2, { wantFence: true })
    expect(partition()).toMatchObject({ leader: 3, isr: [3] })
    await beat(2)
  }

  test('balances leaders every so often', async () => {
    const cluster = await worldWith({ 'leader.imbalance.check.interval.seconds': '7' })
    const { world, controller, partition } = cluster
    await ledByOther(cluster)
    const { leaderEpoch, partitionEpoch } = partition()
    const newIsr = [2, 3].map((id) => ({ brokerId: id, brokerEpoch: -1 }))
    const change = { partitionIndex: 0, leaderEpoch, partitionEpoch, leaderRecoveryState: 0, newIsr: [] }
    const topics = [
      { topicName: '', topicId: partition().topicId, partitions: [{ ...change, newIsrWithEpochs: newIsr }] },
    ]
    const brokerEpoch = controller.image.brokers.get(3)!.epoch
    await controller.alterPartition({ brokerId: 3, brokerEpoch, topics }, 3)
    await world.time.advance(6999)
    expect(partition().leader).toBe(3)
    await world.time.advance(1)
    expect(partition()).toMatchObject({ leader: 2, isr: [2, 3] })
    await controller.close()
  })

  test('looks every so often for leaders where losing records is allowed', async () => {
    const cluster = await worldWith({
      'auto.leader.rebalance.enable': 'false',
      'unclean.leader.election.interval.ms': '9000',
    })
    const { world, controller, beat, partition } = cluster
    await controller.incrementalAlterConfigs(setting('unclean.leader.election.enable', 'false'), 'controller')
    await ledByOther(cluster)
    await beat(3, { wantFence: true })
    expect(partition().leader).toBe(-1)
    await controller.incrementalAlterConfigs(setting('unclean.leader.election.enable', 'true'), 'controller')
    await world.time.advance(8999)
    expect(partition().leader).toBe(-1)
    await world.time.advance(1)
    expect(partition()).toMatchObject({ leader: 2, isr: [2], leaderRecoveryState: 1 })
    await controller.close()
  })

  function setting(name: string, value: string) {
    const resources = [{ resourceType: 2, resourceName: 't', configs: [{ name, configOperation: 0, value }] }]
    return { resources, validateOnly: false }
  }
})
