/**
 * Clusters of Ottla beside clusters of Apache Kafka on this machine, in one run, as ratios (below 1: Ottla needs less):
 *   replicated produce: CPU seconds of all three brokers per GB, acks=all, three replicas
 *   brokers 1 to 3: MB/s of one producer to each broker, one replica, as the cluster grows
 *   failover: from kill -9 of a partition's leader to the next acknowledgement, default timeouts
 *   restart: of a broker with 1,000 partitions, from its start until it is in sync everywhere
 *   many: with PARTITIONS partitions of three replicas: made, what the idle cluster costs, stopped, started, led by others after
 *     kill -9 of a broker, that one back in sync, memory
 *
 * `npm run bench:cluster [-- GIGABYTES [PARTITIONS [PARTS]]]`: PARTS are some of produce, scale, failover, restart and many,
 * separated by commas; all of them where not given.
 */
import { Cluster, type ClusterNode, type NodeKind } from '../conformance/harness/cluster.ts'
import { apis } from '../src/protocol/api-keys.ts'
import { decodeResponse } from '../src/protocol/frames.ts'
import { buildBatch } from '../src/protocol/records/builder.ts'
import { Client, PARTITIONS, produce } from './load.ts'
import { cpuSeconds, residentMb, SERVER_JVM } from './process.ts'

const GB = 1e9
const RESTARTED_PARTITIONS = 1000
const PARTITIONS_PER_REQUEST = 500
/** Of brokers that are not the active controller: with it, both are slower, by the time of an election. */
const FAILOVERS = 3
const POLL_MS = 5
/** Long enough for what is due every few seconds; before it, what follows on a change comes to an end. */
const IDLE_MS = 20_000
const SETTLE_MS = 10_000
const MANY_PATIENCE_MS = 600_000

type Figures = Record<string, number>

const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs))

function clusterOf(kind: NodeKind, brokers: number): Promise<Cluster> {
  const nodes = Array.from({ length: brokers }, () => ({ kind }))
  return Cluster.start({ nodes, ...(kind === 'oracle' && { jvm: SERVER_JVM }) })
}

/** One topic for each broker, which it leads alone. */
async function topicsOf(cluster: Cluster, prefix: string, replicas: number): Promise<string[]> {
  const ids = cluster.brokers.map(({ id }) => id)
  const plans = ids.map((_, index) => {
    const order = [...ids.slice(index), ...ids.slice(0, index)].slice(0, replicas)
    return [`${prefix}-${ids[index]}`, { assignment: Array.from({ length: PARTITIONS }, () => order) }] as const
  })
  await cluster.admin.createTopics(Object.fromEntries(plans))
  return plans.map(([name]) => name)
}

async function produceToAll(cluster: Cluster, topics: readonly string[], totalBytes: number): Promise<number> {
  const loads = cluster.brokers.map(({ port }, index) => produce(port, topics[index]!, totalBytes / topics.length))
  const bytes = await Promise.all(loads)
  return bytes.reduce((sum, each) => sum + each, 0)
}

async function measureProduce(kind: NodeKind, totalBytes: number): Promise<Figures> {
  const cluster = await clusterOf(kind, 3)
  const cpu = () => cluster.brokers.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
  await produceToAll(cluster, await topicsOf(cluster, 'warm', 3), totalBytes / 2)
  const topics = await topicsOf(cluster, 'load', 3)
  const [cpuBefore, beforeMs] = [cpu(), performance.now()]
  const bytes = await produceToAll(cluster, topics, totalBytes)
  const seconds = (performance.now() - beforeMs) / 1000
  const figures = {
    'acks=all, 3 replicas, CPU s/GB': (cpu() - cpuBefore) / (bytes / GB),
    'acks=all, 3 replicas, MB/s': bytes / 1e6 / seconds,
  }
  await cluster.destroy()
  return figures
}

async function measureScale(kind: NodeKind, totalBytes: number): Promise<Figures> {
  const figures: Figures = {}
  for (const brokers of [1, 2, 3]) {
    const cluster = await clusterOf(kind, brokers)
    await produceToAll(cluster, await topicsOf(cluster, 'warm', 1), totalBytes / 2)
    const topics = await topicsOf(cluster, 'load', 1)
    const beforeMs = performance.now()
    const bytes = await produceToAll(cluster, topics, totalBytes)
    figures[`${brokers} broker${brokers > 1 ? 's' : ''}, 1 replica, MB/s`] =
      bytes / 1e3 / (performance.now() - beforeMs)
    await cluster.destroy()
  }
  return figures
}

/** Whether a record for a partition of one record is acknowledged by the broker at `port`. */
async function isAcknowledged(port: number, topic: string): Promise<boolean> {
  const records = [buildBatch([{ timestamp: Date.now(), key: null, value: Buffer.from('x') }])]
  const topicData = [{ name: topic, partitionData: [{ index: 0, records }] }]
  try {
    const client = await Client.open(port)
    const frame = await client.exchange('Produce', 9, { acks: -1, timeoutMs: 5000, topicData })
    client.close()
    return decodeResponse(apis.Produce, 9, frame).body.responses[0]?.partitionResponses[0]?.errorCode === 0
  } catch {
    return false
  }
}

/** Milliseconds until one of the brokers takes a record. */
async function untilAcknowledged(ports: readonly number[], topic: string): Promise<number> {
  const startedMs = performance.now()
  for (;;) {
    for (const port of ports) if (await isAcknowledged(port, topic)) return performance.now() - startedMs
    await pause(POLL_MS)
  }
}

async function measureFailover(kind: NodeKind): Promise<Figures> {
  const cluster = await clusterOf(kind, 3)
  const times: number[] = []
  for (let round = 0; round < FAILOVERS; round++) {
    const { leader } = await cluster.admin.quorum()
    const victim = cluster.brokers.find(({ id }) => id !== leader)!
    const others = cluster.brokers.filter((node) => node !== victim)
    const topic = `failover-${round}`
    await cluster.admin.createTopics({ [topic]: { assignment: [[victim.id, ...others.map(({ id }) => id)]] } })
    await untilAcknowledged([victim.port], topic)
    await victim.kill()
    times.push(
      await untilAcknowledged(
        others.map(({ port }) => port),
        topic,
      ),
    )
    await cluster.launch([victim])
    await cluster.admin.settled()
  }
  await cluster.destroy()
  return { 'failover, ms': times.sort((a, b) => a - b)[FAILOVERS >> 1]! }
}

async function makePartitions(cluster: Cluster, topic: string, count: number): Promise<void> {
  for (let made = 0, index = 0; made < count; index++) {
    const partitions = Math.min(PARTITIONS_PER_REQUEST, count - made)
    await cluster.admin.createTopics({ [`${topic}-${index}`]: { partitions, replicas: 3 } })
    made += partitions
  }
}

async function measureRestart(kind: NodeKind): Promise<Figures> {
  const cluster = await clusterOf(kind, 3)
  await makePartitions(cluster, 'restarted', RESTARTED_PARTITIONS)
  const { leader } = await cluster.admin.quorum()
  const node = cluster.brokers.find(({ id }) => id !== leader)!
  const times: number[] = []
  for (let round = 0; round < FAILOVERS; round++) {
    await node.stop()
    const startedMs = performance.now()
    await cluster.launch([node])
    await cluster.admin.settled()
    times.push(performance.now() - startedMs)
  }
  await cluster.destroy()
  return { [`restart, ${RESTARTED_PARTITIONS} partitions, ms`]: times.sort((a, b) => a - b)[FAILOVERS >> 1]! }
}

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

/** Per node, in percent of one core. */
async function idleCpu(cluster: Cluster): Promise<number> {
  const cpu = () => cluster.brokers.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
  await pause(SETTLE_MS)
  const before = cpu()
  const durationMs = await elapsedMs(() => pause(IDLE_MS))
  return ((cpu() - before) * 100_000) / durationMs / cluster.brokers.length
}

/** Nodes of the one kind take their time over it. */
async function stopAll(cluster: Cluster): Promise<void> {
  await Promise.all(cluster.nodes.map((node) => node.stop(MANY_PATIENCE_MS)))
}

/** Resolves when all nodes serve, and all replicas are in sync. */
async function start(cluster: Cluster, nodes: readonly ClusterNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.launch()))
  await Promise.all(nodes.map((node) => node.answering(MANY_PATIENCE_MS)))
  const running = cluster.brokers.map(({ id }) => id)
  await cluster.admin.brokersAre(running, MANY_PATIENCE_MS)
  await cluster.admin.settled(null, MANY_PATIENCE_MS)
}

async function untilOthersLead(cluster: Cluster, victim: number, count: number): Promise<void> {
  for (;;) {
    const { partitions } = await cluster.admin.view()
    if (partitions.length >= count && partitions.every(({ leader }) => leader >= 0 && leader !== victim)) return
    await pause(100)
  }
}

async function measureMany(kind: NodeKind, count: number): Promise<Figures> {
  if (count === 0) return {}
  const cluster = await clusterOf(kind, 3)
  const figures: Figures = {}
  const note = (what: string, value: number) => {
    figures[`${count} partitions, ${what}`] = value
    console.error(`${kind}: ${what}: ${value.toFixed(1)}`)
  }
  note('made, ms', await elapsedMs(() => makePartitions(cluster, 'many', count)))
  note('idle, % CPU of a node', await idleCpu(cluster))
  note('stopped, ms', await elapsedMs(() => stopAll(cluster)))
  note('started, ms', await elapsedMs(() => start(cluster, cluster.nodes)))
  // Whoever was there first leads everything: the one that is to be killed has to lead its part.
  await cluster.admin.electPreferred()
  const { leader } = await cluster.admin.quorum()
  const victim = cluster.brokers.find(({ id }) => id !== leader)!
  await victim.kill()
  cluster.avoid = victim.id
  note('others lead, ms', await elapsedMs(() => untilOthersLead(cluster, victim.id, count)))
  note('back, ms', await elapsedMs(() => start(cluster, [victim])))
  const memories = cluster.brokers.map(({ pid }) => residentMb(pid))
  note('memory of a node, MB', memories.reduce((sum, each) => sum + each, 0) / memories.length)
  await cluster.destroy()
  return figures
}

type Measurement = (kind: NodeKind) => Promise<Figures>

async function measure(kind: NodeKind, parts: readonly Measurement[]): Promise<Figures> {
  const figures: Figures = {}
  for (const part of parts) {
    const found = await part(kind)
    for (const [label, value] of Object.entries(found)) console.error(`${kind}: ${label}: ${value.toFixed(1)}`)
    Object.assign(figures, found)
  }
  return figures
}

const totalBytes = Number(process.argv[2] ?? 1) * GB
const partitions = Number(process.argv[3] ?? 10_000)
const measurements: Readonly<Record<string, Measurement>> = {
  produce: (kind) => measureProduce(kind, totalBytes),
  scale: (kind) => measureScale(kind, totalBytes),
  failover: measureFailover,
  restart: measureRestart,
  many: (kind) => measureMany(kind, partitions),
}
const parts = (process.argv[4]?.split(',') ?? Object.keys(measurements)).map((name) => {
  const part = measurements[name]
  if (part === undefined) throw new Error(`no part ${name}: there are ${Object.keys(measurements)}`)
  return part
})
const kafka = await measure('oracle', parts)
const ottla = await measure('ottla', parts)
console.log(`${''.padEnd(45)}${'Ottla'.padStart(10)}${'Kafka'.padStart(10)}${'ratio'.padStart(10)}`)
for (const [label, value] of Object.entries(ottla)) {
  const cells = [value.toFixed(1), kafka[label]!.toFixed(1), (value / kafka[label]!).toFixed(3)]
  console.log(label.padEnd(45) + cells.map((cell) => cell.padStart(10)).join(''))
}
process.exit(0)
