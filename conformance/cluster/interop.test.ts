import { test } from 'vitest'
import { Cluster, type NodePlan } from '../harness/cluster.ts'
import { Load } from './load.ts'
import { activeController, finish, killAndReturn, leadInTurn, shortSessions, withCluster } from './story.ts'

function nodes(count: number, plan: NodePlan): NodePlan[] {
  return Array.from({ length: count }, () => plan)
}

test('under controllers of Apache Kafka: brokers of Ottla alone, then of both kinds', async () => {
  const cluster = await Cluster.of({
    nodes: [
      ...nodes(3, { kind: 'oracle', roles: 'controller' }),
      ...nodes(3, { kind: 'ottla', roles: 'broker' }),
      { kind: 'oracle', roles: 'broker' },
    ],
    overrides: shortSessions,
  })
  await withCluster(cluster, async () => {
    await cluster.launch(cluster.nodes.slice(0, 6))
    const alone = await Load.start(cluster, 'ottla-alone', { partitions: 3 })
    await alone.progress()
    await killAndReturn(cluster, cluster.node(4), alone)
    await killAndReturn(cluster, await activeController(cluster), alone)

    await cluster.launch([cluster.node(7)])
    const across = [7, 4, 5].map((first, index, ids) => [first, ...ids.slice(index + 1), ...ids.slice(0, index)])
    const mixed = await Load.start(cluster, 'both-kinds', { assignment: across })
    await leadInTurn(cluster, mixed)
    await killAndReturn(cluster, cluster.node(7), mixed)
    await killAndReturn(cluster, cluster.node(5), mixed)
    await finish(cluster, alone, mixed)
  })
}, 900_000)

test('under controllers of Ottla: brokers of Apache Kafka', async () => {
  const cluster = await Cluster.of({
    nodes: [...nodes(3, { kind: 'ottla', roles: 'controller' }), ...nodes(3, { kind: 'oracle', roles: 'broker' })],
    voters: 'static',
    overrides: shortSessions,
  })
  await withCluster(cluster, async () => {
    await cluster.launch()
    const load = await Load.start(cluster, 'oracle-alone', { partitions: 3 })
    await leadInTurn(cluster, load)
    await killAndReturn(cluster, await activeController(cluster), load)
    await killAndReturn(cluster, cluster.node(4), load)
    await finish(cluster, load)
  })
}, 900_000)
