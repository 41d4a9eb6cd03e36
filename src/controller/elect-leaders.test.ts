import { describe, expect, test } from 'vitest'
import { errorOfCode } from '../protocol/errors.ts'
import { electLeaders } from './elect-leaders.ts'
import { apply, clusterOf, directoryOf, type TestCluster } from './partitions.testkit.ts'
import type { DecisionContext } from './result.ts'

const PREFERRED = 0
const UNCLEAN = 1
const fenced = (...ids: number[]) => [1, 2, 3].map((id) => ({ id, fenced: ids.includes(id) }))

function electIn(context: DecisionContext, electionType: number) {
  const topicPartitions = [{ topic: 't', partitions: [0] }]
  const { records, response } = electLeaders(context, { electionType, topicPartitions, timeoutMs: 0 })
  const { errorCode } = response.replicaElectionResults[0]!.partitionResult[0]!
  return { error: errorOfCode(errorCode).name, after: apply(context, records) }
}

function elect(cluster: TestCluster, electionType: number) {
  return electIn(clusterOf(cluster), electionType)
}

describe('a preferred election (KIP-460)', () => {
  test('gives the lead to the first replica, in a new epoch', () => {
    expect(elect({}, PREFERRED).error).toBe('ELECTION_NOT_NEEDED')
    const after = { leader: 1, leaderEpoch: 1, isr: [1, 2, 3] }
    expect(elect({ partitions: [{ leader: 2 }] }, PREFERRED)).toMatchObject({ error: 'NONE', after })
  })

  test('comes to nothing where that one is fenced, not in sync, or without its directory', () => {
    const led = { leader: 2 }
    const isFenced = { brokers: fenced(1), partitions: [led] }
    const isBehind = { partitions: [{ ...led, isr: [2, 3] }] }
    const isLost = { brokers: [{ id: 1, directories: [directoryOf(9)] }, { id: 2 }, { id: 3 }], partitions: [led] }
    for (const cluster of [isFenced, isBehind, isLost]) {
      expect(elect(cluster, PREFERRED)).toMatchObject({ error: 'PREFERRED_LEADER_NOT_AVAILABLE', after: led })
    }
  })

  test('gives the lead to another one in sync where nobody leads', () => {
    const { error, after } = elect({ brokers: fenced(1), partitions: [{ leader: -1 }] }, PREFERRED)
    expect(error).toBe('NONE')
    expect(after.leader).toBe(2)
  })

  test('of all leaves out what needs none', () => {
    const { response } = electLeaders(clusterOf(), { electionType: PREFERRED, topicPartitions: null, timeoutMs: 0 })
    expect(response.replicaElectionResults).toEqual([{ topic: 't', partitionResult: [] }])
  })
})

describe('an unclean election (KIP-460)', () => {
  const lost = { isr: [3], leader: -1 }

  test('takes who lives, and only where nobody leads', () => {
    expect(elect({}, UNCLEAN).error).toBe('ELECTION_NOT_NEEDED')
    const { error, after } = elect({ brokers: fenced(1, 3), partitions: [lost] }, UNCLEAN)
    expect(error).toBe('NONE')
    expect(after).toMatchObject({ leader: 2, isr: [2], leaderRecoveryState: 1, leaderEpoch: 1 })
    expect(elect({ brokers: fenced(1, 2, 3), partitions: [lost] }, UNCLEAN).error).toBe(
      'ELIGIBLE_LEADERS_NOT_AVAILABLE',
    )
  })

  test('prefers who is in sync or eligible, and loses nothing then (KIP-966)', () => {
    expect(elect({ partitions: [lost] }, UNCLEAN).after).toMatchObject({ leader: 3, leaderRecoveryState: 0 })
    const eligible = { isr: [], elr: [2, 3], lastKnownElr: [3], leader: -1 }
    const { after } = elect({ minIsr: 2, brokers: fenced(2), partitions: [eligible] }, UNCLEAN)
    expect(after).toMatchObject({ leader: 3, isr: [3], elr: [2], lastKnownElr: [], leaderRecoveryState: 0 })
  })
})
