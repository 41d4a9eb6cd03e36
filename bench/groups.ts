import { rmSync } from 'node:fs'
import type { Broker } from '../conformance/harness/broker.ts'
import { apis } from '../src/protocol/api-keys.ts'
import { decodeResponse } from '../src/protocol/frames.ts'
import { Client, createTopic } from './load.ts'

const CONSUMERS = 100
const PARTITIONS = 1000
const TOPIC = 'shared'
const GROUP = 'consumers'
const HEARTBEAT_VERSION = 1
/** Real consumers wait longer where nothing changes; where something does, they answer at once, as these do. */
const PAUSE_MS = 20

export interface GroupFigures {
  /** From the first heartbeat until every consumer has its share. */
  readonly settleMs: number
  readonly cpuSeconds: number
}

interface Partitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

/** A consumer of KIP-848 that does nothing but heartbeats; it gives up at once what it is told to. */
class Consumer {
  readonly #client: Client
  readonly #memberId: string
  #epoch = 0
  #owned: readonly Partitions[] = []

  constructor(client: Client, number: number) {
    this.#client = client
    this.#memberId = `consumer-${number}`
  }

  get partitionCount(): number {
    return this.#owned.reduce((sum, { partitions }) => sum + partitions.length, 0)
  }

  /** Answers whether its assignment has changed. */
  async beat(): Promise<boolean> {
    const isNew = this.#epoch === 0
    const frame = await this.#client.exchange('ConsumerGroupHeartbeat', HEARTBEAT_VERSION, {
      groupId: GROUP,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      ...(isNew ? { rebalanceTimeoutMs: 60_000, subscribedTopicNames: [TOPIC] } : {}),
      topicPartitions: this.#owned,
    })
    const { body } = decodeResponse(apis.ConsumerGroupHeartbeat, HEARTBEAT_VERSION, frame)
    if (body.errorCode !== 0) throw new Error(`${this.#memberId}: error ${body.errorCode} ${body.errorMessage}`)
    this.#epoch = body.memberEpoch
    if (body.assignment === null) return false
    this.#owned = body.assignment.topicPartitions
    return true
  }

  close(): void {
    this.#client.close()
  }
}

/** How long a group of 100 consumers needs until each has its ten of 1,000 partitions. */
export async function measureGroup(
  start: (options: object) => Promise<Broker>,
  cpuSeconds: (pid: number) => number,
): Promise<GroupFigures> {
  const broker = await start({})
  const admin = await Client.open(broker.port)
  await createTopic(admin, TOPIC, PARTITIONS)
  await coordinated(admin)
  admin.close()
  const consumers: Consumer[] = []
  for (let number = 0; number < CONSUMERS; number++) {
    consumers.push(new Consumer(await Client.open(broker.port), number))
  }
  const cpu = cpuSeconds(broker.pid)
  const startedMs = performance.now()
  const isSettled = () => consumers.every((consumer) => consumer.partitionCount === PARTITIONS / CONSUMERS)
  const run = async (consumer: Consumer) => {
    while (!isSettled()) {
      const isChanged = await consumer.beat()
      if (!isChanged) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
  await Promise.all(consumers.map(run))
  const figures = { settleMs: performance.now() - startedMs, cpuSeconds: cpuSeconds(broker.pid) - cpu }
  for (const consumer of consumers) consumer.close()
  await broker.stop()
  rmSync(broker.home.dir, { recursive: true, force: true })
  return figures
}

/** Until the broker coordinates the group: asking makes the topic of the offsets. */
async function coordinated(client: Client): Promise<void> {
  for (;;) {
    const found = await client.exchange('FindCoordinator', 4, { keyType: 0, coordinatorKeys: [GROUP] })
    const { body } = decodeResponse(apis.FindCoordinator, 4, found)
    const described = await client.exchange('ConsumerGroupDescribe', 1, { groupIds: [GROUP] })
    const { errorCode } = decodeResponse(apis.ConsumerGroupDescribe, 1, described).body.groups[0]!
    // GROUP_ID_NOT_FOUND: it would know if there were one.
    if (body.coordinators[0]!.errorCode === 0 && errorCode === 69) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
