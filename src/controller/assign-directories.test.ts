import { describe, expect, test } from 'vitest'
import { errorOfCode } from '../protocol/errors.ts'
import { assignDirectories } from './assign-directories.ts'
import { apply, clusterOf, directoryOf, TOPIC_ID } from './partitions.testkit.ts'
import type { DecisionContext } from './result.ts'

const OTHER_DIRECTORY = 'OOieC9GbRMy7po1nB9IrzQ'
const FAILED_DIRECTORY = 'FFieC9GbRMy7po1nB9IrzQ'
const LOST_DIRECTORY = 'AAAAAAAAAAAAAAAAAAAAAg'

function assign(context: DecisionContext, id: string, partition = 0, topicId = TOPIC_ID, brokerId = 1) {
  const directories = [{ id, topics: [{ topicId, partitions: [{ partitionIndex: partition }] }] }]
  const request = { brokerId, brokerEpoch: brokerId * 100, directories }
  const { records, response } = assignDirectories(context, request)
  const [answer] = response.directories[0]!.topics[0]!.partitions
  return { error: errorOfCode(answer!.errorCode).name, count: records.length, after: apply(context, records) }
}

const twoDirectories = { brokers: [{ id: 1, directories: [directoryOf(1), OTHER_DIRECTORY] }, { id: 2 }, { id: 3 }] }

describe('assignDirectories (KIP-858)', () => {
  test('says where a replica is, once', () => {
    const context = clusterOf(twoDirectories)
    const { after } = assign(context, OTHER_DIRECTORY)
    expect(after.directories).toEqual([OTHER_DIRECTORY, directoryOf(2), directoryOf(3)])
    expect(after).toMatchObject({ leader: 1, leaderEpoch: 0, isr: [1, 2, 3], partitionEpoch: 1 })
    expect(assign(context, OTHER_DIRECTORY)).toMatchObject({ error: 'NONE', count: 0 })
  })

  test.each([
    ['that the broker has not', FAILED_DIRECTORY],
    ['of those that are lost', LOST_DIRECTORY],
  ])('a replica in a directory %s is neither in sync nor leader', (_which, id) => {
    const { error, after } = assign(clusterOf(twoDirectories), id)
    expect(error).toBe('NONE')
    expect(after.directories[0]).toBe(id)
    expect(after).toMatchObject({ leader: 2, leaderEpoch: 1, isr: [2, 3] })
  })

  test.each([
    ['eligible', { elr: [1], lastKnownElr: [2] }],
    ['known to have led last', { elr: [], lastKnownElr: [1] }],
  ])('a replica that is back, %s, leads where nobody does', (_which, state) => {
    const directories = [LOST_DIRECTORY, directoryOf(2), directoryOf(3)]
    const leaderless = { replicas: [1, 2, 3], isr: [], leader: -1, directories, ...state }
    const { after } = assign(clusterOf({ ...twoDirectories, partitions: [leaderless] }), OTHER_DIRECTORY)
    expect(after).toMatchObject({ leader: 1, isr: [1], elr: [], lastKnownElr: [] })
  })

  test('what nobody knows is refused for itself', () => {
    const context = clusterOf({ ...twoDirectories, partitions: [{ replicas: [2, 3] }] })
    expect(assign(context, OTHER_DIRECTORY).error).toBe('NOT_LEADER_OR_FOLLOWER')
    expect(assign(context, OTHER_DIRECTORY, 1).error).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(assign(context, OTHER_DIRECTORY, 0, OTHER_DIRECTORY).error).toBe('UNKNOWN_TOPIC_ID')
  })

  test('a request is refused as a whole from another epoch, and where there is no place for it', () => {
    const context = clusterOf(twoDirectories)
    const request = { brokerId: 1, brokerEpoch: 5, directories: [] }
    expect(() => assignDirectories(context, request)).toThrow('Expected broker epoch 100, but got broker epoch 5')
    expect(() => assignDirectories(clusterOf({ level: 16, elr: 0 }), request)).toThrow('not supported yet')
  })
})
