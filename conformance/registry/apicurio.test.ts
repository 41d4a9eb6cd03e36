import { afterAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { eventually, freePort } from '../harness/process.ts'
import { runRegistryPython } from '../harness/python.ts'
import { startTarget } from '../harness/target.ts'
import { createTopics } from '../transactions/topics.ts'
import { call, type Registry, startRegistry } from './registry.ts'

let broker: Broker | undefined
let registry: Registry | undefined
afterAll(async () => {
  await registry?.kill()
  await broker?.stop()
})

const order = (idType: string, ...more: unknown[]) => ({
  type: 'record',
  name: 'Order',
  fields: [{ name: 'id', type: idType }, ...more],
})
const withNote = order('long', { name: 'note', type: 'string', default: '' })
const customer = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }

function version(schema: unknown): unknown {
  return { content: { content: JSON.stringify(schema), contentType: 'application/json' } }
}

/** Registers artifacts of two kinds and a rule; a schema that breaks the rule is refused. */
async function register(group: string): Promise<void> {
  const artifacts = `${group}/artifacts`
  const created = [
    { artifactId: 'order', artifactType: 'AVRO', firstVersion: version(order('long')) },
    { artifactId: 'customer', artifactType: 'JSON', firstVersion: version(customer) },
  ]
  for (const artifact of created) expect(await call(artifacts, artifact)).toMatchObject({ status: 200 })
  const rule = { ruleType: 'COMPATIBILITY', config: 'BACKWARD' }
  expect(await call(`${artifacts}/order/rules`, rule)).toMatchObject({ status: 204 })
  const refused = { status: 409, body: { name: 'RuleViolationException' } }
  expect(await call(`${artifacts}/order/versions`, version(order('string')))).toMatchObject(refused)
  expect(await call(`${artifacts}/order/versions`, version(withNote))).toMatchObject({ body: { version: '2' } })
}

/** All that the registry says of a group, but for dates: some are those of the start that has read the topic. */
async function contents(group: string): Promise<unknown> {
  const paths = ['', '/artifacts', '/artifacts/order/rules/COMPATIBILITY']
  for (const name of ['order', 'customer']) paths.push(`/artifacts/${name}/versions`)
  for (const name of ['order/versions/1', 'order/versions/2', 'customer/versions/1', 'later/versions/1']) {
    paths.push(`/artifacts/${name}`, `/artifacts/${name}/content`)
  }
  const answers = await Promise.all(paths.map(async (path) => [path, await call(`${group}${path}`)] as const))
  for (const [path, { status }] of answers) expect(status, path).toBe(200)
  return JSON.parse(JSON.stringify(answers), (key, value) => (/^(created|modified)On$/.test(key) ? undefined : value))
}

async function serde(command: 'write' | 'read'): Promise<string> {
  const confluent = `${registry!.url}/ccompat/v7`
  const { status, stdout, stderr } = await runRegistryPython([command, broker!.bootstrap, confluent])
  expect(status, stderr).toBe(0)
  return stdout
}

test('Apicurio Registry finds all that it has stored, after the broker was killed and after a start of its own', async () => {
  broker = await startTarget()
  await createTopics(broker, ['payments', 'refunds'], 1)
  const port = await freePort()
  registry = await startRegistry(broker, port)
  const group = `${registry.url}/registry/v3/groups/shop`
  await register(group)

  await broker.kill()
  broker = await startTarget({ home: broker.home })
  const later = { artifactId: 'later', artifactType: 'AVRO', firstVersion: version(withNote) }
  await eventually('a schema registered after the kill', 120_000, async () => {
    return (await call(`${group}/artifacts?ifExists=FIND_OR_CREATE_VERSION`, later)).status === 200 ? true : undefined
  })
  await serde('write')
  const before = await contents(group)
  const read = await serde('read')
  const records = read
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(records).toHaveLength(40)
  for (const [index, [, id, record]] of records.entries()) {
    expect(id).toBeGreaterThan(0)
    expect(record).toEqual({ id: index % 20, payer: `p${index % 20}` })
  }

  await registry.kill()
  registry = await startRegistry(broker, port)
  expect(await contents(group)).toEqual(before)
  expect(await serde('read')).toBe(read)
})
