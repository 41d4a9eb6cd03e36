import type { MetadataImage } from '../../metadata/image.ts'
import { ConfigResourceType, type MetadataDelta, type MetadataPublisher } from '../../metadata/types.ts'
import type { Time } from '../../platform/time.ts'
import type { FollowerThrottle } from '../../replication/follower/follower-options.ts'
import { type RateWindows, SimpleRate } from './windowed-rate.ts'

/** The settings of one side of replication: a rate of the broker, and the replicas of each topic that it is for. */
interface ThrottleSettings {
  readonly rate: 'leader.replication.throttled.rate' | 'follower.replication.throttled.rate'
  readonly replicas: 'leader.replication.throttled.replicas' | 'follower.replication.throttled.replicas'
}

const LEADER: ThrottleSettings = {
  rate: 'leader.replication.throttled.rate',
  replicas: 'leader.replication.throttled.replicas',
}
const FOLLOWER: ThrottleSettings = {
  rate: 'follower.replication.throttled.rate',
  replicas: 'follower.replication.throttled.replicas',
}

/** Throttled partitions of a topic. */
type Throttled = 'all' | ReadonlySet<number>

/** Bytes each second that one side of replication may move of throttled partitions (KIP-73). */
export class ReplicationQuota implements FollowerThrottle {
  readonly #settings: ThrottleSettings
  readonly #nodeId: number
  readonly #time: Time
  readonly #rate: SimpleRate
  readonly #throttled = new Map<string, Throttled>()
  #bound = Number.POSITIVE_INFINITY

  constructor(settings: ThrottleSettings, nodeId: number, time: Time, windows: RateWindows) {
    this.#settings = settings
    this.#nodeId = nodeId
    this.#time = time
    this.#rate = new SimpleRate(windows)
  }

  /** False where no partition is throttled, so that nobody need ask for each. */
  get isInUse(): boolean {
    return this.#throttled.size > 0
  }

  isThrottled(topic: string, partition: number): boolean {
    const throttled = this.#throttled.get(topic)
    return throttled === 'all' || throttled?.has(partition) === true
  }

  isExceeded(): boolean {
    return this.#rate.measure(this.#nowMs()) > this.#bound
  }

  record(sizeBytes: number): void {
    this.#rate.record(sizeBytes, this.#nowMs())
  }

  #nowMs(): number {
    return Math.floor(this.#time.monotonicMs())
  }

  updateTopic(topic: string, configs: ReadonlyMap<string, string>): void {
    const throttled = throttledOf(configs.get(this.#settings.replicas) ?? '', this.#nodeId)
    if (throttled === undefined) this.#throttled.delete(topic)
    else this.#throttled.set(topic, throttled)
  }

  /** `own` comes before what is said for all brokers. */
  updateBroker(own: ReadonlyMap<string, string>, all: ReadonlyMap<string, string>): void {
    const rate = own.get(this.#settings.rate) ?? all.get(this.#settings.rate)
    this.#bound = rate === undefined ? Number.POSITIVE_INFINITY : Number(rate)
  }
}

/** `text`: "*", or "partition:broker,..."; undefined for no partition. */
function throttledOf(text: string, nodeId: number): Throttled | undefined {
  const items = text.split(',').map((item) => item.trim())
  if (items.join('') === '*') return 'all'
  const ending = `:${nodeId}`
  const partitions = items.filter((item) => item.endsWith(ending)).map((item) => Number(item.slice(0, -ending.length)))
  return partitions.length === 0 ? undefined : new Set(partitions)
}

/** What replicas of this broker may move, as leaders and as followers. */
export class ReplicationQuotas implements MetadataPublisher {
  readonly leader: ReplicationQuota
  readonly follower: ReplicationQuota
  readonly #nodeId: number
  readonly #image: MetadataImage

  constructor(nodeId: number, image: MetadataImage, time: Time, windows: RateWindows) {
    this.#nodeId = nodeId
    this.#image = image
    this.leader = new ReplicationQuota(LEADER, nodeId, time, windows)
    this.follower = new ReplicationQuota(FOLLOWER, nodeId, time, windows)
  }

  onMetadataChange({ isInitial, configsChanged, topicsDeleted }: MetadataDelta): void {
    const { configs } = this.#image
    for (const { name } of topicsDeleted.values()) this.#updateTopic(name)
    for (const { type, name } of configsChanged) if (type === ConfigResourceType.topic) this.#updateTopic(name)
    if (!isInitial && !configsChanged.some(({ type }) => type === ConfigResourceType.broker)) return
    const own = configs.of(ConfigResourceType.broker, String(this.#nodeId))
    const all = configs.of(ConfigResourceType.broker, '')
    for (const quota of [this.leader, this.follower]) quota.updateBroker(own, all)
  }

  #updateTopic(name: string): void {
    const configs = this.#image.configs.of(ConfigResourceType.topic, name)
    for (const quota of [this.leader, this.follower]) quota.updateTopic(name, configs)
  }
}
