import { ConfigsImage } from './configs-image.ts'
import { TopicsImage } from './topics-image.ts'
import type { BrokerImage, ControllerImage } from './types.ts'

/**
 * The state that the metadata log describes. One object for the life of the broker, changed in place by replay between
 * two turns of the event loop, so that whoever reads it without awaiting sees one consistent state.
 */
export class MetadataImage {
  /** The offset of the last record that is in here, -1 before the first. */
  offset = -1
  /** The epoch of that record. */
  epoch = -1
  readonly topics = new TopicsImage()
  readonly configs = new ConfigsImage()
  /** Registered brokers, fenced ones included. */
  readonly brokers = new Map<number, BrokerImage>()
  readonly controllers = new Map<number, ControllerImage>()
  /** Finalized feature levels by name, metadata.version included; level 0 is not kept. */
  readonly features = new Map<string, number>()
  /** The first producer id that no broker has been given. */
  nextProducerId = 0

  /** The level of a finalized feature, 0 when it is not finalized. */
  featureLevel(name: string): number {
    return this.features.get(name) ?? 0
  }
}
