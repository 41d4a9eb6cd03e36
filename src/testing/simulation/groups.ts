import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { type Client, GROUP, nameOfError } from './client.ts'
import { ConnectionLost } from './connection.ts'
import { isRetriable, type WorkTopic } from './producers.ts'

/** All faults together last no longer. */
const LONGEST_CUT_MS = 35_000
const COMMIT_VERSION = 8
const FETCH_VERSION = 8
const HEARTBEAT_VERSION = 1

/** Asks a group's coordinator once; undefined where there was no answer, or one that another might change. */
export async function ask<Response>(
  client: Client,
  group: string,
  request: (coordinator: number) => Promise<Response>,
  errorOf: (response: Response) => number,
): Promise<Response | undefined> {
  const coordinator = await client.coordinatorOf(group, GROUP)
  if (coordinator === undefined) return undefined
  try {
    const response = await request(coordinator)
    const error = errorOf(response)
    if (error === 0 || !isRetriable(error)) return response
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error
  }
  client.forgetCoordinator(group, GROUP)
  await client.backOff()
  return undefined
}

/** Commits offsets that rise, and looks whether any of them is ever forgotten. */
export class Committer {
  readonly client: Client
  readonly #group: string
  readonly #topic: string
  /** The highest that was acknowledged, and that may have been committed. */
  #committed = -1
  #asked = 0
  /** Since when nothing but old offsets is told. */
  #oldSinceMs: number | undefined
  acks = 0

  constructor(client: Client, group: string, topic: string) {
    this.client = client
    this.#group = group
    this.#topic = topic
  }

  async run(): Promise<void> {
    while (!this.client.world.isOver) {
      if (this.client.random.percent(50)) await this.#commit()
      else await this.#look()
      await this.client.world.sleep(this.client.random.below(400))
    }
  }

  async #commit(): Promise<void> {
    const committedOffset = ++this.#asked
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const body = { groupId: this.#group, topics: [{ name: this.#topic, partitions }] }
    const response = await ask(
      this.client,
      this.#group,
      (coordinator) => this.client.call(coordinator, apis.OffsetCommit, COMMIT_VERSION, body),
      ({ topics }) => topics[0]!.partitions[0]!.errorCode,
    )
    const errorCode = response?.topics[0]?.partitions[0]?.errorCode
    if (errorCode === undefined) return
    if (errorCode !== 0) this.client.world.fail(`${this.#group} cannot commit: ${nameOfError(errorCode)}`)
    this.#committed = committedOffset
    this.acks++
  }

  async #look(): Promise<void> {
    const atLeast = this.#committed
    const topics = [{ name: this.#topic, partitionIndexes: [0] }]
    const body = { groups: [{ groupId: this.#group, topics }], requireStable: true }
    const response = await ask(
      this.client,
      this.#group,
      (coordinator) => this.client.call(coordinator, apis.OffsetFetch, FETCH_VERSION, body),
      ({ groups }) => groups[0]!.errorCode || (groups[0]!.topics[0]?.partitions[0]?.errorCode ?? 0),
    )
    const found = response?.groups[0]?.topics[0]?.partitions[0]
    if (found === undefined || found.errorCode !== 0) return
    const { committedOffset } = found
    if (this.#isOld(committedOffset, atLeast)) return
    if (committedOffset < atLeast || committedOffset > this.#asked) {
      const what = `${atLeast} to ${this.#asked} was committed, ${committedOffset} is what is there`
      this.client.world.fail(`${this.#group}: ${what}`)
    }
  }

  /** A coordinator that is cut off tells what it knows, as in Apache Kafka: until everything is healed, and never nothing. */
  #isOld(committedOffset: number, atLeast: number): boolean {
    const nowMs = this.client.world.time.monotonicMs()
    if (committedOffset < 0 || committedOffset >= atLeast) {
      this.#oldSinceMs = undefined
      return false
    }
    this.#oldSinceMs ??= nowMs
    return nowMs - this.#oldSinceMs < LONGEST_CUT_MS
  }
}

/** Whoever has partitions of a group. */
interface Owner {
  readonly client: Client
  readonly memberId: string
  readonly partitions: ReadonlySet<number>
}

/** Who owns what in a group, by the epochs or generations in which they were told. */
export class GroupView {
  readonly name: string
  readonly topic: WorkTopic
  readonly members: Owner[] = []
  readonly #owners = new Map<string, string>()

  constructor(name: string, topic: WorkTopic) {
    this.name = name
    this.topic = topic
  }

  owns(member: Owner, epoch: number, partition: number): void {
    const key = `${epoch} ${partition}`
    const known = this.#owners.get(key)
    if (known !== undefined && known !== member.memberId) {
      const what = `partition ${partition} belongs to ${known} and ${member.memberId} in epoch ${epoch}`
      member.client.world.fail(`${this.name}: ${what}`)
    }
    this.#owners.set(key, member.memberId)
  }

  /** Every partition belongs to one member. */
  get isStable(): boolean {
    const owned = this.members.flatMap(({ partitions }) => [...partitions])
    return owned.length === this.topic.partitions && new Set(owned).size === owned.length
  }
}

/** A member of a group that lets the coordinator decide (KIP-848). */
export class GroupMember {
  readonly client: Client
  readonly #view: GroupView
  memberId: string
  partitions: ReadonlySet<number> = new Set()
  #epoch = 0
  #topicId = ''
  #lives = 0
  /** After a heartbeat without an answer all is said again, and so is the assignment. */
  #mustSayAll = true

  constructor(client: Client, view: GroupView) {
    this.client = client
    this.#view = view
    this.memberId = ''
    this.#begin()
  }

  #begin(): void {
    this.memberId = `${this.client.host}/${++this.#lives}`
    this.#epoch = 0
    this.partitions = new Set()
  }

  async run(): Promise<void> {
    while (!this.client.world.isOver) {
      await this.#heartbeat()
      await this.client.world.sleep(300 + this.client.random.below(200))
    }
  }

  async #heartbeat(): Promise<void> {
    const { name, topic } = this.#view
    const isJoining = this.#epoch === 0
    const saysAll = isJoining || this.#mustSayAll
    const owned = { topicId: this.#topicId, partitions: [...this.partitions] }
    const body = {
      groupId: name,
      memberId: this.memberId,
      memberEpoch: this.#epoch,
      rebalanceTimeoutMs: 10_000,
      subscribedTopicNames: saysAll ? [topic.name] : null,
      topicPartitions: isJoining || this.partitions.size === 0 ? [] : [owned],
    }
    const response = await ask(
      this.client,
      name,
      (coordinator) => this.client.call(coordinator, apis.ConsumerGroupHeartbeat, HEARTBEAT_VERSION, body),
      ({ errorCode }) => errorCode,
    )
    this.#mustSayAll = response === undefined
    if (response === undefined) return
    const { errorCode, memberEpoch, assignment } = response
    if (errorCode === errors.FENCED_MEMBER_EPOCH.code || errorCode === errors.UNKNOWN_MEMBER_ID.code) {
      this.#begin()
      return
    }
    if (errorCode !== 0) {
      this.client.world.fail(`${this.memberId} in ${name}: ${nameOfError(errorCode)}`)
      return
    }
    if (assignment !== null) {
      const [mine] = assignment.topicPartitions
      this.#topicId = mine?.topicId ?? this.#topicId
      this.partitions = new Set(mine?.partitions ?? [])
    }
    this.#epoch = memberEpoch
    for (const partition of this.partitions) this.#view.owns(this, memberEpoch, partition)
  }
}
