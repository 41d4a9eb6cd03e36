import type { Body, Probe } from '../probe.ts'
import { makeTopic, newest, type Scenario } from '../scenario.ts'

const PROTOCOLS = [{ name: 'range', metadata: Buffer.from('000100000001000174000000000000', 'hex') }]

interface JoinOptions {
  memberId?: string
  instanceId?: string
  protocolType?: string
  protocols?: Body[]
  sessionTimeoutMs?: number
  rebalanceTimeoutMs?: number
}

function joinBody(version: number, groupId: string, options: JoinOptions = {}): Body {
  return {
    groupId,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 30_000,
    ...(version >= 1 ? { rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 5_000 } : {}),
    memberId: options.memberId ?? '',
    ...(version >= 5 && options.instanceId ? { groupInstanceId: options.instanceId } : {}),
    protocolType: options.protocolType ?? 'consumer',
    protocols: options.protocols ?? PROTOCOLS,
  }
}

/** Joins, with the second round that versions from 4 on ask for; learns the member id as `symbol`. */
async function join(
  probe: Probe,
  version: number,
  groupId: string,
  symbol: string,
  options: JoinOptions = {},
): Promise<Body> {
  const first = await probe.send('JoinGroup', version, joinBody(version, groupId, options))
  if (first.memberId) probe.learn(first.memberId, symbol)
  if (first.errorCode !== 79) return first
  return probe.send('JoinGroup', version, joinBody(version, groupId, { ...options, memberId: first.memberId }))
}

interface Member {
  groupId: string
  memberId: string
  generationId: number
}

function syncBody(version: number, member: Member, more: Body = {}): Body {
  return {
    ...member,
    ...(version >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {}),
    assignments: [{ memberId: member.memberId, assignment: Buffer.from('assigned') }],
    ...more,
  }
}

async function stable(probe: Probe, groupId: string): Promise<Member> {
  const joined = await join(probe, 7, groupId, `<member of ${groupId}>`)
  probe.transcript.length -= 2
  const member = { groupId, memberId: joined.memberId, generationId: joined.generationId }
  await probe.quietly('SyncGroup', 5, syncBody(5, member))
  return member
}

/** Asks for the coordinator until it is there, so that every scenario starts from the same point. */
async function withCoordinator(probe: Probe, groupId: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const found = await probe.quietly('FindCoordinator', 4, { keyType: 0, coordinatorKeys: [groupId] })
    if (found.coordinators[0].errorCode === 0) {
      const beat = await probe.quietly('Heartbeat', 4, { groupId, generationId: 1, memberId: 'nobody' })
      if (beat.errorCode === 25) return
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('no coordinator')
}

const membership: Scenario[] = [
  {
    title: 'one member, from joining to leaving',
    api: 'JoinGroup',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const joined = await join(probe, version, name, '<member>')
      const member = { groupId: name, memberId: joined.memberId, generationId: joined.generationId }
      await probe.send('DescribeGroups', 5, { groups: [name] })
      await probe.send('SyncGroup', 5, syncBody(5, member))
      await probe.send('Heartbeat', 4, member)
      await probe.send('JoinGroup', version, joinBody(version, name, { memberId: member.memberId }))
      await probe.send('Heartbeat', 4, member)
      await probe.send('DescribeGroups', 5, { groups: [name] })
      await probe.send('LeaveGroup', 4, { groupId: name, members: [{ memberId: member.memberId }] })
      await probe.send('DescribeGroups', 6, { groups: [name] })
    },
  },
  {
    title: 'what a member may not say',
    api: 'JoinGroup',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const ask = (options: JoinOptions, groupId = name) =>
        probe.send('JoinGroup', version, joinBody(version, groupId, options))
      await ask({}, '')
      await ask({ memberId: 'stranger' })
      await ask({ sessionTimeoutMs: 1 })
      await ask({ sessionTimeoutMs: 2_000_000_000 })
      await ask({ protocols: [] })
      await ask({ protocolType: '' })
      const member = await stable(probe, name)
      await ask({ protocols: [{ name: 'other', metadata: Buffer.alloc(0) }], memberId: member.memberId })
      await ask({ protocolType: 'connect', memberId: member.memberId })
      await ask({ protocols: [{ name: 'other', metadata: Buffer.alloc(0) }] })
      await ask({ memberId: 'stranger' })
      await probe.send('LeaveGroup', 4, { groupId: name, members: [{ memberId: member.memberId }] })
    },
  },
  {
    title: 'a static member comes back',
    api: 'JoinGroup',
    from: 5,
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const first = await join(probe, version, name, '<first>', { instanceId: 'one' })
      const old = { groupId: name, memberId: first.memberId, generationId: first.generationId }
      await probe.send('SyncGroup', 5, syncBody(5, old, { groupInstanceId: 'one' }))
      const again = await join(probe, version, name, '<second>', { instanceId: 'one' })
      const member = { groupId: name, memberId: again.memberId, generationId: again.generationId }
      await probe.send('SyncGroup', 5, syncBody(5, member, { groupInstanceId: 'one' }))
      await probe.send('Heartbeat', 4, { ...old, groupInstanceId: 'one' })
      await probe.send('Heartbeat', 4, { ...member, groupInstanceId: 'one' })
      await probe.send('Heartbeat', 4, { ...member, groupInstanceId: 'two' })
      await probe.send('JoinGroup', version, joinBody(version, name, { instanceId: 'one', memberId: old.memberId }))
      await probe.send('DescribeGroups', 5, { groups: [name] })
      await probe.send('LeaveGroup', 4, { groupId: name, members: [{ memberId: '', groupInstanceId: 'two' }] })
      await probe.send('LeaveGroup', 4, { groupId: name, members: [{ memberId: 'x', groupInstanceId: 'one' }] })
      await probe.send('LeaveGroup', 4, { groupId: name, members: [{ memberId: '', groupInstanceId: 'one' }] })
      await probe.send('DescribeGroups', 5, { groups: [name] })
    },
  },
  {
    title: 'the second member starts a new generation',
    api: 'JoinGroup',
    from: 1,
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const first = await stable(probe, name)
      const other = probe.fork()
      try {
        let memberId = ''
        if (version >= 4) {
          const asked = await other.send('JoinGroup', version, joinBody(version, name))
          memberId = asked.memberId
          other.learn(memberId, '<other>')
        }
        const waiting = other.quietly('JoinGroup', version, joinBody(version, name, { memberId }))
        for (let beat: Body = {}; beat.errorCode !== 27; ) beat = await probe.quietly('Heartbeat', 4, first)
        const joinedFirst = await probe.quietly(
          'JoinGroup',
          version,
          joinBody(version, name, { memberId: first.memberId }),
        )
        const joinedOther = await waiting
        other.learn(joinedOther.memberId, '<other>')
        const generationId = joinedOther.generationId
        await probe.send('Heartbeat', 4, first)
        await probe.send('Heartbeat', 4, { ...first, generationId })
        await probe.send('OffsetCommit', 8, {
          groupId: name,
          generationIdOrMemberEpoch: generationId,
          memberId: first.memberId,
          topics: [],
        })
        const leader = joinedFirst.leader === first.memberId ? first.memberId : joinedOther.memberId
        const assignments = [first.memberId, joinedOther.memberId].map((id: string) => ({
          memberId: id,
          assignment: Buffer.from(id === first.memberId ? 'a' : 'b'),
        }))
        const sync = { groupId: name, generationId, protocolType: 'consumer', protocolName: 'range' }
        await (leader === first.memberId ? probe : other).send('SyncGroup', 5, {
          ...sync,
          memberId: leader,
          assignments,
        })
        const follower = leader === first.memberId ? joinedOther.memberId : first.memberId
        await (leader === first.memberId ? other : probe).send('SyncGroup', 5, {
          ...sync,
          memberId: follower,
          assignments: [],
        })
        await probe.send('LeaveGroup', 4, {
          groupId: name,
          members: [{ memberId: first.memberId }, { memberId: joinedOther.memberId }, { memberId: 'x' }],
        })
      } finally {
        other.close()
      }
    },
  },
  {
    title: 'generations and strangers',
    api: 'SyncGroup',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const member = await stable(probe, name)
      const ask = (body: Body) => probe.send('SyncGroup', version, syncBody(version, member, body))
      await ask({})
      await ask({ generationId: 0 })
      await ask({ generationId: 9 })
      await ask({ memberId: 'stranger' })
      await ask({ memberId: '' })
      await ask({ groupId: `${name}-none` })
      await ask({ groupId: '' })
      if (version >= 5) await ask({ protocolName: 'other' })
      if (version >= 5) await ask({ protocolType: 'connect' })
      if (version >= 5) await ask({ protocolType: null, protocolName: null })
    },
  },
  {
    title: 'generations and strangers',
    api: 'Heartbeat',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const member = await stable(probe, name)
      const ask = (body: Body) => probe.send('Heartbeat', version, { ...member, ...body })
      await ask({})
      await ask({ generationId: 0 })
      await ask({ memberId: 'stranger' })
      await ask({ memberId: '' })
      await ask({ groupId: `${name}-none` })
      await ask({ groupId: '' })
      if (version >= 3) await ask({ groupInstanceId: 'nobody' })
    },
  },
  {
    title: 'leaving',
    api: 'LeaveGroup',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const member = await stable(probe, name)
      const ask = (memberId: string, groupId = name) =>
        probe.send('LeaveGroup', version, version >= 3 ? { groupId, members: [{ memberId }] } : { groupId, memberId })
      await ask('stranger')
      await ask('')
      await ask(member.memberId, '')
      await ask(member.memberId, `${name}-none`)
      if (version >= 3) await probe.send('LeaveGroup', version, { groupId: name, members: [] })
      await ask(member.memberId)
      await ask(member.memberId)
    },
  },
]

/** OffsetCommit and OffsetFetch name topics by id from version 10 on. */
function topicKey(version: number, name: string, id: string): Body {
  return version >= 10 ? { topicId: id } : { name }
}

function commitBody(version: number, member: Member, topic: Body, more: Body = {}): Body {
  const partition = (partitionIndex: number, committedOffset: number, committedMetadata: string | null) => ({
    partitionIndex,
    committedOffset,
    committedMetadata,
    ...(version >= 6 ? { committedLeaderEpoch: 0 } : {}),
  })
  return {
    groupId: member.groupId,
    ...(version >= 1 ? { generationIdOrMemberEpoch: member.generationId, memberId: member.memberId } : {}),
    topics: [{ ...topic, partitions: [partition(0, 5, 'note'), partition(1, 7, null), partition(99, 1, '')] }],
    ...more,
  }
}

function fetchBody(version: number, groupId: string, topics: Body[] | null): Body {
  if (version < 8) return { groupId, topics, ...(version >= 7 ? { requireStable: true } : {}) }
  return { groups: [{ groupId, topics }], requireStable: false }
}

const committing: Scenario[] = [
  {
    title: 'by a member, by a stranger, by nobody in particular',
    api: 'OffsetCommit',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const id = await makeTopic(probe, name, { partitions: 2 })
      const topic = topicKey(version, name, id)
      const alone = { groupId: `${name}-alone`, memberId: '', generationId: -1 }
      await probe.send('OffsetCommit', version, commitBody(version, alone, topic))
      const member = await stable(probe, name)
      await probe.send('OffsetCommit', version, commitBody(version, member, topic))
      await probe.send('OffsetCommit', version, commitBody(version, { ...member, generationId: 0 }, topic))
      await probe.send('OffsetCommit', version, commitBody(version, { ...member, memberId: 'stranger' }, topic))
      await probe.send(
        'OffsetCommit',
        version,
        commitBody(version, { ...member, memberId: '', generationId: -1 }, topic),
      )
      await probe.send('OffsetCommit', version, commitBody(version, { ...member, groupId: '' }, topic))
      await probe.send('OffsetCommit', version, commitBody(version, { ...member, groupId: `${name}-none` }, topic))
      await probe.send(
        'OffsetCommit',
        version,
        commitBody(version, member, topicKey(version, `${name}-no`, 'AAAAAAAAAAAAAAAAAAAAEA')),
      )
      const long = commitBody(version, member, topic)
      long.topics[0].partitions[0].committedMetadata = 'x'.repeat(5000)
      await probe.send('OffsetCommit', version, long)
      const negative = commitBody(version, member, topic)
      negative.topics[0].partitions[0].committedOffset = -5
      await probe.send('OffsetCommit', version, negative)
      await probe.send('OffsetCommit', version, { ...commitBody(version, member, topic), topics: [] })
      await probe.send('OffsetFetch', 7, fetchBody(7, name, null))
      await probe.send('OffsetFetch', 7, fetchBody(7, `${name}-alone`, null))
    },
  },
  {
    title: 'of some topics, of all, of none',
    api: 'OffsetFetch',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const id = await makeTopic(probe, name, { partitions: 2 })
      const alone = { groupId: name, memberId: '', generationId: -1 }
      await probe.quietly('OffsetCommit', 8, commitBody(8, alone, { name }))
      const topic = topicKey(version, name, id)
      const unknown = topicKey(version, `${name}-no`, 'AAAAAAAAAAAAAAAAAAAAEA')
      const ask = (groupId: string, topics: Body[] | null) =>
        probe.send('OffsetFetch', version, fetchBody(version, groupId, topics))
      await ask(name, [
        { ...topic, partitionIndexes: [0, 1, 5] },
        { ...unknown, partitionIndexes: [0] },
      ])
      await ask(name, [])
      if (version >= 2) await ask(name, null)
      await ask(`${name}-none`, [{ ...topic, partitionIndexes: [0] }])
      await ask('', [{ ...topic, partitionIndexes: [0] }])
      if (version >= 8) {
        const one = { groupId: name, topics: [{ ...topic, partitionIndexes: [1] }] }
        await probe.send('OffsetFetch', version, {
          groups: [one, { groupId: `${name}-none`, topics: null }, { groupId: '', topics: [] }],
        })
        await probe.send('OffsetFetch', version, { groups: [] })
      }
      if (version >= 9) {
        await probe.send('OffsetFetch', version, {
          groups: [{ groupId: name, memberId: 'm', memberEpoch: 3, topics: null }],
        })
      }
    },
  },
  {
    title: 'offsets are forgotten',
    api: 'OffsetDelete',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      await makeTopic(probe, name, { partitions: 2 })
      const ask = (groupId: string, topic: string, partitions: number[]) =>
        probe.send('OffsetDelete', version, {
          groupId,
          topics: [{ name: topic, partitions: partitions.map((partitionIndex) => ({ partitionIndex })) }],
        })
      await ask(`${name}-none`, name, [0])
      await probe.quietly('OffsetCommit', 8, commitBody(8, { groupId: name, memberId: '', generationId: -1 }, { name }))
      await ask(name, name, [0, 9])
      await ask(name, `${name}-no`, [0])
      await ask('', name, [0])
      await probe.send('OffsetFetch', 7, fetchBody(7, name, null))
      const protocols = [{ name: 'range', metadata: subscription(`${name}`) }]
      const joined = await join(probe, 7, `${name}-b`, '<member>', { protocols })
      const member = { groupId: `${name}-b`, memberId: joined.memberId, generationId: joined.generationId }
      await probe.quietly('SyncGroup', 5, syncBody(5, member))
      await probe.quietly('OffsetCommit', 8, commitBody(8, member, { name }))
      await ask(`${name}-b`, name, [0])
    },
  },
]

/** A consumer's subscription, version 1, to one topic. */
export function subscription(topic: string): Buffer {
  const name = Buffer.from(topic)
  const head = Buffer.from([0, 1, 0, 0, 0, 1, 0, name.length])
  return Buffer.concat([head, name, Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])])
}

const managing: Scenario[] = [
  {
    title: 'who coordinates',
    api: 'FindCoordinator',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const ask = (keyType: number, keys: string[]) => {
        if (version >= 4) return probe.send('FindCoordinator', version, { keyType, coordinatorKeys: keys })
        return probe.send('FindCoordinator', version, { key: keys[0], ...(version >= 1 ? { keyType } : {}) })
      }
      await ask(0, [name])
      await ask(0, [''])
      if (version >= 1) await ask(9, [name])
      if (version >= 4) await ask(0, [name, `${name}-b`, ''])
      if (version >= 4) await ask(0, [])
    },
  },
  {
    title: 'groups in every state',
    api: 'DescribeGroups',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      await stable(probe, name)
      const operations = version >= 3 ? { includeAuthorizedOperations: true } : {}
      await probe.send('DescribeGroups', version, { groups: [name, `${name}-none`, ''], ...operations })
      await probe.send('DescribeGroups', version, { groups: [] })
    },
  },
  {
    title: 'the list, whole and by state and type',
    api: 'ListGroups',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const member = await stable(probe, name)
      const groups = (answer: Body) => answer.groups.filter((group: Body) => group.groupId === name)
      const whole = await probe.quietly('ListGroups', version, {})
      probe.transcript.push({
        api: 'ListGroups',
        version,
        response: { errorCode: whole.errorCode, groups: groups(whole) },
      })
      if (version >= 4) {
        for (const statesFilter of [['Stable'], ['stable'], ['Empty'], ['Nonsense']]) {
          const some = await probe.quietly('ListGroups', version, { statesFilter })
          probe.transcript.push({
            api: 'ListGroups',
            version,
            response: { errorCode: some.errorCode, groups: groups(some) },
          })
        }
      }
      if (version >= 5) {
        for (const typesFilter of [['classic'], ['Consumer'], ['nonsense']]) {
          const some = await probe.quietly('ListGroups', version, { typesFilter })
          probe.transcript.push({
            api: 'ListGroups',
            version,
            response: { errorCode: some.errorCode, groups: groups(some) },
          })
        }
      }
      await probe.quietly('LeaveGroup', newest('LeaveGroup'), {
        groupId: name,
        members: [{ memberId: member.memberId }],
      })
    },
  },
  {
    title: 'groups are deleted',
    api: 'DeleteGroups',
    run: async (probe, version, name) => {
      await withCoordinator(probe, name)
      const member = await stable(probe, name)
      const ask = (groupsNames: string[]) => probe.send('DeleteGroups', version, { groupsNames })
      await ask([name, `${name}-none`, ''])
      await probe.quietly('LeaveGroup', 4, { groupId: name, members: [{ memberId: member.memberId }] })
      await ask([name])
      await ask([name])
      await ask([])
      await probe.send('DescribeGroups', 6, { groups: [name] })
    },
  },
]

export const groupScenarios: readonly Scenario[] = [...membership, ...committing, ...managing]
