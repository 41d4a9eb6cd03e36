import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Body, Probe } from '../differential/probe.ts'
import { makeTopic, warmedUp } from '../differential/scenario.ts'
import type { Broker } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'
import { startOttla } from '../harness/ottla.ts'

const GROUP = 'swapped'
const MEMBERS = ['a', 'b', 'static']
/** The oracle, to start with little memory. */
const OVERRIDES = { 'log.cleaner.dedupe.buffer.size': '4194304', 'group.consumer.assignment.interval.ms': '0' }

/** What members remember while brokers come and go under them. */
const epochs = new Map<string, number>()
const owned = new Map<string, Body[]>()

async function beat(probe: Probe, memberId: string, more: Body = {}): Promise<void> {
  const epoch = epochs.get(memberId) ?? 0
  const response = await probe.quietly('ConsumerGroupHeartbeat', 1, {
    groupId: GROUP,
    memberId,
    memberEpoch: epoch,
    instanceId: memberId === 'static' ? 'i' : null,
    ...(epoch === 0 ? { rebalanceTimeoutMs: 60_000 } : {}),
    topicPartitions: owned.get(memberId) ?? [],
    ...more,
  })
  expect(response.errorCode, `${probe.broker.kind}: ${memberId}: ${response.errorMessage}`).toBe(0)
  epochs.set(memberId, response.memberEpoch)
  if (response.assignment) owned.set(memberId, response.assignment.topicPartitions)
}

/** Heartbeats until all have what they should; both brokers make a member wait for its assignment at times. */
async function settle(probe: Probe): Promise<void> {
  for (let round = 0; round < 100; round++) {
    for (const memberId of MEMBERS) await beat(probe, memberId)
    const { groups } = await probe.quietly('ConsumerGroupDescribe', 1, { groupIds: [GROUP] })
    if (groups[0].groupState === 'Stable') return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the group does not settle')
}

/** The group in an order of its own; who asks is no part of it. */
async function described(probe: Probe): Promise<Body> {
  await loaded(probe)
  const { groups } = await probe.quietly('ConsumerGroupDescribe', 1, { groupIds: [GROUP] })
  const members = groups[0].members.map((member: Body) => ({
    ...member,
    assignment: sorted(member.assignment),
    targetAssignment: sorted(member.targetAssignment),
  }))
  return { ...groups[0], members: members.sort((a: Body, b: Body) => (a.memberId < b.memberId ? -1 : 1)) }
}

function sorted({ topicPartitions }: Body): Body {
  const topics: Body[] = topicPartitions
  const inOrder = topics.map((topic) => ({ ...topic, partitions: [...topic.partitions].sort((a, b) => a - b) }))
  return { topicPartitions: inOrder.sort((a: Body, b: Body) => (a.topicName < b.topicName ? -1 : 1)) }
}

async function loaded(probe: Probe): Promise<void> {
  await warmedUp(probe)
  for (let attempt = 0; attempt < 300; attempt++) {
    const { groups } = await probe.quietly('ConsumerGroupDescribe', 1, { groupIds: [GROUP] })
    if (groups[0].errorCode === 0 || groups[0].errorCode === 69) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the group is not loaded')
}

test('KIP-848: members of a consumer group go on when Ottla and Apache Kafka take turns on one data directory', async () => {
  let broker: Broker = await startOttla({ overrides: OVERRIDES })
  const { home } = broker
  try {
    let probe = new Probe(broker)
    await loaded(probe)
    for (const topic of ['swap-1', 'swap-2']) await makeTopic(probe, topic, { partitions: 4 })
    await beat(probe, 'a', { subscribedTopicNames: ['swap-1', 'swap-2'] })
    await beat(probe, 'b', { subscribedTopicNames: ['swap-1'] })
    await beat(probe, 'static', { subscribedTopicRegex: 'swap-.*' })
    await settle(probe)
    for (const start of [startOracle, startOttla, startOracle, startOttla]) {
      const before = await described(probe)
      expect(before).toMatchObject({ errorCode: 0, groupState: 'Stable' })
      probe.close()
      await broker.stop()
      broker = await start({ home })
      probe = new Probe(broker)
      expect(await described(probe)).toEqual(before)
      await settle(probe)
      const next = `swap-${before.groupEpoch}${broker.kind}`
      await makeTopic(probe, next, { partitions: 1 })
      await beat(probe, 'a', { subscribedTopicNames: ['swap-1', next], rebalanceTimeoutMs: 60_000 })
      await settle(probe)
    }
    probe.close()
  } finally {
    await broker.stop()
    rmSync(home.dir, { recursive: true, force: true })
  }
}, 240_000)
