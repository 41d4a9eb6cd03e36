import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { type Client, nameOfError } from './client.ts'
import { ask, type GroupView } from './groups.ts'

const JOIN_VERSION = 7
const SYNC_VERSION = 5
const HEARTBEAT_VERSION = 4
const PROTOCOL = { protocolType: 'simulated', protocolName: 'in-turn' }
const SESSION_MS = 3000
const REBALANCE_MS = 4000
/** Longer than a rebalance may take. */
const PATIENCE_MS = 10_000

/** Answers after which a member joins anew, with its id or without. */
const REJOIN: readonly number[] = [errors.REBALANCE_IN_PROGRESS.code, errors.ILLEGAL_GENERATION.code]
const FORGOTTEN: readonly number[] = [errors.UNKNOWN_MEMBER_ID.code]

/** A member of a group whose members share among themselves (JoinGroup and SyncGroup): who is its leader says who has what. */
export class ClassicMember {
  readonly client: Client
  readonly #view: GroupView
  memberId = ''
  partitions: ReadonlySet<number> = new Set()
  #generation = -1

  constructor(client: Client, view: GroupView) {
    this.client = client
    this.#view = view
  }

  async run(): Promise<void> {
    const { world, random } = this.client
    while (!world.isOver) {
      if (this.#generation < 0) await this.#join()
      else if (random.percent(1)) await this.#leave()
      else await this.#heartbeat()
      await world.sleep(200 + random.below(200))
    }
  }

  #rejoin(isForgotten: boolean): void {
    this.#generation = -1
    this.partitions = new Set()
    if (isForgotten) this.memberId = ''
  }

  /** Answers whether all is well. */
  #look(errorCode: number): boolean {
    if (errorCode === 0) return true
    if (FORGOTTEN.includes(errorCode) || REJOIN.includes(errorCode)) this.#rejoin(FORGOTTEN.includes(errorCode))
    else this.client.world.fail(`${this.client.host} in ${this.#view.name}: ${nameOfError(errorCode)}`)
    return false
  }

  async #join(): Promise<void> {
    const { name } = this.#view
    const { protocolType, protocolName } = PROTOCOL
    const body = {
      groupId: name,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      memberId: this.memberId,
      protocolType,
      protocols: [{ name: protocolName, metadata: Buffer.alloc(0) }],
    }
    const joined = await ask(
      this.client,
      name,
      (coordinator) => this.client.call(coordinator, apis.JoinGroup, JOIN_VERSION, body, PATIENCE_MS),
      ({ errorCode }) => errorCode,
    )
    if (joined === undefined) return
    if (joined.errorCode === errors.MEMBER_ID_REQUIRED.code) {
      this.memberId = joined.memberId
      return
    }
    if (!this.#look(joined.errorCode)) return
    this.memberId = joined.memberId
    const members = joined.leader === this.memberId ? joined.members.map(({ memberId }) => memberId) : []
    await this.#sync(joined.generationId, members)
  }

  /** `members`: those that this one has to give partitions to, as their leader. */
  async #sync(generationId: number, members: readonly string[]): Promise<void> {
    const { name, topic } = this.#view
    const turn = this.client.random.below(topic.partitions)
    const assignments = members.map((memberId, index) => {
      const all = Array.from({ length: topic.partitions }, (_, partition) => partition)
      const own = all.filter((partition) => (partition + turn) % members.length === index)
      return { memberId, assignment: Buffer.from(JSON.stringify(own)) }
    })
    const body = { groupId: name, generationId, memberId: this.memberId, ...PROTOCOL, assignments }
    const response = await ask(
      this.client,
      name,
      (coordinator) => this.client.call(coordinator, apis.SyncGroup, SYNC_VERSION, body, PATIENCE_MS),
      ({ errorCode }) => errorCode,
    )
    if (response === undefined || !this.#look(response.errorCode)) return
    this.#generation = generationId
    const assigned: unknown = JSON.parse(response.assignment.toString() || '[]')
    this.partitions = new Set(assigned as number[])
    for (const partition of this.partitions) this.#view.owns(this, generationId, partition)
  }

  async #heartbeat(): Promise<void> {
    const { name } = this.#view
    const body = { groupId: name, generationId: this.#generation, memberId: this.memberId }
    const response = await ask(
      this.client,
      name,
      (coordinator) => this.client.call(coordinator, apis.Heartbeat, HEARTBEAT_VERSION, body),
      ({ errorCode }) => errorCode,
    )
    if (response !== undefined) this.#look(response.errorCode)
  }

  async #leave(): Promise<void> {
    const { name } = this.#view
    const body = { groupId: name, members: [{ memberId: this.memberId }] }
    await ask(
      this.client,
      name,
      (coordinator) => this.client.call(coordinator, apis.LeaveGroup, 4, body),
      ({ errorCode }) => errorCode,
    )
    this.#rejoin(true)
  }
}
