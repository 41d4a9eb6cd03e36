import { describe, expect, test } from 'vitest'
import { BrokerConfig } from '../config/broker-config.ts'
import { MetadataImage } from '../metadata/image.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { errorOfCode, errors } from '../protocol/errors.ts'
import type { CreateTopicsRequest } from '../protocol/messages/create-topics.ts'
import type { ControllerLink, LinkOptions } from '../replication/channel/controller-link.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import { AutoTopics } from './auto-topics.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

const REQUIRED = {
  'node.id': '1',
  'process.roles': 'broker,controller',
  'controller.quorum.voters': '1@localhost:9093',
  'controller.listener.names': 'CONTROLLER',
  listeners: 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
}

type Asked = CreateTopicsRequest

/** `codes`: what the controller answers for a name; it is held back until `answer`. */
function setup(codes: Readonly<Record<string, number>> = {}, settings: Readonly<Record<string, string>> = {}) {
  const time = new VirtualTime()
  const image = new MetadataImage()
  const asked: Asked[] = []
  const options: (LinkOptions | undefined)[] = []
  const held: { resolve: () => void; reject: (error: Error) => void }[] = []
  const request = (_: unknown, body: (version: number) => Asked, linkOptions?: LinkOptions) => {
    const sent = body(7)
    asked.push(sent)
    options.push(linkOptions)
    const topics = sent.topics.map(({ name }) => ({ name, errorCode: codes[name] ?? 0, errorMessage: null }))
    return new Promise((resolve, reject) => {
      held.push({ resolve: () => resolve({ version: 7, response: { topics } }), reject })
    })
  }
  const config = new BrokerConfig(new Map(Object.entries({ ...REQUIRED, ...settings })))
  const topics = new AutoTopics({ link: { request } as unknown as ControllerLink, config, image, time })
  const create = (...names: string[]) => {
    const outcome: { value?: unknown } = {}
    void topics.create(names).then((made) => {
      outcome.value = made.map(({ name, errorCode }) => [name, errorOfCode(errorCode).name])
    })
    return outcome
  }
  const answer = async () => {
    for (const { resolve } of held.splice(0)) resolve()
    await time.advance(0)
  }
  const know = async (name: string) => {
    image.topics.add(name, TOPIC_ID)
    topics.onMetadataChange()
    await time.advance(0)
  }
  return { time, asked, options, held, create, answer, know }
}

describe('topics that nobody asked for by CreateTopics', () => {
  test('internal topics have settings of their own, others those of the cluster', async () => {
    const { asked, create } = setup(
      {},
      { 'offsets.topic.replication.factor': '2', 'transaction.state.log.min.isr': '2' },
    )
    create('__consumer_offsets', '__transaction_state', '__share_group_state', 'mine')
    const shown = asked[0]!.topics.map(({ name, numPartitions, replicationFactor, configs }) => [
      name,
      numPartitions,
      replicationFactor,
      Object.fromEntries(configs.map(({ name, value }) => [name, value])),
    ])
    expect(shown).toEqual([
      [
        '__consumer_offsets',
        50,
        2,
        { 'cleanup.policy': 'compact', 'compression.type': 'producer', 'segment.bytes': '104857600' },
      ],
      [
        '__transaction_state',
        50,
        3,
        {
          'unclean.leader.election.enable': 'false',
          'compression.type': 'uncompressed',
          'cleanup.policy': 'compact',
          'min.insync.replicas': '2',
          'segment.bytes': '104857600',
        },
      ],
      [
        '__share_group_state',
        50,
        3,
        {
          'cleanup.policy': 'delete',
          'compression.type': 'producer',
          'segment.bytes': '104857600',
          'min.insync.replicas': '2',
          'retention.ms': '-1',
        },
      ],
      ['mine', -1, -1, {}],
    ])
  })

  test('what the broker itself was told of new topics counts', async () => {
    const { asked, create } = setup({}, { 'num.partitions': '4', 'default.replication.factor': '2' })
    create('mine')
    expect(asked[0]!.topics).toMatchObject([{ numPartitions: 4, replicationFactor: 2 }])
  })

  test('answers once this broker knows of the topic, in the order of the names', async () => {
    const { create, answer, know, time } = setup({ bad: errors.INVALID_TOPIC_EXCEPTION.code })
    const outcome = create('a', 'bad', 'b')
    await answer()
    await know('b')
    expect(outcome.value).toBeUndefined()
    await know('a')
    await time.advance(0)
    expect(outcome.value).toEqual([
      ['a', 'NONE'],
      ['bad', 'INVALID_TOPIC_EXCEPTION'],
      ['b', 'NONE'],
    ])
  })

  test('does not wait for that for ever', async () => {
    const { create, answer, time } = setup()
    const outcome = create('a')
    await answer()
    await time.advance(4999)
    expect(outcome.value).toBeUndefined()
    await time.advance(1)
    expect(outcome.value).toEqual([['a', 'NONE']])
  })

  test('where somebody else was faster, all is well', async () => {
    const { create, answer, know } = setup({ a: errors.TOPIC_ALREADY_EXISTS.code })
    const outcome = create('a')
    await know('a')
    await answer()
    expect(outcome.value).toEqual([['a', 'NONE']])
  })

  test('what is being made is not asked for again', async () => {
    const { asked, create, answer, know } = setup()
    await know('a')
    await know('b')
    const outcomes = [create('a'), create('a', 'b')]
    expect(asked.map(({ topics }) => topics.map(({ name }) => name))).toEqual([['a'], ['b']])
    await answer()
    expect(outcomes.map(({ value }) => value)).toEqual([
      [['a', 'NONE']],
      [
        ['a', 'NONE'],
        ['b', 'NONE'],
      ],
    ])
    create('a')
    expect(asked).toHaveLength(3)
  })

  test('without a controller the names are told REQUEST_TIMED_OUT, before the client loses patience', async () => {
    const { time, options, held, create } = setup()
    const outcome = create('a', 'b')
    expect(options[0]?.timeoutMs).toBe(5000)
    held[0]!.reject(new RequestError('timed out', 'no controller'))
    await time.advance(0)
    expect(outcome.value).toEqual([
      ['a', 'REQUEST_TIMED_OUT'],
      ['b', 'REQUEST_TIMED_OUT'],
    ])
  })
})
