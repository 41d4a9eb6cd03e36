import type { BrokerConfig } from '../config/broker-config.ts'
import type { Logger } from '../platform/logger.ts'
import type { MetadataImage } from './image.ts'
import { ConfigResourceType, type MetadataDelta, type MetadataPublisher } from './types.ts'

/** Keeps the broker's configuration at what the metadata log says of it. To be told before those who read it. */
export class DynamicConfigPublisher implements MetadataPublisher {
  readonly #image: MetadataImage
  readonly #config: BrokerConfig
  readonly #logger: Logger

  constructor(image: MetadataImage, config: BrokerConfig, logger: Logger) {
    this.#image = image
    this.#config = config
    this.#logger = logger
  }

  onMetadataChange(delta: MetadataDelta): void {
    const own = String(this.#config.nodeId)
    const isOurs = delta.configsChanged.some(
      ({ type, name }) => type === ConfigResourceType.broker && (name === '' || name === own),
    )
    if (!isOurs) return
    const { configs } = this.#image
    const clusterDefaults = configs.of(ConfigResourceType.broker, '')
    // The image changes these maps in place, and the configuration compares before and after.
    const update = this.#config.applyDynamic(
      new Map(clusterDefaults),
      new Map(configs.of(ConfigResourceType.broker, own)),
    )
    for (const { name, reason } of update.ignored) {
      this.#logger.warn(`the dynamic config ${name} is left out: ${reason}`)
    }
  }
}
