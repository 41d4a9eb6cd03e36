import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ottlaJson } from '../commands/ottla-command.ts'
import { PATIENCE_MS } from '../harness/admin.ts'
import { freshDir } from '../harness/cache.ts'
import { Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/process.ts'
import { runTools, type ToolRun } from '../harness/tools.ts'
import { Load } from './load.ts'
import { ClusterReader, expectEqualReplicas } from './read-back.ts'
import { activeController, finish, killAndReturn, shortSessions, told } from './story.ts'

const HEAVY_RECORDS = 3_000
const HEAVY_PARTITIONS = 3
/** Nothing that has to move 8 MB to a broker has finished at this pace when it is cancelled. */
const SLOW = '100000'
const FAST = '50000000'
/** Where the replicas of partition 0 are; those of the next are on the next brokers of the first three. */
const FIRST = [1, 2, 3]
/** Broker 4 takes the place of the last and is to lead. */
const WITH_FOURTH = [4, 1, 2]
/** The last comes back in the place of the second and is to lead. */
const AND_BACK = [3, 4, 1]

/** One broker and one controller are there beside the three that the cluster began with. */
let cluster: Cluster
let load: Load
beforeAll(async () => {
  cluster = await Cluster.start({
    nodes: [{}, {}, {}, { roles: 'broker' }, { roles: 'controller', isLate: true }],
    overrides: { ...shortSessions, 'auto.leader.rebalance.enable': 'false' },
  })
  load = await Load.start(cluster, 'moved', { assignment: placed(FIRST, 6), maxPauseMs: 50 })
  await cluster.admin.createTopics({ heavy: { assignment: placed(FIRST, HEAVY_PARTITIONS) } })
})
afterAll(() => cluster?.destroy())

/** The replicas of so many partitions, made from those of the first. */
function placed(first: readonly number[], partitions: number): number[][] {
  return Array.from({ length: partitions }, (_, index) =>
    first.map((id) => (id === 4 ? 4 : ((id - 1 + index) % 3) + 1)),
  )
}

/** A file that tools take for a plan, for both topics. */
function planFile(first: readonly number[]): string {
  const file = join(freshDir('plan'), 'plan.json')
  const partitions = [load.topic, 'heavy'].flatMap((topic) =>
    placed(first, topic === 'heavy' ? HEAVY_PARTITIONS : load.ledger.partitionCount).map((replicas, partition) => {
      return { topic, partition, replicas }
    }),
  )
  writeFileSync(file, JSON.stringify({ version: 1, partitions }))
  return file
}

async function expectReplicas(topic: string, wanted: readonly (readonly number[])[]): Promise<void> {
  const { partitions } = await cluster.admin.view([topic])
  const found = [...partitions].sort((a, b) => a.partition - b.partition).map(({ replicas }) => replicas)
  expect(found, topic).toEqual(wanted)
}

/** All is where the plan says, and nothing more is to be moved. */
async function expectMoved(first: readonly number[]): Promise<void> {
  await cluster.admin.reassigned()
  await cluster.admin.settled()
  await expectReplicas(load.topic, placed(first, load.ledger.partitionCount))
  await expectReplicas('heavy', placed(first, HEAVY_PARTITIONS))
}

async function expectLeaders(first: readonly number[]): Promise<void> {
  for (const topic of [load.topic, 'heavy']) {
    const { partitions } = await cluster.admin.view([topic])
    const wanted = placed(first, partitions.length)
    for (const { partition, leader } of partitions) expect(leader, `${topic}-${partition}`).toBe(wanted[partition]![0])
  }
}

const voters = async () => (await cluster.admin.quorum()).voters

async function tools(...runs: ToolRun[]): Promise<string[]> {
  const results = await runTools(cluster, runs, PATIENCE_MS)
  for (const [index, { status, stdout, stderr }] of results.entries()) {
    expect(status, `${runs[index]!.tool} ${runs[index]!.args.join(' ')}\n${stdout}${stderr}`).toBe(0)
  }
  return results.map(({ stdout }) => stdout)
}

const run = (tool: ToolRun['tool'], args: string): ToolRun => ({ tool, args: args.split(' ') })
const ottla = (line: string) => ottlaJson(cluster, line)

const ELECTION = '--election-type preferred --all-topic-partitions'

test('kafka-reassign-partitions moves replicas under load, throttled; a move that is cancelled leaves all as it was', () =>
  told(cluster, async () => {
    const plan = `--reassignment-json-file ${planFile(WITH_FOURTH)}`
    const started = await tools(
      run(
        'kafka-producer-perf-test',
        `--topic heavy --num-records ${HEAVY_RECORDS} --record-size 8000 --throughput -1`,
      ),
      run('kafka-reassign-partitions', `${plan} --execute --throttle ${SLOW}`),
      run('kafka-reassign-partitions', '--list'),
      run('kafka-reassign-partitions', `${plan} --cancel`),
      run('kafka-reassign-partitions', '--list'),
    )
    expect(started[2]).toContain('heavy-0: replicas: 4,1,2,3. adding: 4. removing: 3.')
    expect(started[3]).toMatch(/Successfully cancelled partition reassignments for: heavy-0,heavy-1,heavy-2/)
    expect(started[4]).toContain('No partition reassignments found.')
    await expectReplicas('heavy', placed(FIRST, HEAVY_PARTITIONS))
    await load.progress()

    await tools(run('kafka-reassign-partitions', `${plan} --execute --throttle ${FAST}`))
    await expectMoved(WITH_FOURTH)
    await load.progress()
  }))

test('its --verify lifts throttles, kafka-leader-election elects leaders, kafka-metadata-quorum changes voters', () =>
  told(cluster, async () => {
    const first = cluster.node(1)
    const [verified, elected] = await tools(
      run('kafka-reassign-partitions', `--reassignment-json-file ${planFile(WITH_FOURTH)} --verify`),
      run('kafka-leader-election', ELECTION),
      run('kafka-metadata-quorum', `--command-config ${cluster.node(5).propertiesFile} add-controller`),
      run(
        'kafka-metadata-quorum',
        `remove-controller --controller-id 1 --controller-directory-id ${first.directoryId}`,
      ),
    )
    expect(verified!.match(/is completed/g)).toHaveLength(HEAVY_PARTITIONS + load.ledger.partitionCount)
    expect(verified).toContain('Clearing topic-level throttles')
    expect(elected).toMatch(/Successfully completed leader election \(PREFERRED\) for partitions .*heavy-0/)
    await expectLeaders(WITH_FOURTH)
    expect(await voters()).toEqual([2, 3, 5])
    await load.progress()
  }))

test('a voter that was added counts: a quorum of it and one other goes on', () =>
  told(cluster, async () => {
    const others = cluster.nodes.slice(1, 3)
    const leader = await activeController(cluster)
    const victim = others.includes(leader) ? leader : others[0]!
    await killAndReturn(cluster, victim, load)
    expect(await voters()).toEqual([2, 3, 5])
  }))

test('ottla reassign-partitions, leader-election and metadata-quorum do the same', () =>
  told(cluster, async () => {
    await cluster.admin.electPreferred()
    const plan = `--reassignment-json-file ${planFile(AND_BACK)}`
    await ottla(`reassign-partitions --execute ${plan} --throttle ${SLOW}`)
    const cancelled = await ottla(`reassign-partitions --cancel ${plan}`)
    const heavy = Array.from({ length: HEAVY_PARTITIONS }, (_, partition) => ({ topic: 'heavy', partition }))
    expect(cancelled).toMatchObject({ cancelled: expect.arrayContaining(heavy) })
    expect(await ottla('reassign-partitions --list')).toEqual({ reassignments: [] })
    await expectReplicas('heavy', placed(WITH_FOURTH, HEAVY_PARTITIONS))
    await load.progress()

    await ottla(`reassign-partitions --execute ${plan} --throttle ${FAST}`)
    await eventually('the end of the moves', PATIENCE_MS, async () => {
      const { throttlesLifted } = (await ottla(`reassign-partitions --verify ${plan}`)) as { throttlesLifted: boolean }
      return throttlesLifted || undefined
    })
    await expectMoved(AND_BACK)
    const { elected, failed } = (await ottla(`leader-election ${ELECTION}`)) as { elected: object[]; failed: object[] }
    expect(failed).toEqual([])
    expect(elected).toEqual(expect.arrayContaining(heavy))
    await expectLeaders(AND_BACK)

    await ottla(`metadata-quorum add-controller --command-config ${cluster.node(1).propertiesFile}`)
    const { formattedDirectoryId: directoryId } = cluster.node(5)
    await ottla(`metadata-quorum remove-controller --controller-id 5 --controller-directory-id ${directoryId}`)
    expect(await voters()).toEqual([1, 2, 3])
    await load.progress()
  }))

test('then everything is there once, and all replicas are equal', () =>
  told(cluster, async () => {
    const reader = new ClusterReader(cluster)
    let count = 0
    for (let partition = 0; partition < HEAVY_PARTITIONS; partition++) {
      count += (await reader.endOffset('heavy', partition)).offset
    }
    reader.close()
    expect(count).toBe(HEAVY_RECORDS)
    await finish(cluster, load)
    expectEqualReplicas(cluster, 'heavy', HEAVY_PARTITIONS)
  }))
