import { DIRECTORIES_LEVEL, KRAFT_VERSION, METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { registerBrokerRecord, registerBrokerRecordVersion } from '../metadata/snapshot-records.ts'
import type { BrokerImage, EndPoint, SupportedFeature } from '../metadata/types.ts'
import type { BrokerRegistrationRequest } from '../protocol/messages/broker-registration.ts'
import { recordsForCleanShutdown, recordsForUncleanShutdown } from './broker-changes.ts'
import { type HeartbeatContext, tell } from './broker-heartbeat.ts'
import { type Decision, Refusal } from './result.ts'

/** From this version on, a broker says in which epoch it was shut down cleanly (KIP-966). */
const CLEAN_SHUTDOWN_VERSION = 3
const MAX_SECURITY_PROTOCOL = 3
const RESERVED_DIRECTORY_IDS = 100n

export interface RegistrationContext extends HeartbeatContext {
  readonly clusterId: string
  /** The quorum's. */
  readonly kraftVersion: number
}

/**
 * Decides a BrokerRegistration; the answer is the broker's epoch. `isOwn`: it is the broker of this process, so that no
 * other one lives. The records may be more than fit one write: the
 * registration is the last, so that it is asked for again where only some of them are written. Throws Refusal
 * INCONSISTENT_CLUSTER_ID, DUPLICATE_BROKER_REGISTRATION, BROKER_ID_NOT_REGISTERED (for a broker with ZooKeeper),
 * INVALID_REGISTRATION, UNSUPPORTED_VERSION.
 */
export function registerBroker(
  context: RegistrationContext,
  request: BrokerRegistrationRequest,
  version: number,
  isOwn: boolean,
): Decision<number> {
  try {
    return decide(context, request, version, isOwn)
  } catch (error) {
    // The answer has no place for the reason; brokers ask again and again.
    if (error instanceof Refusal) tellOnce(context, request, error.message)
    throw error
  }
}

function tellOnce({ sessions, logger }: RegistrationContext, request: BrokerRegistrationRequest, why: string): void {
  const { brokerId, incarnationId, listeners } = request
  const [at] = listeners
  if (!sessions.isNews(brokerId, `${incarnationId} ${why}`)) return
  logger.warn(`Broker ${brokerId}${at ? ` at ${at.host}:${at.port}` : ''} is not registered: ${why}`)
}

function decide(
  context: RegistrationContext,
  request: BrokerRegistrationRequest,
  version: number,
  isOwn: boolean,
): Decision<number> {
  const { head, sessions, nextOffset } = context
  const { brokerId, incarnationId } = request
  const existing = head.brokers.get(brokerId)
  checkCluster(context, request)
  if (existing && !isOwn) checkIsAlone(context, request, existing)
  if (request.isMigratingZkBroker) {
    throw new Refusal('BROKER_ID_NOT_REGISTERED', 'Controller does not support registering ZK brokers.')
  }
  const hasDirectories = head.featureLevel(METADATA_VERSION) >= DIRECTORIES_LEVEL
  if (hasDirectories) checkDirectories(head, request)
  const endPoints = endPointsOf(request.listeners)
  checkFeatures(context, request.features)
  const amended = existing?.incarnationId === incarnationId ? existing : undefined
  const isClean = version >= CLEAN_SHUTDOWN_VERSION && existing?.epoch === request.previousBrokerEpoch
  const departure = isClean ? recordsForCleanShutdown : recordsForUncleanShutdown
  const records = amended ? [] : departure(context, brokerId)
  const broker: BrokerImage = {
    id: brokerId,
    epoch: amended?.epoch ?? nextOffset,
    incarnationId,
    endPoints,
    features: request.features,
    rack: request.rack,
    fenced: amended?.fenced ?? true,
    inControlledShutdown: amended?.inControlledShutdown ?? false,
    isMigratingZkBroker: false,
    directories: hasDirectories ? request.logDirs : [],
    // Not known before a heartbeat says so.
    cordonedDirectories: null,
  }
  records.push(registerBrokerRecord(broker, registerBrokerRecordVersion(head)))
  sessions.registered(brokerId, nextOffset + records.length - 1, amended === undefined)
  tell(context, brokerId, `is registered as incarnation ${incarnationId} with epoch ${broker.epoch}`)
  return { records, response: broker.epoch }
}

function checkCluster({ clusterId }: RegistrationContext, request: BrokerRegistrationRequest): void {
  if (request.clusterId === clusterId) return
  const text = `Expected cluster ID ${clusterId}, but got cluster ID ${request.clusterId}`
  throw new Refusal('INCONSISTENT_CLUSTER_ID', text)
}

/** Another process may be that broker, and live. */
function checkIsAlone(
  { sessions, nowMs }: RegistrationContext,
  { incarnationId }: BrokerRegistrationRequest,
  existing: BrokerImage,
): void {
  if (existing.incarnationId === incarnationId || !sessions.isValid(existing.id, existing.epoch, nowMs)) return
  throw new Refusal(
    'DUPLICATE_BROKER_REGISTRATION',
    'Another broker is registered with that broker id. If the broker was recently restarted this should self-resolve ' +
      "once the heartbeat manager expires the broker's session.",
  )
}

function checkDirectories({ brokers }: MetadataImage, { brokerId, logDirs }: BrokerRegistrationRequest): void {
  const refusal = (text: string) => new Refusal('INVALID_REGISTRATION', text)
  if (logDirs.length === 0) throw refusal('No directories specified in request')
  if (logDirs.some(isReservedDirectory)) throw refusal('Reserved directory ID in request')
  const asked = new Set(logDirs)
  if (asked.size !== logDirs.length) throw refusal('Duplicate directory ID in request')
  for (const other of brokers.values()) {
    const shared = other.id === brokerId ? undefined : other.directories.find((id) => asked.has(id))
    if (shared) throw refusal(`Broker ${other.id} is already registered with directory ${shared}`)
  }
}

/** The first hundred ids have a meaning, or may get one. */
function isReservedDirectory(id: string): boolean {
  const bytes = Buffer.from(id, 'base64url')
  return bytes.readBigInt64BE(0) === 0n && bytes.readBigInt64BE(8) < RESERVED_DIRECTORY_IDS
}

/** The listeners by name, where a name comes twice the last one. Throws Refusal UNKNOWN_SERVER_ERROR. */
export function endPointsOf(listeners: readonly EndPoint[]): EndPoint[] {
  const byName = new Map<string, EndPoint>()
  for (const { name, host, port, securityProtocol } of listeners) {
    if (securityProtocol < 0 || securityProtocol > MAX_SECURITY_PROTOCOL) {
      throw new Refusal('UNKNOWN_SERVER_ERROR', `Unknown security protocol ${securityProtocol} in listener ${name}`)
    }
    byName.set(name, { name, host, port, securityProtocol })
  }
  return [...byName.values()]
}

/** What the cluster has agreed on must be known to the broker. */
function checkFeatures({ head, kraftVersion }: RegistrationContext, features: readonly SupportedFeature[]): void {
  const finalized = new Map(head.features).set(KRAFT_VERSION, kraftVersion)
  for (const feature of features) checkFeature(feature, finalized.get(feature.name) ?? 0)
  const named = new Set(features.map(({ name }) => name))
  if (!named.has(METADATA_VERSION)) {
    throw new Refusal('INVALID_REGISTRATION', `Request features do not contain '${METADATA_VERSION}'`)
  }
  for (const [name, level] of finalized) {
    if (!named.has(name)) checkFeature({ name, minSupportedVersion: 0, maxSupportedVersion: 0 }, level)
  }
}

function checkFeature({ name, minSupportedVersion: min, maxSupportedVersion: max }: SupportedFeature, level: number) {
  if (level >= min && level <= max) return
  throw new Refusal(
    'UNSUPPORTED_VERSION',
    `Unable to register because the broker does not support finalized version ${level} of ${name}. The broker wants a ` +
      `version between ${min} and ${max}, inclusive.`,
  )
}
