import type { MetadataDelta } from '../../metadata/types.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from '../../protocol/messages/consumer-group-heartbeat.ts'
import type { GroupCoordinatorConfig } from '../group-config.ts'
import { Harness, Outcome } from '../harness.testkit.ts'
import { addTopic } from '../modern/image.testkit.ts'

type Overrides<T> = { readonly [K in keyof T]?: T[K] }

export const GROUP = 'group'
const CLIENT = { apiVersion: 1, clientId: 'client', clientHost: '/127.0.0.1' }

/** Consumer groups over a log in memory. */
export class ConsumerHarness extends Harness {
  static override async started(config: Overrides<GroupCoordinatorConfig> = {}): Promise<ConsumerHarness> {
    const harness = new ConsumerHarness(config)
    await harness.coordinator.onElection(0, 0)
    return harness
  }

  /** Makes a topic or adds partitions to it, and tells the coordinator; answers its id. */
  async topic(name: string, partitionCount: number): Promise<string> {
    const isNew = this.image.topics.byName(name) === undefined
    const topic = addTopic(this.image, name, partitionCount)
    if (isNew) this.image.changes.topicCreated(topic)
    this.image.changes.partitionChanged(topic.id, partitionCount - 1)
    await this.#publish()
    return topic.id
  }

  async deleteTopic(name: string): Promise<void> {
    const topic = this.image.topics.byName(name)!
    this.image.topics.remove(topic.id)
    this.image.offset++
    this.image.changes.topicDeleted(topic)
    await this.#publish()
  }

  async #publish(): Promise<void> {
    const delta: MetadataDelta = this.image.takeDelta()
    await this.done(this.coordinator.onMetadataChange(delta))
  }

  send(request: Overrides<ConsumerGroupHeartbeatRequest>, apiVersion = 1) {
    const full = { ...heartbeatRequest(), ...request }
    return new Outcome(this.coordinator.consumerHeartbeat({ ...CLIENT, apiVersion }, full))
  }

  async beat(request: Overrides<ConsumerGroupHeartbeatRequest>, apiVersion = 1) {
    const outcome = this.send(request, apiVersion)
    await this.settle()
    return outcome.required
  }

  async describeConsumers(groupId = GROUP) {
    return (await this.done(this.coordinator.describeConsumerGroups([groupId])))[0]!
  }
}

export function heartbeatRequest(): ConsumerGroupHeartbeatRequest {
  return {
    groupId: GROUP,
    memberId: 'm1',
    memberEpoch: 0,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    subscribedTopicNames: null,
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: null,
  }
}

/** A member that does what it is told: gives up at once what it must not have, and says what it has. */
export class Consumer {
  readonly harness: ConsumerHarness
  readonly memberId: string
  readonly instanceId: string | null
  subscription: Overrides<ConsumerGroupHeartbeatRequest>
  epoch = 0
  /** By topic id. */
  owned = new Map<string, number[]>()
  lastError: string | null | undefined

  constructor(
    harness: ConsumerHarness,
    memberId: string,
    subscription: Overrides<ConsumerGroupHeartbeatRequest> = { subscribedTopicNames: ['topic'] },
    instanceId: string | null = null,
  ) {
    this.harness = harness
    this.memberId = memberId
    this.subscription = subscription
    this.instanceId = instanceId
  }

  get partitions(): number {
    return [...this.owned.values()].reduce((sum, partitions) => sum + partitions.length, 0)
  }

  /** One heartbeat; answers the error code. Full where the member joins or `isFull`. */
  async beat(isFull = this.epoch === 0): Promise<number> {
    const response = await this.harness.beat({
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      ...(isFull ? { rebalanceTimeoutMs: 30_000, ...this.subscription } : {}),
      topicPartitions: Array.from(this.owned, ([topicId, partitions]) => ({ topicId, partitions })),
    })
    return this.hear(response)
  }

  hear(response: ConsumerGroupHeartbeatResponseInput): number {
    const errorCode = response.errorCode ?? 0
    this.lastError = response.errorMessage
    if (errorCode !== 0) {
      this.epoch = 0
      this.owned.clear()
      return errorCode
    }
    this.epoch = response.memberEpoch!
    if (response.assignment) {
      this.owned = new Map(response.assignment.topicPartitions!.map((each) => [each.topicId!, [...each.partitions!]]))
    }
    return 0
  }

  leave(memberEpoch = -1) {
    const { memberId, instanceId } = this
    return this.harness.beat({ memberId, memberEpoch, instanceId })
  }
}

/** Heartbeats in turn until nobody's epoch or partitions change any more; full ones where members are to be sure. */
export async function settleGroup(consumers: readonly Consumer[]): Promise<number> {
  for (let round = 1; ; round++) {
    const before = picture(consumers)
    for (const consumer of consumers) await consumer.beat()
    if (picture(consumers) === before) return round
    if (round > 50) throw new Error('the group does not settle')
  }
}

function picture(consumers: readonly Consumer[]): string {
  return JSON.stringify(consumers.map(({ epoch, owned }) => [epoch, [...owned]]))
}
