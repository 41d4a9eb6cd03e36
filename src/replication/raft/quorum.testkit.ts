import { silentLogger } from '../../platform/logger.ts'
import type { MemoryDisk } from '../../platform/memory-disk.ts'
import type { Connection } from '../../platform/network.ts'
import { apis } from '../../protocol/api-keys.ts'
import { codecOf } from '../../protocol/codec.ts'
import { FrameDecoder } from '../../protocol/frame-decoder.ts'
import { decodeRequestHeader, encodeResponse } from '../../protocol/frames.ts'
import { versionRecord, votersRecord } from './core/control-records.ts'
import { VOTER } from './core/quorum.testkit.ts'
import type { RaftRequest, RaftResponse, VoterNode } from './core/types.ts'
import { VoterSet } from './core/voters.ts'
import { LOG_DIRECTORY as LOG_NAME } from './load.ts'
import { SnapshotBuilder, snapshotPath } from './snapshot-file.ts'
import type { LeadershipListener } from './types.ts'
import { answerQuorumRequest, type QuorumRequestType } from './wire/answer.ts'

export const DIRECTORY = '/data'
export const LOG_DIRECTORY = `${DIRECTORY}/${LOG_NAME}`
/** The first segment. */
export const LOG = `${LOG_DIRECTORY}/00000000000000000000.log`

/** Records that are texts. */
export const serde = { encode: (text: string) => Buffer.from(text), decode: (value: Buffer) => value.toString() }

/** What a node needs to be told of its log, and of its part in the quorum: no snapshots, and nothing is ever deleted. */
export const QUORUM_DEFAULTS = {
  ...VOTER,
  logger: silentLogger,
  directory: DIRECTORY,
  fetchMaxBytes: 8 * 1024 * 1024,
  fetchSnapshotMaxBytes: 1e6,
  appendLingerMs: 0,
  snapshotMaxNewRecordBytes: 1e9,
  snapshotMaxIntervalMs: 0,
  segmentBytes: 1e9,
  segmentMs: 1e9,
  retentionBytes: -1,
  retentionMs: -1,
}

/** State that is the list of all records. */
export class Journal implements LeadershipListener<string> {
  records: string[] = []
  lastOffset = -1
  aborts = 0
  leaders: string[] = []
  onLeader: (leaderId: number) => void = () => {}

  onSnapshotEnd(): void {}

  onSnapshotLoad(): void {
    this.records = []
  }

  onCommit(records: readonly string[], { lastOffset }: { lastOffset: number }): void {
    this.records.push(...records)
    this.lastOffset = lastOffset
  }

  onAbort(): void {
    this.aborts++
  }

  snapshotRecords(): string[] {
    return this.records
  }

  onLeaderChange(leaderId: number, epoch: number): void {
    this.leaders.push(`${leaderId} in ${epoch}`)
    this.onLeader(leaderId)
  }
}

/** What a format command with initial voters leaves. */
export function formatWith(disk: MemoryDisk, voters: readonly VoterNode[]): void {
  const controls = [versionRecord(1), votersRecord(new VoterSet(voters))]
  disk.makeDirectory(LOG_DIRECTORY)
  const file = Buffer.concat(new SnapshotBuilder(0, 0, 0, controls).finish())
  disk.replaceFile(snapshotPath(LOG_DIRECTORY, { offset: 0, epoch: 0 }), file)
}

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
