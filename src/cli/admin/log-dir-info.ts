import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { type AdminClient, AdminError, check, UnreachableError } from './client.ts'
import type { TopicPartition } from './group-info.ts'
import { byTopic } from './topic-info.ts'

export interface Replica extends TopicPartition {
  readonly broker: number
}

/** The directories of a replica: where it is, and where it is moving to. */
export interface ReplicaDirectories {
  readonly current: string | undefined
  readonly future: string | undefined
}

export function replicaName({ topic, partition, broker }: Replica): string {
  return `${topic}-${partition}-${broker}`
}

/** Where replicas are, by their names; what is on no live broker, or there in no directory, is left out. */
export async function replicaDirectories(
  admin: AdminClient,
  replicas: readonly Replica[],
): Promise<Map<string, ReplicaDirectories>> {
  const { brokers } = await admin.cluster()
  const found = new Map<string, ReplicaDirectories>()
  for (const broker of new Set(replicas.map((replica) => replica.broker))) {
    if (!brokers.has(broker)) continue
    const wanted = replicas.filter((replica) => replica.broker === broker)
    const topics = byTopic(wanted).map(([topic, partitions]) => ({ topic, partitions }))
    const answer = await admin.broker(broker, apis.DescribeLogDirs, () => ({ topics })).catch(ifUnreachable)
    if (answer === undefined) continue
    check(answer.errorCode)
    for (const { errorCode, logDir, topics } of answer.results) {
      if (errorCode !== 0) continue
      for (const { name, partitions } of topics) {
        for (const { partitionIndex, isFutureKey } of partitions) {
          const key = replicaName({ topic: name, partition: partitionIndex, broker })
          const known = found.get(key) ?? { current: undefined, future: undefined }
          found.set(key, isFutureKey ? { ...known, future: logDir } : { ...known, current: logDir })
        }
      }
    }
  }
  return found
}

/** A broker that has died is told of as long as its session lasts. */
function ifUnreachable(error: unknown): undefined {
  if (!(error instanceof UnreachableError)) throw error
}

/**
 * Asks brokers to move replicas to directories; answers those that were taken up. A broker that has no such replica yet
 * takes up nothing. Throws AdminError for any other refusal.
 */
export async function moveReplicas(
  admin: AdminClient,
  moves: readonly (Replica & { readonly directory: string })[],
): Promise<Set<string>> {
  const done = new Set<string>()
  for (const broker of new Set(moves.map((move) => move.broker))) {
    const own = moves.filter((move) => move.broker === broker)
    const dirs = [...new Set(own.map(({ directory }) => directory))].map((path) => ({
      path,
      topics: byTopic(own.filter(({ directory }) => directory === path)).map(([name, partitions]) => {
        return { name, partitions }
      }),
    }))
    const { results } = await admin.broker(broker, apis.AlterReplicaLogDirs, () => ({ dirs }))
    for (const { topicName: topic, partitions } of results) {
      for (const { partitionIndex: partition, errorCode } of partitions) {
        const key = replicaName({ topic, partition, broker })
        if (errorCode === 0) done.add(key)
        else if (errorCode !== errors.REPLICA_NOT_AVAILABLE.code) throw new AdminError(errorCode, key)
      }
    }
  }
  return done
}
