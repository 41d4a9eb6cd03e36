import { apis } from '../../protocol/api-keys.ts'
import { codecOf } from '../../protocol/codec.ts'
import { decodeRequestHeader, decodeResponse } from '../../protocol/frames.ts'
import type { VoteRequest } from '../../protocol/messages/vote.ts'
import { type ElectionState, readQuorumState } from '../../replication/raft/quorum-state.ts'
import type { SimulatedNode } from './node.ts'
import type { World } from './world.ts'

const STATE_DIRECTORY = '/data/__cluster_metadata-0'
const FRAME_HEADER_BYTES = 4

interface Asked {
  readonly version: number
  readonly candidate: number
  readonly epoch: number
}

/**
 * Listens to the votes on the network: a node grants one an epoch, and has it on its disk before anybody hears of it.
 * A leader is only who says so in an epoch that nobody else leads.
 */
export class QuorumInvariants {
  readonly #world: World
  readonly #asked = new Map<string, Asked>()
  readonly #votes = new Map<string, number>()
  readonly #leaders = new Map<number, number>()
  readonly #states = new Map<string, ElectionState>()
  /** Votes that were looked at. */
  granted = 0

  constructor(world: World) {
    this.#world = world
  }

  /** A node has written down what it must not forget. */
  onState({ disk, disks, host }: SimulatedNode): void {
    const state = readQuorumState(disk, STATE_DIRECTORY)
    if (state === undefined) return
    const { leaderEpoch: epoch, leaderId, votedId } = state
    if (leaderId >= 0) this.#onLeader(leaderId, epoch)
    const key = `${host} ${disks}`
    const known = this.#states.get(key)
    if (known !== undefined && known.leaderEpoch > epoch) {
      this.#world.fail(`${host} goes back from quorum epoch ${known.leaderEpoch} to ${epoch}`)
    }
    const isSame = known?.leaderEpoch === epoch && known.votedId >= 0
    if (isSame && votedId >= 0 && votedId !== known.votedId) {
      this.#world.fail(`${host} has voted for ${known.votedId} in quorum epoch ${epoch}, and notes ${votedId}`)
    }
    this.#states.set(key, state)
  }

  /** A whole frame, as it comes to its receiver. */
  onFrame(from: string, to: string, frame: Buffer, connection: number, isRequest: boolean): void {
    if (frame.length < 12) return
    if (isRequest) this.#onRequest(to, frame, connection)
    else this.#onResponse(from, frame, connection)
  }

  #onRequest(to: string, frame: Buffer, connection: number): void {
    const key = frame.readInt16BE(FRAME_HEADER_BYTES)
    if (key !== apis.Vote.key && key !== apis.BeginQuorumEpoch.key) return
    const { api, apiVersion, correlationId, reader } = decodeRequestHeader(frame.subarray(FRAME_HEADER_BYTES))
    const body = codecOf(api.request, apiVersion).read(reader)
    if (key === apis.BeginQuorumEpoch.key) {
      const partition = (body as unknown as { topics: { partitions: { leaderId: number; leaderEpoch: number }[] }[] })
        .topics[0]?.partitions[0]
      if (partition !== undefined) this.#onLeader(partition.leaderId, partition.leaderEpoch)
      return
    }
    const vote = (body as unknown as VoteRequest).topics[0]?.partitions[0]
    if (vote === undefined || vote.preVote) return
    const asked = { version: apiVersion, candidate: vote.replicaId, epoch: vote.replicaEpoch }
    this.#asked.set(`${to} ${connection} ${correlationId}`, asked)
  }

  #onResponse(from: string, frame: Buffer, connection: number): void {
    const correlationId = frame.readInt32BE(FRAME_HEADER_BYTES)
    const key = `${from} ${connection} ${correlationId}`
    const asked = this.#asked.get(key)
    if (asked === undefined) return
    this.#asked.delete(key)
    const { body } = decodeResponse(apis.Vote, asked.version, frame.subarray(FRAME_HEADER_BYTES))
    if (body.topics[0]?.partitions[0]?.voteGranted !== true) return
    this.#onVote(from, asked)
  }

  #onVote(voter: string, { candidate, epoch }: Asked): void {
    this.granted++
    const key = `${voter} ${epoch}`
    const known = this.#votes.get(key)
    if (known !== undefined && known !== candidate) {
      this.#world.fail(`${voter} votes for ${known} and ${candidate} in quorum epoch ${epoch}`)
    }
    this.#votes.set(key, candidate)
    const node = this.#world.nodes.find(({ host }) => host === voter)
    // It may have another disk by now.
    if (node === undefined || readQuorumState(node.disk, STATE_DIRECTORY) === undefined) return
    const state = readQuorumState(node.disk.onStableStorage(), STATE_DIRECTORY)
    if (state !== undefined && state.leaderEpoch > epoch) return
    // Who follows a leader in this epoch has no vote to give any more, and need not remember it.
    if (state?.leaderEpoch === epoch && (state.votedId === candidate || state.leaderId >= 0)) return
    this.#world.fail(
      `${voter} votes for ${candidate} in quorum epoch ${epoch} and has on stable storage ${JSON.stringify(state)}`,
    )
  }

  #onLeader(nodeId: number, epoch: number): void {
    const known = this.#leaders.get(epoch)
    if (known !== undefined && known !== nodeId) {
      this.#world.fail(`nodes ${known} and ${nodeId} lead quorum epoch ${epoch}`)
    }
    this.#leaders.set(epoch, nodeId)
  }
}
