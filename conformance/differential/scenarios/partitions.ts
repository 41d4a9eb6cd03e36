import { createHash } from 'node:crypto'
import type { Body, Probe } from '../probe.ts'
import { newest, type Scenario, settled } from '../scenario.ts'

/** Brokers that are there for a scenario only, and lead and follow in the eyes of the controller. */
const [A, B, C, D] = [512, 513, 514, 515] as const
/** More than any offset that there is: whoever says so has caught up. */
const CAUGHT_UP = 2 ** 40
const UNKNOWN_ID = 'T8ieC9GbRMy7po1nB9IrzQ'
const DUPLICATE_BROKER_REGISTRATION = 101

/** An id that nobody else has; the same for both brokers. */
function idOf(text: string): string {
  return createHash('md5').update(text).digest('base64url')
}

const features = [
  ['metadata.version', 7, 30],
  ['kraft.version', 0, 1],
  ['transaction.version', 0, 2],
  ['group.version', 0, 1],
  ['eligible.leader.replicas.version', 0, 1],
  ['share.version', 0, 1],
  ['streams.version', 0, 1],
].map(([name, min, max]) => ({ name, minSupportedVersion: min, maxSupportedVersion: max }))

/** The brokers of a scenario, kept alive by heartbeats for as long as something is asked. */
class Brokers {
  readonly controller: Probe
  readonly epochs = new Map<number, number>()
  readonly #probe: Probe
  readonly #name: string
  readonly #topics: string[] = []
  readonly #fenced = new Set<number>()
  readonly #silent = new Set<number>()

  private constructor(probe: Probe, name: string) {
    this.#probe = probe
    this.controller = probe.toController()
    this.#name = name
  }

  static async join(probe: Probe, name: string): Promise<Brokers> {
    const brokers = new Brokers(probe, name)
    for (const brokerId of [A, B, C, D]) {
      await brokers.#untilRegistered(brokerId, newest('BrokerRegistration'), name)
    }
    await brokers.beat()
    return brokers
  }

  async #register(brokerId: number, version: number, life: string, previousBrokerEpoch = -1): Promise<number> {
    const { clusterId } = await this.#probe.quietly('DescribeCluster', 0, {})
    const listeners = [{ name: 'PLAINTEXT', host: `host-${brokerId}.example`, port: 9, securityProtocol: 0 }]
    const logDirs = [this.directory(brokerId, 0), this.directory(brokerId, 1)]
    const incarnationId = idOf(`${life} ${brokerId}`)
    const answer = await this.controller.quietly('BrokerRegistration', version, {
      ...{ brokerId, clusterId, incarnationId, listeners, features, rack: null, logDirs, previousBrokerEpoch },
    })
    if (answer.errorCode === 0) this.epochs.set(brokerId, answer.brokerEpoch)
    return answer.errorCode
  }

  /** Where a broker of this id was alive a moment ago, as after a story that failed, its session has to be over first. */
  async #untilRegistered(brokerId: number, version: number, life: string, previousEpoch?: number): Promise<void> {
    for (let attempt = 0; attempt < 1500; attempt++) {
      await this.beat()
      const errorCode = await this.#register(brokerId, version, life, previousEpoch)
      if (errorCode === 0) return
      if (errorCode !== DUPLICATE_BROKER_REGISTRATION)
        throw new Error(`registration of ${brokerId}: error ${errorCode}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`broker ${brokerId} is never taken for dead`)
  }

  /** Nothing is heard of these any more, until they are registered again. */
  silence(...ids: readonly number[]): void {
    for (const id of ids) this.#silent.add(id)
  }

  /** A silent broker is started again when its session is over, and stays fenced. */
  async restart(brokerId: number, version: number, isClean: boolean): Promise<void> {
    const previousEpoch = isClean ? this.epochs.get(brokerId) : -1
    await this.#untilRegistered(brokerId, version, `${this.#name} again`, previousEpoch)
    this.#fenced.add(brokerId)
    this.#silent.delete(brokerId)
  }

  directory(brokerId: number, index: number): string {
    return idOf(`${this.#name} ${brokerId} ${index}`)
  }

  /** Nobody is silent for so long that it would be fenced. */
  async beat(): Promise<void> {
    for (const [brokerId, brokerEpoch] of this.epochs) {
      if (this.#silent.has(brokerId)) continue
      const wishes = { wantFence: this.#fenced.has(brokerId), wantShutDown: false }
      const body = { brokerId, brokerEpoch, currentMetadataOffset: CAUGHT_UP, ...wishes }
      await this.controller.quietly('BrokerHeartbeat', 1, body)
    }
  }

  async fence(...ids: readonly number[]): Promise<void> {
    for (const id of ids) this.#fenced.add(id)
    await this.beat()
  }

  async unfence(...ids: readonly number[]): Promise<void> {
    for (const id of ids) this.#fenced.delete(id)
    await this.beat()
  }

  async ask(...request: Parameters<Probe['send']>): Promise<Body> {
    await this.beat()
    return this.controller.send(...request)
  }

  /** Makes a topic of partitions with these replicas, and answers its id. */
  async topic(
    suffix: string,
    replicas: readonly (readonly number[])[],
    configs: Readonly<Record<string, string>> = {},
  ) {
    const name = `${this.#name}${suffix}`
    const assignments = replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds: [...brokerIds] }))
    const topic = { name, numPartitions: -1, replicationFactor: -1, assignments }
    const settings = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const topics = [{ ...topic, configs: settings }]
    const created = await this.controller.quietly('CreateTopics', 7, { topics, timeoutMs: 10_000 })
    const [{ errorCode, errorMessage, topicId }] = created.topics
    if (errorCode !== 0) throw new Error(`topic ${name}: error ${errorCode} ${errorMessage}`)
    this.#topics.push(name)
    this.#probe.learn(topicId, `<id of ${name}>`)
    return { name, topicId: topicId as string }
  }

  /** What clients are told of the topics. */
  async look(): Promise<void> {
    await this.beat()
    await settled(this.#probe)
    const topics = this.#topics.map((name) => ({ name }))
    await this.#probe.send('DescribeTopicPartitions', 0, { topics, responsePartitionLimit: 100 })
  }

  /** Apache Kafka cannot unregister brokers that it has down as eligible for a topic that is gone. */
  keepTopics(): void {
    this.#topics.length = 0
  }

  async leave(): Promise<void> {
    await this.controller.quietly('DeleteTopics', 5, { topicNames: this.#topics, timeoutMs: 10_000 })
    for (const brokerId of this.epochs.keys()) await this.#probe.quietly('UnregisterBroker', 0, { brokerId })
  }
}

interface State {
  leaderEpoch: number
  partitionEpoch: number
}

/** How a leader says who is in sync; keeps the epochs of the partition as the answers tell them. */
function alterations(brokers: Brokers, version: number, topicId: string, partitionIndex = 0) {
  const state: State = { leaderEpoch: 0, partitionEpoch: 0 }
  const alter = async (leader: number, isr: readonly number[], change: Body = {}, note?: string): Promise<void> => {
    const { brokerEpoch = brokers.epochs.get(leader), memberEpochs = {}, id = topicId, ...rest } = change
    const members = isr.map((brokerId) => {
      return { brokerId, brokerEpoch: memberEpochs[brokerId] ?? brokers.epochs.get(brokerId) ?? -1 }
    })
    const inSync = version >= 3 ? { newIsrWithEpochs: members } : { newIsr: [...isr] }
    const partition = { partitionIndex, ...state, leaderRecoveryState: 0, ...inSync, ...rest }
    const topics = [{ topicId: id, partitions: [partition] }]
    const answer = await brokers.ask('AlterPartition', version, { brokerId: leader, brokerEpoch, topics }, note)
    const [result] = answer.topics?.[0]?.partitions ?? []
    if (result?.errorCode !== 0) return
    state.leaderEpoch = result.leaderEpoch
    state.partitionEpoch = result.partitionEpoch
  }
  return { state, alter }
}

function move(brokers: Brokers, name: string, replicas: readonly number[] | null, partitionIndex = 0) {
  const topics = [{ name, partitions: [{ partitionIndex, replicas: replicas && [...replicas] }] }]
  return brokers.ask('AlterPartitionReassignments', 0, { timeoutMs: 10_000, topics })
}

/** Runs a story on brokers that are gone after it, however it ends. */
function onBrokers(story: (brokers: Brokers, version: number, probe: Probe) => Promise<void>): Scenario['run'] {
  return async (probe, version, name) => {
    const brokers = await Brokers.join(probe, name)
    try {
      await story(brokers, version, probe)
    } finally {
      await brokers.leave()
    }
  }
}

/** Partitions on several brokers, of which the controller hears only what the scenario tells it. */
export const partitionScenarios: readonly Scenario[] = [
  {
    title: 'who is in sync, and who may say so',
    api: 'AlterPartition',
    listener: 'controller',
    run: onBrokers(async (brokers, version) => {
      const { topicId } = await brokers.topic('', [[A, B, C]], { 'min.insync.replicas': '2' })
      const { state, alter } = alterations(brokers, version, topicId)
      await alter(A, [A, B])
      await alter(A, [A])
      await brokers.look()
      await alter(A, [C, A])
      await alter(A, [A, B, C])
      await alter(A, [A, B, C], {}, 'again')
      await alter(A, [A, B], { id: UNKNOWN_ID })
      await alter(A, [A, B], { partitionIndex: 7 })
      await alter(A, [A, B], { leaderEpoch: 1 })
      await alter(A, [A, B], { partitionEpoch: state.partitionEpoch + 1 })
      await alter(A, [A, B], { leaderEpoch: -1 })
      await alter(B, [A, B])
      await alter(A, [A, B], { partitionEpoch: 0 })
      await alter(A, [A, D])
      await alter(A, [A, A, B])
      await alter(A, [A, 999])
      await alter(A, [B, C])
      await alter(A, [])
      await alter(A, [A, B], { leaderRecoveryState: 1 })
      await alter(A, [A], { leaderRecoveryState: 1 })
      await alter(A, [A, B], { brokerEpoch: 1 })
      await alter(999, [A, B], { brokerEpoch: 1 })
      await alter(A, [A, B, C], { memberEpochs: { [B]: 1 } })
      await alter(A, [A, B, C], { memberEpochs: { [B]: -1 } })
      await brokers.fence(C)
      state.partitionEpoch++
      await alter(A, [A, B, C])
      await brokers.unfence(C)
      await alter(A, [A, B, C])
    }),
  },
  {
    title: 'nobody is eligible any longer when min.insync.replicas is another',
    api: 'AlterPartition',
    listener: 'controller',
    from: 3,
    run: onBrokers(async (brokers, version) => {
      const { name, topicId } = await brokers.topic('', [[A, B, C]], { 'min.insync.replicas': '2' })
      const { state, alter } = alterations(brokers, version, topicId)
      await alter(A, [A])
      await brokers.look()
      const configs = [{ name: 'min.insync.replicas', configOperation: 0, value: '1' }]
      const resources = [{ resourceType: 2, resourceName: name, configs }]
      await brokers.ask('IncrementalAlterConfigs', 1, { resources, validateOnly: false })
      await alter(A, [A, B])
      state.partitionEpoch++
      await alter(A, [A, B])
      await brokers.look()
      brokers.keepTopics()
    }),
  },
  {
    title: 'the end of a move',
    api: 'AlterPartition',
    listener: 'controller',
    run: onBrokers(async (brokers, version) => {
      const moved = await brokers.topic('', [
        [A, B, C],
        [A, B, D],
      ])
      const first = alterations(brokers, version, moved.topicId)
      await move(brokers, moved.name, [D, A])
      first.state.partitionEpoch++
      await first.alter(A, [A, B, C])
      await first.alter(A, [A, B, C, D])
      await brokers.look()
      await move(brokers, moved.name, [D])
      await first.alter(A, [A])
      const second = alterations(brokers, version, moved.topicId, 1)
      await move(brokers, moved.name, [C], 1)
      second.state.partitionEpoch++
      await second.alter(A, [A, B, D, C])
      await second.alter(A, [A, B])
      await brokers.look()
    }),
  },
  {
    title: 'a leader that records were lost for',
    api: 'AlterPartition',
    listener: 'controller',
    run: onBrokers(async (brokers, version) => {
      const { topicId } = await brokers.topic('', [[A, B, C]], { 'unclean.leader.election.enable': 'true' })
      const { state, alter } = alterations(brokers, version, topicId)
      await alter(A, [A])
      await brokers.fence(A)
      state.leaderEpoch++
      state.partitionEpoch++
      await alter(B, [B], { leaderRecoveryState: 1 })
      await alter(B, [B, C], { leaderRecoveryState: 1 })
      await alter(B, [B])
      await alter(B, [B, C])
      await brokers.look()
    }),
  },
  {
    title: 'where replicas are',
    api: 'AssignReplicasToDirs',
    listener: 'controller',
    run: onBrokers(async (brokers, version, probe) => {
      const { topicId } = await brokers.topic('', [
        [A, B],
        [A, B],
        [B, C],
      ])
      const assign = async (id: string, partitions: readonly number[], change: Body = {}) => {
        const { topic = topicId, ...rest } = change
        const topics = [{ topicId: topic, partitions: partitions.map((partitionIndex) => ({ partitionIndex })) }]
        const directories = [{ id, topics }]
        const body = { brokerId: A, brokerEpoch: brokers.epochs.get(A), directories, ...rest }
        await brokers.ask('AssignReplicasToDirs', version, body)
      }
      for (const [from, symbol] of [A, B, C].entries()) probe.learn(brokers.directory(symbol, 0), `<directory ${from}>`)
      await assign(brokers.directory(A, 0), [0, 1])
      await assign(brokers.directory(A, 1), [0])
      await assign(brokers.directory(A, 1), [2, 9])
      await assign(brokers.directory(A, 1), [0], { topic: UNKNOWN_ID })
      await assign(brokers.directory(A, 1), [0], { brokerEpoch: 1 })
      await assign(brokers.directory(A, 1), [0], { brokerId: 999 })
      await assign(brokers.directory(A, 1), [0], { directories: [] })
      await brokers.look()
      await assign(UNKNOWN_ID, [1])
      await assign('AAAAAAAAAAAAAAAAAAAAAA', [1])
      await assign('AAAAAAAAAAAAAAAAAAAAAg', [0])
      await brokers.look()
      await assign(brokers.directory(A, 0), [0, 1])
      await brokers.look()
    }),
  },
  {
    title: 'what becomes of partitions when brokers and their directories go',
    api: 'BrokerHeartbeat',
    listener: 'controller',
    from: 1,
    run: onBrokers(async (brokers, version, probe) => {
      const replicas = [
        [A, B],
        [B, C],
        [C, A],
        [B, D],
        [D, B],
      ]
      const { topicId } = await brokers.topic('', replicas, { 'min.insync.replicas': '2' })
      const heartbeat = (brokerId: number, change: Body) => {
        const wishes = { wantFence: false, wantShutDown: false, currentMetadataOffset: CAUGHT_UP }
        const body = { brokerId, brokerEpoch: brokers.epochs.get(brokerId), ...wishes, ...change }
        return brokers.controller.send('BrokerHeartbeat', version, body)
      }
      const directories = [0, 1].map((index) => ({
        id: brokers.directory(B, index),
        topics: [
          { topicId, partitions: replicas.flatMap((_, at) => (at % 2 === index ? { partitionIndex: at } : [])) },
        ],
      }))
      const of = { brokerId: B, brokerEpoch: brokers.epochs.get(B) }
      await brokers.ask('AssignReplicasToDirs', 0, { ...of, directories: [directories[0]] })
      await heartbeat(B, { offlineLogDirs: [brokers.directory(B, 1)] })
      await brokers.look()
      await brokers.ask('AssignReplicasToDirs', 0, { ...of, directories: [directories[1]] })
      await brokers.look()
      await heartbeat(A, { wantShutDown: true })
      brokers.silence(A)
      await brokers.look()
      await heartbeat(B, { offlineLogDirs: [brokers.directory(B, 0), brokers.directory(B, 1)] })
      await brokers.look()
      await probe.send('UnregisterBroker', 0, { brokerId: C })
      brokers.epochs.delete(C)
      await brokers.look()
      await brokers.fence(D)
      await brokers.look()
      for (const brokerId of [A, B, D]) {
        await probe.send('UnregisterBroker', 0, { brokerId })
        brokers.epochs.delete(brokerId)
        await brokers.look()
      }
      brokers.keepTopics()
    }),
  },
  {
    title: 'who may lead after a start that follows no shutdown',
    api: 'BrokerRegistration',
    listener: 'controller',
    from: newest('BrokerRegistration'),
    run: onBrokers(async (brokers, version) => {
      await brokers.topic(
        '',
        [
          [A, B],
          [A, C],
          [D, C],
          [D, B],
        ],
        { 'min.insync.replicas': '2' },
      )
      await brokers.fence(C, B)
      await brokers.look()
      brokers.silence(A, D)
      await brokers.restart(A, version, false)
      await brokers.restart(D, version, true)
      await brokers.look()
      await brokers.unfence(A)
      await brokers.look()
      await brokers.unfence(D)
      await brokers.look()
      await brokers.unfence(B, C)
      await brokers.look()
      brokers.keepTopics()
    }),
  },
  {
    title: 'leaders among several brokers',
    api: 'ElectLeaders',
    listener: 'controller',
    from: 1,
    run: onBrokers(async (brokers, version) => {
      const { name: topic } = await brokers.topic(
        '',
        [
          [A, B, C],
          [B, C, D],
          [A, C, D],
        ],
        { 'min.insync.replicas': '2' },
      )
      const elect = (electionType: number) => {
        const topicPartitions = [{ topic, partitions: [0, 1, 2] }]
        return brokers.ask('ElectLeaders', version, { electionType, topicPartitions, timeoutMs: 10_000 })
      }
      await elect(0)
      await brokers.fence(A)
      await elect(0)
      await brokers.look()
      await brokers.unfence(A)
      await elect(0)
      await brokers.fence(C, B)
      await brokers.look()
      await elect(1)
      await brokers.fence(A)
      await brokers.look()
      await elect(1)
      await brokers.unfence(B)
      await brokers.look()
      await elect(1)
      await brokers.unfence(A, C)
      await elect(0)
      await brokers.look()
    }),
  },
  {
    title: 'moves between several brokers',
    api: 'AlterPartitionReassignments',
    listener: 'controller',
    run: onBrokers(async (brokers, version) => {
      const { name: topic } = await brokers.topic('', [
        [A, B],
        [A, B],
      ])
      const list = () => brokers.ask('ListPartitionReassignments', 0, { timeoutMs: 10_000, topics: null })
      const ask = async (replicas: readonly number[] | null, partitionIndex = 0, change: Body = {}) => {
        const topics = [{ name: topic, partitions: [{ partitionIndex, replicas: replicas && [...replicas] }] }]
        await brokers.ask('AlterPartitionReassignments', version, { timeoutMs: 10_000, topics, ...change })
        await list()
      }
      await ask(null)
      await ask([B, A])
      // What becomes of those that another move was bringing is a difference of its own.
      await ask([C, B])
      await ask(null)
      await ask([C, D])
      if (version >= 1) await ask([C], 0, { allowReplicationFactorChange: false })
      if (version >= 1) await ask([C, D], 0, { allowReplicationFactorChange: false })
      await ask([A, A])
      await ask([999])
      await ask([])
      await brokers.look()
      await ask(null)
      await ask([C], 1)
      await ask(null, 1)
      await brokers.fence(A)
      await ask([A, D], 1)
      await brokers.fence(B, C)
      await ask(null, 1)
      await ask([B])
      await brokers.look()
    }),
  },
]
