import { expect, test } from 'vitest'
import { PATIENCE_MS } from '../harness/admin.ts'
import { Cluster } from '../harness/cluster.ts'
import { launchCopiers, runCopiers } from '../harness/java.ts'
import { kafkaVersion } from '../harness/maven.ts'
import { eventually, sleep } from '../harness/process.ts'
import { launchPython } from '../harness/python.ts'
import { readTopic } from '../transactions/topics.ts'
import { finish, shortSessions, withCluster } from './story.ts'
import { expectAmong, note, type Records, recordsOf, VerifiableGroup, VerifiableProducer } from './verifiable.ts'

const KILLS = 6
const PARTITIONS = 3
const COPIED = 4000
const overrides = { ...shortSessions, 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500' }

test('Java and librdkafka clients, their groups and transactions go through failovers', async () => {
  const cluster = await Cluster.start({ nodes: [{}, {}, {}], overrides })
  const ends: Array<() => Promise<unknown>> = []
  await withCluster(cluster, async () => {
    const plan = { partitions: PARTITIONS, replicas: 3, configs: { 'min.insync.replicas': '2' } }
    await cluster.admin.createTopics({ java: plan, librdkafka: plan, in: plan, out: plan })
    const filled = await runCopiers(kafkaVersion, ['fill', cluster.bootstrap, 'in', String(PARTITIONS), String(COPIED)])
    expect(filled.status, filled.stderr).toBe(0)

    const producer = await VerifiableProducer.launch(cluster, 'java', 300)
    ends.push(() => producer.kill())
    const group = await VerifiableGroup.launch(cluster, 'java', 'classic', 2)
    ends.push(() => group.kill())
    const python = await launchPython('cluster_load.py', [cluster.bootstrap, 'librdkafka', '200'])
    ends.push(() => python.end('SIGKILL', 10_000))
    const copiers = await launchCopiers(kafkaVersion, ['copy', cluster.bootstrap, 'in', 'out', 'copier', '2'])
    ends.push(() => copiers.end('SIGKILL', 10_000))

    await producer.progress()
    for (let kill = 0; kill < KILLS; kill++) {
      const node = cluster.nodes[kill % cluster.nodes.length]!
      await node.kill()
      await producer.progress()
      await node.start()
      await cluster.admin.settled()
      await cluster.admin.electPreferred()
      await sleep(1000)
    }

    await producer.stop()
    const java = await recordsOf(cluster, 'java', PARTITIONS)
    expectAmong('acknowledged to Java', producer.acked, java)
    await group.finish(java)

    expect(await python.end('SIGTERM', 130_000), python.output().slice(-3000)).toBe(0)
    const lines = python.output('stdout').trim().split('\n')
    expect(lines.at(-1)).toBe('done')
    expect(lines.filter((line) => line.startsWith('failed'))).toEqual([])
    const librdkafka = await recordsOf(cluster, 'librdkafka', PARTITIONS)
    expectAmong('acknowledged to librdkafka', recordsIn(lines, 'acked'), librdkafka)
    expectAmong('read by librdkafka', recordsIn(lines, 'read'), librdkafka)

    expect(await copiers.exited, copiers.output().slice(-4000)).toBe(0)
    const expected = Array.from({ length: PARTITIONS }, (_, partition) =>
      Array.from({ length: COPIED }, (_, index) => `${partition}:${index}`),
    )
    // A copier may have left a transaction behind, beyond which nobody reads until its time has run out.
    const copied = await eventually('the copy', PATIENCE_MS, async () => {
      const values = await readTopic(kafkaVersion, cluster, 'out', 'read_committed', PARTITIONS)
      return values.flat().length >= PARTITIONS * COPIED ? values : undefined
    })
    expect(copied).toEqual(expected)
    console.log(`${java.size} records of Java, ${librdkafka.size} of librdkafka, ${KILLS} kills`)
    await finish(cluster)
  }).finally(() => Promise.all(ends.map((end) => end())))
}, 900_000)

function recordsIn(lines: readonly string[], what: string): Records {
  const records: Records = new Map()
  for (const line of lines) {
    const [kind, partition, offset, value] = line.split(' ')
    if (kind === what) note(records, partition, offset, value!)
  }
  return records
}
