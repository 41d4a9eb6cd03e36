import type { BrokerConfig } from '../../config/broker-config.ts'
import { groupValue } from '../../config/group-config.ts'
import type { ReadUpTo } from '../../log/types.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import { ConfigResourceType } from '../../metadata/types.ts'
import type { ShareLimits } from './share-partition.ts'

/** The settings of share groups, as they are now: the group's own, else the broker's. */
export class ShareSettings {
  readonly #config: BrokerConfig
  readonly #image: MetadataImage

  constructor(config: BrokerConfig, image: MetadataImage) {
    this.#config = config
    this.#image = image
  }

  /** group.share.max.share.sessions */
  get maxSessions(): number {
    return this.#config.get('group.share.max.share.sessions')
  }

  limits(groupId: string): ShareLimits {
    const own = this.#own(groupId)
    const config = this.#config
    return {
      deliveryCount: groupValue('share.delivery.count.limit', own, config),
      recordLocks: groupValue('share.partition.max.record.locks', own, config),
      lockDurationMs: groupValue('share.record.lock.duration.ms', own, config),
      mayRenew: groupValue('share.renew.acknowledge.enable', own, config),
    }
  }

  /** What the group may see (share.isolation.level). */
  visible(groupId: string): ReadUpTo {
    const level = groupValue('share.isolation.level', this.#own(groupId), this.#config)
    return level === 'read_committed' ? 'lastStable' : 'highWatermark'
  }

  /** earliest, latest or by_duration:... */
  offsetReset(groupId: string): string {
    return groupValue('share.auto.offset.reset', this.#own(groupId), this.#config)
  }

  #own(groupId: string) {
    return this.#image.configs.of(ConfigResourceType.group, groupId)
  }
}
