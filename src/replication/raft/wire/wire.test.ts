import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decode, encode } from '../../../protocol/codec.ts'
import { errorOfCode, errors } from '../../../protocol/errors.ts'
import type { Message } from '../../../protocol/schema.ts'
import { includesVersion } from '../../../protocol/schema.ts'
import { ZERO_UUID } from '../../../protocol/uuid.ts'
import type { RaftRequest, RaftResponse } from '../core/types.ts'
import { requestFormats } from './requests.ts'
import { responseFormats } from './responses.ts'

const LISTENER = 'CONTROLLER'
const id = fc.integer({ min: 0, max: 1000 })
const offset = fc.integer({ min: 0, max: 2 ** 50 })
const directoryId = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('base64url'))
const replica = fc.record({ id, directoryId })
const endpoint = fc.record({ name: fc.constant(LISTENER), host: fc.domain(), port: fc.integer({ min: 1, max: 65535 }) })
const endpoints = fc.array(endpoint, { minLength: 1, maxLength: 1 })
const snapshot = fc.record({ offset, epoch: id })
const clusterId = fc.option(fc.string())
const kraftVersions = fc.record({ min: fc.constant(0), max: fc.integer({ min: 0, max: 3 }) })
const leadership = { epoch: id, leaderId: id, leaderEndpoints: endpoints }
const bytes = fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array))
const error = fc.integer({ min: -1, max: 130 }).map(errorOfCode)

/** The newest version says everything. */
const requests: Record<string, fc.Arbitrary<RaftRequest>> = {
  vote: fc.record({
    type: fc.constant('vote' as const),
    clusterId,
    epoch: id,
    candidate: replica,
    voter: fc.option(replica, { nil: undefined }),
    lastEpoch: id,
    lastOffset: offset,
    isPreVote: fc.boolean(),
  }),
  beginQuorumEpoch: fc.record({
    type: fc.constant('beginQuorumEpoch' as const),
    clusterId,
    epoch: id,
    leaderId: id,
    leaderEndpoints: endpoints,
    voter: fc.option(replica, { nil: undefined }),
  }),
  endQuorumEpoch: fc.record({
    type: fc.constant('endQuorumEpoch' as const),
    clusterId,
    epoch: id,
    leaderId: id,
    leaderEndpoints: endpoints,
    successors: fc.array(replica, { maxLength: 3 }),
  }),
  fetch: fc.record({
    type: fc.constant('fetch' as const),
    clusterId,
    epoch: id,
    replica,
    fetchOffset: offset,
    lastFetchedEpoch: id,
    highWatermark: offset,
    maxWaitMs: id,
    maxBytes: id,
  }),
  fetchSnapshot: fc.record({
    type: fc.constant('fetchSnapshot' as const),
    clusterId,
    epoch: id,
    replica,
    snapshot,
    positionBytes: offset,
    maxBytes: id,
  }),
  addVoter: fc.record({
    type: fc.constant('addVoter' as const),
    clusterId,
    voter: replica,
    endpoints,
    ackWhenCommitted: fc.boolean(),
  }),
  removeVoter: fc.record({ type: fc.constant('removeVoter' as const), clusterId, voter: replica }),
  updateVoter: fc.record({
    type: fc.constant('updateVoter' as const),
    clusterId,
    epoch: id,
    voter: replica,
    endpoints,
    kraftVersions,
  }),
}

const responses: Record<string, fc.Arbitrary<RaftResponse>> = {
  vote: fc.record({ type: fc.constant('vote' as const), error, isGranted: fc.boolean(), ...leadership }),
  beginQuorumEpoch: fc.record({ type: fc.constant('beginQuorumEpoch' as const), error, ...leadership }),
  endQuorumEpoch: fc.record({ type: fc.constant('endQuorumEpoch' as const), error, ...leadership }),
  fetch: fc.record({
    type: fc.constant('fetch' as const),
    error,
    ...leadership,
    highWatermark: offset,
    logStartOffset: offset,
    diverging: fc.option(snapshot, { nil: undefined }),
    snapshot: fc.option(snapshot, { nil: undefined }),
    records: bytes,
  }),
  fetchSnapshot: fc.record({
    type: fc.constant('fetchSnapshot' as const),
    error,
    ...leadership,
    snapshot,
    sizeBytes: offset,
    positionBytes: offset,
    bytes,
  }),
  addVoter: fc.record({
    type: fc.constant('addVoter' as const),
    error,
    message: fc.option(fc.string(), { nil: null }),
  }),
  removeVoter: fc.record({
    type: fc.constant('removeVoter' as const),
    error,
    message: fc.option(fc.string(), { nil: null }),
  }),
  updateVoter: fc.record({ type: fc.constant('updateVoter' as const), error, ...leadership }),
}

interface AnyFormat {
  readonly message: Message
  encode(value: unknown, listenerName: string): never
  decode(message: unknown, listenerName: string): unknown
}

function newestOf({ versions }: Message): number {
  let version = 0
  while (includesVersion(versions, version + 1)) version++
  return version
}

function through({ message, encode: write, decode: read }: AnyFormat, value: unknown, version: number): unknown {
  return read(decode(message, version, encode(message, version, write(value, LISTENER))), LISTENER)
}

describe('messages of the quorum go over the wire and come back as they were', () => {
  test.each(Object.keys(requests))('request %s', (type) => {
    const format = requestFormats[type as 'vote'] as unknown as AnyFormat
    fc.assert(
      fc.property(requests[type]!, (request) => {
        expect(through(format, request, newestOf(format.message))).toEqual(request)
      }),
    )
  })

  test.each(Object.keys(responses))('response %s', (type) => {
    const format = responseFormats[type as 'vote'] as unknown as AnyFormat
    fc.assert(
      fc.property(responses[type]!, (response) => {
        expect(through(format, response, newestOf(format.message))).toEqual(response)
      }),
    )
  })

  test.each(['vote', 'beginQuorumEpoch', 'endQuorumEpoch', 'fetch', 'fetchSnapshot'])(
    'an error of the whole response to %s',
    (type) => {
      const format = responseFormats[type as 'vote'] as unknown as AnyFormat
      const response = fc.sample(responses[type]!, { numRuns: 1, seed: 1 })[0]!
      const refused = { ...response, error: errors.INCONSISTENT_CLUSTER_ID, isTopLevel: true }
      const came = through(format, refused, newestOf(format.message))
      expect(came).toMatchObject({ type, error: errors.INCONSISTENT_CLUSTER_ID, isTopLevel: true, leaderId: -1 })
    },
  )
})

test('version 0 names neither voters nor directories (before KIP-853)', () => {
  const format = requestFormats.vote as unknown as AnyFormat
  const request = fc.sample(requests.vote!, { numRuns: 1, seed: 1 })[0]!
  expect(through(format, { ...request, isPreVote: false }, 0)).toMatchObject({
    voter: undefined,
    candidate: { directoryId: ZERO_UUID },
  })
})

test('what speaks of another log is no request of the quorum', () => {
  const said = { partitionIndex: 0, leaderId: 1, leaderEpoch: 1, voterDirectoryId: ZERO_UUID }
  const common = { clusterId: null, voterId: 1, leaderEndpoints: [] }
  const { decode: read } = requestFormats.beginQuorumEpoch
  expect(read({ ...common, topics: [] })).toBeUndefined()
  expect(read({ ...common, topics: [{ topicName: 'other', partitions: [said] }] })).toBeUndefined()
  const ours = { topicName: '__cluster_metadata', partitions: [{ ...said, partitionIndex: 1 }] }
  expect(read({ ...common, topics: [ours] })).toBeUndefined()
})
