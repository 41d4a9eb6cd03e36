import { expect, it } from 'vitest'
import { LogManager } from '../../log/log-manager.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import { DEFAULT_CONFIG, readValues } from '../../log/testkit.ts'
import { Partition } from '../partition.ts'
import { partitionContext } from '../replication.testkit.ts'
import { answerOf, FOLLOWER, leaderBatch, responseOf, stateOf, TOPIC_ID, World } from './follower.testkit.ts'

/** Larger than what is copied at once in the end of a move. */
const VALUE_BYTES = 200_000
const COUNT = 40

it('a log that moves to another directory is followed without a pause, truncations included (KIP-113)', async () => {
  const world = await new World().listen()
  const config = { ...DEFAULT_CONFIG, segmentBytes: 1_000_000 }
  const logs = LogManager.open({ environment: world.environment, directories: ['/a', '/b'], configOf: () => config })
  const state = stateOf({ topic: 't' })
  const log = logs.create('t', 0, TOPIC_ID, config)
  const partition = new Partition(partitionContext(world.time, { nodeId: FOLLOWER }), state, log, 1)
  let moves = 0
  logs.resumeMoves((moved) => {
    moves += 1
    partition.moveTo(moved)
  })
  // The leader of epoch 6 has other records from offset 10 on than the one of epoch 5.
  const valueAt = (offset: number, epoch: number) => `${offset} of ${epoch} `.padEnd(VALUE_BYTES, '.')
  world.leader.onFetch = ({ topics, maxWaitMs }, respond) => {
    const asked = topics[0]?.partitions[0]
    if (asked === undefined) return undefined
    const { fetchOffset, currentLeaderEpoch, lastFetchedEpoch } = asked
    if (currentLeaderEpoch === 6 && lastFetchedEpoch === 5 && fetchOffset > 10) {
      return responseOf([answerOf(0, { divergingEpoch: { epoch: 5, endOffset: 10 } })])
    }
    const end = currentLeaderEpoch === 5 ? 20 : COUNT
    if (fetchOffset >= end) {
      world.time.after(maxWaitMs, () => respond(responseOf([answerOf(0, { highWatermark: end })])))
      return undefined
    }
    const epoch = fetchOffset < 10 ? 5 : currentLeaderEpoch
    const records = [leaderBatch(fetchOffset, epoch, [valueAt(fetchOffset, epoch)])]
    return responseOf([answerOf(0, { records, highWatermark: Math.min(fetchOffset, 10) })])
  }
  world.manager.follow(partition)
  while (partition.log.logEndOffset < 20) await world.time.advance(1)
  logs.move('t', 0, '/b')
  while (logs.describe()[1]!.logs[0]!.sizeBytes < 15 * VALUE_BYTES) await Promise.resolve()
  partition.update(stateOf({ topic: 't', leaderEpoch: 6, partitionEpoch: 2 }))
  world.manager.follow(partition)
  while (moves === 0 || partition.log.logEndOffset < COUNT) await world.time.advance(1)
  expect(partition.log.directory).toBe('/b/t-0')
  const found = (await readValues(partition.log as PartitionLog)).map(([, value]) => value)
  expect(found).toEqual(Array.from({ length: COUNT }, (_, offset) => valueAt(offset, offset < 10 ? 5 : 6)))
  await world.manager.close()
  logs.abandon()
})
