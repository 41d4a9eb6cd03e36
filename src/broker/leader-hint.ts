import { endPointOf } from './endpoints.ts'
import type { RequestContext, Services } from './types.ts'

interface NodeEndpoint {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** KIP-951: who leads a partition now, and how to reach the leaders named in one response. */
export class LeaderHints {
  readonly nodeEndpoints: NodeEndpoint[] = []
  readonly #services: Services
  readonly #listenerName: string

  constructor(services: Services, context: RequestContext) {
    this.#services = services
    this.#listenerName = context.connection.listenerName
  }

  /** -1 and -1 where the partition is not known. */
  currentLeader(topic: string, partition: number): { leaderId: number; leaderEpoch: number } {
    const { image } = this.#services
    const state = image.topics.partition(topic, partition)
    if (state === undefined) return { leaderId: -1, leaderEpoch: -1 }
    const { leader: leaderId, leaderEpoch } = state
    const broker = image.brokers.get(leaderId)
    const endPoint = endPointOf(broker, this.#listenerName)
    if (broker && endPoint && !broker.fenced && !this.nodeEndpoints.some(({ nodeId }) => nodeId === leaderId)) {
      this.nodeEndpoints.push({ nodeId: leaderId, host: endPoint.host, port: endPoint.port, rack: broker.rack })
    }
    return { leaderId, leaderEpoch }
  }
}
