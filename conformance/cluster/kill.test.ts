import { test } from 'vitest'
import { Cluster } from '../harness/cluster.ts'
import { sleep } from '../harness/process.ts'
import { Load } from './load.ts'
import { finish, withCluster } from './story.ts'

const cycleCount = Number(process.env.OTTLA_CLUSTER_KILL_CYCLES ?? 100)
const longestRestMs = 200
const longestAbsenceMs = 800
/** As short as they can be: most of a cycle is the wait until a death is noticed and a killed broker may register again. */
const overrides = {
  'broker.session.timeout.ms': '800',
  'broker.heartbeat.interval.ms': '150',
  'controller.quorum.fetch.timeout.ms': '1000',
  'controller.quorum.election.timeout.ms': '500',
}

test(`${cycleCount} times kill -9 of one node or two: nothing acknowledged is lost, nothing is there twice`, async () => {
  const cluster = await Cluster.start({ nodes: [{}, {}, {}], overrides })
  await withCluster(cluster, async () => {
    const load = await Load.start(cluster, 'ledger', { partitions: 6 }, 3)
    const { random } = load
    for (let cycle = 1; cycle <= cycleCount; cycle++) {
      await sleep(random() * longestRestMs)
      const victims = cluster.nodes.filter(() => random() < 0.4).slice(0, 2)
      if (victims.length === 0) victims.push(cluster.nodes[cycle % 3]!)
      await Promise.all(victims.map((node) => node.kill()))
      await sleep(random() * longestAbsenceMs)
      await Promise.all(victims.map((node) => node.start()))
      // The next kill may only take what the one before left whole: then one replica in sync is always alive.
      await cluster.admin.settled([load.topic])
      if (cycle % 10 === 0) await load.progress()
    }
    await finish(cluster, load)
  })
}, 1_500_000)
