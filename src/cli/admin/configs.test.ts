import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CommandBroker, ottla, startCommandBroker } from './commands.testkit.ts'
import { parseConfigs } from './configs.ts'

let broker: CommandBroker
let directory: string
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ottla-configs-'))
  broker = await startCommandBroker()
  await broker.on('topics --create --topic t')
})
afterAll(async () => {
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** What is set on an entity, by name. */
async function settings(line: string): Promise<unknown> {
  const { entities } = (await broker.json(`configs --describe ${line}`)) as {
    entities: { name: string | null; configs: { name: string; value: string }[] }[]
  }
  return Object.fromEntries(
    entities.map(({ name, configs }) => [name, Object.fromEntries(configs.map(({ name, value }) => [name, value]))]),
  )
}

describe('ottla configs', () => {
  test('of a topic: set, described, taken back', async () => {
    const change = '--alter --topic t --add-config cleanup.policy=[compact,delete],retention.ms=5000'
    expect(await broker.on(`configs ${change}`)).toMatchObject({ code: 0, out: 'Changed the configs of topic t.' })
    const set = { 'cleanup.policy': 'compact,delete', 'retention.ms': '5000' }
    expect(await settings('--topic t')).toEqual({ t: set })
    expect(await settings('--entity-type topics --entity-name t')).toEqual({ t: set })
    expect(await settings('--entity-type topics')).toEqual({ t: set })
    const { entities } = (await broker.json('configs --describe --topic t --all')) as {
      entities: [{ type: string; configs: { name: string }[] }]
    }
    expect(entities[0].type).toBe('topics')
    expect(entities[0].configs.find(({ name }) => name === 'retention.ms')).toMatchObject({
      value: '5000',
      source: 'DYNAMIC_TOPIC_CONFIG',
      sensitive: false,
      readOnly: false,
      synonyms: expect.arrayContaining([{ name: 'retention.ms', value: '5000', source: 'DYNAMIC_TOPIC_CONFIG' }]),
    })
    await broker.on('configs --alter --topic t --delete-config cleanup.policy,retention.ms')
    expect(await settings('--topic t')).toEqual({ t: {} })
    expect((await broker.on('configs --describe --topic t')).out).toBe('Configs set of topic t:\n  none')
  })

  test('of brokers, of their default, of loggers, groups and client metrics', async () => {
    await broker.on('configs --alter --broker 1 --add-config log.cleaner.threads=2')
    await broker.on('configs --alter --broker-defaults --add-config log.retention.ms=900000')
    expect(await settings('--entity-type brokers')).toMatchObject({
      1: { 'log.cleaner.threads': '2' },
      null: { 'log.retention.ms': '900000' },
    })
    expect(await settings('--entity-type brokers --entity-default')).toMatchObject({
      null: { 'log.retention.ms': '900000' },
    })
    expect(await settings('--broker-logger 1')).toMatchObject({ 1: { root: expect.any(String) } })
    await broker.on('configs --alter --group g --add-config consumer.session.timeout.ms=46000')
    expect(await settings('--entity-type groups')).toEqual({ g: { 'consumer.session.timeout.ms': '46000' } })
    await broker.on('configs --alter --client-metrics m --add-config interval.ms=1000')
    expect(await settings('--client-metrics m')).toMatchObject({ m: { 'interval.ms': '1000' } })
  })

  test('quotas of users and clients, together and by default', async () => {
    const who = '--entity-type users --entity-name bob --entity-type clients --entity-default'
    await broker.on(`configs --alter ${who} --add-config consumer_byte_rate=5`)
    expect(await broker.json('configs --describe --user bob --client-defaults')).toEqual({
      quotas: [{ entity: { user: 'bob', 'client-id': null }, values: { consumer_byte_rate: 5 } }],
    })
    expect((await broker.on('configs --describe --entity-type users --entity-type clients')).out).toBe(
      "Quotas of user-principal 'bob', the default client-id: consumer_byte_rate=5",
    )
    const again = `configs --alter ${who} --delete-config consumer_byte_rate`
    expect(await broker.on(again)).toMatchObject({ code: 0 })
    expect(await broker.on(again)).toMatchObject({ code: 1, err: expect.stringContaining('not set') })
    expect(await broker.on('configs --alter --user bob --add-config SCRAM-SHA-256=[password=x]')).toMatchObject({
      code: 1,
      err: expect.stringContaining('not available yet'),
    })
  })

  test('from a file', async () => {
    const file = join(directory, 'topic.properties')
    writeFileSync(file, 'segment.ms=100000\n')
    await broker.on(`configs --alter --topic t --add-config-file ${file}`)
    expect(await settings('--topic t')).toEqual({ t: { 'segment.ms': '100000' } })
  })

  test('properties of the command itself: what has an effect, what has none, what would be unsafe', async () => {
    const file = join(directory, 'client.properties')
    writeFileSync(file, 'client.id=me\nrequest.timeout.ms=5000\nsasl.mechanism=PLAIN\n')
    expect(await broker.on(`topics --list --command-config ${file}`)).toEqual({
      code: 0,
      out: 't',
      err: `ottla: warning: sasl.mechanism in ${file} has no effect here`,
    })
    writeFileSync(file, 'security.protocol=SSL\n')
    const { code, err } = await broker.on(`topics --list --command-config ${file}`)
    expect([code, err]).toEqual([1, 'ottla: security.protocol=SSL: only PLAINTEXT is available yet'])
  })

  test('what there is not', async () => {
    for (const [line, message] of [
      ['--describe --topic none', 'topic none does not exist'],
      ['--describe --broker 9', 'broker 9 does not exist'],
      ['--alter --topic none --add-config retention.ms=1', 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['--alter --topic t --add-config retention.ms=x', 'INVALID_CONFIG'],
      ['--alter --topic t --add-config a.b=1', 'INVALID_CONFIG'],
    ]) {
      expect(await broker.on(`configs ${line}`), line).toMatchObject({
        code: 1,
        err: expect.stringContaining(message!),
      })
    }
  })

  test.each([
    '--describe',
    '--describe --entity-type planets',
    '--describe --topic t --entity-type brokers',
    '--describe --topic t --broker 1',
    '--describe --broker one',
    '--describe --entity-type topics --entity-default',
    '--describe --topic t --add-config a=1',
    '--alter --topic t',
    '--alter --entity-type topics --add-config a=1',
    '--alter --topic t --add-config retention.ms',
    '--alter --topic t --add-config b/c=1',
    '--alter --user bob --add-config consumer_byte_rate=fast',
  ])('%s is not understood', async (line) => {
    expect(await ottla('configs', ...line.split(' '))).toMatchObject({ code: 2, out: '' })
  })
})

test('configs on a command line', () => {
  expect(Object.fromEntries(parseConfigs('a=1, b = [2,3] ,c=,d=x=y'))).toEqual({ a: '1', b: '2,3', c: '', d: 'x=y' })
})
