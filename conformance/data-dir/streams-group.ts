import { expect } from 'vitest'
import type { Body, Probe } from '../differential/probe.ts'
import { makeTopic } from '../differential/scenario.ts'
import {
  beat,
  configureGroup,
  join,
  leave,
  newThread,
  type Thread,
  untilThere,
  wordCount,
} from '../differential/scenarios/streams-tools.ts'
import { type Passenger, pause, settledAnswer } from './passenger.ts'

const GROUP = 'counting'
const SOURCE = 'counted'

/** Threads of a word count in two processes (KIP-1071), and a third one that comes and goes. */
export class StreamsGroup implements Passenger {
  readonly #threads: readonly Thread[] = ['a', 'b'].map((id) => newThread(GROUP, id))
  #guest = newThread(GROUP, 'guest-0')
  #guests = 0

  async begin(probe: Probe): Promise<void> {
    await makeTopic(probe, SOURCE, { partitions: 4 })
    await configureGroup(probe, GROUP, { 'streams.num.standby.replicas': '1' })
    for (const thread of this.#threads) await this.#join(probe, thread)
    await untilThere(probe, [`${SOURCE}-counts-repartition`, `${SOURCE}-counts-changelog`])
    await this.#settle(probe, this.#threads)
  }

  /** One more is in, and somebody is told to give tasks up and has not done it. */
  async leave(probe: Probe): Promise<void> {
    this.#guest = newThread(GROUP, `guest-${++this.#guests}`)
    await this.#join(probe, this.#guest)
    for (const thread of this.#threads) await this.#beat(probe, thread)
  }

  /** Without the numbers of partitions, which the next broker finds when it is asked for tasks. */
  async described(probe: Probe): Promise<Body> {
    const { topology, members, ...group } = await this.#describe(probe)
    expect(group).toMatchObject({ errorCode: 0, groupState: 'Reconciling' })
    const subtopologies = topology.subtopologies.map((each: Body) => each.subtopologyId)
    const inOrder = [...members].sort((a: Body, b: Body) => (a.memberId < b.memberId ? -1 : 1))
    return { ...group, subtopologies, members: inOrder }
  }

  async goOn(probe: Probe): Promise<void> {
    await this.#settle(probe, [...this.#threads, this.#guest])
    await leave(probe, this.#guest)
    await this.#settle(probe, this.#threads)
  }

  async #describe(probe: Probe): Promise<Body> {
    const answer = await settledAnswer(
      () => probe.quietly('StreamsGroupDescribe', 0, { groupIds: [GROUP] }),
      ({ groups }) => groups[0].errorCode,
    )
    return answer.groups[0]
  }

  async #join(probe: Probe, thread: Thread): Promise<void> {
    const said = { rebalanceTimeoutMs: 300_000, userEndpoint: { host: thread.memberId, port: 7070 } }
    await settledAnswer(
      () => join(probe, thread, wordCount(SOURCE), said),
      ({ errorCode }) => errorCode,
    )
    expect(thread.memberEpoch, `${probe.broker.kind}: ${thread.memberId} is in`).toBeGreaterThan(0)
  }

  async #beat(probe: Probe, thread: Thread): Promise<void> {
    const { errorCode, errorMessage } = await beat(probe, thread)
    expect(errorCode, `${probe.broker.kind}: ${thread.memberId}: ${errorMessage}`).toBe(0)
  }

  /** Heartbeats until all have what they should; both brokers make a member wait for its tasks at times. */
  async #settle(probe: Probe, threads: readonly Thread[]): Promise<void> {
    for (let round = 0; round < 300; round++) {
      for (const thread of threads) await this.#beat(probe, thread)
      if ((await this.#describe(probe)).groupState === 'Stable') return
      await pause()
    }
    throw new Error('the streams group does not settle')
  }
}
