import type { AdminCommand } from './command.ts'

/** The commands that ask a running cluster, each loaded when it is asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<AdminCommand>>> = {
  topics: async () => (await import('./topics.ts')).topics,
  configs: async () => (await import('./configs.ts')).configs,
  groups: async () => (await import('./groups.ts')).groups,
  'metadata-quorum': async () => (await import('./metadata-quorum.ts')).metadataQuorum,
  'reassign-partitions': async () => (await import('./reassign.ts')).reassignPartitions,
  'leader-election': async () => (await import('./leader-election.ts')).leaderElection,
}

/** The names of Apache Kafka's scripts. */
const KAFKA_NAMES: Readonly<Record<string, string>> = {
  'kafka-topics': 'topics',
  'kafka-configs': 'configs',
  'kafka-consumer-groups': 'groups',
  'kafka-metadata-quorum': 'metadata-quorum',
  'kafka-reassign-partitions': 'reassign-partitions',
  'kafka-leader-election': 'leader-election',
}

/** The command of this name, or of the name that Apache Kafka's script has; undefined for none. */
export async function adminCommand(name: string): Promise<AdminCommand | undefined> {
  const kafkaName = name.replace(/\.sh$/, '')
  const own = Object.hasOwn(KAFKA_NAMES, kafkaName) ? KAFKA_NAMES[kafkaName]! : name
  return Object.hasOwn(COMMANDS, own) ? COMMANDS[own]!() : undefined
}
