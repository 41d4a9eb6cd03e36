import { describe, expect, test } from 'vitest'
import { SimulatedQuorum } from './quorum.testkit.ts'

/** Faults of every kind for a while; then none, and everybody must agree and go on. */
function simulate(seed: number): SimulatedQuorum {
  const quorum = new SimulatedQuorum(seed, 5, 3)
  const { random, nodes, faults, cut } = quorum
  for (const node of nodes) quorum.start(node)
  let value = 0
  const act = (): void => {
    if (quorum.nowMs >= 60_000) return
    const node = nodes[random(nodes.length)]!
    const other = nodes[random(nodes.length)]!
    const choice = random(100)
    if (choice < 40) quorum.propose(quorum.leader ?? node, `value ${++value}`)
    else if (choice < 46) cut.add(`${node.id} ${other.id}`)
    else if (choice < 50) for (const { id } of nodes) cut.add(`${node.id} ${id}`).add(`${id} ${node.id}`)
    else if (choice < 58) cut.clear()
    else if (choice < 64 && node.raft !== undefined) quorum.crash(node)
    else if (choice < 74 && node.raft === undefined) quorum.start(node)
    else if (choice < 80 && node.raft !== undefined) {
      quorum.crash(node)
      quorum.start(node)
    } else if (choice < 83) quorum.snapshot(node)
    else if (choice < 86) faults.lossPercent = random(40)
    else if (choice < 88) faults.maxDelayMs = 1 + random(800)
    else if (choice < 90) faults.maxWriteMs = 1 + random(1000)
    else if (choice < 92) node.raft?.resign(quorum.nowMs)
    else if (choice < 96) quorum.changeVoters(quorum.leader ?? node, 'addVoter', other)
    else quorum.changeVoters(quorum.leader ?? node, 'removeVoter', other)
    quorum.after(random(200), act)
  }
  quorum.after(0, act)
  quorum.run(60_000)
  cut.clear()
  faults.lossPercent = 0
  faults.maxDelayMs = 5
  faults.maxWriteMs = 5
  for (const node of nodes) if (node.raft === undefined) quorum.start(node)
  quorum.run(90_000)
  const { leader } = quorum
  expect(leader, 'a leader after all faults are over').toBeDefined()
  expect(quorum.propose(leader!, 'the last value')).toBe(true)
  const end = leader!.raft!.log.endOffset
  quorum.run(95_000)
  for (const { raft } of nodes) expect(raft!.highWatermark).toBeGreaterThanOrEqual(end)
  for (const { disk } of nodes) {
    for (const batch of disk.batches) {
      if (batch.nextOffset <= end) expect(quorum.committed.has(batch.baseOffset)).toBe(true)
    }
  }
  return quorum
}

describe('a quorum of five nodes, three of them voters, through crashes, partitions, losses and changes of voters', () => {
  test.each(Array.from({ length: 60 }, (_, index) => index + 1))('seed %i', (seed) => {
    const { committedEnd } = simulate(seed)
    expect(committedEnd).toBeGreaterThan(0)
  })

  test('the same seed gives the same history', () => {
    expect(simulate(7).trace).toEqual(simulate(7).trace)
  })
})
