import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CommandBroker, ottla, startCommandBroker } from './commands.testkit.ts'
import { parseReassignment, spread, throttlesOf } from './reassign-plan.ts'

let broker: CommandBroker
let directory: string
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ottla-cluster-'))
  broker = await startCommandBroker()
  await broker.on('topics --create --topic t --partitions 2')
})
afterAll(async () => {
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
})

function file(content: unknown): string {
  const path = join(directory, 'plan.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const id = expect.stringMatching(/^[\w-]{22}$/)

describe('ottla metadata-quorum', () => {
  test('describes the quorum, asked by a broker and by a controller', async () => {
    const { port } = broker.broker.server.listeners.find(({ name }) => name === 'CONTROLLER')!
    const expected = {
      clusterId: id,
      leaderId: 1,
      leaderEpoch: 1,
      highWatermark: expect.any(Number),
      maxFollowerLag: 0,
      maxFollowerLagTimeMs: 0,
      currentVoters: [{ id: 1, directoryId: id, endpoints: [expect.stringMatching(/^CONTROLLER:\/\/127.0.0.1:\d+$/)] }],
      currentObservers: [],
    }
    expect(await broker.json('metadata-quorum describe --status')).toEqual(expected)
    const server = ['--bootstrap-controller', `127.0.0.1:${port}`]
    const asked = await ottla('metadata-quorum', ...server, 'describe', '--status', '--json')
    expect(asked.err).toBe('')
    expect(JSON.parse(asked.out)).toEqual(expected)
    expect(await broker.json('metadata-quorum describe --replication')).toEqual({
      replicas: [
        {
          nodeId: 1,
          directoryId: id,
          logEndOffset: expect.any(Number),
          lag: 0,
          lastFetchTimestampMs: expect.any(Number),
          lastCaughtUpTimestampMs: expect.any(Number),
          status: 'Leader',
        },
      ],
    })
    const { out } = await broker.on('metadata-quorum describe --replication --human-readable')
    expect(out).toMatch(/^1 .* \d+ ms ago .* Leader$/m)
  })

  test('voters', async () => {
    const unknown = `--controller-id 9 --controller-directory-id AAAAAAAAAAAAAAAAAAAAAQ`
    expect(await broker.on(`metadata-quorum remove-controller ${unknown}`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('VOTER_NOT_FOUND'),
    })
    expect(await broker.json(`metadata-quorum remove-controller ${unknown} --dry-run`)).toEqual({
      controllerId: 9,
      directoryId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      dryRun: true,
    })
  })

  test('a controller is added by its configuration file, once its directory is formatted', async () => {
    const data = join(directory, 'controller')
    const path = join(directory, 'controller.properties')
    const lines = ['process.roles=controller', 'node.id=5', 'controller.listener.names=CONTROLLER']
    lines.push('listeners=CONTROLLER://127.0.0.1:9193', 'controller.quorum.bootstrap.servers=127.0.0.1:9093')
    writeFileSync(path, [...lines, `log.dirs=${data}`].join('\n'))
    const add = `metadata-quorum add-controller --dry-run --command-config ${path}`
    expect(await broker.on(add)).toMatchObject({ code: 1, err: expect.stringContaining('must be formatted first') })
    await ottla('storage', 'format', '-c', path, '-t', 'c', '--no-initial-controllers')
    expect(await broker.json(add)).toEqual({
      controllerId: 5,
      directoryId: id,
      endpoints: ['CONTROLLER://127.0.0.1:9193'],
      dryRun: true,
    })
  })

  test.each([
    'describe',
    'describe --status --replication',
    'describe --status --human-readable',
    'describe more --status',
    'dance',
    'add-controller',
    'remove-controller --controller-id 1',
    'remove-controller --controller-id 1 --controller-directory-id x',
  ])('%s is not understood', async (line) => {
    expect(await ottla('metadata-quorum', ...line.split(' '))).toMatchObject({ code: 2, out: '' })
  })
})

describe('ottla leader-election', () => {
  const type = 'leader-election --election-type'

  test('of one partition, of those in a file, of all', async () => {
    const place = { topic: 't', partition: 1 }
    const notNeeded = { electionType: 'preferred', elected: [], notNeeded: [place], failed: [] }
    expect(await broker.json(`${type} preferred --topic t --partition 1`)).toEqual(notNeeded)
    const path = file({ partitions: [place] })
    expect(await broker.json(`${type} PREFERRED --path-to-json-file ${path}`)).toEqual(notNeeded)
    expect(await broker.on(`${type} unclean --all-topic-partitions`)).toMatchObject({
      code: 0,
      out: 'No election is needed.',
    })
    expect(await broker.on(`${type} unclean --topic none --partition 0`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('UNKNOWN_TOPIC_OR_PARTITION'),
    })
  })

  test('of what a file does not say', async () => {
    const one = { topic: 't', partition: 0 }
    const wrong = ['{', '[]', '{}', { partitions: 1 }, { partitions: [{}] }, { partitions: [one, one] }]
    for (const content of wrong) {
      const { code, err } = await broker.on(`${type} preferred --path-to-json-file ${file(content)}`)
      expect([code, err.split('\n').length], JSON.stringify(content)).toEqual([1, 1])
    }
  })

  test.each([
    '--all-topic-partitions',
    '--election-type clean --all-topic-partitions',
    '--election-type preferred',
    '--election-type preferred --topic t',
    '--election-type preferred --partition 0 --all-topic-partitions',
  ])('%s is not understood', async (line) => {
    expect(await ottla('leader-election', ...line.split(' '))).toMatchObject({ code: 2, out: '' })
  })
})

describe('ottla reassign-partitions', () => {
  const at = (partition: number) => ({ topic: 't', partition, replicas: [1], log_dirs: ['any'] })
  const plan = { version: 1, partitions: [at(0), at(1)] }
  const command = 'reassign-partitions'

  test('proposes, executes, verifies and cancels', async () => {
    const move = file({ version: 1, topics: [{ topic: 't' }] })
    const generated = await broker.json(`${command} --generate --topics-to-move-json-file ${move} --broker-list 1`)
    const now = { version: 1, partitions: [0, 1].map((partition) => ({ ...at(partition), log_dirs: ['/data'] })) }
    expect(generated).toEqual({ current: now, proposed: plan })
    const execute = `${command} --execute --reassignment-json-file ${file(plan)} --throttle 5000`
    const started = [0, 1].map((partition) => ({ topic: 't', partition }))
    expect(await broker.json(execute)).toEqual({
      previous: now,
      started,
      moved: [],
      throttle: 5000,
      logDirsThrottle: null,
    })
    const throttled = 'leader.replication.throttled.replicas=0:1,1:1'
    const throttles = await broker.json('configs --describe --topic t')
    expect(JSON.stringify(throttles)).toContain(throttled.split('=')[1])
    expect(await broker.json(`${command} --verify --reassignment-json-file ${file(plan)}`)).toEqual({
      partitions: started.map((place) => ({ ...place, status: 'completed', replicas: [1], target: [1] })),
      moves: [],
      throttlesLifted: true,
    })
    expect(await broker.json('configs --describe --topic t')).toMatchObject({ entities: [{ configs: [] }] })
    expect(await broker.json(`${command} --cancel --reassignment-json-file ${file(plan)}`)).toEqual({
      cancelled: [],
      cancelledMoves: [],
    })
    expect(await broker.json(`${command} --list`)).toEqual({ reassignments: [] })
  })

  test('a directory of its own', async () => {
    const chosen = { version: 1, partitions: [{ ...at(0), log_dirs: ['/data'] }] }
    expect(await broker.json(`${command} --execute --reassignment-json-file ${file(chosen)}`)).toMatchObject({
      moved: [{ topic: 't', partition: 0, broker: 1, logDir: '/data' }],
    })
    expect(await broker.json(`${command} --verify --reassignment-json-file ${file(chosen)}`)).toMatchObject({
      moves: [{ logDir: '/data', current: '/data', status: 'completed' }],
    })
  })

  test('what cannot be', async () => {
    const refused: [unknown, string][] = [
      [{ version: 2, partitions: [at(0)] }, 'only 1 is known'],
      [{ partitions: [] }, 'there are no "partitions"'],
      [{ partitions: [at(0), at(0)] }, 't-0 is given twice'],
      [{ partitions: [{ ...at(0), replicas: [1, 1] }] }, 'broker 1 twice'],
      [{ partitions: [{ ...at(0), replicas: [2] }] }, 'broker 2 is not available'],
      [{ partitions: [at(7)] }, 'no such partition: t-7'],
      [{ partitions: [{ ...at(0), topic: 'none' }] }, 'topic none does not exist'],
    ]
    for (const [content, message] of refused) {
      const answer = await broker.on(`${command} --execute --reassignment-json-file ${file(content)}`)
      expect(answer, message).toMatchObject({ code: 1, err: expect.stringContaining(message) })
    }
    const gone = { partitions: [{ ...at(0), topic: 'none' }] }
    expect(await broker.json(`${command} --verify --reassignment-json-file ${file(gone)}`)).toMatchObject({
      partitions: [{ status: 'different', replicas: [] }],
    })
  })

  test.each([
    '--list --throttle 1',
    '--execute',
    '--generate --broker-list 1',
    '--execute --verify --reassignment-json-file x',
    '--verify --reassignment-json-file x --throttle 1',
    '--generate --topics-to-move-json-file x --broker-list 1,1',
    '--verify --reassignment-json-file x --bootstrap-controller localhost:1',
  ])('%s is not understood', async (line) => {
    expect(await ottla(command, ...line.split(' '))).toMatchObject({ code: 2, out: '' })
  })
})

describe('where partitions are put', () => {
  const rackOf = ['a', 'a', 'b', 'b', 'c', 'c']
  const brokers = rackOf.map((rack, id) => ({ id, rack }))

  test('replicas are in different racks, and all brokers lead and hold as many', () => {
    const placed = spread(12, 3, brokers, 1)
    for (const replicas of placed) expect(new Set(replicas.map((id) => rackOf[id])).size).toBe(3)
    const count = (ids: readonly number[]) => brokers.map(({ id }) => ids.filter((other) => other === id).length)
    expect(count(placed.map(([leader]) => leader!))).toEqual([2, 2, 2, 2, 2, 2])
    expect(count(placed.flat())).toEqual([6, 6, 6, 6, 6, 6])
  })

  test('more replicas than racks, and brokers without racks', () => {
    for (const replicas of spread(6, 5, brokers, 0)) expect(new Set(replicas).size).toBe(5)
    const rackless = [3, 1, 2].map((id) => ({ id, rack: null }))
    expect(spread(3, 2, rackless, 0)).toEqual([
      [1, 2],
      [2, 3],
      [3, 1],
    ])
    expect(() => spread(1, 4, rackless, 0)).toThrow('need more than 3 brokers')
  })

  test('what is throttled: replicas that are there send, new ones receive, also those on their way already', () => {
    const targets = parseReassignment({ partitions: [{ topic: 't', partition: 0, replicas: [2, 3] }] })
    const now = new Map([['t-0', [1, 2]]])
    expect(throttlesOf(targets, [], now)).toEqual({
      topics: new Map([['t', { leaders: '0:1,0:2', followers: '0:3' }]]),
      brokers: [1, 2, 3],
    })
    const ongoing = { topic: 'u', partition: 4, replicas: [5, 6], adding: [6], removing: [5] }
    const { topics, brokers } = throttlesOf(targets, [ongoing], now)
    expect(topics.get('u')).toEqual({ leaders: '4:5', followers: '4:6' })
    expect(brokers).toEqual([1, 2, 3, 5, 6])
  })
})
