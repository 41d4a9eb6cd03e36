import { expect } from 'vitest'
import type { Body, Probe } from '../differential/probe.ts'
import { makeTopic } from '../differential/scenario.ts'
import { type Passenger, pause, settledAnswer } from './passenger.ts'

const GROUP = 'swapped'
const MEMBERS = ['a', 'b', 'static']
const GROUP_ID_NOT_FOUND = 69

/** Members of a consumer group (KIP-848), one of them static, who subscribe by names and by a regular expression. */
export class ConsumerGroup implements Passenger {
  readonly #epochs = new Map<string, number>()
  readonly #owned = new Map<string, Body[]>()

  async begin(probe: Probe): Promise<void> {
    await describeGroup(probe, GROUP)
    for (const topic of ['swap-1', 'swap-2']) await makeTopic(probe, topic, { partitions: 4 })
    await this.#beat(probe, 'a', { subscribedTopicNames: ['swap-1', 'swap-2'] })
    await this.#beat(probe, 'b', { subscribedTopicNames: ['swap-1'] })
    await this.#beat(probe, 'static', { subscribedTopicRegex: 'swap-.*' })
    await this.#settle(probe)
  }

  async leave(): Promise<void> {}

  async described(probe: Probe): Promise<Body> {
    const group = inOrder(await describeGroup(probe, GROUP))
    expect(group).toMatchObject({ errorCode: 0, groupState: 'Stable' })
    return group
  }

  async goOn(probe: Probe): Promise<void> {
    await this.#settle(probe)
    const { groupEpoch } = await describeGroup(probe, GROUP)
    const next = `swap-${groupEpoch}${probe.broker.kind}`
    await makeTopic(probe, next, { partitions: 1 })
    await this.#beat(probe, 'a', { subscribedTopicNames: ['swap-1', next], rebalanceTimeoutMs: 60_000 })
    await this.#settle(probe)
  }

  async #beat(probe: Probe, memberId: string, more: Body = {}): Promise<void> {
    const epoch = this.#epochs.get(memberId) ?? 0
    const response = await probe.quietly('ConsumerGroupHeartbeat', 1, {
      groupId: GROUP,
      memberId,
      memberEpoch: epoch,
      instanceId: memberId === 'static' ? 'i' : null,
      ...(epoch === 0 ? { rebalanceTimeoutMs: 60_000 } : {}),
      topicPartitions: this.#owned.get(memberId) ?? [],
      ...more,
    })
    expect(response.errorCode, `${probe.broker.kind}: ${memberId}: ${response.errorMessage}`).toBe(0)
    this.#epochs.set(memberId, response.memberEpoch)
    if (response.assignment) this.#owned.set(memberId, response.assignment.topicPartitions)
  }

  /** Heartbeats until all have what they should; both brokers make a member wait for its assignment at times. */
  async #settle(probe: Probe): Promise<void> {
    for (let round = 0; round < 300; round++) {
      for (const memberId of MEMBERS) await this.#beat(probe, memberId)
      if ((await describeGroup(probe, GROUP)).groupState === 'Stable') return
      await pause()
    }
    throw new Error('the group does not settle')
  }
}

/** What the broker says of a consumer group; it may not be there yet. */
export async function describeGroup(probe: Probe, groupId: string): Promise<Body> {
  const answer = await settledAnswer(
    () => probe.quietly('ConsumerGroupDescribe', 1, { groupIds: [groupId] }),
    ({ groups }) => groups[0].errorCode,
  )
  expect([0, GROUP_ID_NOT_FOUND]).toContain(answer.groups[0].errorCode)
  return answer.groups[0]
}

/** A group as it is described, in an order of its own; who asks is no part of it. */
export function inOrder(group: Body): Body {
  const members = group.members.map((member: Body) => ({
    ...member,
    assignment: sorted(member.assignment),
    targetAssignment: sorted(member.targetAssignment),
  }))
  return { ...group, members: members.sort((a: Body, b: Body) => (a.memberId < b.memberId ? -1 : 1)) }
}

function sorted({ topicPartitions }: Body): Body {
  const topics: Body[] = topicPartitions
  const inOrder = topics.map((topic) => ({ ...topic, partitions: [...topic.partitions].sort((a, b) => a - b) }))
  return { topicPartitions: inOrder.sort((a: Body, b: Body) => (a.topicName < b.topicName ? -1 : 1)) }
}
