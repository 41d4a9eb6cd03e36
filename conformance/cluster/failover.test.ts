import { test } from 'vitest'
import { Cluster, type ClusterNode, type NodeKind } from '../harness/cluster.ts'
import { sleep } from '../harness/process.ts'
import { Load } from './load.ts'
import { activeController, deposed, withCluster } from './story.ts'

/** What was on its way when a node died has arrived after this. */
const ON_ITS_WAY_MS = 100

interface Times {
  /** Of a leader that is not the active controller. */
  readonly leaderMs: number
  /** Of a leader that is. */
  readonly controllerMs: number
}

/** From kill -9 of what leads partition `id - 1` to the next acknowledgement there. */
async function failoverMs(cluster: Cluster, load: Load, node: ClusterNode): Promise<number> {
  await load.progress()
  const killedMs = performance.now()
  await node.kill()
  await sleep(ON_ITS_WAY_MS)
  const passedMs = (await load.nextAckMs(node.id - 1)) - killedMs
  await deposed(cluster, node, load.topic)
  return passedMs
}

async function measure(kind: NodeKind): Promise<Times> {
  const cluster = await Cluster.of({ nodes: [{ kind }, { kind }, { kind }] })
  let times: Times | undefined
  await withCluster(cluster, async () => {
    await cluster.launch()
    const assignment = [1, 2, 3].map((id) => [id, (id % 3) + 1, ((id + 1) % 3) + 1])
    const load = await Load.start(cluster, 'failover', { assignment, maxPauseMs: 5 }, 1)
    const controller = await activeController(cluster)
    const other = cluster.nodes.find((node) => node !== controller)!
    const leaderMs = await failoverMs(cluster, load, other)
    await other.start()
    await cluster.admin.settled()
    times = { leaderMs, controllerMs: await failoverMs(cluster, load, controller) }
    await controller.start()
    await load.finish()
  })
  return times!
}

test('time from the kill of a leader to the next acknowledgement, with default timeouts', async () => {
  const [ottla, oracle] = await Promise.all([measure('ottla'), measure('oracle')])
  const row = (what: string, key: keyof Times) =>
    `${what}: ${Math.round(ottla[key])} ms, Apache Kafka ${Math.round(oracle[key])} ms`
  console.log(`${row('a leader dies', 'leaderMs')}; ${row('with the active controller', 'controllerMs')}`)
}, 900_000)
