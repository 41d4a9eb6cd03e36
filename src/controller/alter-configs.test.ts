import { describe, expect, it } from 'vitest'
import { errorOfCode } from '../protocol/errors.ts'
import { ControllerWorld, newTopics } from './controller.testkit.ts'

const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3]
const [TOPIC, BROKER, LOGGER, METRICS, GROUP] = [2, 4, 8, 16, 32]

const one = (resourceType: number, resourceName: string, ...operations: [string, number, string | null][]) => ({
  resources: [
    {
      resourceType,
      resourceName,
      configs: operations.map(([name, configOperation, value]) => ({ name, configOperation, value })),
    },
  ],
  validateOnly: false,
})

async function controllerWithTopic() {
  const controller = await new ControllerWorld().open()
  await controller.createTopics(newTopics({ name: 't' }))
  return controller
}

const outcome = ({ errorCode, errorMessage }: { errorCode: number; errorMessage: string | null }) => [
  errorOfCode(errorCode).name,
  errorMessage,
]

describe('incrementalAlterConfigs', () => {
  it('sets, appends, subtracts and deletes', async () => {
    const controller = await controllerWithTopic()
    const values = () => Object.fromEntries(controller.image.configs.of(TOPIC, 't'))
    await controller.incrementalAlterConfigs(one(TOPIC, 't', ['retention.ms', SET, '5']), 'broker')
    // What is appended to is the default where nothing was set.
    await controller.incrementalAlterConfigs(one(TOPIC, 't', ['cleanup.policy', APPEND, 'compact']), 'broker')
    expect(values()).toEqual({ 'retention.ms': '5', 'cleanup.policy': 'delete,compact' })
    await controller.incrementalAlterConfigs(one(TOPIC, 't', ['cleanup.policy', SUBTRACT, 'delete']), 'broker')
    await controller.incrementalAlterConfigs(one(TOPIC, 't', ['retention.ms', DELETE, null]), 'broker')
    expect(values()).toEqual({ 'cleanup.policy': 'compact' })
  })

  it('only checks when asked to', async () => {
    const controller = await controllerWithTopic()
    const request = { ...one(TOPIC, 't', ['retention.ms', SET, '5']), validateOnly: true }
    expect((await controller.incrementalAlterConfigs(request, 'broker')).map(outcome)).toEqual([['NONE', null]])
    expect(controller.image.configs.of(TOPIC, 't').size).toBe(0)
  })

  it('a controller takes no directories that their broker has not checked (KIP-1066)', async () => {
    const controller = await new ControllerWorld({ 'log.dirs': '/data,/more' }).open()
    const set = async (kind: 'broker' | 'controller', value: string) => {
      const request = one(BROKER, '1', ['cordoned.log.dirs', SET, value])
      const [result] = await controller.incrementalAlterConfigs(request, kind)
      return outcome(result!)[0]
    }
    expect(await set('controller', '/data')).toBe('INVALID_CONFIG')
    expect(await set('broker', '/data,/more')).toBe('NONE')
    expect(await set('controller', '/data, /more')).toBe('NONE')
    expect(await set('controller', '/more')).toBe('NONE')
    expect(await set('controller', '/data')).toBe('INVALID_CONFIG')
    expect(await set('controller', '')).toBe('NONE')
  })

  it('puts dynamic broker configs in force before it answers', async () => {
    const world = new ControllerWorld()
    const controller = await world.open()
    await controller.incrementalAlterConfigs(one(BROKER, '', ['log.retention.ms', SET, '77']), 'broker')
    expect(world.config.get('log.retention.ms')).toBe(77)
    await controller.incrementalAlterConfigs(one(BROKER, '1', ['log.retention.ms', SET, '78']), 'broker')
    expect(world.config.get('log.retention.ms')).toBe(78)
    await controller.incrementalAlterConfigs(one(BROKER, '1', ['log.retention.ms', DELETE, null]), 'broker')
    expect(world.config.get('log.retention.ms')).toBe(77)
  })

  it.each([
    [one(TOPIC, 'u', ['retention.ms', SET, '5']), 'UNKNOWN_TOPIC_OR_PARTITION', "The topic 'u' does not exist."],
    [one(TOPIC, '', ['retention.ms', SET, '5']), 'INVALID_REQUEST', 'Default topic resources are not allowed.'],
    [one(TOPIC, 't', ['no.such', SET, '5']), 'INVALID_CONFIG', 'Unknown topic config name: no.such'],
    [
      one(TOPIC, 't', ['retention.ms', APPEND, '5']),
      'INVALID_CONFIG',
      "Can't APPEND to key retention.ms because its type is not LIST.",
    ],
    [one(TOPIC, 't', ['retention.ms', SET, null]), 'INVALID_REQUEST', 'Null value not supported for : retention.ms'],
    [
      one(TOPIC, 't', ['retention.ms', SET, '1'], ['retention.ms', SET, '2']),
      'INVALID_REQUEST',
      'Error due to duplicate config keys',
    ],
    [one(TOPIC, 't', ['retention.ms', 7, '1']), 'UNKNOWN_SERVER_ERROR', null],
    [one(BROKER, 'x', ['log.retention.ms', SET, '5']), 'INVALID_REQUEST', 'Node id must be an integer, but it is: x'],
    [
      one(BROKER, '2', ['log.retention.ms', SET, '5']),
      'INVALID_REQUEST',
      'Unexpected broker id, expected 1, but received 2',
    ],
    [
      one(BROKER, '1', ['min.insync.replicas', SET, '1']),
      'INVALID_CONFIG',
      'Broker-level min.insync.replicas cannot be altered while ELR is enabled.',
    ],
    [
      one(BROKER, '', ['min.insync.replicas', DELETE, null]),
      'INVALID_CONFIG',
      'Cluster-level min.insync.replicas cannot be removed while ELR is enabled.',
    ],
    [
      one(BROKER, '', ['process.roles', SET, 'broker']),
      'INVALID_REQUEST',
      'Cannot update these configs dynamically: [process.roles]',
    ],
    [
      one(GROUP, '', ['consumer.session.timeout.ms', SET, '1']),
      'INVALID_REQUEST',
      'Default group resources are not allowed.',
    ],
    [one(GROUP, 'g', ['no.such', SET, '1']), 'INVALID_CONFIG', 'Unknown group config name: no.such'],
    [one(METRICS, '', ['interval.ms', SET, '1000']), 'INVALID_REQUEST', "Subscription name can't be empty"],
    [one(LOGGER, '', ['root', SET, 'INFO']), 'INVALID_REQUEST', 'Node id must be an integer, but it is: '],
    [one(LOGGER, '1', ['kafka.X', SET, 'INFO']), 'INVALID_CONFIG', 'Logger kafka.X does not exist!'],
    [one(99, 'x'), 'INVALID_REQUEST', 'Unknown resource type 99'],
    [
      one(TOPIC, 't', ['follower.replication.throttled.replicas', SET, `0:1${',0:1'.repeat(9000)}`]),
      'INVALID_CONFIG',
      'The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.',
    ],
  ])('refuses %j', async (request, error, message) => {
    const controller = await controllerWithTopic()
    const { offset } = controller.image
    expect((await controller.incrementalAlterConfigs(request, 'broker')).map(outcome)).toEqual([[error, message]])
    expect(controller.image.offset).toBe(offset)
  })

  it('refuses resources that come twice, each time, and answers in the order of the request', async () => {
    const controller = await controllerWithTopic()
    const twice = one(TOPIC, 't', ['retention.ms', SET, '5']).resources
    const other = one(GROUP, 'g', ['consumer.session.timeout.ms', SET, '45001']).resources
    const request = { resources: [...twice, ...other, ...twice], validateOnly: false }
    const refused = ['INVALID_REQUEST', 'Each resource must appear at most once.']
    const results = await controller.incrementalAlterConfigs(request, 'broker')
    expect(results.map(outcome)).toEqual([refused, ['NONE', null], refused])
  })

  it('sets the level of the one logger at once, and writes nothing (KIP-412)', async () => {
    const world = new ControllerWorld()
    const controller = await world.open()
    const { offset } = controller.image
    const ask = async (request: ReturnType<typeof one>) =>
      (await controller.incrementalAlterConfigs(request, 'broker')).map(outcome)[0]![0]
    expect(await ask({ ...one(LOGGER, '1', ['root', SET, 'TRACE']), validateOnly: true })).toBe('NONE')
    expect(world.logger.level).toBe('INFO')
    expect(await ask(one(LOGGER, '1', ['root', SET, 'DEBUG']))).toBe('NONE')
    expect(world.logger.level).toBe('DEBUG')
    expect(await ask(one(LOGGER, '1', ['root', SET, 'LOUD']))).toBe('INVALID_CONFIG')
    expect(await ask(one(LOGGER, '1', ['root', DELETE, null]))).toBe('INVALID_REQUEST')
    expect(await ask(one(LOGGER, '1', ['root', APPEND, 'INFO']))).toBe('INVALID_REQUEST')
    expect([world.logger.level, controller.image.offset]).toEqual(['DEBUG', offset])
  })

  it('by way of a controller answers as controllers do', async () => {
    const controller = await controllerWithTopic()
    const results = await controller.incrementalAlterConfigs(one(99, 'x'), 'controller')
    expect(results.map(outcome)).toEqual([['UNSUPPORTED_VERSION', 'Unknown resource type 99.']])
    const twice = one(TOPIC, 't', ['retention.ms', SET, '5']).resources
    const request = { resources: [...twice, ...twice], validateOnly: false }
    const once = await controller.incrementalAlterConfigs(request, 'controller')
    expect(once.map(outcome)).toEqual([['INVALID_REQUEST', 'Duplicate resource.']])
  })

  it('makes eligible leaders void when min.insync.replicas changes (KIP-966)', async () => {
    const controller = await controllerWithTopic()
    const { offset } = controller.image
    await controller.incrementalAlterConfigs(one(TOPIC, 't', ['min.insync.replicas', SET, '2']), 'broker')
    // ConfigRecord and ClearElrRecord.
    expect(controller.image.offset).toBe(offset + 2)
  })
})

describe('alterConfigs', () => {
  const request = (resourceName: string, configs: { name: string; value: string | null }[]) => ({
    resources: [{ resourceType: TOPIC, resourceName, configs }],
    validateOnly: false,
  })

  it('replaces all that was set', async () => {
    const controller = await controllerWithTopic()
    await controller.alterConfigs(request('t', [{ name: 'retention.ms', value: '5' }]), 'broker')
    await controller.alterConfigs(request('t', [{ name: 'segment.ms', value: '6' }]), 'broker')
    expect(Object.fromEntries(controller.image.configs.of(TOPIC, 't'))).toEqual({ 'segment.ms': '6' })
  })

  it('refuses null and loggers', async () => {
    const controller = await controllerWithTopic()
    const nulls = await controller.alterConfigs(request('t', [{ name: 'retention.ms', value: null }]), 'broker')
    expect(nulls.map(outcome)).toEqual([['INVALID_REQUEST', 'Null value not supported for : retention.ms']])
    const logger = { resources: [{ resourceType: LOGGER, resourceName: '1', configs: [] }], validateOnly: false }
    const loggers = await controller.alterConfigs(logger, 'broker')
    expect(loggers.map(outcome)).toEqual([['INVALID_REQUEST', 'Unknown resource type 8']])
  })
})
