import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { ClassicMember } from './classic-group.ts'
import { Client } from './client.ts'
import { Cluster, loadHandlers, rackOf } from './cluster.ts'
import { Equality } from './equality.ts'
import { Faults } from './faults.ts'
import { Committer, GroupMember, GroupView } from './groups.ts'
import { Ledger } from './ledger.ts'
import { Operator } from './operator.ts'
import { IdempotentProducer, KeyedProducer, PlainProducer, type WorkTopic, type Writer } from './producers.ts'
import { PartitionReader, type ReaderOptions } from './readers.ts'
import { type Scenario, scenarioOf } from './scenario.ts'
import { TransactionalProducer } from './transactions.ts'
import { VoterOperator } from './voters.ts'
import { World } from './world.ts'

export interface SimulationOptions {
  readonly isVerbose?: boolean
  /** Takes the place of what the seed would choose. */
  readonly scenario?: Partial<Scenario>
}

export interface Outcome {
  readonly seed: number
  readonly scenario: Scenario
  /** What went wrong; undefined where nothing did. */
  readonly failure: string | undefined
  /** The same for every run of this seed. */
  readonly hash: string
  readonly trace: readonly string[]
  readonly events: number
  readonly acknowledged: number
  readonly readRecords: number
  /** To consumers, from followers in their rack. */
  readonly nearbyAnswers: number
  readonly virtualMs: number
}

type ReaderKind = Pick<ReaderOptions, 'isCommitted' | 'isCompacted'> & { readonly rackId?: string }

/** How long a cluster that is well again may take until all is as it should be. */
const RECOVERY_MS = 90_000
const START_MS = 60_000

/** One run: a cluster with clients, faults without limit for a while, then none, and everything has to come to rest. */
class Run {
  readonly world: World
  readonly scenario: Scenario
  readonly #ledger: Ledger
  readonly #cluster: Cluster
  readonly #topics: WorkTopic[] = []
  readonly #writers: Writer[] = []
  readonly #readers: PartitionReader[] = []
  readonly #clients: Client[] = []
  #committer: Committer | undefined
  #operator: Operator | undefined
  #voterOperator: VoterOperator | undefined
  readonly #groups: GroupView[] = []

  constructor(seed: number, options: SimulationOptions) {
    this.world = new World(seed, options.isVerbose ?? false)
    this.scenario = { ...scenarioOf(this.world.random.fork()), ...options.scenario }
    this.world.trace.note(`seed ${seed}: ${JSON.stringify(this.scenario)}`)
    this.#ledger = new Ledger(this.world)
    this.#cluster = new Cluster(this.world, this.scenario)
  }

  async go(): Promise<void> {
    const { world } = this
    for (const node of world.nodes) node.start()
    await this.#phase('the cluster starts', START_MS, () => world.nodes.every(({ isServing }) => isServing))
    this.#startWork()
    await this.#phase('topics are made', START_MS, () => this.#topics.length === this.#allTopics.length)
    const faults = new Faults(world, this.scenario)
    faults.clientHosts = this.#clients.map(({ host }) => host)
    faults.isInSync = (nodeId) => this.#isInSync(nodeId)
    this.#watchLaggards()
    this.#background(faults.run())
    world.trace.note('faults begin')
    await world.run(this.scenario.faultsMs)
    faults.heal()
    if (this.#operator !== undefined) this.#operator.isStopped = true
    if (this.#voterOperator !== undefined) this.#voterOperator.isEnding = true
    const acks = new Map(this.#writers.map((writer) => [writer, writer.acks]))
    const commits = this.#committer?.acks ?? 0
    await this.#phase('everything works again', RECOVERY_MS, () => {
      return (
        world.nodes.every(({ isServing }) => isServing) &&
        this.#writers.every((writer) => writer.acks >= acks.get(writer)! + 3) &&
        (this.#committer === undefined || this.#committer.acks >= commits + 2) &&
        this.#groups.every(({ isStable }) => isStable) &&
        (this.#voterOperator === undefined || this.#voterOperator.isDone) &&
        this.#areReplicasInSync()
      )
    })
    for (const writer of this.#writers) writer.isStopped = true
    await this.#phase('writers come to an end', RECOVERY_MS, () => this.#writers.every(({ hasEnded }) => hasEnded))
    await world.run(1000)
    const { compacted } = this.scenario
    // Who has read all along has what compaction takes away.
    if (compacted !== undefined) {
      this.#startReader(this.#client('late-reader'), compacted, 0, { isCommitted: true, isCompacted: true })
    }
    for (const reader of this.#readers) reader.end = -1
    await this.#phase('readers come to the end', RECOVERY_MS, () => this.#areReadersAtEnd())
    const sinceMs = world.time.monotonicMs()
    await this.#phase('every request has an answer', RECOVERY_MS, () => this.#owed(sinceMs).length === 0)
    this.#checkAll()
    world.isOver = true
    for (const client of this.#clients) client.close()
    await this.#compareNodes()
  }

  /** A follower may know of an earlier end than its leader: who reads there has to come as far as all others. */
  #areReadersAtEnd(): boolean {
    const isBehind = (reader: PartitionReader) => this.#readers.some((other) => other.isAhead(reader))
    return this.#readers.every((reader) => reader.isAtEnd && !isBehind(reader))
  }

  async #compareNodes(): Promise<void> {
    const equality = new Equality(this.world, this.#cluster.metadata)
    await this.#phase(
      'all nodes have the same',
      RECOVERY_MS,
      () => equality.outstanding().length === 0,
      () => {
        return equality.outstanding()
      },
    )
    equality.check()
  }

  async #phase(name: string, limitMs: number, isDone: () => boolean, missing = () => this.#missing()): Promise<void> {
    const { world } = this
    let nextLookMs = 0
    const isDoneNow = () => {
      // What is looked at is the whole cluster: not after every event.
      const nowMs = world.time.monotonicMs()
      if (nowMs < nextLookMs) return false
      nextLookMs = nowMs + 20
      return isDone()
    }
    let isOver = false
    const keepAlive = () => {
      if (!isOver) world.time.after(25, keepAlive)
    }
    keepAlive()
    const isReached = await world.run(limitMs, isDoneNow)
    isOver = true
    if (isReached) world.trace.note(`${name}: done`)
    else
      world.fail(
        `no progress: ${name}: not within ${limitMs / 1000} s${missing()
          .map((line) => `\n    ${line}`)
          .join('')}`,
      )
  }

  /** What was asked before, by clients that may have given up since, and is not answered. */
  #owed(sinceMs: number): string[] {
    return [...this.world.connections].flatMap((connection) => connection.owedSince(sinceMs) ?? [])
  }

  #missing(): string[] {
    const { world } = this
    return [
      ...world.nodes.filter(({ isServing }) => !isServing).map(({ id }) => `node ${id} does not serve`),
      ...this.#writers.map((writer) => `${writer.name} has ${writer.acks} acks`),
      ...(this.#committer === undefined ? [] : [`${this.#committer.acks} offsets are committed`]),
      ...this.#groups.flatMap(({ name, members }) =>
        members.map(({ client, partitions }) => `${client.host} in ${name} has partitions ${[...partitions]}`),
      ),
      ...(this.#voterOperator?.isDone === false ? ['not all controllers are voters'] : []),
      ...this.#readers.filter(({ isAtEnd }) => !isAtEnd).map(String),
      ...this.#laggards(),
      ...this.#owed(world.time.monotonicMs() - RECOVERY_MS / 2).map((request) => `${request} is not answered`),
    ]
  }

  #background(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.world.fail(`the simulation itself failed: ${error instanceof Error ? error.stack : String(error)}`)
    })
  }

  #client(name: string): Client {
    const client = new Client(this.world, name)
    this.#clients.push(client)
    return client
  }

  #startWork(): void {
    const admin = this.#client('admin')
    const { topics, compacted } = this.scenario
    for (const topic of this.#allTopics) this.#background(this.#createTopic(admin, topic))
    const add = (writer: Writer): void => {
      this.#writers.push(writer)
      this.#background(writer.run())
    }
    const { idempotentProducers, plainProducers } = this.scenario
    for (let index = 1; index <= idempotentProducers; index++) {
      add(new IdempotentProducer(`i${index}`, this.#client(`idempotent-${index}`), this.#ledger, topics))
    }
    for (let index = 1; index <= plainProducers; index++) {
      const acks = index === 1 ? 1 : -1
      add(new PlainProducer(`p${index}`, this.#client(`plain-${index}`), this.#ledger, topics, acks))
    }
    for (let index = 1; index <= this.scenario.transactionalProducers; index++) {
      const client = this.#client(`transactional-${index}`)
      add(new TransactionalProducer(`t${index}`, client, this.#ledger, topics, client.random.percent(60)))
    }
    if (compacted !== undefined) {
      for (const name of ['k1', 'k2']) {
        add(new KeyedProducer(name, this.#client(`keyed-${name}`), this.#ledger, [compacted]))
      }
      this.#startReader(this.#client('compacted-reader'), compacted, 0, { isCommitted: false, isCompacted: true })
    }
    this.#startGroups()
    this.#startReaders('')
    const { racks } = this.scenario
    if (racks > 0) this.#startReaders(rackOf(this.world.random.below(racks), racks))
    if (this.scenario.hasOperator) this.#startOperator()
    if (!this.scenario.hasVoterChanges) return
    this.#voterOperator = new VoterOperator(this.#client('voter-operator'), this.world.nodes)
    this.#background(this.#voterOperator.run())
  }

  /** `rackId`: '' for consumers that read from leaders. */
  #startReaders(rackId: string): void {
    for (const isCommitted of [false, true]) {
      const name = isCommitted ? 'committed-reader' : 'reader'
      const client = this.#client(rackId === '' ? name : `${name}-in-${rackId}`)
      for (const topic of this.scenario.topics) {
        for (let partition = 0; partition < topic.partitions; partition++) {
          this.#startReader(client, topic, partition, { isCommitted, rackId })
        }
      }
    }
  }

  #startReader(client: Client, { name: topic }: WorkTopic, partition: number, options: ReaderKind): void {
    const committedEnd = () => this.#cluster.replicas.committedEnd(topic, partition)
    const reader = new PartitionReader(client, this.#ledger, { rackId: '', ...options, topic, partition, committedEnd })
    this.#readers.push(reader)
    this.#background(reader.run())
  }

  get #allTopics(): readonly WorkTopic[] {
    const { topics, compacted } = this.scenario
    return compacted === undefined ? topics : [...topics, compacted]
  }

  #startOperator(): void {
    const brokerIds = this.world.nodes.filter(({ isBroker }) => isBroker).map(({ id }) => id)
    const topics = { shortened: this.scenario.topics, moved: this.#allTopics }
    const operator = new Operator(this.#client('operator'), this.#ledger, topics, this.#readers, brokerIds)
    this.#operator = operator
    this.#background(operator.run())
  }

  #startGroups(): void {
    const { groupMembers, topics } = this.scenario
    if (groupMembers === 0) return
    this.#committer = new Committer(this.#client('committer'), 'offsets', topics[0]!.name)
    this.#background(this.#committer.run())
    for (const [name, prefix, Member] of [
      ['consumers', 'member', GroupMember],
      ['classic', 'classic', ClassicMember],
    ] as const) {
      const group = new GroupView(name, topics[0]!)
      this.#groups.push(group)
      for (let index = 1; index <= groupMembers; index++) {
        const member = new Member(this.#client(`${prefix}-${index}`), group)
        group.members.push(member)
        this.#background(member.run())
      }
    }
  }

  async #createTopic(admin: Client, topic: WorkTopic): Promise<void> {
    const { name, partitions, configs = [] } = topic
    const body = {
      topics: [{ name, numPartitions: partitions, replicationFactor: -1, assignments: [], configs }],
      timeoutMs: 5000,
    }
    const exists = errors.TOPIC_ALREADY_EXISTS.code
    await admin.anybody(apis.CreateTopics, 7, body, ({ topics: [result] }) => {
      return result?.errorCode === 0 || result?.errorCode === exists
    })
    this.#topics.push(topic)
  }

  /** Replicas that are not in sync, as the committed metadata have it. */
  #laggards(): string[] {
    const lines: string[] = []
    for (const topic of this.#cluster.metadata.image.topics.all()) {
      for (const { partition, isr, replicas, leader } of topic.partitions.values()) {
        if (isr.length === replicas.length && leader >= 0) continue
        lines.push(`${topic.name}-${partition}: leader ${leader}, in sync ${isr} of ${replicas}`)
      }
    }
    return lines
  }

  #isInSync(nodeId: number): boolean {
    for (const topic of this.#cluster.metadata.image.topics.all()) {
      for (const { isr, replicas } of topic.partitions.values()) {
        if (replicas.includes(nodeId) && !isr.includes(nodeId)) return false
      }
    }
    return true
  }

  /** Who came back from a power failure has caught up once it is in sync everywhere. */
  #watchLaggards(): void {
    const { world } = this
    for (const node of world.nodes)
      if (node.isBehind && node.isServing && this.#isInSync(node.id)) node.isBehind = false
    if (!world.isOver) world.time.after(50, () => this.#watchLaggards())
  }

  #areReplicasInSync(): boolean {
    return this.#laggards().length === 0
  }

  #checkAll(): void {
    const { world } = this
    for (const { life } of world.nodes) if (life !== undefined) this.#cluster.replicas.check(life)
    const found = new Map<Client, Map<string, ReadonlySet<string>>>()
    for (const { client, topic, partition, values, isCommitted } of this.#readers) {
      if (!isCommitted) continue
      const known = found.get(client) ?? new Map<string, ReadonlySet<string>>()
      found.set(client, known.set(`${topic}-${partition}`, values))
    }
    for (const [{ host }, values] of found) this.#ledger.checkComplete(host, values)
  }

  outcome(seed: number): Outcome {
    const { world } = this
    const { acknowledged, readRecords } = this.#ledger
    return {
      seed,
      scenario: this.scenario,
      failure: world.failure?.message,
      hash: world.trace.hash,
      trace: world.trace.lines,
      events: world.events,
      acknowledged,
      readRecords,
      nearbyAnswers: this.#readers.reduce((sum, reader) => sum + reader.nearbyAnswers, 0),
      virtualMs: world.time.monotonicMs(),
    }
  }

  close(): void {
    this.world.isOver = true
    for (const node of this.world.nodes) node.life?.end()
    this.#cluster.close()
  }
}

let running: World | undefined

/**
 * Something was thrown where nobody catches it: in a process of its own it would have ended the broker. False where no run
 * is under way.
 */
export function failRun(error: unknown): boolean {
  running?.fail(`nobody has caught: ${error instanceof Error ? error.stack : String(error)}`)
  return running !== undefined
}

/** Runs a seed to its end. Never rejects for what is wrong with the cluster; that is in the outcome. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  await loadHandlers()
  const run = new Run(seed, options)
  running = run.world
  try {
    await run.go()
    return run.outcome(seed)
  } finally {
    run.close()
    running = undefined
  }
}
