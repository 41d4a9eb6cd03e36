import { expect, test } from 'vitest'
import { errorOfCode } from '../protocol/errors.ts'
import { ControllerWorld, newTopics } from './controller.testkit.ts'
import type { AlterConfigRequest, NewTopicRequest } from './policies.ts'

const outcome = ({ errorCode, errorMessage }: { errorCode: number; errorMessage: string | null }) => [
  errorOfCode(errorCode).name,
  errorMessage,
]

test('a policy for new topics sees what is asked for, and its error is the answer (KIP-108)', async () => {
  const world = new ControllerWorld()
  const seen: NewTopicRequest[] = []
  world.policies = {
    createTopic: (request) => {
      seen.push(request)
      if (request.topic === 'bad') throw new Error('no bad topics here')
    },
  }
  const controller = await world.open()
  const configs = [{ name: 'retention.ms', value: '5' }]
  const assignments = [{ partitionIndex: 0, brokerIds: [1] }]
  const { topics } = await controller.createTopics(
    newTopics({ name: 'good', numPartitions: 2, configs }, { name: 'given', assignments }, { name: 'bad' }),
  )
  expect(topics.map(outcome)).toEqual([
    ['NONE', null],
    ['NONE', null],
    ['POLICY_VIOLATION', 'no bad topics here'],
  ])
  expect(controller.image.topics.byName('bad')).toBeUndefined()
  expect(seen.slice(0, 2)).toEqual([
    {
      topic: 'good',
      numPartitions: 2,
      replicationFactor: 1,
      replicasAssignments: null,
      configs: { 'retention.ms': '5' },
    },
    { topic: 'given', numPartitions: null, replicationFactor: null, replicasAssignments: { 0: [1] }, configs: {} },
  ])
})

test('a policy for configs sees new values, not removals (KIP-133)', async () => {
  const world = new ControllerWorld()
  const seen: AlterConfigRequest[] = []
  world.policies = {
    alterConfig: (request) => {
      seen.push(request)
      if (request.configs['retention.ms'] === '1') throw new Error('too short')
    },
  }
  const controller = await world.open()
  await controller.createTopics(newTopics({ name: 't' }))
  const ask = async (value: string | null) => {
    const configs = [{ name: 'retention.ms', configOperation: value === null ? 1 : 0, value }]
    const request = { resources: [{ resourceType: 2, resourceName: 't', configs }], validateOnly: false }
    return outcome((await controller.incrementalAlterConfigs(request, 'broker'))[0]!)
  }
  seen.length = 0
  expect(await ask('5')).toEqual(['NONE', null])
  expect(await ask('1')).toEqual(['POLICY_VIOLATION', 'too short'])
  expect(await ask(null)).toEqual(['NONE', null])
  expect(seen.map(({ resource, configs }) => [resource.name, configs])).toEqual([
    ['t', { 'retention.ms': '5' }],
    ['t', { 'retention.ms': '1' }],
    ['t', {}],
  ])
})
