import { afterEach, beforeEach, expect, test } from 'vitest'
import { apis } from '../../protocol/api-keys.ts'
import { nameOfError } from '../simulation/client.ts'
import { TestCluster } from './cluster.testkit.ts'

const BROKER = 4
const TOPIC = 2
const SET = 0

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.started(3)
})

afterEach(() => cluster.close())

interface Change {
  readonly type: number
  readonly of: string
  readonly name: string
  readonly value: string
}

async function alter(broker: number, ...changes: Change[]): Promise<string[]> {
  const resources = changes.map(({ type, of, name, value }) => ({
    resourceType: type,
    resourceName: of,
    configs: [{ name, configOperation: SET, value }],
  }))
  const body = { resources, validateOnly: false }
  const { responses } = await cluster.done(cluster.client.call(broker, apis.IncrementalAlterConfigs, 1, body))
  return responses.map(({ resourceName, errorCode }) => `${resourceName} ${nameOfError(errorCode)}`)
}

async function described(broker: number, type: number, of: string, name: string): Promise<string | null | undefined> {
  const body = { resources: [{ resourceType: type, resourceName: of, configurationKeys: [name] }] }
  const { results } = await cluster.done(cluster.client.call(broker, apis.DescribeConfigs, 4, body))
  return results[0]?.configs[0]?.value
}

test('each broker takes its own configs, wherever the active controller is, and passes on those of others', async () => {
  await cluster.createTopic('topic', 1)
  const retention = { type: TOPIC, of: 'topic', name: 'retention.ms' }
  for (const id of [1, 2, 3]) {
    const own = { type: BROKER, of: String(id), name: 'log.cleaner.threads', value: '2' }
    const other = { ...own, of: String((id % 3) + 1) }
    const changes = [other, { ...retention, value: String(1000 + id) }]
    expect(await alter(id, own)).toEqual([`${id} NONE`])
    expect(await alter(id, ...changes)).toEqual([`${other.of} INVALID_REQUEST`, 'topic NONE'])
    await cluster.pass(1000)
    expect(await described(id, BROKER, String(id), 'log.cleaner.threads')).toBe('2')
    expect(await described(id, TOPIC, 'topic', 'retention.ms')).toBe(String(1000 + id))
  }
})

test('a config that is refused is refused with its own reason, asked of whichever broker', async () => {
  await cluster.createTopic('topic', 1)
  const answers = []
  for (const id of [1, 2, 3]) {
    answers.push(await alter(id, { type: TOPIC, of: 'topic', name: 'retention.ms', value: 'much' }))
  }
  expect(answers).toEqual([['topic INVALID_CONFIG'], ['topic INVALID_CONFIG'], ['topic INVALID_CONFIG']])
})
