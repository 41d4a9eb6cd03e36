import { afterEach, beforeEach, expect, test } from 'vitest'
import { apis } from '../../protocol/api-keys.ts'
import { TestCluster } from './cluster.testkit.ts'

const SESSION_MS = 9000
/** One heartbeat and a half: by then a broker that lives would have been heard of by another connection. */
const GRACE_MS = 3000
const DETECTION_MS = 500
/** No fewer than there are. */
const CONNECTIONS = 50

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.started(5, {
    'broker.session.timeout.ms': String(SESSION_MS),
    'broker.heartbeat.interval.ms': '2000',
  })
})

afterEach(() => cluster.close())

async function activeController(): Promise<number> {
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const answer = await cluster.done(cluster.client.anybody(apis.DescribeQuorum, 2, { topics }))
  return answer!.topics[0]!.partitions[0]!.leaderId
}

/** Milliseconds until somebody else leads all partitions of the topic. */
async function untilOthersLead(topic: string, partitions: number, than: number): Promise<number> {
  const { world, client } = cluster
  const startMs = world.time.monotonicMs()
  for (let partition = 0; partition < partitions; partition++) {
    for (;;) {
      client.forget(topic, partition)
      const place = await cluster.done(client.placeOf(topic, partition))
      if (place!.leader !== than) break
      await cluster.pass(50)
    }
  }
  return world.time.monotonicMs() - startMs
}

test('a broker whose process dies is not waited for as long as one that has fallen silent', async () => {
  await cluster.createTopic('t', 3)
  const active = await activeController()
  const victim = [1, 2, 3].find((id) => id !== active)!
  cluster.kill(victim)
  const durationMs = await untilOthersLead('t', 3, victim)
  expect(durationMs).toBeLessThan(GRACE_MS + DETECTION_MS)
  await cluster.restart(victim)
})

test('a broker that loses its connection to the controller and makes another one stays what it is', async () => {
  await cluster.createTopic('t', 3)
  const before = await cluster.done(Promise.all([0, 1, 2].map((partition) => cluster.client.placeOf('t', partition))))
  for (let round = 0; round < 5; round++) {
    for (let count = 0; count < CONNECTIONS; count++) cluster.world.network.reset(() => 0)
    await cluster.pass(GRACE_MS + DETECTION_MS)
  }
  for (const partition of [0, 1, 2]) cluster.client.forget('t', partition)
  const after = await cluster.done(Promise.all([0, 1, 2].map((partition) => cluster.client.placeOf('t', partition))))
  expect(after.map((place) => place!.leaderEpoch)).toEqual(before.map((place) => place!.leaderEpoch))
})
