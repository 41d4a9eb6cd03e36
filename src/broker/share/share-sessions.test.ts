import { expect, test } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import { FINAL_EPOCH, ShareSession, ShareSessions } from './share-sessions.ts'

const TOPIC = 'kZ2nDsw0T_qn3bZd9sSSAA'

function created(sessions: ShareSessions, groupId: string, memberId: string): ShareSession {
  const session = sessions.create(groupId, memberId)
  if (!(session instanceof ShareSession)) throw new Error(session.name)
  return session
}

test('every request carries the next epoch, but the last one, which may come at any time (KIP-932)', () => {
  const sessions = new ShareSessions(() => 10)
  expect(sessions.use('g', 'm', 1)).toBe(errors.SHARE_SESSION_NOT_FOUND)
  const session = created(sessions, 'g', 'm')
  expect(sessions.use('g', 'm', 2)).toBe(errors.INVALID_SHARE_SESSION_EPOCH)
  expect(sessions.use('g', 'm', 1)).toBe(session)
  expect(sessions.use('g', 'm', 1)).toBe(errors.INVALID_SHARE_SESSION_EPOCH)
  expect(sessions.use('g', 'm', 2)).toBe(session)
  expect(sessions.use('g', 'm', FINAL_EPOCH)).toBe(session)
  expect(session.epoch).toBe(3)
  session.epoch = 2 ** 31 - 1
  expect(sessions.use('g', 'm', 2 ** 31 - 1)).toBe(session)
  expect(session.epoch).toBe(1)
})

test('there are no more sessions than allowed; a member that begins anew needs no place', () => {
  let most = 2
  const sessions = new ShareSessions(() => most)
  const first = created(sessions, 'g', 'a')
  created(sessions, 'h', 'a')
  expect(sessions.create('g', 'b')).toBe(errors.SHARE_SESSION_LIMIT_REACHED)
  const again = created(sessions, 'g', 'a')
  expect(again).not.toBe(first)
  expect(sessions.get('g', 'a')).toBe(again)
  sessions.remove('h', 'a')
  sessions.remove('h', 'a')
  expect(sessions.hasGroup('h')).toBe(false)
  created(sessions, 'g', 'b')
  most = 3
  created(sessions, 'g', 'c')
  expect(sessions.create('g', 'd')).toBe(errors.SHARE_SESSION_LIMIT_REACHED)
})

test('a member is told of what is new, of records and of errors, and once of the end of an error', () => {
  const session = created(new ShareSessions(() => 1), 'g', 'm')
  session.add(TOPIC, 0, true)
  session.add(TOPIC, 1, false)
  expect(session.isWorthTelling(TOPIC, 0, 0, false)).toBe(true)
  expect(session.isWorthTelling(TOPIC, 0, 0, false)).toBe(false)
  expect(session.isWorthTelling(TOPIC, 1, 0, false)).toBe(false)
  expect(session.isWorthTelling(TOPIC, 1, 6, false)).toBe(true)
  expect(session.isWorthTelling(TOPIC, 1, 0, false)).toBe(true)
  expect(session.isWorthTelling(TOPIC, 1, 0, false)).toBe(false)
  // Whoever gave records is read last.
  expect(session.isWorthTelling(TOPIC, 0, 0, true)).toBe(true)
  expect([...session.partitions.values()].map(({ partition }) => partition)).toEqual([1, 0])
  session.forget(TOPIC, 1)
  expect([...session.partitions.values()].map(({ partition }) => partition)).toEqual([0])
})
