import { afterEach, beforeEach, expect, test } from 'vitest'
import type { SimulatedNode } from '../simulation/node.ts'
import { TestCluster } from './cluster.testkit.ts'

/** Before that a broker is not registered again unless it is known to have gone. */
const SESSION_MS = 9000
const HAND_OVER_MS = 3000
/** The last one looks for a controller for so long. */
const LAST_WORD_MS = 4000

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.started(7, { 'broker.session.timeout.ms': String(SESSION_MS) })
})

afterEach(() => cluster.close())

function handedOver({ life }: SimulatedNode): Promise<void> {
  return new Promise((resolve, reject) => {
    life!.enter(() => void life!.server!.handOver(HAND_OVER_MS).then(resolve, reject))
  })
}

test('nodes that stop together hand over first: they stop at once, and the next start need not wait for sessions', async () => {
  await cluster.createTopic('t', 3)
  const { nodes, time } = cluster.world
  const stopMs = time.monotonicMs()
  await cluster.done(Promise.all(nodes.map(handedOver)))
  await cluster.done(Promise.all(nodes.map((node) => node.stop())))
  expect(time.monotonicMs() - stopMs).toBeLessThan(HAND_OVER_MS)
  const startMs = time.monotonicMs()
  for (const node of nodes) node.start()
  await cluster.until(() => nodes.every(({ isServing }) => isServing))
  expect(time.monotonicMs() - startMs).toBeLessThan(SESSION_MS)
})

test('nodes that are each told to stop at the same time: none waits long for another that cannot go on alone', async () => {
  await cluster.createTopic('t', 3)
  const { nodes, time } = cluster.world
  const stopMs = time.monotonicMs()
  await cluster.done(Promise.all(nodes.map((node) => node.stop())))
  expect(time.monotonicMs() - stopMs).toBeLessThan(LAST_WORD_MS + 1500)
})
