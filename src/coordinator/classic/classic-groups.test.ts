import { describe, expect, test } from 'vitest'
import { LogError } from '../../log/append-error.ts'
import { errors } from '../../protocol/errors.ts'
import { Harness, subscription } from '../harness.testkit.ts'

const { code: NONE } = errors.NONE

describe('JoinGroup', () => {
  test('a new dynamic member is given an id first, and joins with it (KIP-394)', async () => {
    const harness = await Harness.started()
    const first = harness.join({}, 4)
    await harness.settle()
    expect(first.required).toEqual({
      memberId: 'client-00000000-0000-4000-8000-000000000001',
      errorCode: errors.MEMBER_ID_REQUIRED.code,
    })
    const second = harness.join({ memberId: first.required.memberId! }, 4)
    await harness.pass(2999)
    expect(second.isSettled).toBe(false)
    await harness.pass(1)
    expect(second.required).toMatchObject({
      errorCode: NONE,
      generationId: 1,
      leader: first.required.memberId,
      protocolType: 'consumer',
      protocolName: 'range',
      skipAssignment: false,
    })
    expect(second.required.members).toHaveLength(1)
  })

  test('before version 4 a new member joins at once', async () => {
    const harness = await Harness.started()
    const join = harness.join({}, 3)
    await harness.pass(3000)
    expect(join.required).toMatchObject({ errorCode: NONE, generationId: 1 })
  })

  test('an id that was handed out is forgotten after the session timeout', async () => {
    const harness = await Harness.started()
    const memberId = await harness.newMemberId({ sessionTimeoutMs: 500 })
    await harness.pass(500)
    const late = harness.join({ memberId })
    await harness.settle()
    expect(late.required.errorCode).toBe(errors.UNKNOWN_MEMBER_ID.code)
  })

  test.each([
    [{ groupId: '' }, errors.INVALID_GROUP_ID],
    [{ sessionTimeoutMs: 99 }, errors.INVALID_SESSION_TIMEOUT],
    [{ sessionTimeoutMs: 60_001 }, errors.INVALID_SESSION_TIMEOUT],
    [{ memberId: 'nobody' }, errors.UNKNOWN_MEMBER_ID],
    [{ protocols: [] }, errors.INCONSISTENT_GROUP_PROTOCOL],
    [{ protocolType: '' }, errors.INCONSISTENT_GROUP_PROTOCOL],
  ])('%j is refused', async (request, error) => {
    const harness = await Harness.started()
    const join = harness.join(request)
    await harness.settle()
    const memberId = 'memberId' in request ? request.memberId : ''
    expect(join.required).toEqual({ memberId, errorCode: error.code })
  })

  test('a member whose protocols nobody shares is refused', async () => {
    const harness = await Harness.started()
    await harness.stableGroup(1)
    for (const request of [
      { protocols: [{ name: 'sticky', metadata: subscription('topic') }] },
      { protocolType: 'connect' },
    ]) {
      const join = harness.join(request)
      await harness.settle()
      expect(join.required.errorCode).toBe(errors.INCONSISTENT_GROUP_PROTOCOL.code)
    }
  })

  test('the protocol that all support and most prefer is taken', async () => {
    const harness = await Harness.started()
    const protocols = (...names: string[]) => names.map((name) => ({ name, metadata: subscription(name) }))
    const joins = [
      harness.join({ protocols: protocols('a', 'b', 'c') }, 3),
      harness.join({ protocols: protocols('c', 'b') }, 3),
      harness.join({ protocols: protocols('c', 'b', 'd') }, 3),
    ]
    await harness.pass(6000)
    expect(joins.map((join) => join.required.protocolName)).toEqual(['c', 'c', 'c'])
    expect(joins[0]!.required.members!.map((member) => member.metadata)).toEqual([1, 2, 3].map(() => subscription('c')))
    expect(joins[1]!.required.members).toEqual([])
  })

  test('the first rebalance waits on while new members come, at most for the rebalance timeout', async () => {
    const harness = await Harness.started()
    const first = harness.join({ rebalanceTimeoutMs: 7000 }, 3)
    await harness.pass(2000)
    harness.join({ rebalanceTimeoutMs: 7000 }, 3)
    await harness.pass(2000)
    harness.join({ rebalanceTimeoutMs: 7000 }, 3)
    await harness.pass(2999)
    expect(first.isSettled).toBe(false)
    await harness.pass(1)
    expect(first.required.members).toHaveLength(3)
  })

  test('a group takes group.max.size members', async () => {
    const harness = await Harness.started({ maxGroupSize: 2 })
    const { memberIds, generationId } = await harness.stableGroup(2)
    const refused = harness.join({})
    await harness.settle()
    expect(refused.required).toEqual({ memberId: '', errorCode: errors.GROUP_MAX_SIZE_REACHED.code })
    expect(await harness.heartbeat(memberIds[0]!, generationId)).toBe(NONE)
  })

  test('a follower that lost its answer gets it again; a leader that joins again starts a rebalance', async () => {
    const harness = await Harness.started()
    const { memberIds } = await harness.stableGroup(2)
    const follower = harness.join({ memberId: memberIds[1]! })
    await harness.settle()
    expect(follower.required).toMatchObject({ errorCode: NONE, generationId: 1, members: [] })
    const leader = harness.join({ memberId: memberIds[0]! })
    await harness.settle()
    expect(leader.isSettled).toBe(false)
    expect(await harness.heartbeat(memberIds[1]!, 1)).toBe(errors.REBALANCE_IN_PROGRESS.code)
    const again = harness.join({ memberId: memberIds[1]! })
    await harness.settle()
    expect([leader.required.generationId, again.required.generationId]).toEqual([2, 2])
  })

  test('a member with another subscription starts a rebalance', async () => {
    const harness = await Harness.started()
    const { memberIds } = await harness.stableGroup(2)
    harness.join({ memberId: memberIds[1]!, protocols: [{ name: 'range', metadata: subscription('other') }] })
    await harness.settle()
    expect(await harness.heartbeat(memberIds[0]!, 1)).toBe(errors.REBALANCE_IN_PROGRESS.code)
  })

  test('who does not join in time is out, and another one leads', async () => {
    const harness = await Harness.started()
    const { memberIds } = await harness.stableGroup(3)
    const join = harness.join({ memberId: memberIds[1]!, protocols: [{ name: 'range', metadata: subscription('x') }] })
    for (let passedMs = 0; passedMs < 30_000; passedMs += 5000) {
      // Alive, but busy: heartbeats are no substitute for joining.
      await harness.heartbeat(memberIds[0]!, 1)
      await harness.pass(5000)
    }
    expect(join.required).toMatchObject({ errorCode: NONE, generationId: 2, leader: memberIds[1] })
    expect(join.required.members).toHaveLength(1)
    expect(await harness.heartbeat(memberIds[0]!, 1)).toBe(errors.UNKNOWN_MEMBER_ID.code)
  })

  test('a group that could not be written is not there', async () => {
    const harness = await Harness.started()
    harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    const join = harness.join({}, 3)
    await harness.settle()
    expect(join.required).toEqual({ errorCode: errors.NOT_COORDINATOR.code })
    expect(await harness.list()).toEqual([])
    await harness.pass(10_000)
    expect((await harness.describe()).groupState).toBe('Dead')
  })
})

describe('SyncGroup', () => {
  test('everybody gets what the leader assigned, when it is written', async () => {
    const harness = await Harness.started()
    const joins = [harness.join({}, 3), harness.join({}, 3)]
    await harness.pass(6000)
    const [leader, follower] = joins.map((join) => join.required.memberId!) as [string, string]
    const waiting = harness.sync({ memberId: follower })
    await harness.settle()
    expect(waiting.isSettled).toBe(false)
    harness.log.isHeld = true
    const assignments = [{ memberId: follower, assignment: Buffer.from('yours') }]
    const leading = harness.sync({ memberId: leader, assignments })
    await harness.settle()
    expect([waiting.isSettled, leading.isSettled]).toEqual([false, false])
    harness.log.release()
    await harness.settle()
    expect(waiting.required).toMatchObject({
      errorCode: NONE,
      protocolType: 'consumer',
      protocolName: 'range',
      assignment: Buffer.from('yours'),
    })
    expect(leading.required.assignment).toEqual(Buffer.alloc(0))
    expect((await harness.describe()).groupState).toBe('Stable')
    const late = harness.sync({ memberId: follower })
    await harness.settle()
    expect(late.required.assignment).toEqual(Buffer.from('yours'))
  })

  test.each([
    [{ groupId: '' }, errors.INVALID_GROUP_ID],
    [{ groupId: 'other' }, errors.UNKNOWN_MEMBER_ID],
    [{ memberId: 'nobody' }, errors.UNKNOWN_MEMBER_ID],
    [{ groupInstanceId: 'nobody' }, errors.UNKNOWN_MEMBER_ID],
    [{ generationId: 7 }, errors.ILLEGAL_GENERATION],
    [{ protocolType: 'connect' }, errors.INCONSISTENT_GROUP_PROTOCOL],
    [{ protocolName: 'sticky' }, errors.INCONSISTENT_GROUP_PROTOCOL],
  ])('%j is refused', async (request, error) => {
    const harness = await Harness.started()
    const { memberIds } = await harness.stableGroup(1)
    const sync = harness.sync({ memberId: memberIds[0]!, ...request })
    await harness.settle()
    expect(sync.required).toEqual({ errorCode: error.code })
  })

  test('a rebalance that begins meanwhile answers those who wait', async () => {
    const harness = await Harness.started()
    const joins = [harness.join({}, 3), harness.join({}, 3)]
    await harness.pass(6000)
    const [leader, follower] = joins.map((join) => join.required.memberId!) as [string, string]
    const waiting = harness.sync({ memberId: follower })
    await harness.leave({ memberId: leader })
    expect(waiting.required.errorCode).toBe(errors.REBALANCE_IN_PROGRESS.code)
    const late = harness.sync({ memberId: follower })
    await harness.settle()
    expect(late.required.errorCode).toBe(errors.REBALANCE_IN_PROGRESS.code)
  })

  test('who joined but does not sync in time is out', async () => {
    const harness = await Harness.started()
    const joins = [harness.join({}, 3), harness.join({ sessionTimeoutMs: 60_000 }, 3)]
    await harness.pass(6000)
    const leader = joins[0]!.required.memberId!
    const leading = harness.sync({ memberId: leader })
    await harness.settle()
    expect(leading.required.errorCode).toBe(NONE)
    for (let passedMs = 0; passedMs < 30_000; passedMs += 5000) {
      await harness.heartbeat(leader, 1)
      await harness.pass(5000)
    }
    expect(await harness.heartbeat(leader, 1)).toBe(errors.REBALANCE_IN_PROGRESS.code)
    expect((await harness.describe()).members.map((member) => member.memberId)).toEqual([leader])
  })

  test('an assignment that cannot be written starts the rebalance again', async () => {
    const harness = await Harness.started()
    const join = harness.join({}, 3)
    await harness.pass(3000)
    const memberId = join.required.memberId!
    harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    const sync = harness.sync({ memberId })
    await harness.settle()
    expect(sync.required).toMatchObject({ errorCode: errors.NOT_COORDINATOR.code, assignment: Buffer.alloc(0) })
    expect((await harness.describe()).groupState).toBe('PreparingRebalance')
  })
})

describe('Heartbeat', () => {
  test('keeps a member in; silence puts it out', async () => {
    const harness = await Harness.started()
    const { memberIds, generationId } = await harness.stableGroup(2)
    for (let i = 0; i < 4; i++) {
      await harness.pass(9000)
      await harness.heartbeat(memberIds[0]!, generationId)
    }
    expect(await harness.heartbeat(memberIds[0]!, generationId)).toBe(errors.REBALANCE_IN_PROGRESS.code)
    expect(await harness.heartbeat(memberIds[1]!, generationId)).toBe(errors.UNKNOWN_MEMBER_ID.code)
  })

  test('is refused for what is not so', async () => {
    const harness = await Harness.started()
    expect(await harness.heartbeat('nobody', 1)).toBe(errors.UNKNOWN_MEMBER_ID.code)
    const { memberIds, generationId } = await harness.stableGroup(1)
    expect(await harness.heartbeat('nobody', generationId)).toBe(errors.UNKNOWN_MEMBER_ID.code)
    expect(await harness.heartbeat(memberIds[0]!, generationId + 1)).toBe(errors.ILLEGAL_GENERATION.code)
    expect(await harness.heartbeat(memberIds[0]!, generationId, 'nobody')).toBe(errors.UNKNOWN_MEMBER_ID.code)
  })

  test('is fine while the groups are loaded', async () => {
    const harness = new Harness()
    void harness.coordinator.onElection(0, 0)
    const request = { groupId: 'group', memberId: 'm', generationId: 1, groupInstanceId: null }
    const answer = await harness.coordinator.heartbeat(request)
    expect(answer.errorCode).toBe(NONE)
  })
})

describe('LeaveGroup', () => {
  test('the others rebalance at once, and the last one leaves an empty group', async () => {
    const harness = await Harness.started()
    const { memberIds } = await harness.stableGroup(2)
    const response = await harness.leave({ memberId: memberIds[0]! }, { memberId: 'nobody' }, {})
    expect(response.members!.map((member) => member.errorCode)).toEqual([
      NONE,
      errors.UNKNOWN_MEMBER_ID.code,
      errors.UNKNOWN_MEMBER_ID.code,
    ])
    const join = harness.join({ memberId: memberIds[1]! })
    await harness.settle()
    expect(join.required).toMatchObject({ generationId: 2, leader: memberIds[1] })
    await harness.leave({ memberId: memberIds[1]! })
    expect(await harness.describe()).toMatchObject({ groupState: 'Empty', protocolType: 'consumer', members: [] })
  })

  test('a pending id can be given back', async () => {
    const harness = await Harness.started()
    const memberId = await harness.newMemberId()
    expect((await harness.leave({ memberId })).members![0]!.errorCode).toBe(NONE)
    const join = harness.join({ memberId })
    await harness.settle()
    expect(join.required.errorCode).toBe(errors.UNKNOWN_MEMBER_ID.code)
  })

  test('of a group that is not there is refused member by member', async () => {
    const harness = await Harness.started()
    const response = await harness.leave({ memberId: 'a' }, { groupInstanceId: 'b' })
    expect(response).toEqual({
      members: [
        { memberId: 'a', groupInstanceId: null, errorCode: errors.UNKNOWN_MEMBER_ID.code },
        { memberId: '', groupInstanceId: 'b', errorCode: errors.UNKNOWN_MEMBER_ID.code },
      ],
    })
  })

  test('a member that waits for its assignment and leaves is answered', async () => {
    const harness = await Harness.started()
    const joins = [harness.join({}, 3), harness.join({}, 3)]
    await harness.pass(6000)
    const follower = joins[1]!.required.memberId!
    const waiting = harness.sync({ memberId: follower })
    await harness.leave({ memberId: follower })
    expect(waiting.required.errorCode).toBe(errors.UNKNOWN_MEMBER_ID.code)
  })
})

describe('static members (KIP-345)', () => {
  async function staticGroup(harness: Harness, apiVersion = 9) {
    const joins = ['a', 'b'].map((groupInstanceId) => harness.join({ groupInstanceId }, apiVersion))
    await harness.pass(6000)
    const memberIds = joins.map((join) => join.required.memberId!)
    await harness.assign(memberIds, joins[0]!.required.leader!, 1)
    return memberIds as [string, string]
  }

  test('one that comes back takes its old place without a rebalance, and its old id is fenced', async () => {
    const harness = await Harness.started()
    const [leader, follower] = await staticGroup(harness)
    const back = harness.join({ groupInstanceId: 'b' })
    await harness.settle()
    expect(back.required).toMatchObject({
      errorCode: NONE,
      generationId: 1,
      leader,
      skipAssignment: false,
      members: [],
    })
    const newId = back.required.memberId!
    expect(newId).not.toBe(follower)
    expect(await harness.heartbeat(follower, 1, 'b')).toBe(errors.FENCED_INSTANCE_ID.code)
    expect(await harness.heartbeat(newId, 1, 'b')).toBe(NONE)
    const sync = harness.sync({ memberId: newId, groupInstanceId: 'b' })
    await harness.settle()
    expect(sync.required.assignment).toEqual(Buffer.from(follower))
    const fenced = harness.join({ memberId: follower, groupInstanceId: 'b' })
    await harness.settle()
    expect(fenced.required).toMatchObject({ errorCode: errors.FENCED_INSTANCE_ID.code, protocolName: null })
  })

  test('a leader that comes back is told to keep the assignment (KIP-814), or before that, not to lead', async () => {
    const harness = await Harness.started()
    const [leader] = await staticGroup(harness)
    const back = harness.join({ groupInstanceId: 'a' })
    await harness.settle()
    expect(back.required).toMatchObject({ leader: back.required.memberId, skipAssignment: true })
    expect(back.required.members).toHaveLength(2)
    const older = harness.join({ groupInstanceId: 'a' }, 8)
    await harness.settle()
    expect(older.required).toMatchObject({ leader: back.required.memberId, skipAssignment: false, members: [] })
    expect(leader).not.toBe(back.required.memberId)
  })

  test('a replacement that cannot be written leaves the old member in its place', async () => {
    const harness = await Harness.started()
    const [, follower] = await staticGroup(harness)
    harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    const back = harness.join({ groupInstanceId: 'b' })
    await harness.settle()
    expect(back.required).toMatchObject({ memberId: '', errorCode: errors.NOT_COORDINATOR.code })
    expect(await harness.heartbeat(follower, 1, 'b')).toBe(NONE)
  })

  test('one that comes back during a rebalance is waited for', async () => {
    const harness = await Harness.started()
    const [leader] = await staticGroup(harness)
    const rejoin = harness.join({ memberId: leader, groupInstanceId: 'a' })
    await harness.settle()
    const back = harness.join({ groupInstanceId: 'b' })
    await harness.settle()
    expect([rejoin, back].map((join) => join.required.generationId)).toEqual([2, 2])
  })

  test('one is not removed for missing a rebalance, but at the end of its session', async () => {
    const harness = await Harness.started()
    const request = { rebalanceTimeoutMs: 5000 }
    const joins = ['a', 'b'].map((groupInstanceId) => harness.join({ groupInstanceId, ...request }))
    await harness.pass(6000)
    const [leader, follower] = joins.map((join) => join.required.memberId!) as [string, string]
    await harness.assign([leader, follower], joins[0]!.required.leader!, 1)
    const rejoin = harness.join({ memberId: leader, groupInstanceId: 'a', ...request })
    await harness.pass(4999)
    expect(rejoin.isSettled).toBe(false)
    await harness.pass(1)
    expect(rejoin.required.members!.map((member) => member.memberId)).toEqual([leader, follower])
    expect(await harness.heartbeat(follower, 2, 'b')).toBe(NONE)
  })

  test('an administrator removes one by its instance id', async () => {
    const harness = await Harness.started()
    const [leader] = await staticGroup(harness)
    const response = await harness.leave({ groupInstanceId: 'b' })
    expect(response.members).toEqual([{ memberId: '', groupInstanceId: 'b', errorCode: NONE }])
    expect(await harness.heartbeat(leader, 1, 'a')).toBe(errors.REBALANCE_IN_PROGRESS.code)
  })
})

describe('a coordinator that goes and comes', () => {
  test('tells those who wait that it is not the one any more', async () => {
    const harness = await Harness.started()
    const join = harness.join({}, 3)
    await harness.settle()
    harness.coordinator.onResignation(0, 1)
    await harness.settle()
    expect(join.required.errorCode).toBe(errors.NOT_COORDINATOR.code)
  })

  test('finds its groups in the log, and gives their members a new session', async () => {
    const harness = await Harness.started()
    const { memberIds, generationId } = await harness.stableGroup(2)
    await harness.restart()
    expect(await harness.describe()).toMatchObject({ groupState: 'Stable', protocolData: 'range' })
    await harness.pass(9999)
    expect(await harness.heartbeat(memberIds[0]!, generationId)).toBe(NONE)
    await harness.pass(1)
    expect(await harness.heartbeat(memberIds[1]!, generationId)).toBe(errors.UNKNOWN_MEMBER_ID.code)
  })

  test('has a group that is over the maximum size rebalance', async () => {
    const harness = await Harness.started()
    const { memberIds } = await harness.stableGroup(3)
    harness.coordinator.onResignation(0, 1)
    const smaller = new Harness({ maxGroupSize: 2 }, harness.log)
    await smaller.coordinator.onElection(0, 1)
    const joins = memberIds.map((memberId) => smaller.join({ memberId }))
    await smaller.pass(30_000)
    expect(joins.map((join) => join.required.errorCode)).toEqual([NONE, NONE, errors.GROUP_MAX_SIZE_REACHED.code])
  })
})
