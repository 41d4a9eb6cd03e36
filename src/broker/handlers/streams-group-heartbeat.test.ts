import { expect, test } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import type { StreamsGroupDescribeRequest } from '../../protocol/messages/streams-group-describe.ts'
import type { StreamsGroupHeartbeatRequest } from '../../protocol/messages/streams-group-heartbeat.ts'
import type { RequestContext, Services } from '../types.ts'
import { handler as describe } from './streams-group-describe.ts'
import { handler as heartbeat } from './streams-group-heartbeat.ts'

const context = { clientId: 'c', apiVersion: 0, connection: { remoteAddress: '127.0.0.1' } } as RequestContext

/** Every group answers that two topics are missing; `failures` of them could not be made. */
function servicesFor(
  protocols: readonly string[],
  level: number,
  failures: readonly [string, string][] = [],
): Services {
  const status = [
    { statusCode: 5, statusDetail: 'Delayed.' },
    { statusCode: 3, statusDetail: 'Missing.' },
  ]
  return {
    config: { get: () => protocols },
    image: { featureLevel: () => level },
    streamsTopics: { create: () => {}, failures: () => failures },
    groups: {
      streamsHeartbeat: async () => ({ response: { status }, topicsToCreate: [{}] }),
      describeStreamsGroups: async (ids: string[]) => ids.map((groupId) => ({ groupId, errorCode: 0 })),
    },
  } as unknown as Services
}

function requestOf(...sourceTopics: string[]): StreamsGroupHeartbeatRequest {
  const none = { stateChangelogTopics: [], repartitionSinkTopics: [], repartitionSourceTopics: [] }
  return {
    topology: { epoch: 0, subtopologies: [{ sourceTopics, ...none }] },
  } as unknown as StreamsGroupHeartbeatRequest
}

test.each([
  [['classic', 'consumer'], 1],
  [['classic', 'streams'], 0],
])('KIP-1071: with the protocols %j and streams.version %i there are no streams groups', async (protocols, level) => {
  const services = servicesFor(protocols, level)
  const { code: errorCode } = errors.UNSUPPORTED_VERSION
  expect(await heartbeat.handle(requestOf('a'), context, services)).toEqual({ errorCode })
  const request: StreamsGroupDescribeRequest = { groupIds: ['g'], includeAuthorizedOperations: false }
  expect(await describe.handle(request, context, services)).toMatchObject({ groups: [{ groupId: 'g', errorCode }] })
})

test.each([['__consumer_offsets'], ['__share_group_state'], ['bad/name'], ['']])(
  '%j is no topic of a topology',
  async (name) => {
    const response = await heartbeat.handle(requestOf('a', name), context, servicesFor(['streams'], 1))
    expect(response).toMatchObject({ errorCode: errors.STREAMS_INVALID_TOPOLOGY.code })
  },
)

test('a member is told of three topics that could not be made, and how many more there are', async () => {
  const failures = Array.from({ length: 5 }, (_, i): [string, string] => [`t${i}`, 'why'])
  const ask = (count: number) =>
    heartbeat.handle(requestOf('a'), context, servicesFor(['streams'], 1, failures.slice(0, count)))
  const told = { statusCode: 5, statusDetail: 'Delayed.' }
  expect(await ask(0)).toEqual({ status: [told, { statusCode: 3, statusDetail: 'Missing.' }] })
  const one = 'Missing.; Creation failed: t0 (why).'
  expect(await ask(1)).toEqual({ status: [told, { statusCode: 3, statusDetail: one }] })
  const five = 'Missing.; Creation failed: t0 (why), t1 (why), t2 (why) and 2 more.'
  expect(await ask(5)).toEqual({ status: [told, { statusCode: 3, statusDetail: five }] })
})
