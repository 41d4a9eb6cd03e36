import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogError } from '../../log/append-error.ts'
import type { ConsumerGroupHeartbeatResponseInput } from '../../protocol/messages/consumer-group-heartbeat.ts'
import type { GroupCoordinator } from '../group-coordinator.ts'
import type { Outcome } from '../harness.testkit.ts'
import { Consumer, ConsumerHarness, GROUP } from './consumer.testkit.ts'

/** A member that does not say that it has revoked may be out after so long, before its session is. */
const REBALANCE_TIMEOUT_MS = 30_000
const CLIENTS = 5

type Command =
  | { readonly do: 'beat' | 'full' | 'leave' | 'absent' | 'crash' | 'lose'; readonly client: number }
  | { readonly do: 'subscribe'; readonly client: number; readonly topics: readonly string[] }
  | { readonly do: 'match'; readonly client: number; readonly regex: string }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'grow'; readonly topic: string }
  | { readonly do: 'restart' | 'fail' | 'hold' | 'release' }

/** A consumer that may be waiting for an answer, and lets go of everything when it may be out. */
class Client extends Consumer {
  waiting: Outcome<ConsumerGroupHeartbeatResponseInput> | undefined
  /** The answer to what it sent last does not reach it. */
  isLost = false
  sentMs = 0
  /** When the last heartbeat left that was answered. */
  heardMs = 0
}

/** Consumers, a coordinator that restarts and a log that fails, and the rule that must hold whatever they do. */
class Simulation {
  readonly harness: ConsumerHarness
  readonly clients: Client[]
  #count = 0

  constructor(harness: ConsumerHarness) {
    this.harness = harness
    this.clients = Array.from({ length: CLIENTS }, (_, i) => this.#newClient(i))
  }

  /** The last two are static members; a process that starts again has another id. */
  #newClient(index: number): Client {
    const instanceId = index < CLIENTS - 2 ? null : `i${index}`
    return new Client(this.harness, `m${index}-${this.#count++}`, { subscribedTopicNames: ['a', 'b'] }, instanceId)
  }

  async run(command: Command): Promise<void> {
    const { harness } = this
    if (command.do === 'pass') await this.#pass(command.ms)
    else if (command.do === 'restart') await this.#restart()
    else if (command.do === 'hold') harness.log.isHeld = true
    else if (command.do === 'release') harness.log.release()
    else if (command.do === 'fail') harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    else if (command.do === 'grow') await this.#grow(command.topic)
    else if ('client' in command) this.#act(command)
    await harness.settle()
    for (const client of this.clients) this.#hear(client)
    this.#check()
  }

  async #restart(): Promise<void> {
    this.harness.log.release()
    await this.harness.settle()
    await this.harness.restart()
  }

  async #grow(topic: string): Promise<void> {
    const held = this.harness.log.isHeld
    this.harness.log.release()
    await this.harness.topic(topic, (this.harness.image.topics.byName(topic)?.partitions.size ?? 0) + 1)
    this.harness.log.isHeld = held
  }

  /** Those who may be out by now let go of what they have. */
  async #pass(ms: number): Promise<void> {
    await this.harness.pass(ms)
    for (const client of this.clients) this.#hear(client)
    for (const client of this.clients) {
      if (this.harness.time.nowMs() - client.heardMs < REBALANCE_TIMEOUT_MS) continue
      client.owned.clear()
      client.epoch = 0
    }
  }

  #act(command: Extract<Command, { readonly client: number }>): void {
    const client = this.clients[command.client]!
    if (command.do === 'crash') {
      this.clients[command.client] = this.#newClient(command.client)
      return
    }
    if (command.do === 'lose') client.isLost = client.waiting !== undefined
    if (client.waiting !== undefined) return
    if (command.do === 'leave' || command.do === 'absent') this.#leave(client, command)
    else if (command.do === 'subscribe')
      this.#subscribe(client, { subscribedTopicNames: [...command.topics], subscribedTopicRegex: '' })
    else if (command.do === 'match')
      this.#subscribe(client, { subscribedTopicNames: [], subscribedTopicRegex: command.regex })
    else this.#beat(client, command.do === 'full')
  }

  #subscribe(client: Client, subscription: Consumer['subscription']): void {
    client.subscription = subscription
    this.#beat(client, true)
  }

  #leave(client: Client, command: { readonly do: string; readonly client: number }): void {
    const memberEpoch = command.do === 'absent' && client.instanceId !== null ? -2 : -1
    const { memberId, instanceId } = client
    if (client.epoch > 0) this.harness.send({ memberId, instanceId, memberEpoch })
    this.clients[command.client] = this.#newClient(command.client)
  }

  #beat(client: Client, isFull: boolean): void {
    const { memberId, instanceId, epoch } = client
    client.isLost = false
    client.sentMs = this.harness.time.nowMs()
    client.waiting = this.harness.send({
      memberId,
      instanceId,
      memberEpoch: epoch,
      ...(isFull || epoch === 0 ? { rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS, ...client.subscription } : {}),
      topicPartitions:
        epoch === 0 ? [] : Array.from(client.owned, ([topicId, partitions]) => ({ topicId, partitions })),
    })
  }

  #hear(client: Client): void {
    if (!client.waiting?.isSettled) return
    const response = client.waiting.required
    client.waiting = undefined
    if (client.isLost) return
    client.heardMs = client.sentMs
    client.hear(response)
  }

  /** No partition is with two consumers. */
  #check(): void {
    const owners = new Map<string, string>()
    for (const { memberId, owned } of this.clients) {
      for (const [topicId, partitions] of owned) {
        for (const partition of partitions) {
          const key = `${topicId}-${partition}`
          expect(owners.get(key), `${key} of ${memberId}`).toBeUndefined()
          owners.set(key, memberId)
        }
      }
    }
  }

  describe(coordinator: GroupCoordinator) {
    return this.harness.done(coordinator.describeConsumerGroups([GROUP]))
  }
}

const client = fc.nat({ max: CLIENTS - 1 })
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ do: fc.constant('beat' as const), client }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('full', 'lose', 'leave', 'absent', 'crash'), client }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      client,
      topics: fc.subarray(['a', 'b', 'c'], { minLength: 0 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('match' as const), client, regex: fc.constantFrom('[ab]', 'b|c', '.*') }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1000, 9000, 40_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('grow' as const), topic: fc.constantFrom('a', 'b', 'c') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('restart', 'hold', 'release') }) },
)
const failing: fc.Arbitrary<Command> = fc.record({ do: fc.constant('fail' as const) })

async function simulate(commands: readonly Command[]): Promise<void> {
  const harness = await ConsumerHarness.started()
  await harness.topic('a', 3)
  await harness.topic('b', 2)
  const simulation = new Simulation(harness)
  for (const each of commands) await simulation.run(each)
  harness.log.failures.length = 0
  harness.log.release()
  await harness.settle()
  const fresh = await harness.reloaded()
  const ordered = (groups: Awaited<ReturnType<Simulation['describe']>>) =>
    groups.map((group) => ({
      ...group,
      members: [...group.members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1)),
    }))
  expect(ordered(await simulation.describe(fresh))).toEqual(ordered(await simulation.describe(harness.coordinator)))
}

test('whatever consumers do, no partition is with two of them, and the log holds the state', async () => {
  await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 30, maxLength: 150 }), simulate), {
    numRuns: 150,
    seed: 1,
  })
}, 60_000)

test('the same where appends fail', async () => {
  const commands = fc.array(fc.oneof({ weight: 12, arbitrary: command }, { weight: 1, arbitrary: failing }), {
    minLength: 30,
    maxLength: 150,
  })
  await fc.assert(fc.asyncProperty(commands, simulate), { numRuns: 150, seed: 1 })
}, 60_000)
