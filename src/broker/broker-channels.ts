import type { BrokerConfig } from '../config/broker-config.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { Platform } from '../platform/platform.ts'
import { BrokerLinks } from '../replication/channel/broker-links.ts'
import { endpointsOf } from './fetchers.ts'

/**
 * How this broker asks others. Each purpose has connections of its own: a broker answers what came by one in order, so that
 * what waits there for a partition would hold up all that came after.
 */
export class BrokerChannels {
  /** Markers of transactions. */
  readonly markers: BrokerLinks
  /** The state of share groups. */
  readonly shareState: BrokerLinks
  /** What is answered without much ado. */
  readonly questions: BrokerLinks

  constructor(config: BrokerConfig, { network, time }: Platform, image: MetadataImage) {
    const options = {
      network,
      time,
      clientId: `broker-link-${config.nodeId}`,
      requestTimeoutMs: config.get('request.timeout.ms'),
      maxResponseBytes: config.get('socket.request.max.bytes'),
      endpointOf: endpointsOf(config, image),
    }
    this.markers = new BrokerLinks(options)
    this.shareState = new BrokerLinks(options)
    this.questions = new BrokerLinks(options)
  }

  /** Who waits for a broker that is no longer where it was need not wait longer. */
  brokersChanged(brokerIds: ReadonlySet<number>): void {
    for (const links of [this.markers, this.shareState, this.questions]) links.brokersChanged(brokerIds)
  }

  /** Requests under way are rejected, and all that come after. */
  close(): void {
    for (const links of [this.markers, this.shareState, this.questions]) links.close()
  }
}
