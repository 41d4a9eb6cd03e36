import type { MetadataImage } from '../../metadata/image.ts'
import { ConfigResourceType, type MetadataDelta, type MetadataPublisher } from '../../metadata/types.ts'
import type { Time } from '../../platform/time.ts'
import type { FollowerThrottle } from '../../replication/follower/follower-options.ts'
import { type RateWindows, SimpleRate } from './windowed-rate.ts'

/** The settings of one side of replication: a rate of the broker, and the replicas of each topic that it is for. */
interface ThrottleSettings {
  readonly rate: RateSetting
  readonly replicas: 'leader.replication.throttled.replicas' | 'follower.replication.throttled.replicas'
}

type RateSetting =
  | 'leader.replication.throttled.rate'
  | 'follower.replication.throttled.rate'
  | 'replica.alter.log.dirs.io.max.bytes.per.second'

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

/** Bytes each second, at most as many as a dynamic setting of the broker says. */
export class ByteQuota {
  readonly #setting: RateSetting
  readonly #time: Time
  readonly #rate: SimpleRate
  #bound = Number.POSITIVE_INFINITY

  constructor(setting: RateSetting, time: Time, windows: RateWindows) {
    this.#setting = setting
    this.#time = time
    this.#rate = new SimpleRate(windows)
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

  /** `own` comes before what is said for all brokers. */
  updateBroker(own: ReadonlyMap<string, string>, all: ReadonlyMap<string, string>): void {
    const rate = own.get(this.#setting) ?? all.get(this.#setting)
    this.#bound = rate === undefined ? Number.POSITIVE_INFINITY : Number(rate)
  }
}

/** Bytes each second that one side of replication may move of throttled partitions (KIP-73). */
export class ReplicationQuota extends ByteQuota implements FollowerThrottle {
  readonly #settings: ThrottleSettings
  readonly #nodeId: number
  readonly #throttled = new Map<string, Throttled>()

  constructor(settings: ThrottleSettings, nodeId: number, time: Time, windows: RateWindows) {
    super(settings.rate, time, windows)
    this.#settings = settings
    this.#nodeId = nodeId
  }

  /** False where no partition is throttled, so that nobody need ask for each. */
  get isInUse(): boolean {
    return this.#throttled.size > 0
  }

  isThrottled(topic: string, partition: number): boolean {
    const throttled = this.#throttled.get(topic)
    return throttled === 'all' || throttled?.has(partition) === true
  }

  updateTopic(topic: string, configs: ReadonlyMap<string, string>): void {
    const throttled = throttledOf(configs.get(this.#settings.replicas) ?? '', this.#nodeId)
    if (throttled === undefined) this.#throttled.delete(topic)
    else this.#throttled.set(topic, throttled)
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

/** What replicas of this broker may move, as leaders, as followers, and from one log directory to another (KIP-113). */
export class ReplicationQuotas implements MetadataPublisher {
  readonly leader: ReplicationQuota
  readonly follower: ReplicationQuota
  readonly moves: ByteQuota
  readonly #nodeId: number
  readonly #image: MetadataImage

  constructor(nodeId: number, image: MetadataImage, time: Time, windows: RateWindows, moveWindows = windows) {
    this.#nodeId = nodeId
    this.#image = image
    this.moves = new ByteQuota('replica.alter.log.dirs.io.max.bytes.per.second', time, moveWindows)
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
    for (const quota of [this.leader, this.follower, this.moves]) quota.updateBroker(own, all)
  }

  #updateTopic(name: string): void {
    const configs = this.#image.configs.of(ConfigResourceType.topic, name)
    for (const quota of [this.leader, this.follower]) quota.updateTopic(name, configs)
  }
}
