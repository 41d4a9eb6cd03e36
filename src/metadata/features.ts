/** A feature of KIP-584 with the levels that this software understands. */
export interface Feature {
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
}

export const METADATA_VERSION = 'metadata.version'
export const KRAFT_VERSION = 'kraft.version'
export const ELIGIBLE_LEADER_REPLICAS = 'eligible.leader.replicas.version'

/** Levels of metadata.version from which on there are records for registrations of controllers (KIP-919)... */
export const CONTROLLER_REGISTRATION_LEVEL = 15
/** ...directories of replicas (KIP-858)... */
export const DIRECTORIES_LEVEL = 17
/** ...and directories that take no new replicas (KIP-1066). */
export const CORDONED_DIRECTORIES_LEVEL = 30

/** The features of Apache Kafka 4.3.1. */
export const supportedFeatures: readonly Feature[] = [
  { name: METADATA_VERSION, minVersion: 7, maxVersion: 30 },
  { name: KRAFT_VERSION, minVersion: 0, maxVersion: 1 },
  { name: 'transaction.version', minVersion: 0, maxVersion: 2 },
  { name: 'group.version', minVersion: 0, maxVersion: 1 },
  { name: ELIGIBLE_LEADER_REPLICAS, minVersion: 0, maxVersion: 1 },
  { name: 'share.version', minVersion: 0, maxVersion: 1 },
  { name: 'streams.version', minVersion: 0, maxVersion: 1 },
]

/** The levels that a newly formatted cluster of 4.3 has, in the order in which they are written. */
export const bootstrapFeatureLevels: readonly (readonly [string, number])[] = [
  [METADATA_VERSION, 30],
  [ELIGIBLE_LEADER_REPLICAS, 1],
  ['group.version', 1],
  ['share.version', 1],
  ['streams.version', 1],
  ['transaction.version', 2],
]
