import type { AdminClient } from './client.ts'
import { type Replica, replicaDirectories, replicaName } from './log-dir-info.ts'
import type { Target } from './reassign-plan.ts'

/** Adds to partitions the directories of their replicas. */
export async function withDirectories(
  admin: AdminClient,
  partitions: readonly { readonly topic: string; readonly partition: number; readonly replicas: readonly number[] }[],
): Promise<Target[]> {
  const replicas = partitions.flatMap(({ topic, partition, replicas }) =>
    replicas.map((broker): Replica => ({ topic, partition, broker })),
  )
  const found = await replicaDirectories(admin, replicas)
  return partitions.map(({ topic, partition, replicas }) => {
    const known = replicas.flatMap((broker) => {
      const directory = found.get(replicaName({ topic, partition, broker }))?.current
      return directory === undefined ? [] : [[broker, directory] as const]
    })
    return { topic, partition, replicas, directories: new Map(known) }
  })
}
