import { apis } from '../../protocol/api-keys.ts'
import { errorOfCode, errors, type KafkaError } from '../../protocol/errors.ts'
import { type NodeClient, RequestError } from '../channel/node-client.ts'
import type { FollowedPartition } from './followed-partition.ts'

/** The first version of ListOffsets that tells the leader in which epoch it is believed to be (KIP-320). */
const MIN_LIST_OFFSETS_VERSION = 4
const TIMESTAMPS = { earliest: -2, latest: -1 } as const

export interface LeaderOffset {
  readonly error: KafkaError
  /** -1 with an error. */
  readonly offset: number
}

/** Asks a leader where its logs begin and end. */
export class LeaderOffsets {
  readonly #nodeId: number
  readonly #connected: () => NodeClient

  /** `connected` throws RequestError. */
  constructor(nodeId: number, connected: () => NodeClient) {
    this.#nodeId = nodeId
    this.#connected = connected
  }

  /** One answer for each, in order. Never rejects: what has no answer gets NETWORK_EXCEPTION. */
  async ask(which: keyof typeof TIMESTAMPS, partitions: readonly FollowedPartition[]): Promise<LeaderOffset[]> {
    const topics = new Map<string, { partitionIndex: number; currentLeaderEpoch: number; timestamp: number }[]>()
    for (const { partition, leaderEpoch } of partitions) {
      const asked = {
        partitionIndex: partition.partition,
        currentLeaderEpoch: leaderEpoch,
        timestamp: TIMESTAMPS[which],
      }
      const known = topics.get(partition.topic)
      if (known === undefined) topics.set(partition.topic, [asked])
      else known.push(asked)
    }
    const body = {
      replicaId: this.#nodeId,
      isolationLevel: 0,
      topics: [...topics].map(([name, asked]) => ({ name, partitions: asked })),
      timeoutMs: 0,
    }
    const answers = new Map<string, LeaderOffset>()
    try {
      const { response } = await this.#connected().request(apis.ListOffsets, () => body, MIN_LIST_OFFSETS_VERSION)
      for (const { name, partitions: found } of response.topics) {
        for (const { partitionIndex, errorCode, offset } of found) {
          answers.set(`${name}-${partitionIndex}`, { error: errorOfCode(errorCode), offset })
        }
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
    }
    return partitions.map((followed) => answers.get(followed.toString()) ?? NO_ANSWER)
  }
}

const NO_ANSWER: LeaderOffset = { error: errors.NETWORK_EXCEPTION, offset: -1 }
