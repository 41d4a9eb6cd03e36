import { expect } from 'vitest'
import type { Body, Probe } from '../differential/probe.ts'
import { batch, makeTopic, write } from '../differential/scenario.ts'
import { type Handover, type Passenger, pause, settledAnswer } from './passenger.ts'

const TOPIC = 'shared'
const GROUP = 'sharers'
const MEMBER = 'sharer'
const ACCEPT = 1
const RELEASE = 2
const REJECT = 3
type Fate = typeof ACCEPT | typeof RELEASE | typeof REJECT | 'in flight'
const RECORDS_A_ROUND = 8

/** A member of a share group (KIP-932) who acknowledges some of what it gets. */
export class ShareGroup implements Passenger {
  #topicId = ''
  #memberEpoch = 0
  #written = 0
  /** How often each record that is due again was delivered: at least, and at most. */
  readonly #deliveries = new Map<number, [number, number]>()
  #inFlight: number[] = []

  async begin(probe: Probe): Promise<void> {
    this.#topicId = await makeTopic(probe, TOPIC)
    await this.#configureEarliest(probe)
    await this.#beat(probe, { subscribedTopicNames: [TOPIC] })
    for (let attempt = 0; attempt < 600; attempt++) {
      const answer = await this.#beat(probe)
      if ((answer.assignment?.topicPartitions ?? []).length > 0) return this.#initialised(probe)
      await pause()
    }
    throw new Error('the share group gets no partitions')
  }

  /** The group is to begin with the first record. */
  async #configureEarliest(probe: Probe): Promise<void> {
    const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }]
    const resources = [{ resourceType: 32, resourceName: GROUP, configs }]
    const { responses } = await probe.quietly('IncrementalAlterConfigs', 1, { resources, validateOnly: false })
    expect(responses[0].errorCode).toBe(0)
  }

  async #initialised(probe: Probe): Promise<void> {
    await settledAnswer(
      () => probe.quietly('ReadShareGroupStateSummary', 1, this.#state({ leaderEpoch: -1 })),
      ({ results }) => results[0].partitions[0].errorCode,
    )
  }

  async leave(probe: Probe, { ending }: Handover): Promise<void> {
    for (let i = 0; i < RECORDS_A_ROUND; i++) {
      await write(probe, TOPIC, batch(1))
      this.#deliveries.set(this.#written++, [0, 0])
    }
    await this.#deliver(probe, [ACCEPT, RELEASE, REJECT, 'in flight'])
    if (ending === 'kill') return
    // The session ends with its connection, and what was not acknowledged may be noted as delivered, or no more.
    for (const offset of this.#inFlight) this.#deliveries.get(offset)![1] += 1
  }

  async described(probe: Probe): Promise<Body> {
    const groups = [{ groupId: GROUP, topics: null }]
    const described = await settledAnswer(
      () => probe.quietly('ShareGroupDescribe', 1, { groupIds: [GROUP] }),
      (answer) => answer.groups[0].errorCode,
    )
    const offsets = await settledAnswer(
      () => probe.quietly('DescribeShareGroupOffsets', 1, { groups }),
      (answer) => answer.groups[0].errorCode || answer.groups[0].topics[0].partitions[0].errorCode,
    )
    const state = await settledAnswer(
      () => probe.quietly('ReadShareGroupState', 0, this.#state({ leaderEpoch: -1 })),
      ({ results }) => results[0].partitions[0].errorCode,
    )
    const { leaderEpoch: _, ...ofPartition } = offsets.groups[0].topics[0].partitions[0]
    return { group: described.groups[0], ofPartition, state: this.#acknowledged(state.results[0].partitions[0]) }
  }

  /** Record by record, without those that are in flight. */
  #acknowledged({ startOffset, stateEpoch, stateBatches, errorCode }: Body): Body {
    const records: [number, number, number][] = []
    for (const { firstOffset, lastOffset, deliveryState, deliveryCount } of stateBatches as Body[]) {
      for (let offset = firstOffset; offset <= lastOffset; offset++) {
        if (!this.#inFlight.includes(offset)) records.push([offset, deliveryState, deliveryCount])
      }
    }
    return { startOffset, stateEpoch, errorCode, records: records.sort(([a], [b]) => a - b) }
  }

  async goOn(probe: Probe): Promise<void> {
    const epoch = this.#memberEpoch
    await this.#beat(probe)
    expect(this.#memberEpoch).toBe(epoch)
    await this.#deliver(probe, [RELEASE, RELEASE, ACCEPT, ACCEPT])
  }

  /** The member gets all that is due, as often delivered as it should be; what becomes of each record by its offset. */
  async #deliver(probe: Probe, fates: readonly Fate[]): Promise<void> {
    const got = new Map<number, number>()
    let sessionEpoch = 0
    const deadline = Date.now() + 60_000
    while (got.size < this.#deliveries.size && Date.now() < deadline) {
      const answer = await probe.quietly('ShareFetch', 1, this.#fetchBody(sessionEpoch))
      expect(answer.errorCode, answer.errorMessage).toBe(0)
      sessionEpoch += 1
      for (const { acquiredRecords } of answer.responses.flatMap(({ partitions }: Body) => partitions)) {
        for (const { firstOffset, lastOffset, deliveryCount } of acquiredRecords) {
          for (let offset = firstOffset; offset <= lastOffset; offset++) got.set(offset, deliveryCount)
        }
      }
    }
    const offsets = [...got.keys()].sort((a, b) => a - b)
    expect(offsets, probe.broker.kind).toEqual([...this.#deliveries.keys()].sort((a, b) => a - b))
    for (const [offset, [least, most]] of this.#deliveries) {
      expect(got.get(offset), `${probe.broker.kind}: deliveries of ${offset}`).toBeGreaterThan(least)
      expect(got.get(offset), `${probe.broker.kind}: deliveries of ${offset}`).toBeLessThanOrEqual(most + 1)
    }
    await this.#acknowledge(probe, sessionEpoch, got, fates)
  }

  async #acknowledge(
    probe: Probe,
    shareSessionEpoch: number,
    got: ReadonlyMap<number, number>,
    fates: readonly Fate[],
  ): Promise<void> {
    const acknowledgementBatches: Body[] = []
    this.#inFlight = []
    for (const [offset, count] of [...got].sort(([a], [b]) => a - b)) {
      const fate = fates[offset % fates.length]!
      if (fate === 'in flight') {
        this.#inFlight.push(offset)
        this.#deliveries.set(offset, [count - 1, count - 1])
        continue
      }
      acknowledgementBatches.push({ firstOffset: offset, lastOffset: offset, acknowledgeTypes: [fate] })
      if (fate === RELEASE) this.#deliveries.set(offset, [count, count])
      else this.#deliveries.delete(offset)
    }
    const partitions = [{ partitionIndex: 0, acknowledgementBatches }]
    const answer = await probe.quietly('ShareAcknowledge', 1, {
      groupId: GROUP,
      memberId: MEMBER,
      shareSessionEpoch,
      topics: [{ topicId: this.#topicId, partitions }],
    })
    expect(answer.responses[0].partitions[0]).toMatchObject({ errorCode: 0 })
  }

  #fetchBody(shareSessionEpoch: number): Body {
    return {
      groupId: GROUP,
      memberId: MEMBER,
      shareSessionEpoch,
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 1_000_000,
      maxRecords: 1000,
      batchSize: 1000,
      topics: [{ topicId: this.#topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] }],
      forgottenTopicsData: [],
    }
  }

  async #beat(probe: Probe, more: Body = {}): Promise<Body> {
    const body = { groupId: GROUP, memberId: MEMBER, memberEpoch: this.#memberEpoch, rackId: null, ...more }
    const answer = await settledAnswer(
      () => probe.quietly('ShareGroupHeartbeat', 1, { subscribedTopicNames: null, ...body }),
      ({ errorCode }) => errorCode,
    )
    expect(answer.errorCode, `${probe.broker.kind}: ${answer.errorMessage}`).toBe(0)
    this.#memberEpoch = answer.memberEpoch
    return answer
  }

  #state(more: Body): Body {
    return { groupId: GROUP, topics: [{ topicId: this.#topicId, partitions: [{ partition: 0, ...more }] }] }
  }
}
