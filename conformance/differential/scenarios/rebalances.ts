import type { Body, Probe } from '../probe.ts'
import { makeTopic, type Scenario } from '../scenario.ts'
import { subscription } from './groups.ts'

const REBALANCE_IN_PROGRESS = 27

interface Member {
  readonly probe: Probe
  readonly groupId: string
  memberId: string
  generationId: number
  leader: string
  protocols: readonly string[]
  instanceId: string | null
}

/** The members of one group, each on a connection of its own. Steps that race are taken quietly and one by one. */
class Group {
  readonly id: string
  readonly probe: Probe
  readonly members: Member[] = []
  readonly sessionTimeoutMs: number

  constructor(probe: Probe, id: string, sessionTimeoutMs = 10_000) {
    this.probe = probe
    this.id = id
    this.sessionTimeoutMs = sessionTimeoutMs
  }

  /** A member that has not joined. */
  member(protocols: readonly string[] = ['range'], instanceId: string | null = null): Member {
    const probe = this.probe.fork()
    const member = { probe, groupId: this.id, memberId: '', generationId: -1, leader: '', protocols, instanceId }
    this.members.push(member)
    return member
  }

  /** The broker gives the member an id and waits for it to come with it. */
  async promise(member: Member): Promise<void> {
    const asked = await member.probe.quietly('JoinGroup', 9, this.joinBody(member))
    member.memberId = asked.memberId
    member.probe.learn(member.memberId, `<member ${this.members.indexOf(member)}>`)
  }

  joinBody({ memberId, protocols, instanceId }: Member, more: Body = {}): Body {
    return {
      groupId: this.id,
      sessionTimeoutMs: this.sessionTimeoutMs,
      rebalanceTimeoutMs: 3_000,
      memberId,
      groupInstanceId: instanceId,
      protocolType: 'consumer',
      protocols: protocols.map((name) => ({ name, metadata: subscription(name) })),
      ...more,
    }
  }

  async join(member: Member, more: Body = {}): Promise<Body> {
    if (member.memberId === '' && member.instanceId === null) await this.promise(member)
    const answer = await member.probe.quietly('JoinGroup', 9, this.joinBody(member, more))
    if (answer.errorCode !== 0) return answer
    if (answer.memberId !== member.memberId)
      member.probe.learn(answer.memberId, `<member ${this.members.indexOf(member)}>`)
    member.memberId = answer.memberId
    member.generationId = answer.generationId
    member.leader = answer.leader
    return answer
  }

  /** They join one after the other; those who are in join again each time. Answers what the last round brought. */
  async joinAll(members: readonly Member[] = this.members): Promise<Body[]> {
    const inside = members.filter(({ generationId }) => generationId >= 0)
    let answers: Body[] = []
    for (const member of members) {
      if (inside.includes(member)) continue
      const joining = [this.join(member)]
      for (const other of inside) {
        await this.untilBeat(other, REBALANCE_IN_PROGRESS)
        joining.push(this.join(other))
      }
      answers = await Promise.all(joining)
      inside.push(member)
    }
    return answers
  }

  beat(member: Member, more: Body = {}): Promise<Body> {
    const { groupId, memberId, generationId } = member
    return member.probe.quietly('Heartbeat', 4, { groupId, memberId, generationId, ...more })
  }

  async untilBeat(member: Member, errorCode: number): Promise<void> {
    for (let attempt = 0; attempt < 500; attempt++) {
      if ((await this.beat(member)).errorCode === errorCode) return
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`no heartbeat with error ${errorCode}`)
  }

  syncBody({ groupId, memberId, generationId, leader }: Member): Body {
    const isLeader = memberId === leader
    const assignments = isLeader
      ? this.members.map((other) => ({ memberId: other.memberId, assignment: Buffer.from('x') }))
      : []
    return { groupId, memberId, generationId, assignments }
  }

  /** The leader first, so that nobody waits. */
  async syncAll(members: readonly Member[] = this.members): Promise<void> {
    const order = [...members].sort((a, b) => Number(b.memberId === b.leader) - Number(a.memberId === a.leader))
    for (const member of order) {
      await member.probe.quietly('SyncGroup', 4, { ...this.syncBody(member), groupInstanceId: member.instanceId })
    }
  }

  /** What anybody can see of the group, written down: state, protocol, how many members. */
  async look(note: string): Promise<void> {
    const described = await this.probe.quietly('DescribeGroups', 5, { groups: [this.id] })
    const [{ errorCode, groupState, protocolType, protocolData, members }] = described.groups
    const sorted = members.map(({ groupInstanceId, memberMetadata, memberAssignment }: Body) => ({
      groupInstanceId,
      memberMetadata: memberMetadata.toString('latin1'),
      memberAssignment: memberAssignment.toString('latin1'),
    }))
    sorted.sort((a: Body, b: Body) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    const response = { errorCode, groupState, protocolType, protocolData, members: sorted }
    this.probe.transcript.push({ api: 'DescribeGroups', version: 5, response, note })
  }

  write(
    note: string,
    api: 'JoinGroup' | 'Heartbeat' | 'SyncGroup' | 'LeaveGroup' | 'OffsetCommit',
    answers: Body[],
  ): void {
    const seen = answers.map(({ errorCode, generationId, protocolName, members }) => ({
      errorCode,
      generationId: generationId ?? null,
      protocolName: protocolName ?? null,
      memberCount: members?.length ?? null,
    }))
    seen.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    this.probe.transcript.push({ api, version: 0, response: { answers: seen }, note })
  }

  close(): void {
    for (const { probe } of this.members) probe.close()
  }
}

function story(
  title: string,
  tell: (group: Group, probe: Probe, name: string) => Promise<void>,
  sessionTimeoutMs?: number,
): Scenario {
  return {
    title,
    api: 'JoinGroup',
    from: 9,
    run: async (probe, _, name) => {
      const group = new Group(probe, name, sessionTimeoutMs)
      try {
        await tell(group, probe, name)
      } finally {
        group.close()
      }
    },
  }
}

export const rebalanceScenarios: readonly Scenario[] = [
  story('the protocol that most members want', async (group) => {
    group.member(['range', 'roundrobin', 'sticky'])
    group.member(['roundrobin', 'sticky', 'range'])
    group.member(['sticky', 'roundrobin', 'other'])
    group.write('three join', 'JoinGroup', await group.joinAll())
    await group.look('three have joined')
    await group.syncAll()
    await group.look('three are stable')
    const stranger = group.member(['other'])
    group.write('one who shares none', 'JoinGroup', [await group.join(stranger)])
    group.write('one of another type', 'JoinGroup', [await group.join(stranger, { protocolType: 'connect' })])
    await group.look('as before')
  }),
  story('a group is full', async (group) => {
    for (let count = 0; count < 4; count++) group.member()
    group.write('four join', 'JoinGroup', await group.joinAll())
    await group.syncAll()
    const asked = await group.probe.send(
      'JoinGroup',
      9,
      group.joinBody(group.members[0]!, { memberId: '' }),
      'the fifth',
    )
    group.write('the fifth again', 'JoinGroup', [asked])
    await group.look('four are in')
  }),
  story('the leader leaves while all join again', async (group) => {
    group.member()
    group.member()
    group.member()
    await group.joinAll()
    await group.syncAll()
    const leader = group.members.find((member) => member.memberId === member.leader)!
    const rest = group.members.filter((member) => member !== leader)
    const rejoining = group.join(rest[0]!, { protocols: [{ name: 'range', metadata: subscription('changed') }] })
    await group.untilBeat(leader, REBALANCE_IN_PROGRESS)
    await group.look('one joins again')
    const left = await leader.probe.quietly('LeaveGroup', 4, {
      groupId: group.id,
      members: [{ memberId: leader.memberId }],
    })
    group.write('the leader leaves', 'LeaveGroup', [left])
    const answers = await Promise.all([rejoining, group.join(rest[1]!)])
    group.write('the rest join', 'JoinGroup', answers)
    await group.syncAll(rest)
    await group.look('two are stable')
  }),
  story('a follower asks for its share before the leader has given any', async (group) => {
    group.member()
    group.member()
    await group.joinAll()
    const leader = group.members.find((member) => member.memberId === member.leader)!
    const follower = group.members.find((member) => member !== leader)!
    const early = follower.probe.quietly('SyncGroup', 4, group.syncBody(follower))
    group.write('a heartbeat meanwhile', 'Heartbeat', [
      await group.beat(leader),
      await group.beat(leader, { generationId: 9 }),
    ])
    group.write('the leader', 'SyncGroup', [await leader.probe.quietly('SyncGroup', 4, group.syncBody(leader))])
    group.write('the follower', 'SyncGroup', [await early])
    await group.look('stable')
    group.write('once more', 'SyncGroup', [await follower.probe.quietly('SyncGroup', 4, group.syncBody(follower))])
    const foreign = { ...group.syncBody(follower), generationId: follower.generationId + 1 }
    group.write('of another generation', 'SyncGroup', [await follower.probe.quietly('SyncGroup', 4, foreign)])
  }),
  story('a follower waits for its share, and the group rebalances', async (group) => {
    group.member()
    group.member()
    await group.joinAll()
    const leader = group.members.find((member) => member.memberId === member.leader)!
    const follower = group.members.find((member) => member !== leader)!
    const waiting = follower.probe.quietly('SyncGroup', 4, group.syncBody(follower))
    await group.look('nobody has a share')
    const left = await leader.probe.quietly('LeaveGroup', 4, {
      groupId: group.id,
      members: [{ memberId: leader.memberId }],
    })
    group.write('the leader leaves', 'LeaveGroup', [left])
    group.write('the follower hears of it', 'SyncGroup', [await waiting])
    group.write('and joins', 'JoinGroup', [await group.join(follower)])
    await group.look('alone')
  }),
  story(
    'a member is silent for too long',
    async (group) => {
      group.member()
      group.member()
      await group.joinAll()
      await group.syncAll()
      const [loud, silent] = group.members
      await group.untilBeat(loud!, REBALANCE_IN_PROGRESS)
      group.write('the other joins alone', 'JoinGroup', [await group.join(loud!)])
      group.write('the silent one speaks', 'Heartbeat', [await group.beat(silent!)])
      await group.look('one is left')
      await group.syncAll([loud!])
      await group.look('one is stable')
      for (let attempt = 0; attempt < 200; attempt++) {
        const { groups } = await group.probe.quietly('DescribeGroups', 5, { groups: [group.id] })
        if (groups[0].groupState === 'Empty') break
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await group.look('nobody is left')
      group.write('the last one speaks', 'Heartbeat', [await group.beat(loud!)])
    },
    700,
  ),
  story('offsets while a group rebalances', async (group, _, name) => {
    await makeTopic(group.probe, name, { partitions: 1 })
    group.member()
    group.member()
    await group.joinAll()
    const [one, two] = group.members
    const commit = async (member: Member, generationId: number, note: string) => {
      const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: null }]
      const { groupId, memberId } = member
      const body = { groupId, memberId, generationIdOrMemberEpoch: generationId, topics: [{ name, partitions }] }
      const answer = await member.probe.quietly('OffsetCommit', 8, body)
      group.write(note, 'OffsetCommit', [answer.topics[0].partitions[0]])
    }
    await commit(one!, one!.generationId, 'before there are shares')
    await group.syncAll()
    await commit(one!, one!.generationId, 'stable')
    await commit(one!, one!.generationId - 1, 'of the past')
    await commit({ ...one!, memberId: '' }, -1, 'by nobody')
    const leaves = group.join(two!, { protocols: [{ name: 'range', metadata: subscription('changed') }] })
    await group.untilBeat(one!, REBALANCE_IN_PROGRESS)
    await commit(one!, one!.generationId, 'while all join again')
    await commit(two!, two!.generationId, 'by who has joined again')
    const again = group.join(one!)
    await Promise.all([leaves, again])
    await commit(one!, one!.generationId, 'joined and without a share')
    await commit(one!, one!.generationId - 1, 'of the last generation')
    await group.probe.send('OffsetFetch', 7, { groupId: group.id, topics: null })
  }),
  story('static members: the same instance twice, and leaving by instance', async (group) => {
    const one = group.member(['range'], 'one')
    const two = group.member(['range'], 'two')
    const dynamic = group.member(['range'])
    await group.join(one)
    group.write('all join', 'JoinGroup', await group.joinAll([one, two, dynamic]))
    await group.syncAll()
    await group.look('stable')
    const old = { ...one }
    const replacement = await group.join({ ...one, memberId: '' })
    group.write('the same instance again', 'JoinGroup', [replacement])
    one.probe.learn(replacement.memberId, '<replacement>')
    await one.probe.send(
      'Heartbeat',
      4,
      { groupId: group.id, memberId: old.memberId, generationId: old.generationId, groupInstanceId: 'one' },
      'the old id',
    )
    await one.probe.send(
      'Heartbeat',
      4,
      { groupId: group.id, memberId: replacement.memberId, generationId: old.generationId, groupInstanceId: 'one' },
      'the new id',
    )
    await group.look('as before')
    const members = [
      { memberId: '', groupInstanceId: 'two' },
      { memberId: dynamic.memberId, groupInstanceId: null },
      { memberId: 'stranger', groupInstanceId: null },
      { memberId: old.memberId, groupInstanceId: 'one' },
      { memberId: '', groupInstanceId: 'three' },
    ]
    await group.probe.send('LeaveGroup', 4, { groupId: group.id, members }, 'many leave')
    await group.look('who is left')
  }),
  story('a new member is promised a place and does not come', async (group) => {
    const promised = group.member()
    await group.promise(promised)
    await group.look('a promise')
    await group.probe.send(
      'LeaveGroup',
      4,
      { groupId: group.id, members: [{ memberId: promised.memberId }] },
      'given back',
    )
    group.write('and yet it comes', 'JoinGroup', [await group.join(promised)])
    const other = group.member()
    group.write('another comes', 'JoinGroup', [await group.join(other)])
    await group.look('one has joined')
  }),
]
