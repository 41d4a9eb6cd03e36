import { errors, type KafkaError } from '../../../protocol/errors.ts'
import { BatchView, batchSizeAt, magicAt } from '../../../protocol/records/batch.ts'
import { DecodeError } from '../../../protocol/wire.ts'
import type { SnapshotId } from '../types.ts'
import { replayControls } from './control-records.ts'
import { handleLeadership, hasFetched, OTHER_CLUSTER } from './elections.ts'
import { RaftInvariantError, type RaftNode } from './node.ts'
import type { Follower } from './roles.ts'
import type { FetchRequest, FetchResponse, FetchSnapshotRequest, FetchSnapshotResponse, RaftRequest } from './types.ts'

const NO_SNAPSHOT: SnapshotId = { offset: -1, epoch: -1 }

/** Fetch on the metadata log. undefined where there is nothing to say yet. `isLast`: whatever there is now is said. */
export function onFetchRequest(
  node: RaftNode,
  request: FetchRequest,
  nowMs: number,
  isLast: boolean,
): FetchResponse | undefined {
  if (!node.hasClusterId(request.clusterId)) return { ...answerFetch(node, errors.NONE), ...OTHER_CLUSTER }
  const { epoch, fetchOffset, lastFetchedEpoch, maxWaitMs } = request
  const isIllegal = maxWaitMs < 0 || fetchOffset < 0 || lastFetchedEpoch < 0 || lastFetchedEpoch > epoch
  const error = isIllegal ? errors.INVALID_REQUEST : node.leaderError(epoch)
  if (error !== undefined) return answerFetch(node, error)
  if (request.replica.id === node.self.id) return answerFetch(node, errors.UNKNOWN_SERVER_ERROR)
  const response = tryFetch(node, request, nowMs)
  const hasRecords = response.read !== undefined && response.read.offset < response.read.upTo
  const hasOther = response.diverging !== undefined || response.snapshot !== undefined
  const isNews = hasRecords || hasOther || request.highWatermark < response.highWatermark
  return isNews || isLast || maxWaitMs === 0 ? response : undefined
}

function tryFetch(node: RaftNode, request: FetchRequest, nowMs: number): FetchResponse {
  const { log } = node
  const { fetchOffset, lastFetchedEpoch, replica, maxBytes } = request
  const { latestSnapshot } = log
  if (fetchOffset === 0 && latestSnapshot !== undefined && latestSnapshot.offset > 0) {
    // From nothing, a snapshot is the shorter way.
    return { ...answerFetch(node, errors.NONE), snapshot: latestSnapshot }
  }
  const validity = log.validate(fetchOffset, lastFetchedEpoch)
  if (validity.kind === 'diverging') return { ...answerFetch(node, errors.NONE), diverging: validity.end }
  if (validity.kind === 'snapshot') return { ...answerFetch(node, errors.NONE), snapshot: validity.snapshot }
  const state = node.leaderState!
  if (state.updateReplica(replica, fetchOffset, log.durableOffset, nowMs)) node.commit(state.highWatermark)
  return { ...answerFetch(node, errors.NONE), read: { offset: fetchOffset, upTo: log.durableOffset, maxBytes } }
}

function answerFetch(node: RaftNode, error: KafkaError): FetchResponse {
  return {
    type: 'fetch',
    error,
    ...node.leadership,
    highWatermark: error === errors.NONE ? (node.leaderState?.highWatermark ?? -1) : -1,
    logStartOffset: node.log.startOffset,
    diverging: undefined,
    snapshot: undefined,
  }
}

/** FetchSnapshot. `sizeOf`: the size of a snapshot in bytes; undefined where there is no such snapshot. */
export function onFetchSnapshotRequest(
  node: RaftNode,
  request: FetchSnapshotRequest,
  sizeOf: (snapshot: SnapshotId) => number | undefined,
  nowMs: number,
): FetchSnapshotResponse {
  const { snapshot, positionBytes, maxBytes, replica } = request
  const answer = (error: KafkaError): FetchSnapshotResponse => {
    return { type: 'fetchSnapshot', error, ...node.leadership, snapshot: NO_SNAPSHOT, sizeBytes: 0, positionBytes: 0 }
  }
  if (!node.hasClusterId(request.clusterId)) return { ...answer(errors.NONE), ...OTHER_CLUSTER }
  const error = node.leaderError(request.epoch)
  if (error !== undefined) return answer(error)
  // What a format command made is not of the cluster: every node has its own.
  const sizeBytes = snapshot.offset > 0 && node.log.hasSnapshot(snapshot) ? sizeOf(snapshot) : undefined
  if (sizeBytes === undefined) return answer(errors.SNAPSHOT_NOT_FOUND)
  if (positionBytes < 0 || positionBytes >= sizeBytes) return answer(errors.POSITION_OUT_OF_RANGE)
  node.leaderState!.heardOf(replica, nowMs)
  const read = { positionBytes, maxBytes: Math.min(maxBytes, sizeBytes - positionBytes) }
  return { ...answer(errors.NONE), snapshot, sizeBytes, positionBytes, read }
}

/** Answers whether the response was a sound one. */
export function onFetchResponse(node: RaftNode, response: FetchResponse, nowMs: number): boolean {
  const handled = handleLeadership(node, response, nowMs)
  if (handled !== undefined) return handled
  const { role } = node
  if (role.name !== 'follower' || response.leaderId !== node.leaderId) return true
  if (response.error !== errors.NONE) return false
  if (response.diverging !== undefined) node.truncate(node.log.truncationFor(response.diverging))
  else if (response.snapshot !== undefined) beginSnapshot(node, role, response.snapshot)
  else {
    if (!appendFetched(node, response.records)) return false
    role.leaderHighWatermark = Math.max(role.leaderHighWatermark, response.highWatermark)
    commitAsFollower(node, role)
  }
  hasFetched(node, role, nowMs)
  return true
}

function beginSnapshot(node: RaftNode, role: Follower, id: SnapshotId): void {
  role.snapshot = node.log.hasSnapshot(id) ? undefined : { id, positionBytes: 0, isWhole: false }
}

/** A follower knows no more of what is committed than what it has itself. */
export function commitAsFollower(node: RaftNode, role: Follower): void {
  node.commit(Math.min(role.leaderHighWatermark, node.log.durableOffset))
}

/** Answers whether the batches follow on this log, are whole, and of no epoch that cannot be; else none is taken. */
function appendFetched(node: RaftNode, records: Buffer | undefined): boolean {
  if (records === undefined || records.length === 0) return true
  const batches = soundBatches(node, records)
  if (batches === undefined) return false
  for (const batch of batches) {
    if (batch.isControl) replayControls(batch, node.history)
    node.log.append(batch.partitionLeaderEpoch, batch.nextOffset)
  }
  for (let from = 0, startBytes = 0; from < batches.length; ) {
    // Each epoch by itself: where it begins is noted when it is written.
    const epoch = batches[from]!.partitionLeaderEpoch
    const next = batches.findIndex((batch, index) => index > from && batch.partitionLeaderEpoch !== epoch)
    const until = next < 0 ? batches.length : next
    const { nextOffset, end } = batches[until - 1]!
    node.effects.push({ type: 'append', batches: records.subarray(startBytes, end), nextOffset, epoch })
    startBytes = end
    from = until
  }
  return true
}

/** The last may be cut off, which is how a limit in bytes shows. undefined for what no leader sends. */
function soundBatches(node: RaftNode, records: Buffer): BatchView[] | undefined {
  const batches: BatchView[] = []
  let { offset, epoch } = node.log.end
  try {
    for (let at = 0; at < records.length; ) {
      const sizeBytes = batchSizeAt(records, at, records.length)
      if (sizeBytes === 0) break
      if (magicAt(records, at) !== 2) return undefined
      const batch = new BatchView(records, at)
      const isNext = batch.baseOffset === offset && batch.partitionLeaderEpoch >= epoch
      if (!isNext || batch.partitionLeaderEpoch > node.epoch || !batch.isCrcValid()) return undefined
      batches.push(batch)
      offset = batch.nextOffset
      epoch = batch.partitionLeaderEpoch
      at += sizeBytes
    }
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
  return batches.length === 0 ? undefined : batches
}

/** Answers whether the response was a sound one. */
export function onFetchSnapshotResponse(node: RaftNode, response: FetchSnapshotResponse, nowMs: number): boolean {
  const handled = handleLeadership(node, response, nowMs)
  if (handled !== undefined) return handled
  const { role } = node
  if (role.name !== 'follower' || role.snapshot === undefined) return true
  const { snapshot, positionBytes, sizeBytes, bytes, error } = response
  if (error === errors.SNAPSHOT_NOT_FOUND || snapshot.offset < 0 || snapshot.epoch < 0) {
    // A newer one has taken its place; the next fetch tells which.
    role.snapshot = undefined
    hasFetched(node, role, nowMs)
    return true
  }
  const { id } = role.snapshot
  const isExpected = snapshot.offset === id.offset && snapshot.epoch === id.epoch
  if (error !== errors.NONE || !isExpected || positionBytes !== role.snapshot.positionBytes) return false
  const endBytes = positionBytes + (bytes?.length ?? 0)
  if (bytes === undefined || bytes.length === 0 || endBytes > sizeBytes) return false
  const isLast = endBytes === sizeBytes
  node.effects.push({ type: 'snapshotBytes', snapshot: id, positionBytes, bytes, isLast })
  role.snapshot.positionBytes = endBytes
  role.snapshot.isWhole = isLast
  hasFetched(node, role, nowMs)
  return true
}

/** The snapshot takes the place of the log; the voters in it are told by whoever reads it, with `Raft.snapshotControls`. */
export function finishSnapshot(node: RaftNode, role: Follower): void {
  if (!role.snapshot?.isWhole) return
  const { id } = role.snapshot
  role.snapshot = undefined
  if (id.offset < node.highWatermark) {
    throw new RaftInvariantError(
      `a snapshot ends at ${id.offset}, but the log is committed up to ${node.highWatermark}`,
    )
  }
  node.log.restart(id)
  node.history.clear()
  node.effects.push({ type: 'restart', snapshot: id })
  node.commit(id.offset)
}

/** Asks the leader for more, or, where it does not answer, anybody who may know of another. */
export function fetchFromBest(node: RaftNode, role: Follower, nowMs: number): void {
  // What is being written would be asked for again, and a follower must not claim what a crash could take.
  if (node.log.durableOffset < node.log.endOffset || node.fetchAgainAtMs !== undefined) return
  if (role.snapshot?.isWhole) return
  const leader = node.leaderPeer()
  const hasTimedOut = leader !== undefined && node.peers.hasTimedOut(leader, nowMs)
  if (hasTimedOut) node.peers.forget(leader)
  if (leader === undefined || hasTimedOut || node.peers.isBackingOff(leader, nowMs)) fetchFromAnybody(node, nowMs)
  else if (!node.peers.isBusy(nowMs)) {
    node.send(leader, role.snapshot === undefined ? fetchRequest(node) : snapshotRequest(node, role.snapshot), nowMs)
  }
}

export function fetchFromAnybody(node: RaftNode, nowMs: number): void {
  if (node.log.durableOffset < node.log.endOffset || node.fetchAgainAtMs !== undefined) return
  const peer = node.peers.readyBootstrap(nowMs)
  if (peer !== undefined) node.send(peer, fetchRequest(node), nowMs)
}

function fetchRequest(node: RaftNode): RaftRequest {
  const { options, log, epoch, highWatermark, self } = node
  return {
    type: 'fetch',
    clusterId: options.clusterId,
    epoch,
    replica: self,
    fetchOffset: log.endOffset,
    lastFetchedEpoch: log.lastEpoch,
    highWatermark,
    maxWaitMs: options.fetchMaxWaitMs,
    maxBytes: options.fetchMaxBytes,
  }
}

function snapshotRequest(node: RaftNode, { id, positionBytes }: NonNullable<Follower['snapshot']>): RaftRequest {
  const { options, epoch, self } = node
  return {
    type: 'fetchSnapshot',
    clusterId: options.clusterId,
    epoch,
    replica: self,
    snapshot: id,
    positionBytes,
    maxBytes: options.fetchSnapshotMaxBytes,
  }
}
