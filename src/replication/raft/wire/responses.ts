import { errorOfCode, errors } from '../../../protocol/errors.ts'
import { AddRaftVoterResponse } from '../../../protocol/messages/add-raft-voter.ts'
import { ApiVersionsResponse } from '../../../protocol/messages/api-versions.ts'
import { BeginQuorumEpochResponse } from '../../../protocol/messages/begin-quorum-epoch.ts'
import { EndQuorumEpochResponse } from '../../../protocol/messages/end-quorum-epoch.ts'
import { FetchResponse } from '../../../protocol/messages/fetch.ts'
import { FetchSnapshotResponse } from '../../../protocol/messages/fetch-snapshot.ts'
import { RemoveRaftVoterResponse } from '../../../protocol/messages/remove-raft-voter.ts'
import { UpdateRaftVoterResponse } from '../../../protocol/messages/update-raft-voter.ts'
import { VoteResponse } from '../../../protocol/messages/vote.ts'
import type { InputOf, Message, MessageOf } from '../../../protocol/schema.ts'
import type * as core from '../core/types.ts'
import type { SnapshotId, VoterEndpoint } from '../types.ts'
import { METADATA_TOPIC, METADATA_TOPIC_ID, single } from './requests.ts'

type ResponseOf<T extends core.RaftResponse['type'], R = core.RaftResponse> = R extends { readonly type: infer U }
  ? T extends U
    ? R & { readonly type: T }
    : never
  : never

/** How an answer of the quorum looks on the wire. Of the leader's endpoints only that of one listener goes over it. */
interface Format<T extends core.RaftResponse, M extends Message> {
  readonly message: M
  encode(response: T, listenerName: string): InputOf<M>
  /** undefined for an answer that says nothing of the metadata log. */
  decode(message: MessageOf<M>, listenerName: string): T | undefined
}

function format<T extends Exclude<core.RaftResponse['type'], 'versions'>, M extends Message>(
  message: M,
  encode: (response: ResponseOf<T>, listenerName: string) => InputOf<M>,
  decode: (message: MessageOf<M>, listenerName: string) => ResponseOf<T> | undefined,
): Format<ResponseOf<T>, M> {
  return { message, encode, decode }
}

interface NodeEndpoint {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

function nodeEndpoints({ leaderId, leaderEndpoints }: core.Leadership, listenerName: string): NodeEndpoint[] {
  const endpoint = leaderEndpoints.find(({ name }) => name === listenerName)
  return leaderId < 0 || endpoint === undefined ? [] : [{ nodeId: leaderId, host: endpoint.host, port: endpoint.port }]
}

function leaderEndpoints(nodes: readonly NodeEndpoint[], leaderId: number, name: string): VoterEndpoint[] {
  const node = nodes.find(({ nodeId }) => nodeId === leaderId)
  return node === undefined ? [] : [{ name, host: node.host, port: node.port }]
}

/** What a response says that is an error as a whole. */
function topLevel(errorCode: number): core.Leadership & { error: ReturnType<typeof errorOfCode>; isTopLevel: true } {
  return { error: errorOfCode(errorCode), isTopLevel: true, epoch: -1, leaderId: -1, leaderEndpoints: [] }
}

interface QuorumPartition {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly leaderId: number
  readonly leaderEpoch: number
}

interface QuorumMessage<P extends QuorumPartition> {
  readonly topics: readonly { readonly topicName: string; readonly partitions: readonly P[] }[]
  readonly nodeEndpoints: readonly NodeEndpoint[]
}

function encodeQuorum<P extends object>(
  response: core.Leadership & { readonly error: { readonly code: number }; readonly isTopLevel?: boolean },
  listenerName: string,
  more: P,
) {
  const { error, leaderId, epoch: leaderEpoch } = response
  if (response.isTopLevel) return { errorCode: error.code, topics: [], nodeEndpoints: [] }
  const partition = { partitionIndex: 0, errorCode: error.code, leaderId, leaderEpoch, ...more }
  return {
    errorCode: 0,
    topics: [{ topicName: METADATA_TOPIC, partitions: [partition] }],
    nodeEndpoints: nodeEndpoints(response, listenerName),
  }
}

function decodeQuorum<P extends QuorumPartition>(message: QuorumMessage<P>, listenerName: string) {
  const topic = single(message.topics)
  const said = topic?.topicName === METADATA_TOPIC ? single(topic.partitions) : undefined
  if (said?.partitionIndex !== 0) return undefined
  const { leaderId, leaderEpoch: epoch } = said
  const endpoints = leaderEndpoints(message.nodeEndpoints, leaderId, listenerName)
  return { said, common: { error: errorOfCode(said.errorCode), epoch, leaderId, leaderEndpoints: endpoints } }
}

const vote = format<'vote', typeof VoteResponse>(
  VoteResponse,
  (response, listenerName) => encodeQuorum(response, listenerName, { voteGranted: response.isGranted }),
  (message, listenerName) => {
    if (message.errorCode !== 0) return { type: 'vote', isGranted: false, ...topLevel(message.errorCode) }
    const decoded = decodeQuorum(message, listenerName)
    return decoded && { type: 'vote', isGranted: decoded.said.voteGranted, ...decoded.common }
  },
)

const beginQuorumEpoch = format<'beginQuorumEpoch', typeof BeginQuorumEpochResponse>(
  BeginQuorumEpochResponse,
  (response, listenerName) => encodeQuorum(response, listenerName, {}),
  (message, listenerName) => {
    if (message.errorCode !== 0) return { type: 'beginQuorumEpoch', ...topLevel(message.errorCode) }
    const decoded = decodeQuorum(message, listenerName)
    return decoded && { type: 'beginQuorumEpoch', ...decoded.common }
  },
)

const endQuorumEpoch = format<'endQuorumEpoch', typeof EndQuorumEpochResponse>(
  EndQuorumEpochResponse,
  (response, listenerName) => encodeQuorum(response, listenerName, {}),
  (message, listenerName) => {
    if (message.errorCode !== 0) return { type: 'endQuorumEpoch', ...topLevel(message.errorCode) }
    const decoded = decodeQuorum(message, listenerName)
    return decoded && { type: 'endQuorumEpoch', ...decoded.common }
  },
)

/** -1 in both stands for none. */
function snapshotIdOf({ endOffset, epoch }: { endOffset: number; epoch: number }): SnapshotId | undefined {
  return epoch < 0 && endOffset < 0 ? undefined : { offset: endOffset, epoch }
}

const fetch = format<'fetch', typeof FetchResponse>(
  FetchResponse,
  (response, listenerName) => {
    const { error, leaderId, epoch: leaderEpoch, highWatermark, logStartOffset, diverging, snapshot } = response
    const partition = {
      partitionIndex: 0,
      errorCode: error.code,
      highWatermark,
      logStartOffset,
      divergingEpoch: diverging && { epoch: diverging.epoch, endOffset: diverging.offset },
      currentLeader: { leaderId, leaderEpoch },
      snapshotId: snapshot && { endOffset: snapshot.offset, epoch: snapshot.epoch },
      abortedTransactions: [],
      records: response.records === undefined ? [] : [response.records],
    }
    const topic = { topic: METADATA_TOPIC, topicId: METADATA_TOPIC_ID, partitions: [withoutUndefined(partition)] }
    return {
      throttleTimeMs: 0,
      sessionId: 0,
      errorCode: response.isTopLevel ? error.code : 0,
      responses: response.isTopLevel ? [] : [topic],
      nodeEndpoints: nodeEndpoints(response, listenerName),
    }
  },
  (message, listenerName) => {
    const none = { highWatermark: -1, logStartOffset: -1, diverging: undefined, snapshot: undefined }
    if (message.errorCode !== 0) return { type: 'fetch', ...none, ...topLevel(message.errorCode) }
    const topic = single(message.responses)
    const said = topic && single(topic.partitions)
    if (said?.partitionIndex !== 0) return undefined
    if (topic!.topicId !== METADATA_TOPIC_ID && topic!.topic !== METADATA_TOPIC) return undefined
    const { leaderId, leaderEpoch: epoch } = said.currentLeader
    return {
      type: 'fetch',
      error: errorOfCode(said.errorCode),
      epoch,
      leaderId,
      leaderEndpoints: leaderEndpoints(message.nodeEndpoints, leaderId, listenerName),
      highWatermark: said.highWatermark,
      logStartOffset: said.logStartOffset,
      diverging: said.divergingEpoch.epoch < 0 ? undefined : snapshotIdOf(said.divergingEpoch),
      snapshot: snapshotIdOf(said.snapshotId),
      records: said.records === null ? Buffer.alloc(0) : bytesOf(said.records),
    }
  },
)

/** A field that is not set takes its default. */
function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never
}

function bytesOf(records: Buffer | readonly Buffer[]): Buffer {
  return Buffer.isBuffer(records) ? records : Buffer.concat(records)
}

const NO_SNAPSHOT: SnapshotId = { offset: -1, epoch: -1 }

const fetchSnapshot = format<'fetchSnapshot', typeof FetchSnapshotResponse>(
  FetchSnapshotResponse,
  (response, listenerName) => {
    const { error, leaderId, epoch: leaderEpoch, snapshot, sizeBytes: size, positionBytes: position } = response
    const partition = {
      index: 0,
      errorCode: error.code,
      snapshotId: { endOffset: snapshot.offset, epoch: snapshot.epoch },
      currentLeader: { leaderId, leaderEpoch },
      size,
      position,
      unalignedRecords: response.bytes === undefined ? [] : [response.bytes],
    }
    return {
      throttleTimeMs: 0,
      errorCode: response.isTopLevel ? error.code : 0,
      topics: response.isTopLevel ? [] : [{ name: METADATA_TOPIC, partitions: [partition] }],
      nodeEndpoints: nodeEndpoints(response, listenerName),
    }
  },
  (message, listenerName) => {
    const none = { snapshot: NO_SNAPSHOT, sizeBytes: 0, positionBytes: 0 }
    if (message.errorCode !== 0) return { type: 'fetchSnapshot', ...none, ...topLevel(message.errorCode) }
    const topic = single(message.topics)
    const said = topic?.name === METADATA_TOPIC ? single(topic.partitions) : undefined
    if (said?.index !== 0) return undefined
    const { leaderId, leaderEpoch: epoch } = said.currentLeader
    return {
      type: 'fetchSnapshot',
      error: errorOfCode(said.errorCode),
      epoch,
      leaderId,
      leaderEndpoints: leaderEndpoints(message.nodeEndpoints, leaderId, listenerName),
      snapshot: { offset: said.snapshotId.endOffset, epoch: said.snapshotId.epoch },
      sizeBytes: said.size,
      positionBytes: said.position,
      bytes: bytesOf(said.unalignedRecords),
    }
  },
)

const addVoter = format<'addVoter', typeof AddRaftVoterResponse>(
  AddRaftVoterResponse,
  ({ error, message }) => ({ throttleTimeMs: 0, errorCode: error.code, errorMessage: message }),
  ({ errorCode, errorMessage }) => ({ type: 'addVoter', error: errorOfCode(errorCode), message: errorMessage }),
)

const removeVoter = format<'removeVoter', typeof RemoveRaftVoterResponse>(
  RemoveRaftVoterResponse,
  ({ error, message }) => ({ throttleTimeMs: 0, errorCode: error.code, errorMessage: message }),
  ({ errorCode, errorMessage }) => ({ type: 'removeVoter', error: errorOfCode(errorCode), message: errorMessage }),
)

const updateVoter = format<'updateVoter', typeof UpdateRaftVoterResponse>(
  UpdateRaftVoterResponse,
  (response, listenerName) => {
    const [node] = nodeEndpoints(response, listenerName)
    const { leaderId, epoch: leaderEpoch } = response
    const currentLeader = { leaderId, leaderEpoch, host: node?.host ?? '', port: node?.port ?? 0 }
    return { throttleTimeMs: 0, errorCode: response.error.code, currentLeader }
  },
  ({ errorCode, currentLeader }, listenerName) => {
    const { leaderId, leaderEpoch: epoch, host, port } = currentLeader
    const endpoints = leaderId < 0 || host === '' ? [] : [{ name: listenerName, host, port }]
    return { type: 'updateVoter', error: errorOfCode(errorCode), epoch, leaderId, leaderEndpoints: endpoints }
  },
)

const versions = {
  message: ApiVersionsResponse,
  decode({ errorCode, supportedFeatures }: MessageOf<typeof ApiVersionsResponse>): core.VersionsResponse {
    const feature = supportedFeatures.find(({ name }) => name === 'kraft.version')
    const kraftVersions = feature && { min: feature.minVersion, max: feature.maxVersion }
    return { type: 'versions', error: errorCode === 0 ? errors.NONE : errorOfCode(errorCode), kraftVersions }
  },
}

/** Every answer of the quorum, by its type. */
export const responseFormats = {
  vote,
  beginQuorumEpoch,
  endQuorumEpoch,
  fetch,
  fetchSnapshot,
  addVoter,
  removeVoter,
  updateVoter,
  versions,
}
