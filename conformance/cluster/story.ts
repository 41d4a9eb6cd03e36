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

/** Runs a story on a cluster and leaves nothing of it behind; failures tell the seed and what the nodes printed. */
export async function withCluster(cluster: Cluster, story: () => Promise<void>): Promise<void> {
  try {
    await story()
  } catch (error) {
    throw new Error(`seed ${seed}\n${cluster.logs()}`, { cause: error })
  } finally {
    await cluster.destroy()
  }
}

/** Waits until nothing of the topic is led by `node`, as others see it. */
export async function deposed(cluster: Cluster, { id }: ClusterNode, topic: string): Promise<void> {
  await eventually(`no partition of ${topic} led by node ${id}`, PATIENCE_MS, async () => {
    const { partitions } = await cluster.admin.view([topic])
    return partitions.every(({ leader }) => leader >= 0 && leader !== id) || undefined
  })
}

/** Has each replica lead each partition in turn, with a load that goes on. */
export async function leadInTurn(cluster: Cluster, load: Load): Promise<void> {
  const { partitions } = await cluster.admin.settled([load.topic])
  const assignment = [...partitions].sort((a, b) => a.partition - b.partition).map(({ replicas }) => replicas)
  for (let turn = 1; turn <= assignment[0]!.length; turn++) {
    const turned = assignment.map((replicas) => replicas.map((_, at) => replicas[(at + turn) % replicas.length]!))
    await cluster.admin.reassign(load.topic, turned)
    await cluster.admin.settled([load.topic])
    await cluster.admin.electPreferred()
    await eventually(`the preferred replicas of ${load.topic} lead`, PATIENCE_MS, async () => {
      const view = await cluster.admin.view([load.topic])
      return view.partitions.every(({ partition, leader }) => leader === turned[partition]![0]) || undefined
    })
    await load.progress()
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
