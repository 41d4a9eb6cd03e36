import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { PATIENCE_MS } from '../harness/admin.ts'
import { Cluster, type ClusterNode, type NodeKind } from '../harness/cluster.ts'
import { eventually } from '../harness/process.ts'
import { metadataShell, tool } from '../harness/tools.ts'
import { Load } from './load.ts'
import { finish, killAndReturn } from './story.ts'

const METADATA = '__cluster_metadata-0'

let cluster: Cluster
afterEach(() => cluster?.destroy())

async function leaderOtherThan(old: number): Promise<number> {
  return eventually(`another leader than ${old}`, PATIENCE_MS, async () => {
    const { leader } = await cluster.admin.quorum()
    return leader >= 0 && leader !== old ? leader : undefined
  })
}

/** Kills leaders until one of `kind` leads; each restarts once another leads, and a load goes on meanwhile. */
async function leaderOfKind(kind: NodeKind, load?: Load): Promise<ClusterNode> {
  for (let attempt = 0; attempt < 12; attempt++) {
    const leader = cluster.node(await leaderOtherThan(-1))
    if (leader.kind === kind) return leader
    await leader.kill()
    await leaderOtherThan(leader.id)
    await load?.progress()
    await leader.start()
  }
  throw new Error(`no leader of kind ${kind}`)
}

function metadataFiles({ dataDir }: ClusterNode, ending: string): string[] {
  const dir = join(dataDir, METADATA)
  const names = readdirSync(dir).filter((name) => name.endsWith(ending))
  return names.sort().map((name) => join(dir, name))
}

/** A metadata log of one segment. A node that came when there was a snapshot begins where that ends. */
class MetadataLog {
  private readonly bytes: Buffer

  constructor(node: ClusterNode) {
    const files = metadataFiles(node, '.log')
    expect(files).toHaveLength(1)
    this.bytes = readFileSync(files[0]!)
  }

  get startOffset(): number {
    return Number(this.bytes.readBigInt64BE(0))
  }

  /** The batches from one offset up to another. */
  between(start: number, end: number): Buffer {
    return this.bytes.subarray(this.positionOf(start), this.positionOf(end))
  }

  private positionOf(offset: number): number {
    const headerBytes = 12
    let position = 0
    while (position < this.bytes.length && Number(this.bytes.readBigInt64BE(position)) < offset) {
      position += headerBytes + this.bytes.readInt32BE(position + 8)
    }
    return position
  }
}

/** Waits until a node has written a snapshot, besides the one that its directory was formatted with. */
async function snapshotOf(node: ClusterNode): Promise<void> {
  const isWritten = (path: string) => !/\/0+-0+\.checkpoint$/.test(path)
  await eventually(`a snapshot of node ${node.id}`, PATIENCE_MS, async () => {
    return metadataFiles(node, '.checkpoint').some(isWritten) || undefined
  })
}

let topicCount = 0
async function newTopic(): Promise<void> {
  topicCount += 1
  await cluster.admin.createTopics({ [`topic-${topicCount}`]: { assignment: [[4], [4]] } })
}

const turned = (ids: readonly number[], by: number) => ids.map((_, at) => ids[(at + by) % ids.length]!)

test('controllers of both kinds are one quorum, with one log, under brokers of both kinds and load', async () => {
  cluster = await Cluster.of({
    nodes: [
      { kind: 'ottla', roles: 'controller' },
      { kind: 'oracle', roles: 'controller' },
      { kind: 'ottla', roles: 'controller' },
      { kind: 'ottla', roles: 'broker' },
      { kind: 'ottla', roles: 'broker' },
      { kind: 'oracle', roles: 'broker' },
    ],
    overrides: {
      'metadata.log.max.record.bytes.between.snapshots': '2000',
      'broker.session.timeout.ms': '3000',
    },
  })
  try {
    const late = new Map<NodeKind, ClusterNode>([
      ['oracle', cluster.node(5)],
      ['ottla', cluster.node(6)],
    ])
    await cluster.launch(cluster.nodes.slice(0, 4))
    await newTopic()
    for (const kind of ['oracle', 'ottla'] as const) {
      await leaderOfKind(kind)
      for (let count = 0; count < 10; count++) await newTopic()
      await snapshotOf(cluster.node(kind === 'oracle' ? 2 : 1))
      // Each kind of broker gets the snapshot of the other kind of controller.
      await cluster.launch([late.get(kind)!])
    }
    const load = await Load.start(cluster, 'load', {
      assignment: [4, 5, 6].map((_, at, ids) => turned(ids, at)),
      maxPauseMs: 50,
    })
    for (const [kind, broker] of late) {
      await leaderOfKind(kind, load)
      await killAndReturn(cluster, broker, load)
    }
    const { voters: ids, highWatermark } = await cluster.admin.quorum()
    expect(ids).toEqual([1, 2, 3])
    const status = await tool('kafka-metadata-quorum', [
      ...['--bootstrap-controller', cluster.controllers.map(({ voter }) => voter).join()],
      ...['describe', '--status'],
    ])
    expect(status).toMatch(/^ClusterId: +Ottla0conformance0test$/m)
    expect(Number(/^HighWatermark: +(\d+)/m.exec(status)?.[1])).toBeGreaterThanOrEqual(highWatermark)
    const replication = await tool('kafka-metadata-quorum', [
      ...['--bootstrap-server', cluster.bootstrap],
      ...['describe', '--replication'],
    ])
    expect(replication.match(/\b(Leader|Follower)\b/g)).toHaveLength(3)
    const committed = (await cluster.admin.quorum()).highWatermark
    await finish(cluster, load)
    // What was not committed when all stopped may be in one log alone.
    const logs = [1, 2].map((id) => new MetadataLog(cluster.node(id)))
    const start = Math.max(...logs.map(({ startOffset }) => startOffset))
    const [ottla, oracle] = logs.map((log) => log.between(start, committed))
    const common = Math.min(ottla!.length, oracle!.length)
    expect(common).toBeGreaterThan(5000)
    expect(ottla!.subarray(0, common).equals(oracle!.subarray(0, common))).toBe(true)
    for (const broker of late.values()) expect(new MetadataLog(broker).startOffset).toBeGreaterThan(0)
    await readByTools(cluster.node(1))
  } catch (error) {
    throw new Error(cluster.logs(), { cause: error })
  }
}, 900_000)

async function readByTools(node: ClusterNode): Promise<void> {
  const files = [...metadataFiles(node, '.log'), ...metadataFiles(node, '.checkpoint').slice(-1)]
  const dump = await tool('kafka-dump-log', ['--cluster-metadata-decoder', '--files', files.join()])
  expect(dump).not.toMatch(/could not|corrupt|invalid/i)
  for (const name of ['topic-1', `topic-${topicCount}`]) expect(dump).toContain(`"name":"${name}"`)
  const snapshot = metadataFiles(node, '.checkpoint').at(-1)!
  // The shell may answer before it has read the whole file.
  const namesIn = (path: string, wanted: string) =>
    eventually(`${wanted} in ${path}`, PATIENCE_MS, async () => {
      const names = (await metadataShell(snapshot, ['ls', path])).trim().split(/\s+/)
      return names.includes(wanted) || undefined
    })
  await namesIn('/image/topics/byName', 'topic-1')
  await namesIn('/image/cluster/brokers', '4')
}
