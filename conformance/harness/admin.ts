import { type Api, apis } from '../../src/protocol/api-keys.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/frames.ts'
import type { InputOf, Message, MessageOf } from '../../src/protocol/schema.ts'
import { eventually } from './process.ts'
import { RawConnection } from './wire.ts'

export interface PartitionView {
  readonly topic: string
  readonly partition: number
  /** -1 where there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export interface ClusterView {
  readonly clusterId: string | null
  /** Port by id of the brokers that are not fenced. */
  readonly brokers: ReadonlyMap<number, number>
  readonly partitions: readonly PartitionView[]
}

export interface QuorumView {
  readonly leader: number
  readonly epoch: number
  readonly highWatermark: number
  readonly voters: readonly number[]
  readonly observers: readonly number[]
}

export interface TopicPlan {
  readonly partitions?: number
  readonly replicas?: number
  readonly configs?: Readonly<Record<string, string>>
  /** Who has which partition, instead of the two numbers. */
  readonly assignment?: ReadonlyArray<readonly number[]>
}

type Wanted = { topic: string; partitions: number[] }[]

const ANSWER_WITHIN_MS = 10_000
/** How long anything may take that a cluster does by itself, on a machine that has other things to do. */
export const PATIENCE_MS = 180_000
/** Errors that say "not now": of a controller that changes, of brokers that are not there yet, of what took too long. */
const PASSING: ReadonlySet<number> = new Set([5, 6, 7, 13, 14, 15, 16, 38, 41, 71, 89])

/** Asks a cluster by whichever broker answers, each time on a connection of its own. */
export class Admin {
  private readonly ports: () => readonly number[]

  /** `ports` are those of the brokers that run, as they are now. */
  constructor(ports: () => readonly number[]) {
    this.ports = ports
  }

  /** One exchange with the first broker that answers. */
  async request<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    version: number,
    body: InputOf<Request>,
    timeoutMs: number = ANSWER_WITHIN_MS,
  ): Promise<MessageOf<Response>> {
    let failure: unknown = new Error('no broker runs')
    for (const port of this.ports()) {
      try {
        return await requestOn(port, api, version, body, timeoutMs)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  async view(topics: readonly string[] | null = null): Promise<ClusterView> {
    const body = await this.request(apis.Metadata, 8, {
      topics: topics?.map((name) => ({ name })) ?? null,
      allowAutoTopicCreation: false,
    })
    const partitions = body.topics.flatMap(({ name, partitions }) =>
      partitions.map((entry) => ({
        topic: name!,
        partition: entry.partitionIndex,
        leader: entry.leaderId,
        leaderEpoch: entry.leaderEpoch,
        replicas: entry.replicaNodes,
        isr: entry.isrNodes,
      })),
    )
    const brokers = new Map(body.brokers.map(({ nodeId, port }) => [nodeId, port]))
    return { clusterId: body.clusterId, brokers, partitions }
  }

  async quorum(): Promise<QuorumView> {
    const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
    const body = await this.request(apis.DescribeQuorum, 2, { topics })
    const quorum = body.topics[0]?.partitions[0]
    if (body.errorCode !== 0 || quorum === undefined || quorum.errorCode !== 0) {
      throw new Error(`DescribeQuorum: error ${body.errorCode} ${body.errorMessage} ${quorum?.errorCode}`)
    }
    return {
      leader: quorum.leaderId,
      epoch: quorum.leaderEpoch,
      highWatermark: quorum.highWatermark,
      voters: quorum.currentVoters.map(({ replicaId }) => replicaId).sort(),
      observers: quorum.observers.map(({ replicaId }) => replicaId).sort(),
    }
  }

  /** Creates topics and waits until each partition has a leader that all running brokers know. */
  async createTopics(plans: Readonly<Record<string, TopicPlan>>): Promise<void> {
    const topics = Object.entries(plans).map(([name, { partitions = 1, replicas = 1, configs = {}, assignment }]) => ({
      name,
      numPartitions: assignment ? -1 : partitions,
      replicationFactor: assignment ? -1 : replicas,
      assignments: (assignment ?? []).map((brokerIds, partitionIndex) => ({
        partitionIndex,
        brokerIds: [...brokerIds],
      })),
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    }))
    const outcome = await eventually(`topics ${Object.keys(plans)}`, PATIENCE_MS, async () => {
      const body = await this.request(apis.CreateTopics, 5, { topics, timeoutMs: 20_000 }, 30_000)
      const topicExists = 36
      const failed = body.topics.filter(({ errorCode }) => errorCode !== 0 && errorCode !== topicExists)
      if (failed.length === 0) return true
      const text = failed.map(({ name, errorCode, errorMessage }) => `${name}: ${errorCode} ${errorMessage}`).join('; ')
      if (failed.every(({ errorCode }) => PASSING.has(errorCode))) throw new Error(text)
      return new Error(text)
    })
    if (outcome instanceof Error) throw outcome
    await this.settled(Object.keys(plans))
  }

  /** Waits until all partitions (of these topics) have a leader and all their replicas in sync. */
  async settled(topics: readonly string[] | null = null, timeoutMs = PATIENCE_MS): Promise<ClusterView> {
    return eventually(`all replicas of ${topics ?? 'all topics'} in sync`, timeoutMs, async () => {
      const view = await this.view(topics)
      const lagging = view.partitions.find(({ leader, isr, replicas }) => leader < 0 || isr.length < replicas.length)
      if (lagging !== undefined) throw new Error(JSON.stringify(lagging))
      return view.partitions.length > 0 || topics === null ? view : undefined
    })
  }

  /** Waits until exactly these brokers are unfenced. */
  async brokersAre(ids: readonly number[], timeoutMs = PATIENCE_MS): Promise<void> {
    const wanted = [...ids].sort().join()
    await eventually(`brokers ${wanted}`, timeoutMs, async () => {
      const found = [...(await this.view([])).brokers.keys()].sort().join()
      if (found !== wanted) throw new Error(`brokers ${found}`)
      return true
    })
  }

  /** Makes the first replica of each partition (of these) its leader; partitions where it is that already are no error. */
  async electPreferred(topicPartitions: Wanted | null = null): Promise<void> {
    const body = await this.request(apis.ElectLeaders, 2, { electionType: 0, topicPartitions, timeoutMs: 20_000 })
    const electionNotNeeded = 84
    const failed = body.replicaElectionResults
      .flatMap(({ topic, partitionResult }) => partitionResult.map((result) => ({ topic, ...result })))
      .filter(({ errorCode }) => errorCode !== 0 && errorCode !== electionNotNeeded)
    if (body.errorCode !== 0 || failed.length > 0) throw new Error(`ElectLeaders: ${JSON.stringify(body)}`)
  }

  /** Gives partitions of topics other replicas, the leader to be first. */
  async reassign(assignments: ReadonlyMap<string, ReadonlyArray<readonly number[]>>): Promise<void> {
    const topics = [...assignments].map(([name, assignment]) => ({
      name,
      partitions: assignment.map((replicas, partitionIndex) => ({ partitionIndex, replicas: [...replicas] })),
    }))
    const body = await this.request(apis.AlterPartitionReassignments, 0, { timeoutMs: 20_000, topics })
    const failed = body.responses.flatMap(({ partitions }) => partitions).filter(({ errorCode }) => errorCode !== 0)
    if (body.errorCode !== 0 || failed.length > 0) throw new Error(`reassignment: ${JSON.stringify(body)}`)
    await this.reassigned()
  }

  /** Waits until no partition is being reassigned. */
  async reassigned(): Promise<void> {
    await eventually('the end of reassignments', PATIENCE_MS, async () => {
      const answer = await this.request(apis.ListPartitionReassignments, 0, { timeoutMs: 10_000, topics: null })
      return answer.errorCode === 0 && answer.topics.length === 0 ? true : undefined
    })
  }
}

/** One exchange with one node, on a connection of its own. */
export async function requestOn<Request extends Message, Response extends Message>(
  port: number,
  api: Api<Request, Response>,
  version: number,
  body: InputOf<Request>,
  timeoutMs: number = ANSWER_WITHIN_MS,
): Promise<MessageOf<Response>> {
  const connection = await RawConnection.open('127.0.0.1', port, 2_000)
  try {
    const header = { correlationId: 1, clientId: 'admin' }
    const frame = Buffer.concat(encodeRequest(api, version, header, body)).subarray(4)
    return decodeResponse(api, version, await connection.exchange(frame, timeoutMs)).body
  } finally {
    connection.close()
  }
}
