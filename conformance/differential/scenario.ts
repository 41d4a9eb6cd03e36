import { apis } from '../../src/protocol/api-keys.ts'
import { type BatchOptions, buildBatch, type RecordInput } from '../../src/protocol/records/builder.ts'
import type { ApiName, Body, Probe } from './probe.ts'

/**
 * One story told to both brokers. It runs once for every version of `api` that both serve, in the order of the versions;
 * `name` is unique to that run and begins every topic and group that it makes.
 */
export interface Scenario {
  readonly title: string
  readonly api: ApiName
  /** Where it is asked ['broker']. */
  readonly listener?: 'controller'
  /** Only from or up to these versions. */
  readonly from?: number
  readonly to?: number
  readonly run: (probe: Probe, version: number, name: string) => Promise<void>
}

/** The newest version that Apache Kafka 4.3.1 serves; for requests that set the stage. */
export function newest(api: ApiName): number {
  return apis[api].kafkaVersions.high
}

export interface TopicOptions {
  partitions?: number
  configs?: Readonly<Record<string, string>>
}

/** Makes a topic, not part of what is compared, and waits until it can be written to; answers its id. */
export async function makeTopic(probe: Probe, name: string, options: TopicOptions = {}): Promise<string> {
  const configs = Object.entries(options.configs ?? {}).map(([key, value]) => ({ name: key, value }))
  const topic = { name, numPartitions: options.partitions ?? 1, replicationFactor: 1, configs }
  const created = await probe.quietly('CreateTopics', 7, { topics: [topic], timeoutMs: 10_000 })
  const [result] = created.topics
  if (result.errorCode !== 0) throw new Error(`topic ${name}: error ${result.errorCode} ${result.errorMessage}`)
  probe.learn(result.topicId, `<id of ${name}>`)
  // Apache Kafka answers before its partitions are there; the comparison begins when they are.
  await untilLed(probe, name, options.partitions ?? 1)
  return result.topicId
}

/** Waits until a topic can be written to. */
export async function untilLed(probe: Probe, name: string, partitions: number): Promise<void> {
  for (let attempt = 0; attempt < 1500; attempt++) {
    const topics = [{ name, partitions: range(partitions).map((index) => ({ partitionIndex: index, timestamp: -1 })) }]
    const listed = await probe.quietly('ListOffsets', 5, { replicaId: -1, topics })
    const answered: Body[] = listed.topics.flatMap((topic: Body) => topic.partitions)
    if (answered.every((partition) => partition.errorCode === 0)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`topic ${name} has no leader`)
}

/** Until the broker coordinates groups and gives out producer ids; Apache Kafka prepares both when first asked. */
export async function warmedUp(probe: Probe): Promise<void> {
  await producerIdOf(probe)
  for (let attempt = 0; attempt < 1500; attempt++) {
    const found = await probe.quietly('FindCoordinator', 4, { keyType: 0, coordinatorKeys: ['g'] })
    if (found.coordinators[0].errorCode === 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('no coordinator')
}

/** A new producer id; asks until there is one. */
export async function producerIdOf(probe: Probe): Promise<number> {
  for (let attempt = 0; attempt < 1500; attempt++) {
    const body = { transactionalId: null, transactionTimeoutMs: 60_000 }
    const answer = await probe.quietly('InitProducerId', 4, body)
    if (answer.errorCode === 0 && answer.producerId >= 0) return answer.producerId
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('no producer id')
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** A fixed point in time, so that both brokers are sent the same bytes. Recent enough for any retention. */
export const baseTimestamp = Math.floor(Date.now() / 60_000) * 60_000 - 600_000

export function records(count: number, valueBytes = 20): RecordInput[] {
  return range(count).map((index) => ({
    timestamp: baseTimestamp + index * 10,
    key: Buffer.from(`key-${index}`),
    value: Buffer.alloc(valueBytes, `value-${index} `),
    headers: index % 2 === 0 ? [{ key: 'h', value: Buffer.from('x') }] : [],
  }))
}

export function batch(count: number, options: BatchOptions = {}, valueBytes = 20): Buffer {
  return buildBatch(records(count, valueBytes), options)
}

/** The body of a Produce request for one partition; from version 13 on the topic goes by its id. */
export function produceBody(
  version: number,
  topic: { name: string; id: string },
  bytes: Buffer | null,
  options: { acks?: number; partition?: number; transactionalId?: string } = {},
): Body {
  const partition = { index: options.partition ?? 0, records: bytes === null ? null : [bytes] }
  const which = version >= 13 ? { topicId: topic.id } : { name: topic.name }
  return {
    ...(options.transactionalId === undefined ? {} : { transactionalId: options.transactionalId }),
    acks: options.acks ?? -1,
    timeoutMs: 10_000,
    topicData: [{ ...which, partitionData: [partition] }],
  }
}

/** Writes a batch, not part of what is compared; fails if it is refused. */
export async function write(probe: Probe, topic: string, bytes: Buffer, partition = 0): Promise<number> {
  const body = produceBody(9, { name: topic, id: '' }, bytes, { partition })
  const response = await probe.quietly('Produce', 9, body)
  const answer = response.responses[0].partitionResponses[0]
  if (answer.errorCode !== 0) throw new Error(`write to ${topic}: error ${answer.errorCode} ${answer.errorMessage}`)
  return answer.baseOffset
}

/**
 * Apache Kafka answers a change before its broker has it; what is compared comes after. The broker is asked until it has
 * read the metadata log as far as the quorum had written it, and given a moment to put the change into force.
 */
export async function settled(probe: Probe): Promise<void> {
  if (probe.broker.kind !== 'oracle') return
  const partitions = [{ partitionIndex: 0 }]
  const quorum = await probe.quietly('DescribeQuorum', 1, { topics: [{ topicName: '__cluster_metadata', partitions }] })
  const { highWatermark } = quorum.topics[0].partitions[0]
  for (;;) {
    const versions = await probe.quietly('ApiVersions', 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' })
    if (versions.finalizedFeaturesEpoch >= highWatermark - 1) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
}
