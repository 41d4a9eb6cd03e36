import { ConfigsImage } from './configs-image.ts'
import { DeltaBuilder } from './delta.ts'
import type { MetadataRecord, MetadataRecordValue } from './records.ts'
import { replay } from './replay.ts'
import { TopicsImage } from './topics-image.ts'
import type { BrokerImage, ControllerImage, MetadataDelta, QuotaEntityImage } from './types.ts'

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
  /** The first producer id that no broker has been given; -1 before the first was given. */
  nextProducerId = -1
  /** By the key that `quotaEntityKey` makes. */
  readonly clientQuotas = new Map<string, QuotaEntityImage>()
  /** By id. */
  readonly acls = new Map<string, MetadataRecordValue<'AccessControlEntry'>>()
  /** By mechanism and user name, `1:alice`. */
  readonly scramCredentials = new Map<string, MetadataRecordValue<'UserScramCredential'>>()
  /** By token id. */
  readonly delegationTokens = new Map<string, MetadataRecordValue<'DelegationToken'>>()
  /** What was replayed since `takeDelta`. */
  changes = new DeltaBuilder(true)

  /** The level of a finalized feature, 0 when it is not finalized. */
  featureLevel(name: string): number {
    return this.features.get(name) ?? 0
  }

  /** Throws Error for a record that does not fit the state: the log is damaged or is not a metadata log. */
  replay(record: MetadataRecord): void {
    replay(this, record)
  }

  /** What changed since the last call. */
  takeDelta(): MetadataDelta & { readonly isEmpty: boolean } {
    const delta = this.changes
    this.changes = new DeltaBuilder(false)
    return delta
  }

  /** Back to nothing, as before the first record. */
  clear(): void {
    this.offset = -1
    this.epoch = -1
    this.topics.clear()
    this.configs.clear()
    this.nextProducerId = -1
    const maps = [this.brokers, this.controllers, this.features, this.clientQuotas, this.acls]
    for (const map of [...maps, this.scramCredentials, this.delegationTokens]) map.clear()
    this.changes = new DeltaBuilder(true)
  }
}
