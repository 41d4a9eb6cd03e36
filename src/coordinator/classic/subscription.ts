import { decode } from '../../protocol/codec.ts'
import { ConsumerProtocolSubscription } from '../../protocol/messages/consumer-protocol.ts'
import { DecodeError } from '../../protocol/wire.ts'

/** The protocol type of consumers, whose subscriptions the coordinator can read. */
export const CONSUMER_PROTOCOL_TYPE = 'consumer'

const VERSION_SIZE = 2

/** The topics of a consumer's subscription; undefined where it cannot be read. */
export function subscribedTopicsOf(metadata: Buffer): readonly string[] | undefined {
  if (metadata.length < VERSION_SIZE) return undefined
  try {
    // Later versions only add fields at the end, so version 0 reads them all.
    return decode(ConsumerProtocolSubscription, 0, metadata.subarray(VERSION_SIZE)).topics
  } catch (reason) {
    if (reason instanceof DecodeError) return undefined
    throw reason
  }
}
