import { decode, encode } from '../../protocol/codec.ts'
import { ConsumerProtocolAssignment, ConsumerProtocolSubscription } from '../../protocol/messages/consumer-protocol.ts'
import { DecodeError } from '../../protocol/wire.ts'
import type { Assignment, TopicPartitions } from '../modern/assignment.ts'
import type { GroupMetadataView } from '../modern/group-metadata-view.ts'

/** What classic consumers say to each other inside JoinGroup and SyncGroup: a version, then the message. */
const VERSION_SIZE = 2
const LATEST_VERSION = 3

export interface Subscription {
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartitions[]
  readonly rackId: string | null
}

/** Throws DecodeError. Later versions only add fields at the end. */
export function readVersion(bytes: Buffer): number {
  if (bytes.length < VERSION_SIZE) throw new DecodeError(`embedded protocol of ${bytes.length} bytes`)
  const version = bytes.readInt16BE(0)
  if (version < 0) throw new DecodeError(`embedded protocol of version ${version}`)
  return Math.min(version, LATEST_VERSION)
}

/** Owned partitions of topics that do not exist are left out. Throws DecodeError. */
export function readSubscription(bytes: Buffer, topics: GroupMetadataView): Subscription {
  const { ownedPartitions, ...subscription } = decode(
    ConsumerProtocolSubscription,
    readVersion(bytes),
    bytes.subarray(VERSION_SIZE),
  )
  const owned = ownedPartitions.flatMap(({ topic, partitions }) => {
    const topicId = topics.byName(topic)?.id
    return topicId === undefined ? [] : [{ topicId, partitions }]
  })
  return { topics: subscription.topics, owned, rackId: subscription.rackId || null }
}

/** Undefined where an assignor of the client's own has put something in that only it understands. Throws DecodeError. */
export function readAssignment(bytes: Buffer, topics: GroupMetadataView): Assignment | undefined {
  const assignment = new Map<string, ReadonlySet<number>>()
  if (bytes.length === 0) return assignment
  const { assignedPartitions, userData } = decode(
    ConsumerProtocolAssignment,
    readVersion(bytes),
    bytes.subarray(VERSION_SIZE),
  )
  if (userData !== null && userData.length > 0) return undefined
  for (const { topic, partitions } of assignedPartitions) {
    const topicId = topics.byName(topic)?.id
    if (topicId !== undefined) assignment.set(topicId, new Set(partitions))
  }
  return assignment
}

/** Topics that do not exist any more are left out. */
export function writeAssignment(
  assignment: ReadonlyMap<string, ReadonlySet<number> | ReadonlyMap<number, number>>,
  version: number,
  topics: GroupMetadataView,
): Buffer {
  const assignedPartitions = [...assignment].flatMap(([topicId, partitions]) => {
    const topic = topics.byId(topicId)?.name
    return topic === undefined ? [] : [{ topic, partitions: [...partitions.keys()] }]
  })
  const head = Buffer.alloc(VERSION_SIZE)
  head.writeInt16BE(version)
  return Buffer.concat([head, encode(ConsumerProtocolAssignment, version, { assignedPartitions })])
}
