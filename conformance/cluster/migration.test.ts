import { test } from 'vitest'
import { Cluster } from '../harness/cluster.ts'
import { Load } from './load.ts'
import { finish, shortSessions, withCluster } from './story.ts'
import { recordsOf, VerifiableGroup } from './verifiable.ts'

test('a running cluster of Apache Kafka becomes one of Ottla and goes back, node by node', async () => {
  const oracle = { kind: 'oracle' } as const
  const cluster = await Cluster.of({ nodes: [oracle, oracle, oracle], overrides: shortSessions })
  let group: VerifiableGroup | undefined
  await withCluster(cluster, async () => {
    await cluster.launch()
    const load = await Load.start(cluster, 'migrated', { partitions: 3, maxPauseMs: 200 }, 1)
    group = await VerifiableGroup.launch(cluster, load.topic, 'consumer', 1)
    for (const kind of ['ottla', 'oracle'] as const) {
      for (const node of cluster.nodes) {
        await load.progress()
        await node.stop()
        node.kind = kind
        await node.start()
        await cluster.admin.settled()
        await cluster.admin.electPreferred()
        await load.progress()
      }
    }
    await load.end()
    await group.finish(await recordsOf(cluster, load.topic, load.ledger.partitionCount))
    await finish(cluster, load)
  }).finally(() => group?.kill())
}, 900_000)
