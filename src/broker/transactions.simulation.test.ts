import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogError } from '../log/append-error.ts'
import { errors } from '../protocol/errors.ts'
import { type Producer, TransactionHarness } from './transactions.testkit.ts'

const PARTITIONS = 2
/** Two clients share each id, and so fence each other. */
const IDS = ['one', 'one', 'two', 'two']

type Command =
  | {
      readonly do: 'init' | 'produce' | 'commit' | 'abort' | 'forget'
      readonly client: number
      readonly partition: number
    }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'crash' | 'fail' | 'failMarker' | 'hold' | 'release' }

type Fate = 'open' | 'committed' | 'aborted' | 'unknown'

interface Written {
  readonly values: { readonly partition: number; readonly value: string }[]
  fate: Fate
}

/** A producer that does as Kafka's clients do: what went wrong is aborted, or it begins anew. */
class Client {
  readonly transactionalId: string
  readonly clientVersion: 0 | 2
  producer: Producer | undefined
  sequences = [0, 0]
  transaction: Written | undefined
  hasFailed = false
  busy: Promise<void> | undefined

  constructor(transactionalId: string, clientVersion: 0 | 2) {
    this.transactionalId = transactionalId
    this.clientVersion = clientVersion
  }

  begin(producer: Producer | undefined): void {
    if (producer === undefined || producer.producerEpoch !== this.producer?.producerEpoch) this.sequences = [0, 0]
    this.producer = producer
    this.transaction = undefined
    this.hasFailed = false
  }
}

class Simulation {
  readonly harness: TransactionHarness
  readonly clients: Client[]
  readonly written: Written[] = []
  #count = 0

  constructor(harness: TransactionHarness, versions: readonly (0 | 2)[]) {
    this.harness = harness
    this.clients = IDS.map((id, index) => new Client(id, versions[index]!))
  }

  async run(command: Command): Promise<void> {
    const { harness } = this
    if (command.do === 'pass') await harness.pass(command.ms)
    else if (command.do === 'crash') {
      harness.log.release()
      await harness.settle()
      await harness.crash()
    } else if (command.do === 'hold') harness.log.isHeld = true
    else if (command.do === 'release') harness.log.release()
    else if (command.do === 'fail') harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    else if (command.do === 'failMarker') harness.markerFailures.push(errors.NOT_LEADER_OR_FOLLOWER)
    else if ('client' in command) this.#act(this.clients[command.client]!, command.do, command.partition)
    await harness.settle()
    await this.checkVisible()
  }

  #act(client: Client, action: 'init' | 'produce' | 'commit' | 'abort' | 'forget', partition: number): void {
    if (action === 'forget') {
      if (client.transaction?.fate === 'open') client.transaction.fate = 'unknown'
      client.begin(undefined)
      return
    }
    if (client.busy !== undefined) return
    const busy = this.#perform(client, action, partition).finally(() => {
      if (client.busy === busy) client.busy = undefined
    })
    client.busy = busy
  }

  async #perform(client: Client, action: 'init' | 'produce' | 'commit' | 'abort', partition: number): Promise<void> {
    if (action === 'init') await this.#init(client)
    else if (client.producer === undefined) return
    else if (action === 'produce') await this.#produce(client, client.producer, partition)
    else await this.#end(client, client.producer, action === 'commit')
  }

  async #init(client: Client): Promise<void> {
    if (client.transaction?.fate === 'open') client.transaction.fate = 'unknown'
    client.begin(undefined)
    const answer = await this.harness.coordinator.initProducerId(client.transactionalId, 10_000, undefined)
    if ((answer.errorCode ?? 0) !== 0) return
    client.begin({ producerId: answer.producerId!, producerEpoch: answer.producerEpoch! })
    client.sequences = [0, 0]
  }

  async #produce(client: Client, producer: Producer, partition: number): Promise<void> {
    if (client.hasFailed) return
    const { transactionalId, clientVersion } = client
    const transaction = client.transaction ?? { values: [], fate: 'open' }
    if (client.transaction === undefined) this.written.push(transaction)
    client.transaction = transaction
    const value = `${transactionalId}-${this.#count++}`
    if (clientVersion === 0) {
      const added = await this.harness.add(transactionalId, producer, partition)
      if (added !== errors.NONE) {
        client.hasFailed = true
        return
      }
    }
    const support = clientVersion === 2 ? 'add' : 'verify'
    const sequence = client.sequences[partition]!
    const error = await this.harness.produce(transactionalId, producer, partition, sequence, [value], support)
    if (error === errors.NONE) {
      client.sequences[partition] = sequence + 1
      transaction.values.push({ partition, value })
    } else client.hasFailed = true
  }

  async #end(client: Client, producer: Producer, wanted: boolean): Promise<void> {
    const { transaction, transactionalId, clientVersion } = client
    if (transaction === undefined) return
    const commit = wanted && !client.hasFailed
    const answer = await this.harness.coordinator.endTransaction(transactionalId, producer, commit, clientVersion)
    if ((answer.errorCode ?? 0) !== 0) {
      transaction.fate = 'unknown'
      client.begin(undefined)
      return
    }
    if (transaction.fate === 'open') transaction.fate = commit ? 'committed' : 'aborted'
    const isKept = clientVersion === 0
    // After an abort a client without epochs of its own does not know which sequences were taken.
    if (isKept && !commit) client.begin(undefined)
    else client.begin(isKept ? producer : { producerId: answer.producerId!, producerEpoch: answer.producerEpoch! })
  }

  /** Nothing can be read that was aborted. */
  async checkVisible(): Promise<void> {
    for (const transaction of this.written) {
      if (transaction.fate !== 'aborted') continue
      for (const { partition, value } of transaction.values) {
        expect(await this.harness.committed(partition)).not.toContain(value)
      }
    }
  }

  /** All is well again, and time passes. */
  async rest(): Promise<void> {
    const { harness } = this
    harness.log.failures.length = 0
    harness.markerFailures.length = 0
    harness.log.release()
    await harness.pass(40_000)
  }

  async checkAtRest(): Promise<void> {
    const { harness } = this
    for (const log of harness.logs) {
      expect(log.lastStableOffset).toBe(log.logEndOffset)
      expect(log.activeProducers().filter(({ currentTxnStartOffset }) => currentTxnStartOffset >= 0)).toEqual([])
    }
    const listed = await harness.done(harness.coordinator.list(({ state }) => state >= 1 && state <= 3))
    expect(listed.transactionStates).toEqual([])
    const visible = new Set<string>()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const values = await harness.committed(partition)
      expect(new Set(values).size).toBe(values.length)
      for (const value of values) visible.add(value)
    }
    for (const { values, fate } of this.written) {
      const seen = values.filter(({ value }) => visible.has(value)).length
      if (fate === 'committed') expect(seen).toBe(values.length)
      else if (fate === 'aborted') expect(seen).toBe(0)
      else expect([0, values.length]).toContain(seen)
    }
  }
}

const client = fc.nat({ max: IDS.length - 1 })
const partition = fc.nat({ max: PARTITIONS - 1 })
const act = (weight: number, ...actions: ('init' | 'produce' | 'commit' | 'abort' | 'forget')[]) => ({
  weight,
  arbitrary: fc.record({ do: fc.constantFrom(...actions), client, partition }),
})
const command: fc.Arbitrary<Command> = fc.oneof(
  act(4, 'init'),
  act(8, 'produce'),
  act(5, 'commit', 'abort'),
  act(1, 'forget'),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(20, 150, 4000, 12_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash', 'hold', 'release', 'failMarker') }) },
)
const failing: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: command },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const) }) },
)
const versions = fc.array(fc.constantFrom<0 | 2>(0, 2), { minLength: IDS.length, maxLength: IDS.length })

async function simulate(commands: readonly Command[], of: readonly (0 | 2)[]): Promise<Simulation> {
  const simulation = new Simulation(await TransactionHarness.started(PARTITIONS), of)
  for (const each of commands) await simulation.run(each)
  await simulation.rest()
  await simulation.checkAtRest()
  await simulation.harness.crash()
  await simulation.rest()
  await simulation.checkAtRest()
  return simulation
}

test.each([
  ['whatever happens', command],
  ['whatever happens, with appends that fail', failing],
])(
  '%s: transactions are there as a whole or not at all, none hangs, and the last stable offset moves on',
  async (_, of) => {
    const commands = fc.array(of, { minLength: 20, maxLength: 80 })
    const property = fc.asyncProperty(commands, versions, async (list, kinds) => {
      await simulate(list, kinds)
    })
    await fc.assert(property, { numRuns: 150, seed: 1 })
  },
  120_000,
)

test('the simulation commits and aborts', async () => {
  const story = (id: number, end: 'commit' | 'abort') =>
    (['init', 'produce', 'produce', end] as const).map((each, i) => ({ do: each, client: id, partition: i % 2 }))
  const simulation = await simulate([...story(0, 'commit'), ...story(2, 'abort')], [2, 2, 0, 0])
  expect(simulation.written.map(({ fate, values }) => [fate, values.length])).toEqual([
    ['committed', 2],
    ['aborted', 2],
  ])
})
