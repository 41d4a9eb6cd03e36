import { CORDONED_DIRECTORIES_LEVEL, DIRECTORIES_LEVEL, METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import type { BrokerImage } from '../metadata/types.ts'
import type { BrokerHeartbeatRequest } from '../protocol/messages/broker-heartbeat.ts'
import {
  recordsForControlledShutdown,
  recordsForFenced,
  recordsForLostDirectories,
  recordsForUnfenced,
} from './broker-changes.ts'
import { type Decision, type DecisionContext, Refusal } from './result.ts'
import type { BrokerSessions } from './sessions.ts'

export interface HeartbeatContext extends DecisionContext {
  readonly sessions: BrokerSessions
  /** Of the monotonic clock. */
  readonly nowMs: number
  /** The offset of the first record that is decided. */
  readonly nextOffset: number
}

/** What a broker may be. 'gone': fenced, and told that it may end. */
type State = 'fenced' | 'unfenced' | 'shuttingDown' | 'gone'

/** Throws Refusal STALE_BROKER_EPOCH unless the broker is registered in this epoch. */
export function checkBrokerEpoch({ brokers }: MetadataImage, brokerId: number, epoch: number): BrokerImage {
  const broker = brokers.get(brokerId)
  if (broker === undefined) {
    throw new Refusal('STALE_BROKER_EPOCH', `No broker registration found for broker id ${brokerId}`)
  }
  if (broker.epoch !== epoch) {
    throw new Refusal('STALE_BROKER_EPOCH', `Expected broker epoch ${broker.epoch}, but got broker epoch ${epoch}`)
  }
  return broker
}

/**
 * The records that say which directories of a broker have failed, and which take no new replicas. To be decided before
 * what else a heartbeat says, which depends on it. Throws Refusal STALE_BROKER_EPOCH.
 */
export function heartbeatDirectories(context: DecisionContext, request: BrokerHeartbeatRequest): MetadataRecord[] {
  const { head } = context
  const { brokerId, brokerEpoch, offlineLogDirs, cordonedLogDirs } = request
  const broker = checkBrokerEpoch(head, brokerId, brokerEpoch)
  const level = head.featureLevel(METADATA_VERSION)
  const records = level >= DIRECTORIES_LEVEL ? recordsForLostDirectories(context, brokerId, offlineLogDirs) : []
  // Brokers that have not caught up yet do not know which these are.
  if (level < CORDONED_DIRECTORIES_LEVEL || cordonedLogDirs === null) return records
  if (broker.cordonedDirectories !== null && isSameSet(broker.cordonedDirectories, cordonedLogDirs)) return records
  const change = { brokerId, brokerEpoch, fenced: 0, inControlledShutdown: 0, logDirs: [], cordonedLogDirs }
  return [...records, metadataRecord('BrokerRegistrationChange', change, 3)]
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  const [setA, setB] = [new Set(a), new Set(b)]
  return setA.size === setB.size && a.every((item) => setB.has(item))
}

/** What a broker is told. */
export interface HeartbeatReply {
  readonly isCaughtUp: boolean
  readonly isFenced: boolean
  readonly shouldShutDown: boolean
}

/**
 * Decides a BrokerHeartbeat, apart from the directories. The records need not be written as one. Throws Refusal
 * STALE_BROKER_EPOCH.
 */
export function heartbeat(context: HeartbeatContext, request: BrokerHeartbeatRequest): Decision<HeartbeatReply> {
  const { head, sessions, nowMs, nextOffset } = context
  const { brokerId, brokerEpoch, currentMetadataOffset } = request
  const broker = checkBrokerEpoch(head, brokerId, brokerEpoch)
  sessions.heard(brokerId, brokerEpoch, nowMs)
  const before = stateOf(broker, sessions)
  const after = nextState(context, before, request)
  const records = before === after ? [] : recordsOf(context, brokerId, after)
  if (before !== after) tell(context, brokerId, phrases[after])
  const isFenced = after === 'fenced' || after === 'gone'
  sessions.reached(brokerId, currentMetadataOffset, isFenced)
  if (after === 'gone') sessions.letGo(brokerId)
  if (after === 'shuttingDown') sessions.shutsDown(brokerId, nextOffset + records.length - 1)
  const isCaughtUp = currentMetadataOffset >= sessions.registrationOffset(brokerId)
  return { records, response: { isCaughtUp, isFenced, shouldShutDown: after === 'gone' } }
}

const phrases: Readonly<Record<State, string>> = {
  fenced: 'is fenced, as it wanted',
  unfenced: 'serves',
  shuttingDown: 'shuts down: others take over what it leads',
  gone: 'may go',
}

/** A node that tells of its start needs not tell how it goes on with itself. */
export function tell({ nodeId, logger }: DecisionContext, brokerId: number, text: string): void {
  const message = `Broker ${brokerId} ${text}`
  if (brokerId === nodeId) logger.debug(message)
  else logger.info(message)
}

function stateOf({ id, fenced }: BrokerImage, sessions: BrokerSessions): State {
  if (sessions.shutdownOffset(id) >= 0) return 'shuttingDown'
  return fenced ? 'fenced' : 'unfenced'
}

function nextState({ head, sessions }: HeartbeatContext, state: State, request: BrokerHeartbeatRequest): State {
  const { brokerId, wantFence, wantShutDown, currentMetadataOffset } = request
  switch (state) {
    case 'fenced':
      if (wantShutDown) return 'gone'
      if (wantFence) return 'fenced'
      return currentMetadataOffset >= sessions.registrationOffset(brokerId) ? 'unfenced' : 'fenced'
    case 'unfenced':
      if (wantFence) return wantShutDown ? 'gone' : 'fenced'
      if (!wantShutDown) return 'unfenced'
      return leads(head, brokerId) ? 'shuttingDown' : 'gone'
    default: {
      // Whoever took over must have heard of it before the one that knows everything goes.
      const hasTold = sessions.shutdownOffset(brokerId) <= sessions.lowestActiveOffset(head)
      return hasTold && !leads(head, brokerId) ? 'gone' : 'shuttingDown'
    }
  }
}

function leads({ topics }: MetadataImage, brokerId: number): boolean {
  for (const topic of topics.all()) {
    for (const { leader } of topic.partitions.values()) if (leader === brokerId) return true
  }
  return false
}

function recordsOf(context: DecisionContext, brokerId: number, state: State): MetadataRecord[] {
  switch (state) {
    case 'unfenced':
      return recordsForUnfenced(context, brokerId)
    case 'shuttingDown':
      return recordsForControlledShutdown(context, brokerId)
    default:
      return recordsForFenced(context, brokerId)
  }
}

/**
 * Fences one broker whose session has expired, so that what it means to partitions is known before the next is looked at.
 * The answer says whether there may be more.
 */
export function fenceStaleBroker(context: HeartbeatContext): Decision<boolean> {
  const { head, sessions, nowMs, logger } = context
  const expired = sessions.takeExpired(nowMs)
  if (expired === undefined) return { records: [], response: false }
  const { brokerId, epoch } = expired
  const broker = head.brokers.get(brokerId)
  // A session of an earlier incarnation, of a broker that was unregistered, or of one that had been fenced already.
  if (broker?.epoch !== epoch || broker.fenced) return { records: [], response: true }
  logger.warn(`Broker ${brokerId} is fenced: it was not heard of for broker.session.timeout.ms`)
  sessions.reached(brokerId, -1, true)
  return { records: recordsForFenced(context, brokerId), response: true }
}
