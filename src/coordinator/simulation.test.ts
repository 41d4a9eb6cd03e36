import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogError } from '../log/append-error.ts'
import { errors } from '../protocol/errors.ts'
import type { JoinGroupResponseInput } from '../protocol/messages/join-group.ts'
import type { SyncGroupResponseInput } from '../protocol/messages/sync-group.ts'
import { BatchView } from '../protocol/records/batch.ts'
import { decodeRecords } from '../protocol/records/cursor.ts'
import { ZERO_UUID } from '../protocol/uuid.ts'
import { encodeKey, tombstone } from './coordinator-record.ts'
import type { GroupCoordinator } from './group-coordinator.ts'
import { groupMetadata } from './group-records.ts'
import { commitPartition, Harness, type Outcome, subscription } from './harness.testkit.ts'

const GROUPS = ['one', 'two']
const PARTITIONS = 6

type Command =
  | { readonly do: 'join' | 'rejoin' | 'sync' | 'heartbeat' | 'commit' | 'leave' | 'crash'; readonly client: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'restart' | 'fail' | 'hold' | 'release'; readonly client?: undefined }
  | { readonly do: 'delete'; readonly group: string }

/** A consumer as far as the group protocol goes. It knows what it owns only from what it was answered. */
class Client {
  memberId = ''
  generationId = -1
  readonly groupId: string
  joining: Outcome<JoinGroupResponseInput> | undefined
  joined: JoinGroupResponseInput | undefined
  syncing: Outcome<SyncGroupResponseInput> | undefined

  constructor(groupId: string) {
    this.groupId = groupId
  }

  forget(): void {
    this.memberId = ''
    this.generationId = -1
    this.joining = undefined
    this.joined = undefined
    this.syncing = undefined
  }
}

/** Clients, a coordinator that restarts and a log that fails, and the rule that must hold whatever they do. */
class Simulation {
  readonly harness: Harness
  readonly clients = [0, 1, 2, 3].map((i) => new Client(GROUPS[i % 2]!))
  /** The member that was assigned a partition, by group, generation and partition. */
  readonly owners = new Map<string, string>()
  readonly transcript: string[] = []
  failures = 0

  constructor(harness: Harness) {
    this.harness = harness
  }

  async run(command: Command): Promise<void> {
    const { harness } = this
    this.transcript.push(JSON.stringify(command))
    if (command.do === 'pass') await harness.pass(command.ms)
    else if (command.do === 'restart') await this.#restart()
    else if (command.do === 'hold') harness.log.isHeld = true
    else if (command.do === 'release') harness.log.release()
    else if (command.do === 'delete') void harness.coordinator.deleteGroups([command.group])
    else if (command.do === 'fail') {
      this.failures++
      harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    } else if (command.client !== undefined) this.#act(this.clients[command.client]!, command.do)
    await harness.settle()
    for (const client of this.clients) this.#hear(client)
  }

  async #restart(): Promise<void> {
    this.harness.log.release()
    await this.harness.settle()
    await this.harness.restart()
  }

  #act(client: Client, action: string): void {
    const { coordinator } = this.harness
    const { memberId, groupId, generationId } = client
    if (action === 'crash') client.forget()
    else if (action === 'join' || action === 'rejoin') this.#join(client, action === 'rejoin')
    else if (action === 'sync') this.#sync(client)
    else if (memberId === '') return
    else if (action === 'heartbeat')
      void coordinator.heartbeat({ groupId, memberId, generationId, groupInstanceId: null })
    else if (action === 'commit') this.#commit(client)
    else {
      const members = [{ memberId, groupInstanceId: null, reason: null }]
      void coordinator.leaveGroup({ groupId, memberId, members })
      client.forget()
    }
  }

  #join(client: Client, withNewSubscription: boolean): void {
    if (client.joining !== undefined) return
    const topic = withNewSubscription ? `topic-${this.transcript.length}` : 'topic'
    const protocols = [{ name: 'range', metadata: subscription(topic) }]
    client.joined = undefined
    client.joining = this.harness.join({ groupId: client.groupId, memberId: client.memberId, protocols })
  }

  #sync(client: Client): void {
    const { joined, memberId, groupId } = client
    if (joined === undefined || client.syncing !== undefined) return
    const members = joined.leader === memberId ? joined.members! : []
    const assignments = members.map((member, i) => ({
      memberId: member.memberId!,
      assignment: Buffer.from(Array.from({ length: PARTITIONS }, (_, p) => p).filter((p) => p % members.length === i)),
    }))
    client.syncing = this.harness.sync({ groupId, memberId, generationId: joined.generationId!, assignments })
  }

  #commit({ groupId, memberId, generationId }: Client): void {
    const topics = [{ name: 'topic', topicId: ZERO_UUID, partitions: [commitPartition(0, this.transcript.length)] }]
    void this.harness.commitOutcome(0, { groupId, memberId, generationIdOrMemberEpoch: generationId, topics })
  }

  #hear(client: Client): void {
    if (client.joining?.isSettled) {
      const response = client.joining.required
      client.joining = undefined
      if (response.errorCode === errors.MEMBER_ID_REQUIRED.code) client.memberId = response.memberId!
      else if (response.errorCode === errors.UNKNOWN_MEMBER_ID.code) client.memberId = ''
      else if (response.errorCode === errors.NONE.code) {
        client.memberId = response.memberId!
        client.generationId = response.generationId!
        client.joined = response
      }
    }
    if (client.syncing?.isSettled) {
      const response = client.syncing.required
      client.syncing = undefined
      if ((response.errorCode ?? 0) === errors.NONE.code) this.#own(client, response.assignment!)
    }
  }

  #own(client: Client, assignment: Buffer): void {
    const made = this.#deletionsOf(client.groupId)
    for (const partition of assignment) {
      const key = `${client.groupId} made for the ${made}th time: generation ${client.generationId} partition ${partition}`
      const owner = this.owners.get(key) ?? client.memberId
      if (owner !== client.memberId) throw new Error(`${key} belongs to ${owner} and ${client.memberId}`)
      this.owners.set(key, owner)
    }
  }

  /** How often the group has been deleted: a group that is made again counts its generations from the start. */
  #deletionsOf(groupId: string): number {
    const records = this.harness.log.batches.get(0)!.flatMap((batch) => decodeRecords(new BatchView(batch), 1_000_000))
    const key = encodeKey(tombstone(groupMetadata, { group: groupId }))
    return records.filter((record) => record.value === null && record.key!.equals(key)).length
  }

  /** Everything the coordinator has that must survive it. */
  async durableState(coordinator: GroupCoordinator): Promise<unknown> {
    const { harness } = this
    const { groups } = await harness.done(coordinator.listGroups({ statesFilter: [], typesFilter: [] }))
    const ids = groups.map((group) => group.groupId).sort()
    const state = []
    for (const groupId of ids) {
      const request = { groupId, memberId: null, memberEpoch: -1, topics: null }
      const { topics } = await harness.done(coordinator.fetchOffsets(request, false))
      state.push({ groupId, topics })
    }
    return state
  }

  /** Groups in the middle of a rebalance are not in the log as they are. */
  async groupsAtRest(coordinator: GroupCoordinator, groupIds: readonly string[]) {
    return (await this.harness.done(coordinator.describeGroups(groupIds, 6))).sort((a, b) =>
      a.groupId < b.groupId ? -1 : 1,
    )
  }
}

const client = fc.nat({ max: 3 })
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('join' as const), client }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('sync' as const), client }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('rejoin', 'heartbeat', 'commit', 'leave', 'crash'), client }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1000, 3000, 9000, 40_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('restart', 'hold', 'release') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), group: fc.constantFrom(...GROUPS) }) },
)
const failing: fc.Arbitrary<Command> = fc.record({ do: fc.constant('fail' as const) })

async function simulate(commands: readonly Command[]): Promise<void> {
  const harness = await Harness.started({ offsetsRetentionMs: 60_000, offsetsRetentionCheckIntervalMs: 20_000 })
  const simulation = new Simulation(harness)
  for (const each of commands) await simulation.run(each)
  harness.log.failures.length = 0
  harness.log.release()
  await harness.settle()
  const fresh = await harness.reloaded()
  expect(await simulation.durableState(fresh)).toEqual(await simulation.durableState(harness.coordinator))
  if (simulation.failures > 0) return
  const atRest = (await harness.list(['stable', 'empty'])).map((group) => group.groupId)
  const expected = await simulation.groupsAtRest(harness.coordinator, atRest)
  expect(await simulation.groupsAtRest(fresh, atRest)).toEqual(expected)
}

test('whatever clients do, no partition has two owners in a generation, and the log holds the state', async () => {
  await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 120 }), simulate), {
    numRuns: 60,
    seed: 1,
  })
}, 60_000)

test('the same where appends fail', async () => {
  const commands = fc.array(fc.oneof({ weight: 12, arbitrary: command }, { weight: 1, arbitrary: failing }), {
    minLength: 20,
    maxLength: 120,
  })
  await fc.assert(fc.asyncProperty(commands, simulate), { numRuns: 400, seed: 1 })
}, 60_000)

test('a simulation gets as far as members that own partitions', async () => {
  const simulation = new Simulation(await Harness.started())
  const act = (...actions: Command['do'][]) => actions.flatMap((each) => [0, 2].map((id) => ({ do: each, client: id })))
  const script = [...act('join', 'join'), { do: 'pass', ms: 6000 }, ...act('sync')] as Command[]
  for (const each of script) await simulation.run(each)
  expect(simulation.owners.size).toBe(PARTITIONS)
})
