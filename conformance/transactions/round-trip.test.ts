import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dumpLog } from '../data-dir/fill.ts'
import type { Broker } from '../harness/broker.ts'
import { runCopiers } from '../harness/java.ts'
import { kafkaVersion } from '../harness/maven.ts'
import { startTarget } from '../harness/target.ts'
import { toolOn } from '../harness/tools.ts'
import { createTopics, readTopic } from './topics.ts'

const PARTITIONS = 3
const COUNT = 400

let broker: Broker
beforeAll(async () => {
  broker = await startTarget()
})
afterAll(async () => {
  await broker?.stop()
})

/** `partition partition:index`, as `fill` writes them. */
const expected = Array.from({ length: PARTITIONS }, (_, partition) =>
  Array.from({ length: COUNT }, (_, index) => `${partition}:${index}`),
)

test.each([kafkaVersion, '3.9.1', '2.8.2'])(
  'kafka-clients %s: copied exactly once, some transactions aborted',
  async (version) => {
    const input = `in-${version}`
    const output = `out-${version}`
    await createTopics(broker, [input, output], PARTITIONS)
    const run = async (...args: string[]) => {
      const result = await runCopiers(version, [args[0]!, broker.bootstrap, ...args.slice(1)])
      expect(result.status, result.stderr).toBe(0)
      return result.stdout
    }
    await run('fill', input, String(PARTITIONS), String(COUNT))
    await run('copy', input, output, `copier-${version}`, '3')
    expect(await readTopic(version, broker, output, 'read_committed', PARTITIONS)).toEqual(expected)
    const all = await readTopic(version, broker, output, 'read_uncommitted', PARTITIONS)
    expect(all.flat().length).toBeGreaterThan(PARTITIONS * COUNT)
  },
)

test('kafka-transactions lists, describes, finds hanging ones and aborts', async () => {
  const listed = await toolOn(broker, 'kafka-transactions', ['list'])
  // Which of the copiers ends with a transaction and which with a new epoch alone depends on who got which partitions.
  const finished = new RegExp(`(copier-${kafkaVersion}-\\d)\\s+\\d+\\s+\\d+\\s+Complete(?:Commit|Abort)`).exec(listed)
  expect(finished, listed).not.toBeNull()
  expect(await toolOn(broker, 'kafka-transactions', ['list', '--transactional-id-pattern', 'copier-2.*-0'])).toMatch(
    /copier-2\.8\.2-0/,
  )
  const id = finished![1]!
  const described = await toolOn(broker, 'kafka-transactions', ['describe', '--transactional-id', id])
  expect(described).toMatch(new RegExp(`${id}\\s+\\d+\\s+\\d+\\s+Complete`))
  const producers = ['describe-producers', '--topic', `out-${kafkaVersion}`, '--partition', '0']
  expect(await toolOn(broker, 'kafka-transactions', producers)).toMatch(/\d+\s+\d+\s+\d+\s+-?\d+\s+\d+\s+None/)
  const hanging = await toolOn(broker, 'kafka-transactions', ['find-hanging', '--broker-id', '1'])
  expect(hanging.trim().split('\n')).toHaveLength(1)
})

test('kafka-dump-log decodes __transaction_state, offsets of transactions and markers', async () => {
  await broker.stop()
  const logsOf = (topic: string) =>
    readdirSync(broker.dataDir)
      .filter((name) => name.startsWith(`${topic}-`))
      .map((name) => join(broker.dataDir, name, '00000000000000000000.log'))
  const state = await dumpLog(logsOf('__transaction_state'), ['--transaction-log-decoder'])
  expect(state).toMatch(/"transactionalId":"copier-2\.8\.2-0"/)
  for (const status of [0, 1, 2, 3, 4, 5]) expect(state).toMatch(new RegExp(`"transactionStatus":${status}`))
  const offsets = await dumpLog(logsOf('__consumer_offsets'), ['--offsets-decoder'])
  expect(offsets).toMatch(/isTransactional: true isControl: true/)
  expect(offsets).toMatch(/"group":"in-4\.3\.1","topic":"in-4\.3\.1"/)
  const [output] = logsOf(`out-${kafkaVersion}`)
  expect(await dumpLog([output!], ['--print-data-log'])).toMatch(/endTxnMarker: ABORT coordinatorEpoch: \d+/)
  await dumpLog(
    readdirSync(dirname(output!))
      .filter((name) => /\.(txnindex|snapshot)$/.test(name))
      .map((name) => join(dirname(output!), name)),
  )
})
