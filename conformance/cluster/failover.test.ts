import { test } from 'vitest'
import { Cluster, type ClusterNode, type NodeKind } from '../harness/cluster.ts'
import { sleep } from '../harness/process.ts'
import { Load } from './load.ts'
import { activeController, deposed, withCluster } from './story.ts'

/** What was on its way when a node died has arrived after this. */
const ON_ITS_WAY_MS = 100

const SAMPLES = 3

interface Times {
  /** Of leaders that are not the active controller. */
  readonly leaderMs: number[]
  /** Of leaders that are. */
  readonly controllerMs: number[]
}

/** From kill -9 of what leads partition `id - 1` to the next acknowledgement there; then the node is back in its place. */
async function failoverMs(cluster: Cluster, load: Load, node: ClusterNode): Promise<number> {
  await load.progress()
  const killedMs = performance.now()
  await node.kill()
  await sleep(ON_ITS_WAY_MS)
  const passedMs = (await load.nextAckMs(node.id - 1)) - killedMs
  await deposed(cluster, node, load.topic)
  await node.start()
  await cluster.admin.settled()
  await cluster.admin.electPreferred()
  return passedMs
}

async function measure(kind: NodeKind): Promise<Times> {
  const cluster = await Cluster.of({ nodes: [{ kind }, { kind }, { kind }] })
  const times: Times = { leaderMs: [], controllerMs: [] }
  await withCluster(cluster, async () => {
    await cluster.launch()
    const assignment = [1, 2, 3].map((id) => [id, (id % 3) + 1, ((id + 1) % 3) + 1])
    const load = await Load.start(cluster, 'failover', { assignment }, 1)
    for (let sample = 0; sample < SAMPLES; sample++) {
      const controller = await activeController(cluster)
      const other = cluster.nodes.find((node) => node !== controller)!
      times.leaderMs.push(await failoverMs(cluster, load, other))
      times.controllerMs.push(await failoverMs(cluster, load, await activeController(cluster)))
    }
    await load.finish()
  })
  return times
}

test('time from the kill of a leader to the next acknowledgement, with default timeouts', async () => {
  const [ottla, oracle] = await Promise.all([measure('ottla'), measure('oracle')])
  const figure = (samples: readonly number[]) => {
    const sorted = samples.map(Math.round).sort((a, b) => a - b)
    return `${sorted[sorted.length >> 1]} ms (${sorted.join(', ')})`
  }
  const row = (what: string, key: keyof Times) => `${what}: ${figure(ottla[key])}, Apache Kafka ${figure(oracle[key])}`
  console.log(`Medians. ${row('A leader dies', 'leaderMs')}; ${row('with the active controller', 'controllerMs')}`)
}, 900_000)
