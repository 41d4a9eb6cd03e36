import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Cluster } from '../harness/cluster.ts'
import { sleep } from '../harness/process.ts'
import type { StoredBatch } from '../kill/bytes.ts'
import { LedgerClient } from '../kill/client.ts'
import type { Ledger, LogReader } from '../kill/ledger.ts'
import { leadersOf } from './producer.ts'

const ATTEMPTS = 100

/** Reads each partition at its leader, wherever it moves. */
export class ClusterReader implements LogReader {
  private readonly cluster: Cluster
  private readonly clients: Map<number, LedgerClient> = new Map()
  private leaders: Array<number | undefined> = []

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  endOffset(topic: string, partition: number): Promise<{ error: number; offset: number }> {
    return this.atLeader(topic, partition, (client) => client.endOffset(topic, partition))
  }

  fetch(topic: string, partition: number, offset: number): Promise<{ error: number; batches: StoredBatch[] }> {
    return this.atLeader(topic, partition, (client) => client.fetch(topic, partition, offset))
  }

  close(): void {
    for (const client of this.clients.values()) client.close()
    this.clients.clear()
  }

  private async atLeader<T extends { error: number }>(
    topic: string,
    partition: number,
    ask: (client: LedgerClient) => Promise<T>,
  ): Promise<T> {
    let last: unknown
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const port = this.leaders[partition]
      try {
        if (port !== undefined) {
          const client = this.clients.get(port) ?? (await LedgerClient.open(port))
          this.clients.set(port, client)
          const answer = await ask(client)
          if (answer.error === 0) return answer
          last = answer.error
        }
      } catch (error) {
        last = error
        this.clients.delete(port!)
      }
      this.leaders = await leadersOf(topic, this.cluster.ports)
      await sleep(50)
    }
    throw new Error(`${topic}-${partition} cannot be read`, { cause: last })
  }
}

/** Reads everything and compares it with what was acknowledged. Producers must have finished. */
export async function checkLedger(ledger: Ledger, cluster: Cluster): Promise<void> {
  const reader = new ClusterReader(cluster)
  await ledger.check(reader).finally(() => reader.close())
}

/** All bytes of a partition's log in one log directory. Segments may end at other places on other replicas. */
function logBytes(logDir: string, topic: string, partition: number): Buffer {
  const dir = join(logDir, `${topic}-${partition}`)
  const names = readdirSync(dir).filter((name) => name.endsWith('.log'))
  return Buffer.concat(names.sort().map((name) => readFileSync(join(dir, name))))
}

/**
 * The cluster must be stopped, with everything in sync before: then replicas are equal byte by byte. `moreLogDirs` are those
 * that brokers have besides their data directories.
 */
export function expectEqualReplicas(
  cluster: Cluster,
  topic: string,
  partitions: number,
  moreLogDirs: readonly string[] = [],
): void {
  const logDirs = [...cluster.brokers.map(({ dataDir }) => dataDir), ...moreLogDirs]
  for (let partition = 0; partition < partitions; partition++) {
    const homes = logDirs.filter((logDir) => existsSync(join(logDir, `${topic}-${partition}`)))
    expect(homes.length, `replicas of ${topic}-${partition}`).toBeGreaterThan(1)
    const [first, ...others] = homes.map((logDir) => logBytes(logDir, topic, partition))
    for (const other of others) {
      const isEqual = first!.equals(other)
      expect(isEqual, `${topic}-${partition}: ${first!.length} and ${other.length} bytes, not the same`).toBe(true)
    }
  }
}
