import { expect, test } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import type { ConsumerGroupConfig, MigrationPolicy } from '../group-config.ts'
import { subscription, testConfig } from '../harness.testkit.ts'
import { GroupMetadataView } from '../modern/group-metadata-view.ts'
import { Consumer, ConsumerHarness, settleGroup } from './consumer.testkit.ts'
import { readAssignment, writeAssignment } from './embedded-protocol.ts'

const PROTOCOLS = [{ name: 'range', metadata: subscription('topic') }]

/** A consumer of the classic protocol, alone with its kind in its group: it leads and gives itself everything. */
class ClassicConsumer {
  readonly harness: ConsumerHarness
  readonly instanceId: string | null
  memberId = ''
  generationId = -1
  owned: number[] = []

  constructor(harness: ConsumerHarness, instanceId: string | null = null) {
    this.harness = harness
    this.instanceId = instanceId
  }

  async #joinOnce(): Promise<number> {
    const request = { memberId: this.memberId, groupInstanceId: this.instanceId, protocols: PROTOCOLS }
    const outcome = this.harness.join(request)
    await this.harness.settle()
    if (!outcome.isSettled) await this.harness.pass(2 * this.harness.config.initialRebalanceDelayMs)
    const response = outcome.required
    if (response.memberId) this.memberId = response.memberId
    this.generationId = response.generationId ?? -1
    return response.errorCode ?? 0
  }

  /** Joins, and asks for its assignment; answers the error that ended this. */
  async join(): Promise<number> {
    let errorCode = await this.#joinOnce()
    if (errorCode === errors.MEMBER_ID_REQUIRED.code) errorCode = await this.#joinOnce()
    return errorCode === 0 ? this.sync() : errorCode
  }

  async sync(): Promise<number> {
    const view = new GroupMetadataView(this.harness.image)
    const topicId = view.byName('topic')!.id
    const everything = new Map([[topicId, new Set(view.byId(topicId)!.partitions.keys())]])
    const assignments = [{ memberId: this.memberId, assignment: writeAssignment(everything, 1, view) }]
    const { memberId, generationId, instanceId: groupInstanceId } = this
    const outcome = this.harness.sync({ memberId, generationId, groupInstanceId, assignments })
    await this.harness.settle()
    const response = outcome.required
    const errorCode = response.errorCode ?? 0
    if (errorCode === 0) this.owned = [...(readAssignment(response.assignment!, view)!.get(topicId) ?? [])]
    return errorCode
  }

  beat(): Promise<number> {
    return this.harness.heartbeat(this.memberId, this.generationId, this.instanceId)
  }
}

async function started(migrationPolicy: MigrationPolicy = 'bidirectional') {
  const consumer: ConsumerGroupConfig = { ...testConfig.consumer, migrationPolicy }
  const harness = await ConsumerHarness.started({ consumer })
  await harness.topic('topic', 4)
  return harness
}

/** A group of one classic and one new member, both with their half. */
async function mixed(harness: ConsumerHarness, instanceId: string | null = null) {
  const classic = new ClassicConsumer(harness)
  await classic.join()
  const modern = new Consumer(harness, 'modern', undefined, instanceId)
  await modern.beat()
  expect(await classic.beat()).toBe(errors.REBALANCE_IN_PROGRESS.code)
  await classic.join()
  await classic.join()
  await settleGroup([modern])
  return { classic, modern }
}

async function typeOf(harness: ConsumerHarness): Promise<string | undefined> {
  return (await harness.list())[0]?.groupType
}

test('KIP-848: a classic group takes in a consumer: it revokes, and both have their half', async () => {
  const harness = await started()
  const { classic, modern } = await mixed(harness)
  expect([classic.owned.length, modern.partitions]).toEqual([2, 2])
  expect(await classic.beat()).toBe(0)
  expect(await typeOf(harness)).toBe('consumer')
  const fresh = await harness.reloaded()
  const described = await harness.done(fresh.describeConsumerGroups(['group']))
  expect(described).toEqual([await harness.describeConsumers()])
})

test('KIP-848: when the last consumer of the new protocol leaves, the group is classic again', async () => {
  const harness = await started()
  const { classic, modern } = await mixed(harness)
  await modern.leave()
  expect(await typeOf(harness)).toBe('classic')
  expect(await classic.beat()).toBe(errors.REBALANCE_IN_PROGRESS.code)
  expect(await classic.join()).toBe(0)
  expect(classic.owned).toEqual([0, 1, 2, 3])
  expect(await harness.describe()).toMatchObject({ groupState: 'Stable', members: [{ memberId: classic.memberId }] })
  const fresh = await harness.reloaded()
  expect((await harness.done(fresh.describeGroups(['group'], 6)))[0]).toEqual(await harness.describe())
})

test('KIP-848: a static member that comes back with the classic protocol takes the group back with it', async () => {
  const harness = await started()
  const { modern } = await mixed(harness, 'i1')
  await modern.leave(-2)
  const back = new ClassicConsumer(harness, 'i1')
  await back.join()
  expect(await typeOf(harness)).toBe('classic')
})

test('KIP-848: a failed write leaves the group as it was', async () => {
  const harness = await started()
  const classic = new ClassicConsumer(harness)
  await classic.join()
  harness.log.failures.push(new Error('broken'))
  const refused = await new Consumer(harness, 'modern').beat()
  expect(refused).not.toBe(0)
  expect(await typeOf(harness)).toBe('classic')
  const { modern } = { modern: new Consumer(harness, 'modern') }
  expect(await modern.beat()).toBe(0)
  harness.log.failures.push(new Error('broken'))
  await modern.leave()
  expect(await typeOf(harness)).toBe('consumer')
})

test.each([
  ['disabled', errors.GROUP_ID_NOT_FOUND.code],
  ['downgrade', errors.GROUP_ID_NOT_FOUND.code],
  ['upgrade', 0],
] as const)('group.consumer.migration.policy=%s: joining a classic group', async (policy, errorCode) => {
  const harness = await started(policy)
  await new ClassicConsumer(harness).join()
  expect(await new Consumer(harness, 'modern').beat()).toBe(errorCode)
})

test('group.consumer.migration.policy=upgrade: the group stays one of consumers', async () => {
  const harness = await started('upgrade')
  const { classic, modern } = await mixed(harness)
  await modern.leave()
  expect(await typeOf(harness)).toBe('consumer')
  await classic.join()
  await classic.join()
  expect(classic.owned.length).toBe(4)
})

test('group.consumer.migration.policy=disabled: classic consumers may not join', async () => {
  const harness = await started('disabled')
  await new Consumer(harness, 'modern').beat()
  expect(await new ClassicConsumer(harness).join()).toBe(errors.INCONSISTENT_GROUP_PROTOCOL.code)
})

test('a classic member that does not join again after a rebalance is out', async () => {
  const harness = await started()
  const classic = new ClassicConsumer(harness)
  await classic.join()
  const modern = new Consumer(harness, 'modern')
  await modern.beat()
  for (let i = 0; i < 4; i++) {
    expect(await classic.beat()).toBe(errors.REBALANCE_IN_PROGRESS.code)
    await modern.beat()
    await harness.pass(9000)
  }
  expect(await classic.beat()).toBe(errors.UNKNOWN_MEMBER_ID.code)
  await settleGroup([modern])
  expect(modern.partitions).toBe(4)
})
