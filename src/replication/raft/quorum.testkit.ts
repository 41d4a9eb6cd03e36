import type { Connection } from '../../platform/network.ts'
import { apis } from '../../protocol/api-keys.ts'
import { codecOf } from '../../protocol/codec.ts'
import { FrameDecoder } from '../../protocol/frame-decoder.ts'
import { decodeRequestHeader, encodeResponse } from '../../protocol/frames.ts'
import type { RaftRequest, RaftResponse } from './core/types.ts'
import { answerQuorumRequest, type QuorumRequestType } from './wire/answer.ts'

const served: Readonly<Record<number, QuorumRequestType>> = {
  [apis.Fetch.key]: 'fetch',
  [apis.Vote.key]: 'vote',
  [apis.BeginQuorumEpoch.key]: 'beginQuorumEpoch',
  [apis.EndQuorumEpoch.key]: 'endQuorumEpoch',
  [apis.FetchSnapshot.key]: 'fetchSnapshot',
  [apis.AddRaftVoter.key]: 'addVoter',
  [apis.RemoveRaftVoter.key]: 'removeVoter',
  [apis.UpdateRaftVoter.key]: 'updateVoter',
}

interface Answerer {
  receive(request: RaftRequest): Promise<RaftResponse>
}

/** Answers what comes over a connection to a voter's listener; nothing once there is another quorum, or none. */
export function answerQuorum(
  connection: Connection,
  listenerName: string,
  quorumNow: () => Answerer | undefined,
): void {
  const decoder = new FrameDecoder(1e8)
  const answer = async (frame: Buffer): Promise<void> => {
    const quorum = quorumNow()
    if (quorum === undefined) return
    const { api, apiKey, apiVersion, correlationId, reader } = decodeRequestHeader(frame)
    const message = codecOf(api.request, apiVersion).read(reader)
    if (api === apis.ApiVersions) {
      connection.write(encodeResponse(apis.ApiVersions, apiVersion, correlationId, versions()))
      return
    }
    const body = await answerQuorumRequest(quorum, served[apiKey]!, message, listenerName)
    if (quorumNow() === quorum) connection.write(encodeResponse(api, apiVersion, correlationId, body))
  }
  connection.handle({
    data: (chunk) => {
      decoder.push(chunk)
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) void answer(frame)
    },
    drained() {},
    closed() {},
  })
}

function versions() {
  const apiKeys = [...Object.keys(served), apis.ApiVersions.key].map((key) => {
    const { low, high } = Object.values(apis).find((each) => each.key === Number(key))!.versions
    return { apiKey: Number(key), minVersion: low, maxVersion: high }
  })
  const supportedFeatures = [{ name: 'kraft.version', minVersion: 0, maxVersion: 1 }]
  return { errorCode: 0, apiKeys, throttleTimeMs: 0, supportedFeatures }
}
