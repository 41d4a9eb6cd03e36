import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { startOracle } from '../harness/oracle.ts'
import { startOttla } from '../harness/ottla.ts'
import { runTools, type ToolRun } from '../harness/tools.ts'
import { ottla, ottlaJson } from './ottla-command.ts'

/**
 * The commands of Ottla and the tools of Apache Kafka, asked for the same, of a broker of each kind: what the tools print
 * for people is taken apart and compared with --json.
 */
const kinds = ['ottla', 'oracle'] as const
const brokers = new Map<string, Broker>()
const printed = new Map<string, ReadonlyMap<string, string>>()

/** Does what the tools are then asked about. */
const setUp: ToolRun[] = [
  tool('kafka-topics', '--create --topic t --partitions 3 --config retention.ms=360000000 --config segment.ms=7200000'),
  tool('kafka-topics', '--create --topic one --partitions 1'),
  { ...tool('kafka-console-producer', '--topic t --reader-property parse.key=true'), stdin: records(60) },
  tool('kafka-console-consumer', '--topic t --group g --from-beginning --max-messages 60 --timeout-ms 60000'),
  tool('kafka-configs', '--alter --entity-type brokers --entity-default --add-config log.retention.ms=90000000'),
  tool(
    'kafka-console-consumer',
    '--topic t --group new --from-beginning --max-messages 60 --timeout-ms 60000 --command-property group.protocol=consumer',
  ),
  tool(
    'kafka-configs',
    '--alter --entity-type users --entity-name bob --entity-type clients --entity-default ' +
      '--add-config consumer_byte_rate=5,producer_byte_rate=6',
  ),
]

const topicsFile = () => join(freshDir('cli'), 'topics.json')
const moveFile = topicsFile()
writeFileSync(moveFile, JSON.stringify({ version: 1, topics: [{ topic: 't' }] }))

const asked: Record<string, ToolRun> = {
  list: tool('kafka-topics', '--list --exclude-internal'),
  describe: tool('kafka-topics', '--describe --topic t,one'),
  topicConfigs: tool('kafka-configs', '--describe --entity-type topics --entity-name t'),
  defaultConfigs: tool('kafka-configs', '--describe --entity-type brokers --entity-default'),
  quotas: tool(
    'kafka-configs',
    '--describe --entity-type users --entity-name bob --entity-type clients --entity-default',
  ),
  groups: tool('kafka-consumer-groups', '--list --state --type'),
  offsets: tool('kafka-consumer-groups', '--describe --group g --offsets'),
  state: tool('kafka-consumer-groups', '--describe --group g --state'),
  modernState: tool('kafka-consumer-groups', '--describe --group new --state --verbose'),
  modernOffsets: tool('kafka-consumer-groups', '--describe --group new --verbose'),
  reset: tool('kafka-consumer-groups', '--reset-offsets --group g --topic t --shift-by -2 --dry-run --export'),
  quorum: tool('kafka-metadata-quorum', 'describe --status'),
  generate: tool('kafka-reassign-partitions', `--generate --topics-to-move-json-file ${moveFile} --broker-list 1`),
}

function tool(name: ToolRun['tool'], args: string): ToolRun {
  return { tool: name, args: args.split(' ') }
}

function records(count: number): string {
  return Array.from({ length: count }, (_, index) => `key-${index}\tvalue-${index}\n`).join('')
}

beforeAll(async () => {
  const started = await Promise.all([startOttla(), startOracle()])
  for (const broker of started) brokers.set(broker.kind, broker)
  await Promise.all(
    started.map(async (broker) => {
      const results = await runTools(broker, [...setUp, ...Object.values(asked)], 240_000)
      const answers = results.slice(setUp.length)
      for (const { status, stderr } of results) if (status !== 0) throw new Error(stderr)
      printed.set(broker.kind, new Map(Object.keys(asked).map((name, index) => [name, answers[index]!.stdout])))
    }),
  )
})
afterAll(async () => {
  await Promise.all([...brokers.values()].map((broker) => broker.stop()))
})

/** name=value,name=value as an object. */
function pairs(text: string): Record<string, string> {
  const found = text.split(/,\s*(?=[\w.]+=)/).map((pair) => pair.trim().split('=') as [string, string])
  return Object.fromEntries(found.filter(([name]) => name !== ''))
}

const ids = (text: string) =>
  text
    .split(',')
    .filter((id) => id !== '')
    .map(Number)

/** The fields of a line of `kafka-topics --describe`. */
function fields(line: string): Record<string, string> {
  return Object.fromEntries(
    line
      .split('\t')
      .filter((field) => field !== '')
      .map((field) => {
        const [name, ...value] = field.split(': ')
        return [name!.replace(/:$/, ''), value.join(': ')]
      }),
  )
}

/** The cells of the lines after the heading that begins with `first`. */
function rows(text: string, first: string): string[][] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.slice(lines.findIndex((line) => line.startsWith(first)) + 1).map((line) => line.trim().split(/\s+/))
}

const number = (cell: string) => (cell === '-' ? null : Number(cell))

describe.each(kinds)('on a broker of kind %s', (kind) => {
  const json = (line: string) => ottlaJson(brokers.get(kind)!, line)
  const text = (name: keyof typeof asked) => printed.get(kind)!.get(name)!

  test('topics', async () => {
    const names = text('list')
      .split('\n')
      .filter((line) => line !== '')
    expect(await json('topics --list --exclude-internal')).toEqual({ topics: names })
    const { topics } = (await json('topics --describe --topic t,one')) as { topics: Record<string, unknown>[] }
    const described = text('describe').split('\n').map(fields)
    const heads = described.filter((line) => line.TopicId !== undefined)
    expect(topics).toHaveLength(heads.length)
    for (const head of heads) {
      const lines = described.filter((line) => line.Topic === head.Topic && line.Partition !== undefined)
      expect(topics.find(({ name }) => name === head.Topic)).toEqual({
        name: head.Topic,
        id: head.TopicId,
        internal: false,
        partitionCount: Number(head.PartitionCount),
        replicationFactor: Number(head.ReplicationFactor),
        configs: pairs(head.Configs ?? ''),
        partitions: lines.map((line) => ({
          partition: Number(line.Partition),
          leader: Number(line.Leader),
          replicas: ids(line.Replicas!),
          isr: ids(line.Isr!),
          elr: ids(line.Elr!),
          lastKnownElr: ids(line.LastKnownElr!),
          addingReplicas: [],
          removingReplicas: [],
        })),
      })
    }
  })

  test.each([
    ['topicConfigs', '--entity-type topics --entity-name t'],
    ['defaultConfigs', '--broker-defaults'],
  ] as const)('configs: %s', async (name, entity) => {
    const answer = await json(`configs --describe ${entity}`)
    const { entities } = answer as { entities: [{ configs: { name: string; value: string; synonyms: object[] }[] }] }
    const own = entities[0].configs.map(({ name, value, synonyms }) => ({ name, value, synonyms: synonyms.length }))
    const lines = text(name)
      .split('\n')
      .filter((line) => line.startsWith('  '))
    const expected = lines.map((line) => {
      const [, config, value, synonyms] = /^ {2}([\w.]+)=(.*) sensitive=false synonyms=\{(.*)\}$/.exec(line)!
      return { name: config, value, synonyms: synonyms!.split(', ').length }
    })
    expect(own).toEqual(expected)
    expect(own.length).toBeGreaterThan(0)
  })

  test('quotas', async () => {
    const shown = /^Quota configs for user-principal 'bob', the default client-id are (.*)$/m.exec(text('quotas'))![1]!
    const values = Object.entries(pairs(shown)).map(([name, value]) => [name, Number(value)])
    expect(await json('configs --describe --user bob --client-defaults')).toEqual({
      quotas: [{ entity: { user: 'bob', 'client-id': null }, values: Object.fromEntries(values) }],
    })
  })

  test('groups', async () => {
    const listed = rows(text('groups'), 'GROUP').map(([group, type, state]) => ({ group, type, state }))
    expect(listed.length).toBeGreaterThan(0)
    expect(await json('groups --list')).toEqual({ groups: listed.sort((a, b) => (a.group! < b.group! ? -1 : 1)) })
    const offsets = rows(text('offsets'), 'GROUP').map(([, topic, partition, current, end, lag]) => ({
      topic,
      partition: Number(partition),
      currentOffset: number(current!),
      logEndOffset: number(end!),
      lag: number(lag!),
      consumerId: null,
    }))
    expect(offsets).toHaveLength(3)
    expect(await json('groups --describe --group g')).toMatchObject({ groups: [{ group: 'g', offsets }] })
    const [[, address, id, state, members]] = rows(text('state'), 'GROUP') as [string[]]
    const described = (await json('groups --describe --group g --state')) as { groups: [Record<string, unknown>] }
    const { coordinator, ...group } = described.groups[0] as { coordinator: { host: string; port: number; id: number } }
    expect([`${coordinator.host}:${coordinator.port}`, `(${coordinator.id})`]).toEqual([address, id])
    expect([group]).toMatchObject([{ state: state === '-' ? members : state, memberCount: 0 }])
    const [[, , , assignor, modern, epoch, targetEpoch]] = rows(text('modernState'), 'GROUP') as [string[]]
    expect(await json('groups --describe --group new --state')).toMatchObject({
      groups: [
        {
          assignmentStrategy: assignor,
          state: modern,
          groupEpoch: Number(epoch),
          targetAssignmentEpoch: Number(targetEpoch),
        },
      ],
    })
    expect(await json('groups --describe --group new')).toMatchObject({
      groups: [
        {
          offsets: rows(text('modernOffsets'), 'GROUP').map(([, , partition, leaderEpoch, current, end]) => ({
            partition: Number(partition),
            leaderEpoch: number(leaderEpoch!),
            currentOffset: number(current!),
            logEndOffset: number(end!),
          })),
        },
      ],
    })
    const { status, stdout } = await ottla(
      `groups --bootstrap-server ${brokers.get(kind)!.bootstrap} --reset-offsets --group g --topic t --shift-by -2 --dry-run --export`.split(
        ' ',
      ),
    )
    expect([status, stdout.trim().split('\n').sort()]).toEqual([0, text('reset').trim().split('\n').sort()])
  })

  test('the quorum', async () => {
    const field = (name: string) => new RegExp(`^${name}: +(.*)$`, 'm').exec(text('quorum'))![1]!
    expect(await json('metadata-quorum describe --status')).toMatchObject({
      clusterId: field('ClusterId'),
      leaderId: Number(field('LeaderId')),
      leaderEpoch: Number(field('LeaderEpoch')),
      maxFollowerLag: Number(field('MaxFollowerLag')),
      currentVoters: JSON.parse(field('CurrentVoters')),
      currentObservers: [],
    })
  })

  test('controllers that are asked themselves', async () => {
    const broker = brokers.get(kind)!
    const bootstrap = ['--bootstrap-controller', `127.0.0.1:${broker.home.controllerPort}`, '--json']
    const asked = async (...words: string[]) => {
      const { status, stdout, stderr } = await ottla([...words, ...bootstrap])
      expect([status, stderr], words.join(' ')).toEqual([0, ''])
      return JSON.parse(stdout) as Record<string, unknown>
    }
    const { clusterId, leaderId, currentVoters } = await asked('metadata-quorum', 'describe', '--status')
    expect(await json('metadata-quorum describe --status')).toMatchObject({ clusterId, leaderId, currentVoters })
    expect(await asked('reassign-partitions', '--list')).toEqual({ reassignments: [] })
    const set = ['--alter', '--broker-defaults', '--add-config', 'log.retention.ms=80000000']
    expect(await asked('configs', ...set)).toMatchObject({ added: { 'log.retention.ms': '80000000' } })
    const { entities } = await asked('configs', '--describe', '--broker-defaults')
    expect(JSON.stringify(entities)).toContain('"80000000"')
  })

  test('reassignments and elections', async () => {
    const [current, proposed] = text('generate')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
    expect(await json(`reassign-partitions --generate --topics-to-move-json-file ${moveFile} --broker-list 1`)).toEqual(
      {
        current,
        proposed,
      },
    )
    writeFileSync(moveFile.replace('topics', 'plan'), JSON.stringify(proposed))
    const file = `--reassignment-json-file ${moveFile.replace('topics', 'plan')}`
    const started = await json(`reassign-partitions --execute ${file} --throttle 5000`)
    expect(started).toMatchObject({ previous: current, throttle: 5000 })
    expect(await json(`reassign-partitions --verify ${file}`)).toMatchObject({ throttlesLifted: true })
    expect(await json('reassign-partitions --list')).toEqual({ reassignments: [] })
    expect(await json('leader-election --election-type preferred --topic t --partition 1')).toMatchObject({
      notNeeded: [{ topic: 't', partition: 1 }],
      failed: [],
    })
  })

  test('what changes the broker: offsets, groups, configs, partitions, topics', async () => {
    await json('groups --reset-offsets --group g --topic t --to-earliest --execute')
    expect(await json('groups --describe --group g')).toMatchObject({
      groups: [{ offsets: [0, 1, 2].map((partition) => ({ partition, currentOffset: 0 })) }],
    })
    expect(await json('groups --delete-offsets --group g --topic t:0')).toMatchObject({ offsets: [{ error: null }] })
    expect(await json('groups --delete --group g')).toEqual({ deleted: ['g'], failed: [] })
    await json('configs --alter --topic t --add-config cleanup.policy=[compact,delete] --delete-config segment.ms')
    expect(await json('topics --alter --topic t --partitions 4')).toMatchObject({ partitionCount: 4 })
    expect(await json('topics --describe --topic t')).toMatchObject({
      topics: [{ partitionCount: 4, configs: { 'cleanup.policy': 'compact,delete' } }],
    })
    await json('configs --alter --user bob --client-defaults --delete-config consumer_byte_rate,producer_byte_rate')
    expect(await json('configs --describe --user bob --client-defaults')).toEqual({ quotas: [] })
    expect(await json('topics --delete --topic t,one')).toEqual({ deleted: ['one', 't'] })
  })
})
