import { expect, test } from 'vitest'
import { ControllerWorld } from '../controller/controller.testkit.ts'
import { loadPolicies } from './load-policies.ts'

const MODULES: Record<string, Record<string, unknown>> = {
  '/policy.mjs': {
    validate: ({ topic }: { topic: string }) => {
      if (topic === 'late') return Promise.resolve()
      throw new Error(`not ${topic}`)
    },
  },
  '/empty.js': {},
}

function load(value: string) {
  const { config, platform } = new ControllerWorld({ 'create.topic.policy.class.name': value })
  const importModule = async (path: string) => {
    const found = MODULES[path]
    if (found === undefined) throw new Error('no such file\nstack')
    return found
  }
  return loadPolicies(config, { ...platform, importModule })
}

test('a module with a function named validate is a policy', async () => {
  const { createTopic, alterConfig } = await load('/policy.mjs')
  const request = { numPartitions: 1, replicationFactor: 1, replicasAssignments: null, configs: {} }
  expect(() => createTopic!({ ...request, topic: 't' })).toThrow('not t')
  expect(() => createTopic!({ ...request, topic: 'late' })).toThrow('must answer at once')
  expect(alterConfig).toBeUndefined()
})

test.each([
  ['org.example.Policy', 'is a Java class'],
  ['/empty.js', 'exports no function named validate'],
  ['/missing.js', 'cannot be loaded: Error: no such file'],
])('a broker does not start with the policy %s', async (value, why) => {
  await expect(load(value)).rejects.toThrow(`create.topic.policy.class.name: ${value} ${why}`)
})
