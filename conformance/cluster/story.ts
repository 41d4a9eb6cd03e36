import { PATIENCE_MS } from '../harness/admin.ts'
import type { Cluster, ClusterNode } from '../harness/cluster.ts'
import { eventually } from '../harness/process.ts'
import { type Load, seed } from './load.ts'
import { expectEqualReplicas } from './read-back.ts'

/** Shorter than by default, so that a test need not wait for ten seconds to see a broker gone. */
export const shortSessions: Readonly<Record<string, string>> = {
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '300',
}

/** Runs a story on a cluster; failures tell the seed and what the nodes printed. */
export async function told(cluster: Cluster, story: () => Promise<void>): Promise<void> {
  try {
    await story()
  } catch (error) {
    throw new Error(`seed ${seed}\n${cluster.logs()}`, { cause: error })
  }
}

/** As `told`, and nothing of the cluster is left behind. */
export async function withCluster(cluster: Cluster, story: () => Promise<void>): Promise<void> {
  await told(cluster, story).finally(() => cluster.destroy())
}

/** Waits until nothing of the topic is led by `node`, as others see it. */
export async function deposed(cluster: Cluster, { id }: ClusterNode, topic: string): Promise<void> {
  await eventually(`no partition of ${topic} led by node ${id}`, PATIENCE_MS, async () => {
    const { partitions } = await cluster.admin.view([topic])
    return partitions.every(({ leader }) => leader >= 0 && leader !== id) || undefined
  })
}

/** Has each replica lead each partition of some topics in turn, so many times; `progress` waits for what goes on meanwhile. */
export async function leadInTurn(
  cluster: Cluster,
  topics: readonly string[],
  progress: () => Promise<unknown>,
  rounds = 1,
): Promise<void> {
  const { partitions } = await cluster.admin.settled(topics)
  const replicasOf = (topic: string) =>
    partitions
      .filter((each) => each.topic === topic)
      .sort((a, b) => a.partition - b.partition)
      .map(({ replicas }) => replicas)
  const count = partitions[0]!.replicas.length
  for (let turn = 1; turn <= rounds * count; turn++) {
    const turned = new Map(
      topics.map((topic) => [topic, replicasOf(topic).map((ids) => ids.map((_, at) => ids[(at + turn) % count]!))]),
    )
    await cluster.admin.reassign(turned)
    await cluster.admin.settled(topics)
    await cluster.admin.electPreferred()
    await eventually(`the preferred replicas of ${topics} lead`, PATIENCE_MS, async () => {
      const view = await cluster.admin.view(topics)
      const wrong = view.partitions.find(({ topic, partition, leader }) => leader !== turned.get(topic)![partition]![0])
      if (wrong !== undefined) throw new Error(JSON.stringify(wrong))
      return true
    })
    await progress()
  }
}

/** Kills a node, waits until the load goes on without it, and starts it again. */
export async function killAndReturn(cluster: Cluster, node: ClusterNode, load: Load): Promise<void> {
  await node.kill()
  if (node.isBroker) await deposed(cluster, node, load.topic)
  await load.progress()
  await node.start()
  await cluster.admin.settled()
}

export async function activeController(cluster: Cluster): Promise<ClusterNode> {
  const leader = await eventually('an active controller', PATIENCE_MS, async () => {
    const { leader } = await cluster.admin.quorum()
    return leader >= 0 ? leader : undefined
  })
  return cluster.node(leader)
}

/** Ends the load, reads everything back, stops all nodes and compares what is on their disks. */
export async function finish(cluster: Cluster, ...loads: readonly Load[]): Promise<void> {
  for (const load of loads) {
    await load.progress()
    console.log(`${load.topic}: ${await load.finish()} records acknowledged`)
  }
  await cluster.admin.settled()
  await cluster.stop()
  for (const load of loads) expectEqualReplicas(cluster, load.topic, load.ledger.partitionCount)
}
