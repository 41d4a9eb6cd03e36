import { expect } from 'vitest'
import { apis } from '../../src/protocol/api-keys.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/frames.ts'
import type { Broker } from '../harness/broker.ts'
import { runCopiers } from '../harness/java.ts'
import type { Bootstrap } from '../harness/tools.ts'
import { RawConnection } from '../harness/wire.ts'

/** Makes topics with one replica each. */
export async function createTopics(broker: Broker, names: readonly string[], numPartitions: number): Promise<void> {
  const connection = await RawConnection.open(broker.host, broker.port)
  const topics = names.map((name) => ({ name, numPartitions, replicationFactor: 1 }))
  const header = { correlationId: 1, clientId: 'transactions' }
  const frame = Buffer.concat(encodeRequest(apis.CreateTopics, 5, header, { topics, timeoutMs: 10_000 }))
  const { body } = decodeResponse(apis.CreateTopics, 5, await connection.exchange(frame.subarray(4), 20_000))
  connection.close()
  expect(body.topics.map(({ errorCode }) => errorCode)).toEqual(names.map(() => 0))
}

/** The values in each partition of a topic, in their order. */
export async function readTopic(
  version: string,
  broker: Bootstrap,
  topic: string,
  isolation: 'read_committed' | 'read_uncommitted',
  partitions: number,
): Promise<string[][]> {
  const { status, stdout, stderr } = await runCopiers(version, ['read', broker.bootstrap, topic, isolation])
  expect(status, stderr).toBe(0)
  const values = Array.from({ length: partitions }, () => [] as string[])
  for (const line of stdout.trim().split('\n')) {
    const [partition, value] = line.split(' ')
    values[Number(partition)]!.push(value!)
  }
  return values
}
