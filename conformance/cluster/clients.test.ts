import { test } from 'vitest'
import { Cluster } from '../harness/cluster.ts'
import { quickShareGroups } from '../share/settings.ts'
import { CLIENT_PARTITIONS, Clients, quickGroups } from './clients.ts'
import { finish, shortSessions, withCluster } from './story.ts'
import { Copy, ShareGroup } from './workers.ts'

const KILLS = 6
const overrides = {
  ...shortSessions,
  ...quickGroups,
  ...quickShareGroups,
  // Groups of librdkafka read from the replica in their rack.
  'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
}

test('Java and librdkafka clients, groups of the classic and the consumer protocol, a share group and transactions go through failovers', async () => {
  const cluster = await Cluster.of({ nodes: [{}, {}, {}], overrides })
  const ends: Array<() => Promise<unknown>> = []
  await withCluster(cluster, async () => {
    for (const node of cluster.nodes) node.overrides = { 'broker.rack': `rack-${node.id}` }
    await cluster.launch()
    const clients = await Clients.launch(cluster, 'consumer', 2, 'rack-1')
    ends.push(() => clients.kill())
    const plan = { partitions: CLIENT_PARTITIONS, replicas: 3, configs: { 'min.insync.replicas': '2' } }
    await cluster.admin.createTopics({ 'java-copy': plan })
    const copy = await Copy.launch(cluster, 'java')
    ends.push(() => copy.workers.kill())
    const share = await ShareGroup.launch(cluster, 'librdkafka', CLIENT_PARTITIONS)
    ends.push(() => share.workers.kill())

    for (let kill = 0; kill < KILLS; kill++) {
      const node = cluster.nodes[kill % cluster.nodes.length]!
      await node.kill()
      await clients.progress()
      if (kill === 2) await Promise.all([clients.javaGroup.killMember(), clients.librdkafka.killMember()])
      await node.start()
      await cluster.admin.settled()
      await cluster.admin.electPreferred()
      await Promise.all([clients.progress(), copy.workers.progress(), share.workers.progress()])
    }
    const { java, librdkafka } = await clients.finish(cluster)
    await Promise.all([copy.finish(cluster, java, CLIENT_PARTITIONS), share.finish(librdkafka)])
    await finish(cluster)
  }).finally(() => Promise.all(ends.map((end) => end())))
}, 900_000)
