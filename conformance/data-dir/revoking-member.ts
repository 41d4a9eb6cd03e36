import { expect } from 'vitest'
import { errors } from '../../src/protocol/errors.ts'
import type { Body, Probe } from '../differential/probe.ts'
import { makeTopic } from '../differential/scenario.ts'
import { describeGroup, inOrder } from './consumer-group.ts'
import { type Passenger, settledAnswer } from './passenger.ts'

const GROUP = 'revoking'
const TOPIC = 'revoked'
/** What makes a heartbeat a full one, besides the partitions. */
const FULL = { rebalanceTimeoutMs: 600_000, subscribedTopicNames: [TOPIC] }

/**
 * A member of a consumer group (KIP-848) that the coordinator before told to give partitions up, and that knows nothing of
 * it: what it is told by the next one depends on what it says.
 */
export class RevokingMember implements Passenger {
  #epoch = 0
  #all: Body[] = []
  #half: Body[] = []
  #guests = 0

  async begin(probe: Probe): Promise<void> {
    await makeTopic(probe, TOPIC, { partitions: 4 })
    const { memberEpoch, assignment } = await this.#settledBeat(probe, { ...FULL, topicPartitions: [] })
    this.#epoch = memberEpoch
    this.#all = assignment.topicPartitions
    expect(this.#all[0]!.partitions).toHaveLength(4)
  }

  async leave(probe: Probe): Promise<void> {
    this.#guests += 1
    await this.#guest(probe, { ...FULL, memberEpoch: 0, topicPartitions: [] })
    const { memberEpoch, assignment } = await this.#settledBeat(probe)
    expect(memberEpoch).toBe(this.#epoch)
    this.#half = assignment.topicPartitions
    expect(this.#half[0]!.partitions).toHaveLength(2)
  }

  async described(probe: Probe): Promise<Body> {
    const group = inOrder(await describeGroup(probe, GROUP))
    expect(group).toMatchObject({ errorCode: 0, groupState: 'Reconciling' })
    return group
  }

  async goOn(probe: Probe): Promise<void> {
    const before = this.#epoch
    const unmoved = { errorCode: 0, memberEpoch: before, assignment: null }
    expect(await this.#settledBeat(probe)).toMatchObject(unmoved)
    expect(await this.#beat(probe, { topicPartitions: this.#all })).toMatchObject(unmoved)
    const left = { topicPartitions: this.#half }
    const full = await this.#beat(probe, { ...FULL, topicPartitions: this.#all })
    expect(full).toMatchObject({ errorCode: 0, memberEpoch: before, assignment: left })
    const revoked = await this.#beat(probe, left)
    expect(revoked).toMatchObject({ errorCode: 0, assignment: null })
    expect(revoked.memberEpoch).toBeGreaterThan(before)
    // As if that answer had been lost.
    expect(await this.#beat(probe, left)).toMatchObject({ errorCode: 0, memberEpoch: revoked.memberEpoch })
    expect(await this.#beat(probe, { ...FULL, ...left })).toMatchObject({ errorCode: 0, assignment: left })
    for (const topicPartitions of [null, this.#all]) {
      const refused = await this.#beat(probe, { topicPartitions })
      expect(refused.errorCode).toBe(errors.FENCED_MEMBER_EPOCH.code)
    }
    await this.#guest(probe, { memberEpoch: -1 })
    this.#epoch = revoked.memberEpoch
    const alone = await this.#beat(probe)
    expect(alone).toMatchObject({ errorCode: 0, assignment: { topicPartitions: [{ partitions: [0, 1, 2, 3] }] } })
    this.#epoch = alone.memberEpoch
    this.#all = alone.assignment.topicPartitions
  }

  async #beat(probe: Probe, more: Body = {}, memberId = 'a'): Promise<Body> {
    const body = { groupId: GROUP, memberId, memberEpoch: this.#epoch, topicPartitions: null, ...more }
    const answer = await probe.quietly('ConsumerGroupHeartbeat', 1, body)
    for (const topic of answer.assignment?.topicPartitions ?? []) topic.partitions.sort()
    return answer
  }

  async #settledBeat(probe: Probe, more: Body = {}, memberId?: string): Promise<Body> {
    const answer = await settledAnswer(
      () => this.#beat(probe, more, memberId),
      ({ errorCode }) => errorCode,
    )
    expect(answer.errorCode, `${probe.broker.kind}: ${answer.errorMessage}`).toBe(0)
    return answer
  }

  async #guest(probe: Probe, more: Body): Promise<void> {
    await this.#settledBeat(probe, more, `guest-${this.#guests}`)
  }
}
