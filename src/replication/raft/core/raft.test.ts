import { describe, expect, test } from 'vitest'
import { errors } from '../../../protocol/errors.ts'
import { ZERO_UUID } from '../../../protocol/uuid.ts'
import { LeaderState } from './leader-state.ts'
import { LogState } from './log-state.ts'
import { SimulatedQuorum, VOTER } from './quorum.testkit.ts'
import { Raft } from './raft.ts'
import type { Effect, FetchRequest, RaftOptions, RaftRequest, RaftResponse, ReplicaKey, VoteRequest } from './types.ts'
import { VoterHistory, VoterSet } from './voters.ts'

const DIRECTORIES = ['', 'AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg', 'AAAAAAAAAAAAAAAAAAAAAw']

const key = (id: number): ReplicaKey => ({ id, directoryId: DIRECTORIES[id]! })
const node = (id: number) => ({
  ...key(id),
  endpoints: [{ name: 'CONTROLLER', host: 'localhost', port: 9000 + id }],
  kraftVersions: { min: 0, max: 1 },
})
const VOTERS = new VoterSet([node(1), node(2), node(3)])

function optionsOf(id: number): RaftOptions {
  return {
    ...VOTER,
    self: key(id),
    clusterId: 'cluster',
    endpoints: node(id).endpoints,
    bootstrapPeers: [],
    fetchMaxBytes: 1024,
    fetchSnapshotMaxBytes: 1024,
    random: () => 0,
    wallMs: () => 0,
  }
}

/** Node 1 of three, alone with whoever asks: its log has 10 records of epoch 1 and 5 of epoch 3. */
class Alone {
  readonly raft: Raft
  #token = 0

  constructor(voters = VOTERS) {
    const epochs = [
      { epoch: 1, offset: 0 },
      { epoch: 3, offset: 10 },
    ]
    this.raft = new Raft(optionsOf(1), new LogState(0, 15, epochs, []), new VoterHistory(voters), () => undefined)
    this.raft.start({ epoch: 3, leaderId: -1, voted: undefined }, 0)
    this.raft.takeEffects()
  }

  ask(request: RaftRequest, nowMs = 0): RaftResponse | undefined {
    const token = ++this.#token
    this.raft.receive(token, request, nowMs)
    const replies = this.raft.takeEffects().filter((effect) => effect.type === 'reply' && effect.token === token)
    return (replies[0] as Extract<Effect, { type: 'reply' }> | undefined)?.response
  }

  /** Makes it the leader of epoch 4, with the vote of node 2, and writes what it appends. */
  lead(): void {
    this.raft.tick(1000)
    for (let round = 0; round < 2; round++) {
      for (const effect of this.raft.takeEffects()) {
        if (effect.type !== 'send' || effect.peer.id !== 2) continue
        const { epoch } = effect.request as VoteRequest
        const answer = { type: 'vote', error: errors.NONE, isGranted: true, epoch, leaderId: -1, leaderEndpoints: [] }
        this.raft.answered(effect.requestId, answer as RaftResponse, 1000)
      }
    }
    this.raft.logWritten(this.raft.log.endOffset, 1000)
    this.raft.takeEffects()
  }
}

const vote = (change: Partial<VoteRequest>): VoteRequest => ({
  type: 'vote',
  clusterId: 'cluster',
  epoch: 4,
  candidate: key(2),
  voter: key(1),
  lastEpoch: 3,
  lastOffset: 15,
  isPreVote: false,
  ...change,
})

const fetch = (change: Partial<FetchRequest>): FetchRequest => ({
  type: 'fetch',
  clusterId: 'cluster',
  epoch: 4,
  replica: key(2),
  fetchOffset: 15,
  lastFetchedEpoch: 3,
  highWatermark: -1,
  maxWaitMs: 0,
  maxBytes: 1000,
  ...change,
})

describe('Vote (KIP-595, pre-vote of KIP-996)', () => {
  test.each<[string, Partial<VoteRequest>, string, boolean]>([
    ['a log as long', {}, 'NONE', true],
    ['a longer log', { lastOffset: 16 }, 'NONE', true],
    ['a shorter log', { lastOffset: 14 }, 'NONE', false],
    ['a longer log of an older epoch', { lastEpoch: 2, lastOffset: 99 }, 'NONE', false],
    ['an epoch that is over', { epoch: 2, lastEpoch: 1 }, 'FENCED_LEADER_EPOCH', false],
    ['an epoch in which the candidate has written', { lastEpoch: 4 }, 'INVALID_REQUEST', false],
    ['the receiver itself', { candidate: key(1) }, 'INVALID_REQUEST', false],
    ['a receiver with another disk', { voter: { id: 1, directoryId: DIRECTORIES[3]! } }, 'INVALID_VOTER_KEY', false],
    ['another cluster', { clusterId: 'other' }, 'INCONSISTENT_CLUSTER_ID', false],
    ['a version that names no directory', { voter: { id: 1, directoryId: ZERO_UUID } }, 'NONE', true],
  ])('%s', (_, change, error, isGranted) => {
    expect(new Alone().ask(vote(change))).toMatchObject({ error: { name: error }, isGranted })
  })

  test('one vote an epoch, which may be asked for again', () => {
    const alone = new Alone()
    expect(alone.ask(vote({}))).toMatchObject({ isGranted: true })
    expect(alone.ask(vote({ candidate: key(3) }))).toMatchObject({ isGranted: false })
    expect(alone.ask(vote({}))).toMatchObject({ isGranted: true })
    expect(alone.ask(vote({ candidate: key(3), epoch: 5 }))).toMatchObject({ isGranted: true, epoch: 5 })
  })

  test('a vote is to be on the disk before it is told', () => {
    const { raft } = new Alone()
    raft.receive(1, vote({}), 0)
    const types = raft
      .takeEffects()
      .map((effect) => (effect.type === 'election' ? effect.election.voted?.id : effect.type))
    expect(types.slice(-2)).toEqual([2, 'reply'])
  })

  test('a pre-vote promises nothing, and whoever hears of its leader gives none', () => {
    const alone = new Alone()
    const epoch = 3
    expect(alone.ask(vote({ isPreVote: true, epoch }))).toMatchObject({ isGranted: true, epoch })
    expect(alone.ask(vote({ isPreVote: true, epoch, candidate: key(3) }))).toMatchObject({ isGranted: true, epoch })
    alone.lead()
    expect(alone.ask(vote({ isPreVote: true, epoch: 4 }), 1000)).toMatchObject({ isGranted: false })
  })
})

describe('Fetch of the metadata log', () => {
  test.each<[string, Partial<FetchRequest>, object]>([
    ['the end of an older epoch', { fetchOffset: 12, lastFetchedEpoch: 1 }, { diverging: { epoch: 1, offset: 10 } }],
    [
      'an epoch that this log has not',
      { fetchOffset: 12, lastFetchedEpoch: 2 },
      { diverging: { epoch: 1, offset: 10 } },
    ],
    ['more than there is', { fetchOffset: 99, lastFetchedEpoch: 4 }, { diverging: { epoch: 4, offset: 16 } }],
    ['what is there', { fetchOffset: 12 }, { diverging: undefined, read: { offset: 12, upTo: 16 } }],
    ['an older epoch of the sender', { epoch: 3 }, { error: { name: 'FENCED_LEADER_EPOCH' }, leaderId: 1 }],
    ['a newer epoch of the sender', { epoch: 5 }, { error: { name: 'UNKNOWN_LEADER_EPOCH' } }],
    ['an epoch that the sender cannot have', { lastFetchedEpoch: 5 }, { error: { name: 'INVALID_REQUEST' } }],
    ['the leader itself', { replica: key(1) }, { error: { name: 'UNKNOWN_SERVER_ERROR' } }],
  ])('%s', (_, change, answer) => {
    const alone = new Alone()
    alone.lead()
    expect(alone.ask(fetch(change), 1000)).toMatchObject(answer)
  })

  test('waits for records, and is answered when they are written', () => {
    const alone = new Alone()
    alone.lead()
    expect(
      alone.ask(fetch({ fetchOffset: 16, lastFetchedEpoch: 4, maxWaitMs: 500, highWatermark: 16 }), 1000),
    ).toBeUndefined()
    alone.raft.propose(Buffer.alloc(0), 1)
    expect(alone.raft.takeEffects().map(({ type }) => type)).toEqual(['append'])
    alone.raft.logWritten(17, 1001)
    const [reply] = alone.raft.takeEffects()
    expect(reply).toMatchObject({ type: 'reply', response: { read: { offset: 16, upTo: 17 } } })
  })
})

test('what older epochs have written is committed only with a record of the new one (Raft, section 5.4.2)', () => {
  const state = new LeaderState({
    self: key(1),
    voters: VOTERS,
    granting: [1, 2],
    epochStartOffset: 15,
    fetchTimeoutMs: 2000,
    nowMs: 0,
  })
  expect(state.updateSelf(16, VOTERS)).toBe(false)
  expect(state.updateReplica(key(2), 15, 16, 0)).toBe(false)
  expect(state.highWatermark).toBe(-1)
  expect(state.updateReplica(key(2), 16, 16, 0)).toBe(true)
  expect(state.highWatermark).toBe(16)
})

describe('changes of the voters (KIP-853)', () => {
  test('not while another is not committed', () => {
    const quorum = new SimulatedQuorum(1, 5, 3)
    for (const each of quorum.nodes) quorum.start(each)
    quorum.run(10_000)
    const leader = quorum.leader!
    const [first, second] = quorum.nodes.slice(3)
    for (const { id } of quorum.nodes) quorum.cut.add(`${leader.id} ${id}`)
    quorum.changeVoters(leader, 'removeVoter', quorum.nodes.find((each) => each !== leader)!)
    quorum.changeVoters(leader, 'addVoter', first!)
    expect(quorum.trace.at(-1)).toMatch(new RegExp(`addVoter ${first!.id}: REQUEST_TIMED_OUT`))
    quorum.cut.clear()
    quorum.run(20_000)
    quorum.changeVoters(quorum.leader!, 'addVoter', second!)
    quorum.run(21_000)
    expect(quorum.trace.at(-1)).toMatch(new RegExp(`addVoter ${second!.id}: NONE`))
    expect(quorum.leader!.raft!.history.voters.size).toBe(3)
  })

  test('a leader that is removed leads until that is committed, and no longer', () => {
    const quorum = new SimulatedQuorum(2, 3, 3)
    for (const each of quorum.nodes) quorum.start(each)
    quorum.run(10_000)
    const before = quorum.leader!
    quorum.changeVoters(before, 'removeVoter', before)
    quorum.run(20_000)
    expect(quorum.trace).toContainEqual(expect.stringMatching(`removeVoter ${before.id}: NONE`))
    expect(quorum.leader!.id).not.toBe(before.id)
    expect(before.raft!.role).toBe('follower')
  })
})
