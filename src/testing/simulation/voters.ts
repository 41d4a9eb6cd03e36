import { readMetaProperties } from '../../metadata/format/meta-properties.ts'
import { apis } from '../../protocol/api-keys.ts'
import type { DescribeQuorumResponse } from '../../protocol/messages/describe-quorum.ts'
import type { Client } from './client.ts'
import { ConnectionLost } from './connection.ts'
import type { SimulatedNode } from './node.ts'

const TIMEOUT_MS = 2500
const CONTROLLER_PORT = 9093
/** With fewer, one that ends takes the quorum with it. */
const FEWEST_VOTERS = 2

const partitionOf = ({ topics }: DescribeQuorumResponse) => topics[0]?.partitions[0]

/**
 * Somebody who takes voters out of the quorum and puts others in (KIP-853), raising kraft.version first where the
 * configuration fixes them; in the end puts all in, takes one more out and puts it back.
 */
export class VoterOperator {
  readonly #client: Client
  readonly #controllers: readonly SimulatedNode[]
  /** Whoever is taken out when everything is healed. */
  #last: SimulatedNode | undefined
  isEnding = false
  /** All controllers are voters. */
  isDone = false

  constructor(client: Client, nodes: readonly SimulatedNode[]) {
    this.#client = client
    this.#controllers = nodes.filter(({ isController }) => isController)
    this.#last = client.random.pick(this.#controllers)
  }

  async run(): Promise<void> {
    const { world, random } = this.#client
    while (!this.isDone && !world.isOver) {
      await world.sleep(this.isEnding ? 200 : random.below(4000))
      if (world.isOver) return
      try {
        await this.#step()
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
    }
  }

  async #step(): Promise<void> {
    const { random } = this.#client
    const body = { topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }] }
    const answer = await this.#client.call(random.pick(this.#client.brokerIds), apis.DescribeQuorum, 2, body)
    const quorum = partitionOf(answer)
    if (quorum === undefined || quorum.errorCode !== 0) return
    const { currentVoters } = quorum
    // Where the configuration fixes them nobody knows their directories.
    if (currentVoters.every(({ replicaDirectoryId }) => /^A*$/.test(replicaDirectoryId))) {
      await this.#raiseKraftVersion()
      return
    }
    const isVoter = ({ id }: SimulatedNode) => currentVoters.some(({ replicaId }) => replicaId === id)
    const voters = this.#controllers.filter(isVoter)
    const others = this.#controllers.filter((node) => !isVoter(node))
    if (this.isEnding) await this.#end(others)
    else if (others.length > 0 && (voters.length <= FEWEST_VOTERS || random.percent(50))) {
      await this.#add(random.pick(others))
    } else if (voters.length > FEWEST_VOTERS) await this.#remove(random.pick(voters))
  }

  /** All are to be voters; then one is not, for a moment. */
  async #end(others: readonly SimulatedNode[]): Promise<void> {
    if (this.#last !== undefined && others.length === 1 && others[0] === this.#last) this.#last = undefined
    if (others.length > 0) await this.#add(others[0]!)
    else if (this.#last !== undefined) await this.#remove(this.#last)
    else this.isDone = true
  }

  #directoryIdOf(node: SimulatedNode): string {
    return readMetaProperties(node.disk, node.logDirectories[0]!)!.directoryId!
  }

  async #raiseKraftVersion(): Promise<void> {
    this.#client.world.trace.note('kraft.version is to be 1')
    const featureUpdates = [{ feature: 'kraft.version', maxVersionLevel: 1, upgradeType: 1 }]
    const body = { featureUpdates, validateOnly: false }
    await this.#client.call(this.#client.random.pick(this.#client.brokerIds), apis.UpdateFeatures, 2, body)
  }

  async #add(node: SimulatedNode): Promise<void> {
    this.#client.world.trace.note(`node ${node.id} is to be a voter`)
    const body = {
      clusterId: null,
      timeoutMs: TIMEOUT_MS,
      voterId: node.id,
      voterDirectoryId: this.#directoryIdOf(node),
      listeners: [{ name: 'CONTROLLER', host: node.host, port: CONTROLLER_PORT }],
    }
    await this.#client.call(this.#client.random.pick(this.#client.brokerIds), apis.AddRaftVoter, 1, body)
  }

  async #remove(node: SimulatedNode): Promise<void> {
    this.#client.world.trace.note(`node ${node.id} is to be no voter`)
    const body = { clusterId: null, voterId: node.id, voterDirectoryId: this.#directoryIdOf(node) }
    await this.#client.call(this.#client.random.pick(this.#client.brokerIds), apis.RemoveRaftVoter, 0, body)
  }
}
