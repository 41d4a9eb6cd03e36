import type { BrokerConfig } from '../config/broker-config.ts'
import { StartupError } from '../config/startup-error.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { FollowerProgress } from '../replication/follower-progress.ts'
import type { Partition } from '../replication/partition.ts'
import { endPointOf } from './endpoints.ts'

/** Apache Kafka's name of the only way to choose that there is here. */
const RACK_AWARE = 'org.apache.kafka.common.replica.RackAwareReplicaSelector'

/** Chooses where consumers had better read (KIP-392). */
export class ReadReplicas {
  readonly #image: MetadataImage
  readonly #nodeId: number
  readonly #isRackAware: boolean

  /** Throws StartupError for a class that is not known. */
  constructor(config: BrokerConfig, image: MetadataImage) {
    const name = config.get('replica.selector.class')
    if (name !== null && name !== RACK_AWARE) {
      throw new StartupError(`replica.selector.class: ${name} is a Java class; only ${RACK_AWARE} is known`)
    }
    this.#isRackAware = name !== null
    this.#image = image
    this.#nodeId = config.nodeId
  }

  /** For a consumer in `rackId` that reaches brokers by a listener; undefined where it reads from leaders in any case. */
  chooserFor(
    rackId: string,
    listenerName: string,
  ): ((partition: Partition, fetchOffset: number) => number) | undefined {
    if (!this.#isRackAware || rackId === '') return undefined
    return (partition, fetchOffset) => this.#choose(partition, fetchOffset, rackId, listenerName)
  }

  /** -1 for this broker. */
  #choose(partition: Partition, fetchOffset: number, rackId: string, listenerName: string): number {
    if (!partition.isLeader || this.#isIn(this.#nodeId, rackId, listenerName)) return -1
    let best: FollowerProgress | undefined
    for (const follower of partition.followersAt(fetchOffset)) {
      if (!this.#isIn(follower.brokerId, rackId, listenerName)) continue
      if (best === undefined || isBetter(follower, best)) best = follower
    }
    return best?.brokerId ?? -1
  }

  #isIn(brokerId: number, rackId: string, listenerName: string): boolean {
    const broker = this.#image.brokers.get(brokerId)
    if (broker === undefined || broker.fenced || broker.rack !== rackId) return false
    return endPointOf(broker, listenerName) !== undefined
  }
}

/** The one that has more, or had all more lately. */
function isBetter(a: FollowerProgress, b: FollowerProgress): boolean {
  if (a.logEndOffset !== b.logEndOffset) return a.logEndOffset > b.logEndOffset
  if (a.lastCaughtUpMs !== b.lastCaughtUpMs) return a.lastCaughtUpMs > b.lastCaughtUpMs
  return a.brokerId > b.brokerId
}
