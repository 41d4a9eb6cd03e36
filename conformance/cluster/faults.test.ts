import { test } from 'vitest'
import { Cluster } from '../harness/cluster.ts'
import { Load } from './load.ts'
import { SmallDisk } from './small-disk.ts'
import { deposed, finish, shortSessions, withCluster } from './story.ts'

test('a node that stands still for longer than its session, and one that is cut off from the others', async () => {
  const cluster = await Cluster.start({ nodes: [{}, {}, {}], isProxied: true, overrides: shortSessions })
  await withCluster(cluster, async () => {
    const load = await Load.start(cluster, 'stop-and-cut')
    for (const [index, node] of cluster.nodes.entries()) {
      await load.progress()
      const others = cluster.nodes.filter((other) => other !== node).map(({ id }) => id)
      cluster.avoid = node.id
      if (index === 1) node.pause()
      else cluster.links.isolate(node.id, others)
      await deposed(cluster, node, load.topic)
      await load.progress()
      if (index === 1) node.resume()
      else cluster.links.heal()
      await cluster.admin.settled()
      await cluster.admin.electPreferred()
    }
    await finish(cluster, load)
  })
})

test('a rolling restart: leaders move before their node stops', async () => {
  const cluster = await Cluster.start({ nodes: [{}, {}, {}], overrides: shortSessions })
  await withCluster(cluster, async () => {
    const load = await Load.start(cluster, 'rolling')
    for (const node of cluster.nodes) {
      await load.progress()
      load.resetGaps()
      await node.stop()
      await load.progress()
      await node.start()
      await cluster.admin.settled()
      await cluster.admin.electPreferred()
      console.log(`restart of node ${node.id}: ${Math.round(load.longestGapMs)} ms at most between acknowledgements`)
    }
    await finish(cluster, load)
  })
})

test('the disk of one node is full: the others go on, and it is in sync again once there is room', async () => {
  const cluster = await Cluster.of({ nodes: [{}, {}, {}], overrides: shortSessions })
  const full = cluster.node(2)
  const disk = await SmallDisk.on(full.dataDir, 48)
  full.wrap = disk.wrap
  await withCluster(cluster, async () => {
    await cluster.launch()
    const load = await Load.start(cluster, 'full')
    await load.progress()
    disk.fill()
    await deposed(cluster, full, load.topic)
    await load.progress()
    disk.free()
    await full.kill()
    await full.start()
    await cluster.admin.settled()
    await cluster.admin.electPreferred()
    await load.progress()
    await load.finish()
  }).finally(() => disk.end())
})
