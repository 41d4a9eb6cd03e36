import { afterEach, beforeEach, expect, test } from 'vitest'
import { apis } from '../../protocol/api-keys.ts'
import { GROUP, nameOfError } from '../simulation/client.ts'
import { TestCluster } from './cluster.testkit.ts'

const SEED = 71
const PARTITIONS = 4
const BEAT_MS = 500
const NO_OFFSETS = { taskOffsets: null, taskEndOffsets: null }

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.started(SEED)
  await cluster.createTopic('topic', PARTITIONS)
})

afterEach(() => cluster.close())

const topology = {
  epoch: 0,
  subtopologies: [
    {
      subtopologyId: 'counts',
      sourceTopics: ['topic'],
      sourceTopicRegex: [],
      stateChangelogTopics: [{ name: 'app-changelog', partitions: 0, replicationFactor: 0, topicConfigs: [] }],
      repartitionSinkTopics: [],
      repartitionSourceTopics: [],
      copartitionGroups: [],
    },
  ],
}

/** A process of an application, which gives up tasks as soon as it is told to. */
class Member {
  readonly id: string
  epoch = 0
  tasks: number[] = []
  #hasNews = true

  constructor(id: string) {
    this.id = id
  }

  async beat(): Promise<void> {
    const active = this.tasks.length === 0 ? [] : [{ subtopologyId: 'counts', partitions: this.tasks }]
    const isNew = this.epoch === 0
    const own = { activeTasks: active, standbyTasks: [], warmupTasks: [] }
    const joining = { topology, processId: `process-${this.id}`, clientTags: [], rebalanceTimeoutMs: 60_000 }
    const group = { groupId: 'app', memberId: this.id, memberEpoch: this.epoch, endpointInformationEpoch: 0 }
    const body = { ...group, ...NO_OFFSETS, ...(this.#hasNews && own), ...(isNew && joining) }
    const answer = await cluster.done(
      cluster.askCoordinator('app', GROUP, apis.StreamsGroupHeartbeat, 0, body, ({ errorCode }) => errorCode),
    )
    expect(nameOfError(answer.errorCode)).toBe('NONE')
    // Neither does a coordinator that takes over begin anew, nor is anybody thrown out by it.
    expect(answer.memberEpoch).toBeGreaterThanOrEqual(this.epoch)
    this.epoch = answer.memberEpoch
    this.#hasNews = answer.activeTasks !== null
    if (answer.activeTasks !== null) this.tasks = answer.activeTasks.flatMap(({ partitions }) => partitions)
  }
}

/** No task is ever anybody's but one's. */
async function beatUntil(members: readonly Member[], isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    for (const member of members) {
      await member.beat()
      const owned = members.flatMap(({ tasks }) => tasks)
      expect(new Set(owned).size).toBe(owned.length)
    }
    await cluster.pass(BEAT_MS)
  }
}

/** While heartbeats go on. */
async function keepTasks(...members: readonly Member[]): Promise<void> {
  const before = members.map(({ tasks }) => tasks)
  for (let beats = 0; beats < 5; beats++) {
    for (const member of members) await member.beat()
    expect(members.map(({ tasks }) => tasks)).toEqual(before)
    await cluster.pass(BEAT_MS)
  }
}

async function killCoordinator(): Promise<number> {
  const coordinator = (await cluster.done(cluster.client.coordinatorOf('app', GROUP)))!
  cluster.kill(coordinator)
  return coordinator
}

function described() {
  const body = { groupIds: ['app'], includeAuthorizedOperations: false }
  return cluster.done(
    cluster.askCoordinator('app', GROUP, apis.StreamsGroupDescribe, 0, body, ({ groups }) => groups[0]!.errorCode),
  )
}

test('KIP-1071: a streams group, its internal topics and tasks outlive its coordinators', async () => {
  const [one, two] = [new Member('one'), new Member('two')]
  await beatUntil([one], () => one.tasks.length === PARTITIONS)
  const first = await killCoordinator()
  await keepTasks(one)
  await beatUntil([one, two], () => one.tasks.length === 2 && two.tasks.length === 2)
  expect([...one.tasks, ...two.tasks].sort()).toEqual([0, 1, 2, 3])
  await cluster.restart(first)
  await killCoordinator()
  await keepTasks(one, two)
  const [group] = (await described()).groups
  expect(group!.groupState).toBe('Stable')
  const assigned = group!.members.map(({ memberId, assignment }) => [memberId, assignment.activeTasks[0]!.partitions])
  expect(Object.fromEntries(assigned)).toEqual({ one: one.tasks, two: two.tasks })
  const { topics } = (await cluster.done(
    cluster.client.anybody(apis.Metadata, 12, { topics: [{ name: 'app-changelog' }], allowAutoTopicCreation: false }),
  ))!
  expect(topics[0]!.partitions.length).toBe(PARTITIONS)
})
