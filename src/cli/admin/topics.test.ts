import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CommandBroker, ottla, startCommandBroker } from './commands.testkit.ts'
import { parseAssignment } from './topics.ts'

let broker: CommandBroker
beforeAll(async () => {
  broker = await startCommandBroker({ 'log.retention.ms': '7200000' })
})
afterAll(() => broker.stop())

const created = { created: [{ name: expect.any(String), id: expect.stringMatching(/^[\w-]{22}$/) }], existing: [] }

describe('ottla topics', () => {
  test('creates, lists, describes, grows and deletes', async () => {
    expect(await broker.json('topics --create --topic b.one --partitions 2 --config retention.ms=1000')).toEqual(
      created,
    )
    expect(await broker.json('topics --create --topic a --replica-assignment 1,1,1')).toEqual(created)
    expect(await broker.on('topics --list')).toMatchObject({ code: 0, out: 'a\nb.one' })
    expect(await broker.json('topics --list --topic b.*,c')).toEqual({ topics: ['b.one'] })
    expect(await broker.json('topics --describe --topic b.one')).toEqual({
      topics: [
        {
          name: 'b.one',
          id: expect.any(String),
          internal: false,
          partitionCount: 2,
          replicationFactor: 1,
          // What the configuration file sets shows too, as in Apache Kafka's tool.
          configs: { 'min.insync.replicas': '1', 'retention.ms': '1000' },
          partitions: [0, 1].map((partition) => ({
            partition,
            leader: 1,
            replicas: [1],
            isr: [1],
            elr: [],
            lastKnownElr: [],
            addingReplicas: [],
            removingReplicas: [],
          })),
        },
      ],
    })
    expect(await broker.json('topics --alter --topic a --partitions 4')).toEqual({ altered: ['a'], partitionCount: 4 })
    expect(await broker.json('topics --delete --topic [ab].*')).toEqual({ deleted: ['a', 'b.one'] })
    expect(await broker.json('topics --list')).toEqual({ topics: [] })
  })

  test('describes by id, in pages, and only what was asked for', async () => {
    await broker.on('topics --create --topic paged --partitions 5')
    const whole = await broker.json('topics --describe --topic paged')
    expect(await broker.json('topics --describe --topic paged --partition-size-limit-per-response 2')).toEqual(whole)
    const [{ id }] = (whole as { topics: [{ id: string }] }).topics
    expect(await broker.json(`topics --describe --topic-id ${id}`)).toEqual(whole)
    const none = { topics: [] }
    expect(await broker.json('topics --describe --under-replicated-partitions')).toEqual(none)
    expect(await broker.json('topics --describe --unavailable-partitions')).toEqual(none)
    expect(await broker.json('topics --describe --under-min-isr-partitions')).toEqual(none)
    const { out } = await broker.on('topics --describe --at-min-isr-partitions --topic paged')
    expect(out.split('\n').slice(0, 2)).toEqual([
      'TOPIC  PARTITION  LEADER  REPLICAS  ISR  ELR  LAST-KNOWN-ELR',
      'paged  0          1       1         1    -    -',
    ])
    const overrides = await broker.json('topics --describe --topics-with-overrides')
    expect(overrides).toMatchObject({ topics: [{ name: 'paged', configs: { 'retention.ms': '7200000' } }] })
    await broker.on('topics --delete --topic paged')
  })

  test('says in one line what cannot be, and leaves alone what --if-exists and --if-not-exists are for', async () => {
    await broker.on('topics --create --topic there')
    const refused = [
      ['--create --topic there', "TOPIC_ALREADY_EXISTS: Topic 'there' already exists."],
      ['--create --topic a/b', 'INVALID_TOPIC_EXCEPTION: '],
      ['--create --topic c --config no.such=1', 'INVALID_CONFIG: Unknown topic config name: no.such'],
      ['--alter --topic there --partitions 1', 'INVALID_PARTITIONS: '],
      ['--alter --topic none --partitions 2', 'no topic is called none'],
      ['--delete --topic none', 'no topic is called none'],
      ['--describe --topic none', 'no topic is called none'],
      ['--describe --topic-id AAAAAAAAAAAAAAAAAAAAAQ', 'no topic has the id AAAAAAAAAAAAAAAAAAAAAQ'],
    ]
    for (const [line, message] of refused) {
      const { code, out, err } = await broker.on(`topics ${line}`)
      expect([code, out, err.split('\n').length, err], line).toEqual([1, '', 1, expect.stringContaining(message!)])
    }
    expect(await broker.json('topics --create --topic there --if-not-exists')).toEqual({
      created: [],
      existing: ['there'],
    })
    for (const action of ['--delete', '--describe', '--alter --partitions 9']) {
      expect(await broker.on(`topics ${action} --topic none --if-exists`)).toMatchObject({ code: 0, out: '' })
    }
  })

  test.each([
    'topics',
    'topics --list --create',
    'topics --list --partitions 1',
    'topics --create',
    'topics --create --topic t --partitions 0',
    'topics --create --topic t --partitions many',
    'topics --create --topic t --config retention.ms',
    'topics --create --topic t --partitions 1 --replica-assignment 1',
    'topics --describe --unavailable-partitions --under-replicated-partitions',
    'topics --describe extra',
    'topics --describe --topic [',
    'topics --alter --topic t',
    'topics --delete --topic t --no-such-option',
    'topics --list --bootstrap-server nowhere',
  ])('%s is not understood', async (line) => {
    const { code, out, err } = await ottla(...line.split(' '))
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(/^ottla: .*See: ottla topics --help$/)
  })

  test('answers to the names of the scripts, and prints help', async () => {
    expect(await broker.on('kafka-topics --list')).toMatchObject({ code: 0, out: expect.stringContaining('there') })
    expect(await broker.on('kafka-topics.sh --list')).toMatchObject({ code: 0 })
    const { code, out } = await ottla('topics', '--help')
    expect([code, out]).toEqual([0, expect.stringContaining('--create --topic NAME')])
  })

  test('a cluster that is not there, and files that are not', async () => {
    const unreachable = await ottla('topics', '--list', '--bootstrap-server', '127.0.0.1:1')
    expect(unreachable).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^ottla: no broker answers at 127.0.0.1:1:/),
    })
    const noFile = await broker.on('topics --list --command-config none.properties')
    expect(noFile).toMatchObject({ code: 1, err: 'ottla: cannot read none.properties: no such file' })
  })
})

test('replicas that a person chose for each partition', () => {
  expect(parseAssignment('1:2, 2:3')).toEqual([
    [1, 2],
    [2, 3],
  ])
  for (const text of ['1:1', '1:2,3', 'a', '1,', '-1']) expect(() => parseAssignment(text), text).toThrow()
})
