import { test } from 'vitest'
import { Cluster, type NodePlan } from '../harness/cluster.ts'
import { quickShareGroups } from '../share/settings.ts'
import { Load } from './load.ts'
import { activeController, finish, killAndReturn, leadInTurn, shortSessions, withCluster } from './story.ts'
import { recordsOf } from './verifiable.ts'
import { Copy, ShareGroup } from './workers.ts'

const COORDINATOR_TOPICS = ['__consumer_offsets', '__transaction_state', '__share_group_state']

function nodes(count: number, plan: NodePlan): NodePlan[] {
  return Array.from({ length: count }, () => plan)
}

test('under controllers of Apache Kafka: brokers of Ottla alone, then of both kinds, with groups and transactions', async () => {
  const cluster = await Cluster.of({
    nodes: [
      ...nodes(3, { kind: 'oracle', roles: 'controller' }),
      ...nodes(3, { kind: 'ottla', roles: 'broker' }),
      { kind: 'oracle', roles: 'broker' },
    ],
    overrides: {
      ...shortSessions,
      ...quickShareGroups,
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
    },
  })
  const ends: Array<() => Promise<unknown>> = []
  await withCluster(cluster, async () => {
    await cluster.launch(cluster.nodes.slice(0, 6))
    const alone = await Load.start(cluster, 'ottla-alone', { partitions: 3, maxPauseMs: 50 })
    await alone.progress()
    await killAndReturn(cluster, cluster.node(4), alone)
    await killAndReturn(cluster, await activeController(cluster), alone)
    await alone.end()

    await cluster.launch([cluster.node(7)])
    const across = [7, 4, 5].map((first, index, ids) => [first, ...ids.slice(index + 1), ...ids.slice(0, index)])
    const mixed = await Load.start(cluster, 'both-kinds', { assignment: across, maxPauseMs: 50 })
    const slow = { assignment: across, maxPauseMs: 1000 }
    const copied = await Load.start(cluster, 'copied', slow, 1)
    const shared = await Load.start(cluster, 'shared', slow, 1)
    const loads = [mixed, copied, shared]
    const topics = loads.map(({ topic }) => topic)
    await cluster.admin.createTopics({ 'copied-copy': { assignment: across, configs: { 'min.insync.replicas': '2' } } })
    const copy = await Copy.launch(cluster, copied.topic)
    ends.push(() => copy.workers.kill())
    const share = await ShareGroup.launch(cluster, shared.topic, across.length)
    ends.push(() => share.workers.kill())
    const workers = [copy.workers, share.workers]
    const progress = () => Promise.all([...loads, ...workers].map((each) => each.progress()))
    await progress()
    await leadInTurn(cluster, [...topics, 'copied-copy', ...COORDINATOR_TOPICS], progress, 2)
    for (const id of [7, 5]) {
      await killAndReturn(cluster, cluster.node(id), mixed)
      await progress()
    }
    await Promise.all(loads.map((load) => load.end()))
    const records = (load: Load) => recordsOf(cluster, load.topic, across.length)
    await copy.finish(cluster, await records(copied), across.length)
    await share.finish(await records(shared))
    await finish(cluster, alone, ...loads)
  }).finally(() => Promise.all(ends.map((end) => end())))
}, 900_000)

test('under controllers of Ottla: brokers of Apache Kafka', async () => {
  const cluster = await Cluster.of({
    nodes: [...nodes(3, { kind: 'ottla', roles: 'controller' }), ...nodes(3, { kind: 'oracle', roles: 'broker' })],
    voters: 'static',
    overrides: shortSessions,
  })
  await withCluster(cluster, async () => {
    await cluster.launch()
    const load = await Load.start(cluster, 'oracle-alone', { partitions: 3, maxPauseMs: 50 })
    await leadInTurn(cluster, [load.topic], () => load.progress())
    await killAndReturn(cluster, await activeController(cluster), load)
    await killAndReturn(cluster, cluster.node(4), load)
    await finish(cluster, load)
  })
}, 900_000)
