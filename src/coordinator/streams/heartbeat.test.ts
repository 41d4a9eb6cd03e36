import { describe, expect, test } from 'vitest'
import { LogError } from '../../log/append-error.ts'
import { errors } from '../../protocol/errors.ts'
import { StreamsHarness, settleThreads, stateful, stateless, Thread } from './streams.testkit.ts'
import { status } from './topology/topology-error.ts'

describe('KIP-1071: joining', () => {
  test('the first member gets everything, at epoch 2 as in Apache Kafka', async () => {
    const harness = await StreamsHarness.paced()
    const thread = new Thread(harness, 'm1')
    expect(await thread.beat()).toBe(0)
    expect(thread.heard).toMatchObject({ memberId: 'm1', memberEpoch: 2, heartbeatIntervalMs: 5000, status: [] })
    expect(thread.active).toEqual([{ subtopologyId: '0', partitions: [0, 1, 2, 3] }])
    const described = await harness.describeStreams()
    expect(described).toMatchObject({ groupState: 'Stable', groupEpoch: 2, assignmentEpoch: 2 })
    expect(described.members[0]).toMatchObject({
      processId: 'process of m1',
      topologyEpoch: 0,
      clientHost: '/127.0.0.1',
    })
  })

  test('what is written is what Apache Kafka writes', async () => {
    const harness = await StreamsHarness.paced()
    await new Thread(harness, 'm1').beat()
    const [member, topology, epoch, target, targetEpoch, current, ...rest] = harness.records()
    expect(rest).toEqual([])
    expect(member!.value).toMatchObject({ clientId: 'client', rebalanceTimeoutMs: 30_000, userEndpoint: null })
    expect(topology!.value).toEqual(stateless)
    const lastAssignmentConfigs = [{ key: 'num.standby.replicas', value: '0' }]
    expect(epoch!.value).toMatchObject({ epoch: 2, validatedTopologyEpoch: 0, lastAssignmentConfigs })
    const tasks = { subtopologyId: '0', partitions: [0, 1, 2, 3] }
    expect(target!.value).toEqual({ activeTasks: [tasks], standbyTasks: [], warmupTasks: [] })
    expect(targetEpoch!.value).toMatchObject({ assignmentEpoch: 2 })
    const activeTasks = [{ ...tasks, assignmentEpochs: [2, 2, 2, 2] }]
    expect(current!.value).toMatchObject({ memberEpoch: 2, previousMemberEpoch: 0, state: 1, activeTasks })
  })

  test('a heartbeat that changes nothing writes nothing and tells no tasks', async () => {
    const harness = await StreamsHarness.paced()
    const thread = new Thread(harness, 'm1')
    await thread.beat()
    const before = harness.records().length
    await thread.beat()
    expect(thread.heard.activeTasks).toBeUndefined()
    await thread.beat({ memberEpoch: 0, topology: stateless, rebalanceTimeoutMs: 30_000, activeTasks: [] })
    expect(thread.heard.activeTasks).toEqual([{ subtopologyId: '0', partitions: [0, 1, 2, 3] }])
    expect(harness.records().length).toBe(before)
  })

  test('a full group takes nobody in, not even who is in it and joins again', async () => {
    const harness = await StreamsHarness.paced({}, 1)
    const thread = new Thread(harness, 'm1')
    await thread.beat()
    expect(await new Thread(harness, 'm2').beat()).toBe(errors.GROUP_MAX_SIZE_REACHED.code)
    expect(await thread.beat()).toBe(0)
    thread.epoch = 0
    expect(await thread.beat()).toBe(errors.GROUP_MAX_SIZE_REACHED.code)
  })

  test('where the records cannot be written, nothing has happened', async () => {
    const harness = await StreamsHarness.paced()
    const [a, b] = [new Thread(harness, 'a'), new Thread(harness, 'b')]
    harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    expect(await a.beat()).toBe(errors.NOT_COORDINATOR.code)
    expect((await harness.describeStreams()).errorCode).toBe(errors.GROUP_ID_NOT_FOUND.code)
    expect(await a.beat()).toBe(0)
    harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    expect(await b.beat()).toBe(errors.NOT_COORDINATOR.code)
    expect((await harness.describeStreams()).members.map(({ memberId }) => memberId)).toEqual(['a'])
    await settleThreads([a, b])
    expect([a.tasks, b.tasks]).toEqual([2, 2])
  })
})

describe('KIP-1071: tasks move in two steps', () => {
  test('who gets a task waits until it has been given up', async () => {
    const harness = await StreamsHarness.paced()
    const [a, b] = [new Thread(harness, 'a'), new Thread(harness, 'b')]
    await a.beat()
    await b.beat()
    expect([a.tasks, b.tasks, b.epoch]).toEqual([4, 0, 3])
    const all = a.active
    await a.beat()
    expect([a.tasks, a.epoch]).toEqual([2, 2])
    // It still has all of them.
    await a.beat({ activeTasks: all as never })
    expect(a.epoch).toBe(2)
    await b.beat()
    expect(b.tasks).toBe(0)
    await a.beat()
    expect(a.epoch).toBe(3)
    await b.beat()
    expect(b.tasks).toBe(2)
    expect((await harness.describeStreams()).groupState).toBe('Stable')
  })

  test('a task has its standby in another process, and a process never has it twice', async () => {
    const harness = await StreamsHarness.paced({ standbyReplicas: 1 })
    await harness.topic('changelog', 4)
    const threads = [
      new Thread(harness, 'a1', stateful, 'a'),
      new Thread(harness, 'a2', stateful, 'a'),
      new Thread(harness, 'b1', stateful, 'b'),
    ]
    await settleThreads(threads)
    const of = (process: string, role: 'active' | 'standby') =>
      threads
        .filter(({ processId }) => processId === process)
        .flatMap((each) => each[role].flatMap((t) => t.partitions))
    expect([...of('a', 'active'), ...of('b', 'active')].sort()).toEqual([0, 1, 2, 3])
    expect([...of('a', 'active')].sort()).toEqual([...of('b', 'standby')].sort())
    expect([...of('b', 'active')].sort()).toEqual([...of('a', 'standby')].sort())
  })

  test('who does not give up its tasks in time is out', async () => {
    const harness = await StreamsHarness.paced()
    const [a, b] = [new Thread(harness, 'a'), new Thread(harness, 'b')]
    await a.beat()
    await b.beat()
    await a.beat()
    await harness.pass(29_000)
    await b.beat()
    await harness.pass(1001)
    await b.beat()
    await b.beat()
    expect(b.tasks).toBe(4)
    expect(await a.beat()).toBe(errors.UNKNOWN_MEMBER_ID.code)
  })

  test('who is silent for too long is out, also after the coordinator has moved', async () => {
    const harness = await StreamsHarness.paced()
    const [a, b] = [new Thread(harness, 'a'), new Thread(harness, 'b')]
    await settleThreads([a, b])
    await harness.restart()
    await harness.pass(44_000)
    await a.beat()
    await harness.pass(1001)
    await a.beat()
    expect((await harness.describeStreams()).members.map(({ memberId }) => memberId)).toEqual(['a'])
    expect(a.tasks).toBe(4)
  })

  test('the epoch before is good for who has no more than it should', async () => {
    const harness = await StreamsHarness.paced()
    const [a, b] = [new Thread(harness, 'a'), new Thread(harness, 'b')]
    await a.beat()
    await b.beat()
    await a.beat()
    await a.beat()
    expect(a.epoch).toBe(3)
    expect(await a.beat({ memberEpoch: 2 })).toBe(0)
    const fenced = errors.FENCED_MEMBER_EPOCH.code
    const all = [{ subtopologyId: '0', partitions: [0, 1, 2, 3] }]
    expect(await a.beat({ memberEpoch: 2, activeTasks: all })).toBe(fenced)
    expect(await a.beat({ memberEpoch: 2, activeTasks: null, standbyTasks: null, warmupTasks: null })).toBe(fenced)
    expect(await a.beat({ memberEpoch: 1 })).toBe(fenced)
    expect(await a.beat({ memberEpoch: 4 })).toBe(fenced)
  })
})

describe('KIP-1071: when assignments are made', () => {
  test('the first one waits for the members that start together', async () => {
    const harness = await StreamsHarness.paced({ initialRebalanceDelayMs: 3000 })
    const [a, b] = [new Thread(harness, 'a'), new Thread(harness, 'b')]
    await a.beat()
    await b.beat()
    expect([a.tasks, b.tasks, a.told]).toEqual([0, 0, [status.ASSIGNMENT_DELAYED]])
    expect(a.epoch).toBe(1)
    await harness.pass(2999)
    await a.beat()
    expect(a.told).toEqual([status.ASSIGNMENT_DELAYED])
    await harness.pass(1)
    expect((await harness.describeStreams()).assignmentEpoch).toBe(3)
    await a.beat()
    await b.beat()
    expect([a.tasks, b.tasks, a.told]).toEqual([2, 2, []])
  })

  test('a group that is deleted takes its delay with it', async () => {
    const harness = await StreamsHarness.paced({ initialRebalanceDelayMs: 3000 })
    const thread = new Thread(harness, 'm1')
    await thread.beat()
    await harness.pass(2000)
    await thread.leave()
    await harness.done(harness.coordinator.deleteGroups(['group']))
    await thread.beat()
    await harness.pass(1001)
    await thread.beat()
    expect(thread.told).toEqual([status.ASSIGNMENT_DELAYED])
    await harness.pass(2000)
    await thread.beat()
    expect(thread.tasks).toBe(4)
  })

  test('assignments are made not more often than the interval allows', async () => {
    const harness = await StreamsHarness.paced({ assignmentIntervalMs: 1000 })
    const [a, b] = [new Thread(harness, 'a'), new Thread(harness, 'b')]
    await a.beat()
    await b.beat()
    expect([b.tasks, b.epoch, b.told]).toEqual([0, 2, [status.ASSIGNMENT_DELAYED]])
    await harness.pass(1000)
    await settleThreads([a, b])
    expect([a.tasks, b.tasks]).toEqual([2, 2])
  })

  test('another number of standby tasks is another epoch', async () => {
    let standbyReplicas = 0
    const harness = await StreamsHarness.paced({
      get standbyReplicas() {
        return standbyReplicas
      },
    })
    const thread = new Thread(harness, 'm1')
    await thread.beat()
    standbyReplicas = 1
    await thread.beat()
    expect(thread.epoch).toBe(3)
  })
})

describe('KIP-1071: topologies and their topics', () => {
  test('internal topics are asked for until they are there', async () => {
    const harness = await StreamsHarness.paced()
    const thread = new Thread(harness, 'm1', stateful)
    const joining = { memberId: 'm1', topology: stateful, rebalanceTimeoutMs: 1 }
    const none = { activeTasks: [], standbyTasks: [], warmupTasks: [] }
    const { response, topicsToCreate } = await harness.beatStreams({ ...joining, ...none })
    expect(topicsToCreate).toMatchObject([{ name: 'changelog', partitionCount: 4 }])
    expect(response.status).toMatchObject([{ statusCode: status.MISSING_INTERNAL_TOPICS }])
    expect((await harness.describeStreams()).groupState).toBe('NotReady')
    expect(await harness.list(['not_ready'])).toHaveLength(1)
    expect(await harness.list(['NotReady'])).toHaveLength(0)
    await harness.topic('changelog', 4)
    thread.epoch = response.memberEpoch!
    await thread.beat()
    expect([thread.tasks, thread.told]).toEqual([4, []])
  })

  test('where a source is gone nobody has tasks; where it is back, they have them again', async () => {
    const harness = await StreamsHarness.paced()
    const thread = new Thread(harness, 'm1')
    await thread.beat()
    await harness.deleteTopic('topic')
    await thread.beat()
    expect([thread.tasks, thread.told]).toEqual([0, [status.MISSING_SOURCE_TOPICS]])
    await thread.beat()
    await harness.topic('topic', 6)
    await thread.beat()
    expect([thread.tasks, thread.told]).toEqual([6, []])
  })

  test('a topology of the same or a later epoch must be the same; an older one is told so', async () => {
    const harness = await StreamsHarness.paced()
    const known = { ...stateless, epoch: 1 }
    await new Thread(harness, 'a', known).beat()
    expect(await new Thread(harness, 'b', { ...stateless, epoch: 2 }).beat()).toBe(errors.INVALID_REQUEST.code)
    expect(await new Thread(harness, 'b', { ...stateful, epoch: 1 }).beat()).toBe(errors.INVALID_REQUEST.code)
    const old = new Thread(harness, 'c', stateful)
    expect(await old.beat()).toBe(0)
    expect(old.told).toEqual([status.STALE_TOPOLOGY])
  })

  test('a broken topology is refused before anything is written', async () => {
    const harness = await StreamsHarness.paced()
    const [one] = stateless.subtopologies
    for (const broken of [
      { ...stateless, epoch: -1 },
      { epoch: 0, subtopologies: [one!, one!] },
    ]) {
      expect(await new Thread(harness, 'm1', broken).beat()).toBe(errors.UNKNOWN_SERVER_ERROR.code)
    }
    expect(harness.records()).toEqual([])
  })

  test('two tags of one key are refused', async () => {
    const harness = await StreamsHarness.paced()
    const thread = new Thread(harness, 'm1')
    await thread.beat()
    const clientTags = ['1', '2'].map((value) => ({ key: 'zone', value }))
    expect(await thread.beat({ clientTags })).toBe(errors.UNKNOWN_SERVER_ERROR.code)
  })

  test('tasks that the topology does not have are refused', async () => {
    const harness = await StreamsHarness.paced()
    const thread = new Thread(harness, 'm1')
    await thread.beat()
    for (const ids of [
      { subtopologyId: 'x', partitions: [0] },
      { subtopologyId: '0', partitions: [4] },
      { subtopologyId: '0', partitions: [-1] },
    ]) {
      expect(await thread.beat({ activeTasks: [ids] })).toBe(errors.INVALID_REQUEST.code)
    }
  })
})

describe('KIP-1071: what members tell each other', () => {
  test('where the partitions are found, told when it has changed', async () => {
    const harness = await StreamsHarness.paced({ standbyReplicas: 1 })
    await harness.topic('changelog', 4)
    const [a, b] = [new Thread(harness, 'a', stateful), new Thread(harness, 'b', stateful)]
    await a.beat({ userEndpoint: { host: 'a', port: 1 } })
    await b.beat({ userEndpoint: { host: 'b', port: 2 } })
    await settleThreads([a, b])
    await b.beat({ endpointInformationEpoch: -1 })
    const endpoints = b.heard.partitionsByUserEndpoint!
    expect(endpoints.map(({ userEndpoint }) => userEndpoint!.host)).toEqual(['a', 'b'])
    const [ofA, ofB] = endpoints
    expect(ofA!.activePartitions).toEqual(ofB!.standbyPartitions)
    expect(ofA!.standbyPartitions).toEqual(ofB!.activePartitions)
    await b.beat({ endpointInformationEpoch: b.heard.endpointInformationEpoch! })
    expect(b.heard.partitionsByUserEndpoint).toBe(null)
  })

  test('endpoints are told while topics are missing, where Apache Kafka has an unknown error', async () => {
    const harness = await StreamsHarness.paced()
    await harness.deleteTopic('topic')
    const thread = new Thread(harness, 'm1')
    expect(await thread.beat({ userEndpoint: { host: 'a', port: 1 } })).toBe(0)
    expect(thread.told).toEqual([status.MISSING_SOURCE_TOPICS])
    const userEndpoint = { host: 'a', port: 1 }
    const none = { userEndpoint, activePartitions: [], standbyPartitions: [] }
    expect(thread.heard.partitionsByUserEndpoint).toEqual([none])
  })

  test('one asks for the end of the application, all are told, until nobody is left', async () => {
    const harness = await StreamsHarness.paced()
    const [a, b] = [new Thread(harness, 'a'), new Thread(harness, 'b')]
    await settleThreads([a, b])
    await a.leave({ shutdownApplication: true })
    await b.beat()
    expect(b.told).toEqual([status.SHUTDOWN_APPLICATION])
    expect(b.heard.status![0]!.statusDetail).toContain('member a ')
    await b.leave()
    await b.beat()
    expect(b.told).toEqual([])
  })
})
