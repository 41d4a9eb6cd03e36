import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PATIENCE_MS, type PartitionView } from '../harness/admin.ts'
import { Cluster, type ClusterNode } from '../harness/cluster.ts'
import { eventually } from '../harness/process.ts'
import { CLIENT_PARTITIONS, CLIENT_TOPICS, Clients, quickGroups } from './clients.ts'
import { Load } from './load.ts'
import { expectEqualReplicas } from './read-back.ts'
import { SmallDisk } from './small-disk.ts'
import { activeController, deposed, finish, shortSessions, told, withCluster } from './story.ts'

describe('under load of three kinds: of Java, of librdkafka, and of a producer that says exactly what is sent', () => {
  let cluster: Cluster
  let load: Load
  let clients: Clients | undefined
  beforeAll(async () => {
    cluster = await Cluster.start({
      nodes: [{}, {}, {}],
      isProxied: true,
      overrides: { ...shortSessions, ...quickGroups },
    })
    load = await Load.start(cluster, 'faults', { maxPauseMs: 50 })
    clients = await Clients.launch(cluster, 'classic', 1)
  })
  afterAll(() => Promise.all([clients?.kill(), cluster?.destroy()]))

  const progress = () => Promise.all([load.progress(), clients!.progress()])

  async function allWell(): Promise<void> {
    await cluster.admin.settled()
    cluster.avoid = undefined
    await cluster.admin.electPreferred()
    await progress()
  }

  /** All goes on without a node, which others take for dead. */
  async function goesOnWithout(node: ClusterNode): Promise<void> {
    await deposed(cluster, node, load.topic)
    await progress()
  }

  test('a node stands still for longer than its session', () =>
    told(cluster, async () => {
      const node = cluster.node(2)
      cluster.avoid = node.id
      node.pause()
      await goesOnWithout(node)
      node.resume()
      await allWell()
    }))

  test('the active controller is cut off from the others, and then the next one', () =>
    told(cluster, async () => {
      for (let turn = 0; turn < 2; turn++) {
        const node = await activeController(cluster)
        cluster.avoid = node.id
        const others = cluster.nodes.filter((other) => other !== node)
        cluster.links.isolate(
          node.id,
          others.map(({ id }) => id),
        )
        await goesOnWithout(node)
        cluster.links.heal()
        await allWell()
      }
    }))

  test('a rolling restart: leaders move before their node stops', () =>
    told(cluster, async () => {
      for (const node of cluster.nodes) {
        load.resetGaps()
        await node.stop()
        await progress()
        await node.start()
        await allWell()
        console.log(`restart of node ${node.id}: ${Math.round(load.longestGapMs)} ms at most between acknowledgements`)
      }
    }))

  test('then all that was acknowledged is there once, and was read, and replicas are equal', () =>
    told(cluster, async () => {
      await clients!.finish(cluster)
      await finish(cluster, load)
      for (const topic of CLIENT_TOPICS) expectEqualReplicas(cluster, topic, CLIENT_PARTITIONS)
    }))
}, 900_000)

test('the disk of the active controller is full: the others go on, and it is in sync again once there is room and it has started anew', async () => {
  const cluster = await Cluster.of({ nodes: [{}, {}, {}], overrides: { ...shortSessions, ...quickGroups } })
  const disks = new Map<ClusterNode, SmallDisk>()
  let clients: Clients | undefined
  await withCluster(cluster, async () => {
    for (const node of cluster.nodes) {
      const disk = await SmallDisk.on(node.dataDir, 64)
      disks.set(node, disk)
      node.wrap = disk.wrap
    }
    await cluster.launch()
    const load = await Load.start(cluster, 'full', { maxPauseMs: 100 })
    clients = await Clients.launch(cluster, 'consumer', 1)
    const progress = () => Promise.all([load.progress(), clients!.progress()])
    const full = await activeController(cluster)
    const disk = disks.get(full)!
    cluster.avoid = full.id
    load.resetGaps()
    disk.fill()
    await deposed(cluster, full, load.topic)
    await progress()
    console.log(`a full disk: ${Math.round(load.longestGapMs)} ms at most between acknowledgements`)
    disk.free()
    await full.kill()
    await full.start()
    await cluster.admin.settled()
    await cluster.admin.electPreferred()
    await progress()
    await clients.finish(cluster)
    await load.finish()
  })
    .finally(() => clients?.kill())
    .finally(() => Promise.all([...disks.values()].map((disk) => disk.end())))
}, 900_000)

test('the second log directory of a broker is full: what is in it is led elsewhere, what is in the first goes on; all is in sync again once there is room and it has started anew', async () => {
  const cluster = await Cluster.of({ nodes: [{}, {}, {}], overrides: shortSessions })
  const victim = cluster.node(1)
  const secondDir = join(victim.dir, 'second')
  victim.overrides = { 'log.dirs': `${victim.dataDir},${secondDir}` }
  const disk = await SmallDisk.on(secondDir, 64)
  victim.wrap = disk.wrap

  /** Waits until the victim leads these partitions of the load, or neither leads them nor is in sync. */
  async function untilLeads(topic: string, partitions: readonly number[], isWanted: boolean): Promise<void> {
    await eventually(`node ${victim.id} leads ${partitions}: ${isWanted}`, PATIENCE_MS, async () => {
      if (isWanted) await cluster.admin.electPreferred([{ topic, partitions: [...partitions] }])
      const view = await cluster.admin.view([topic])
      const found = view.partitions.filter(({ partition }) => partitions.includes(partition))
      const isGone = ({ leader, isr }: PartitionView) => leader !== victim.id && leader >= 0 && !isr.includes(victim.id)
      const wrong = found.find((each) => (isWanted ? each.leader !== victim.id : !isGone(each)))
      if (wrong !== undefined) throw new Error(JSON.stringify(wrong))
      return true
    })
  }

  await withCluster(cluster, async () => {
    await cluster.launch()
    const assignment = Array.from({ length: 6 }, () => [1, 2, 3])
    const load = await Load.start(cluster, 'half', { assignment, maxPauseMs: 50 })
    await load.progress()
    const all = assignment.map((_, partition) => partition)
    const isLost = (partition: number) => existsSync(join(disk.path, `${load.topic}-${partition}`))
    const [lost, kept] = [all.filter(isLost), all.filter((partition) => !isLost(partition))]
    expect([lost.length, kept.length]).toEqual([3, 3])
    load.resetGaps()
    disk.fill()
    await untilLeads(load.topic, lost, false)
    await load.progress()
    console.log(`a full log directory: ${Math.round(load.longestGapMs)} ms at most between acknowledgements`)
    await untilLeads(load.topic, kept, true)
    await load.progress()
    await untilLeads(load.topic, lost, false)
    disk.free()
    await victim.kill()
    await victim.start()
    await cluster.admin.settled()
    await untilLeads(load.topic, all, true)
    await load.progress()
    console.log(`${load.topic}: ${await load.finish()} records acknowledged`)
    await cluster.admin.settled()
    await cluster.stop()
    expect(all.filter(isLost)).toEqual(lost)
    expectEqualReplicas(cluster, load.topic, all.length, [disk.path])
  }).finally(() => disk.end())
}, 900_000)
