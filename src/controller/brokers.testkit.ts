import { supportedFeatures } from '../metadata/features.ts'
import type { BrokerHeartbeatRequest } from '../protocol/messages/broker-heartbeat.ts'
import type { BrokerRegistrationRequest } from '../protocol/messages/broker-registration.ts'
import { CLUSTER_ID } from './controller.testkit.ts'
import { clusterOf, directoryOf, type TestCluster } from './partitions.testkit.ts'
import type { RegistrationContext } from './register-broker.ts'
import { BrokerSessions } from './sessions.ts'

export const SESSION_MS = 9000

/** What decisions about brokers are made from, at offset 1000 and time 0, without a session. */
export function brokersOf(cluster: TestCluster = {}): RegistrationContext {
  const sessions = new BrokerSessions(SESSION_MS, 999)
  return { ...clusterOf(cluster), clusterId: CLUSTER_ID, sessions, nowMs: 0, nextOffset: 1000, kraftVersion: 1 }
}

export const ownFeatures = supportedFeatures.map(({ name, minVersion, maxVersion }) => ({
  name,
  minSupportedVersion: minVersion,
  maxSupportedVersion: maxVersion,
}))

/** An id with a meaning to tests only. */
export function idOf(text: string): string {
  return Buffer.from(text.padEnd(16, '.')).toString('base64url')
}

export function registrationOf(
  brokerId: number,
  change: Partial<BrokerRegistrationRequest> = {},
): BrokerRegistrationRequest {
  return {
    brokerId,
    clusterId: CLUSTER_ID,
    incarnationId: idOf(`first of ${brokerId}`),
    listeners: [{ name: 'PLAINTEXT', host: `host-${brokerId}`, port: 9092, securityProtocol: 0 }],
    features: ownFeatures,
    rack: null,
    isMigratingZkBroker: false,
    logDirs: [directoryOf(brokerId)],
    previousBrokerEpoch: -1,
    ...change,
  }
}

/** Of a broker that has reached offset 1000, and wants to serve. */
export function heartbeatOf(
  brokerId: number,
  brokerEpoch: number,
  change: Partial<BrokerHeartbeatRequest> = {},
): BrokerHeartbeatRequest {
  return {
    brokerId,
    brokerEpoch,
    currentMetadataOffset: 1000,
    wantFence: false,
    wantShutDown: false,
    offlineLogDirs: [],
    cordonedLogDirs: null,
    ...change,
  }
}
