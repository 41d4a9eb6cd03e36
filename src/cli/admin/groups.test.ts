import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Consumer, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CommandBroker, ottla, startCommandBroker } from './commands.testkit.ts'
import { parsePlan } from './groups-reset.ts'
import { parseDateTime, parseDuration } from './reset-time.ts'

let broker: CommandBroker
let directory: string
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ottla-groups-'))
  broker = await startCommandBroker()
  await broker.on('topics --create --topic t --partitions 2')
  const producer = kafka().producer()
  await producer.connect()
  const messages = Array.from({ length: 20 }, (_, index) => ({ value: 'x', partition: index % 2 }))
  await producer.send({ topic: 't', messages })
  await producer.disconnect()
})
afterAll(async () => {
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
})

function kafka(): Kafka {
  return new Kafka({ clientId: 'app', brokers: [broker.broker.address], logLevel: logLevel.NOTHING })
}

/** A member that has its assignment. */
async function joined(groupId: string): Promise<Consumer> {
  const consumer = kafka().consumer({ groupId })
  const has = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
  await consumer.connect()
  await consumer.subscribe({ topic: 't' })
  await consumer.run({ autoCommit: false, eachMessage: async () => {} })
  await has
  return consumer
}

/** The new offsets of a reset, in order. */
async function reset(how: string): Promise<number[]> {
  const { groups } = (await broker.json(`groups --reset-offsets ${how}`)) as {
    groups: { offsets: { newOffset: number }[] }[]
  }
  return groups.flatMap(({ offsets }) => offsets.map(({ newOffset }) => newOffset))
}

describe('ottla groups', () => {
  test('resets offsets in every way, and only with --execute', async () => {
    const g = '--group g --topic t'
    expect(await reset(`${g} --to-latest --dry-run`)).toEqual([10, 10])
    expect((await broker.on('groups --list')).out).toBe('')
    expect(await reset(`${g} --to-latest --execute`)).toEqual([10, 10])
    expect((await broker.on('groups --list')).out).toBe('g')
    expect(await reset(`${g} --shift-by -4 --execute`)).toEqual([6, 6])
    expect(await reset(`${g} --shift-by=-40 --dry-run`)).toEqual([0, 0])
    expect(await reset('--group g --topic t:1 --to-offset 3 --execute')).toEqual([3])
    expect(await reset('--group g --all-topics --to-current --dry-run')).toEqual([6, 3])
    expect(await reset(`${g} --to-offset 1000 --dry-run`)).toEqual([10, 10])
    expect(await reset(`${g} --to-earliest --dry-run`)).toEqual([0, 0])
    expect(await reset(`${g} --by-duration P1D --dry-run`)).toEqual([0, 0])
    expect(await reset(`${g} --to-datetime 2099-01-01T00:00:00.000 --dry-run`)).toEqual([10, 10])
    expect(await reset('--group other --topic t --to-current --dry-run')).toEqual([10, 10])
    expect(await broker.on(`groups --reset-offsets ${g} --to-earliest`)).toMatchObject({
      code: 0,
      err: 'ottla: warning: nothing is changed without --execute',
    })
    expect(await reset('--all-groups --all-topics --to-current --dry-run')).toEqual([6, 3])
  })

  test('what --export prints is what --from-file takes, for one group and for several', async () => {
    const file = join(directory, 'offsets.csv')
    const { out } = await broker.on('groups --reset-offsets --group g --all-topics --to-current --export --dry-run')
    expect(out).toBe('t,0,6\nt,1,3')
    writeFileSync(file, `${out.replace('6', '7')}\n`)
    expect(await reset(`--group g --from-file ${file} --execute`)).toEqual([7, 3])
    const all = await broker.on('groups --reset-offsets --all-groups --all-topics --to-current --export --dry-run')
    expect(all.out).toBe('g,t,0,7\ng,t,1,3')
    writeFileSync(file, all.out.replace('7', '8'))
    expect(await reset(`--all-groups --from-file ${file} --execute`)).toEqual([8, 3])
  })

  test('describes a group without members', async () => {
    expect(await broker.json('groups --list')).toEqual({ groups: [{ group: 'g', type: 'Classic', state: 'Empty' }] })
    expect((await broker.on('groups --list --state --type')).out.split(/\s+/)).toEqual(
      'GROUP TYPE STATE g Classic Empty'.split(' '),
    )
    expect(await broker.json('groups --list --state stable')).toEqual({ groups: [] })
    const row = (partition: number, currentOffset: number) => ({
      topic: 't',
      partition,
      currentOffset,
      leaderEpoch: null,
      logEndOffset: 10,
      lag: 10 - currentOffset,
      consumerId: null,
      host: null,
      clientId: null,
    })
    expect(await broker.json('groups --describe --group g')).toEqual({
      groups: [{ group: 'g', state: 'Empty', offsets: [row(0, 8), row(1, 3)] }],
    })
    const { out, err } = await broker.on('groups --describe --all-groups')
    expect(err).toBe('ottla: warning: group g has no active members')
    expect(out.split('\n')[1]).toMatch(/^g +t +0 +8 +10 +2 +- +- +-$/)
  })

  test('describes a group with a member, and does not touch it', async () => {
    const consumer = await joined('live')
    try {
      const state = (await broker.json('groups --describe --group live --state')) as { groups: [{ state: string }] }
      expect(state.groups[0]).toEqual({
        group: 'live',
        coordinator: { id: 1, host: '127.0.0.1', port: broker.broker.port },
        assignmentStrategy: 'RoundRobinAssigner',
        state: 'Stable',
        groupEpoch: null,
        targetAssignmentEpoch: null,
        memberCount: 1,
      })
      const both = [0, 1].map((partition) => ({ topic: 't', partition }))
      expect(await broker.json('groups --describe --group live --members')).toMatchObject({
        groups: [{ members: [{ clientId: 'app', host: '/127.0.0.1', partitionCount: 2, assignment: both }] }],
      })
      expect((await broker.on('groups --describe --group live --members --verbose')).out).toContain('t:0,1')
      expect(await broker.json('groups --describe --group live')).toMatchObject({
        groups: [{ offsets: [0, 1].map((partition) => ({ partition, clientId: 'app', logEndOffset: 10, lag: null })) }],
      })
      const refused = await broker.on('groups --reset-offsets --group live --topic t --to-earliest --execute')
      expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('only while it has no members') })
      const kept = await broker.on('groups --delete --group live')
      expect(kept).toMatchObject({ code: 1, err: expect.stringContaining('NON_EMPTY_GROUP') })
      const offsets = await broker.on('groups --delete-offsets --group live --topic t')
      expect(offsets).toMatchObject({ code: 1, err: expect.stringContaining('GROUP_SUBSCRIBED_TO_TOPIC') })
    } finally {
      await consumer.disconnect()
    }
  })

  test('deletes offsets, then the group', async () => {
    expect(await broker.json('groups --delete-offsets --group g --topic t:0')).toEqual({
      group: 'g',
      offsets: [{ topic: 't', partition: 0, error: null }],
    })
    expect(await broker.json('groups --describe --group g')).toMatchObject({
      groups: [{ offsets: [{ partition: 1 }] }],
    })
    const { code, out, err } = await broker.on('groups --delete --group g --group none')
    expect([code, out]).toEqual([1, 'Deleted group g.'])
    expect(err).toMatch(/^ottla: group none was not deleted: GROUP_ID_NOT_FOUND/)
    expect(await broker.on('groups --describe --group g')).toMatchObject({
      code: 1,
      err: 'ottla: group g does not exist',
    })
  })

  test('regular expressions are those of consumers', async () => {
    expect(await ottla('groups', '--validate-regex', 'a.*')).toMatchObject({ code: 0 })
    expect(await ottla('groups', '--validate-regex', 'a(?=b)')).toMatchObject({ code: 1 })
  })

  test.each([
    '--list --group g',
    '--list --state flying',
    '--describe',
    '--describe --group g --all-groups',
    '--describe --group g --members --offsets',
    '--describe --group g --state Empty',
    '--delete',
    '--delete-offsets --group g',
    '--delete-offsets --topic t',
    '--reset-offsets --group g --to-earliest',
    '--reset-offsets --group g --topic t',
    '--reset-offsets --group g --topic t --to-earliest --to-latest',
    '--reset-offsets --group g --topic t --to-earliest --dry-run --execute',
    '--reset-offsets --group g --topic t --to-offset -1',
    '--reset-offsets --group g --topic t --to-datetime yesterday',
    '--reset-offsets --group g --topic t --by-duration 1d',
  ])('%s is not understood', async (line) => {
    expect(await ottla('groups', ...line.split(' '))).toMatchObject({ code: 2, out: '' })
  })
})

test('times and durations as Java reads them', () => {
  expect(parseDateTime('2020-01-01T00:00:00.000')).toBe(1577836800000)
  expect(parseDateTime('2020-01-01T01:00:00.001+01:00')).toBe(1577836800001)
  expect(parseDateTime('2020-01-01T00:00:00.000Z')).toBe(1577836800000)
  expect(parseDuration('P1DT2H3M4.5S')).toBe(93_784_500)
  expect(parseDuration('-PT1H')).toBe(-3_600_000)
  expect(parseDuration('PT-1M')).toBe(-60_000)
  for (const text of ['P', 'PT', 'P1DT', '1D', 'P1Y', 'PT1.5H']) expect(() => parseDuration(text), text).toThrow()
  for (const text of ['2020-13-01T00:00:00.000', '2020-01-01', '2020-01-01T00:00:00']) {
    expect(() => parseDateTime(text), text).toThrow()
  }
})

test('files of offsets', () => {
  const row = { topic: 't', partition: 1, offset: 2 }
  expect(parsePlan('t,1,2\r\n', 'g')).toEqual([{ group: 'g', ...row }])
  expect(parsePlan('"a,""b",t,1,2\nh,t,1,2', undefined)).toEqual([
    { group: 'a,"b', ...row },
    { group: 'h', ...row },
  ])
  for (const text of ['t,1', 't,1,-2', 't,x,1', 'g,t,1,2,3']) expect(() => parsePlan(text, 'g'), text).toThrow()
  expect(() => parsePlan('t,1,2', undefined)).toThrow()
})
