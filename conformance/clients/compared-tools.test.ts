import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'
import { eventually, type RunResult } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { runTools, toolDaemon, toolOn } from '../harness/tools.ts'
import { type ComparedRun, comparedRuns, masked } from './compared-tools.ts'

/** A member that has to come back for its assignment does so soon. */
const overrides = Object.fromEntries(
  ['share', 'consumer'].flatMap((type) => [
    [`group.${type}.min.heartbeat.interval.ms`, '300'],
    [`group.${type}.heartbeat.interval.ms`, '300'],
  ]),
)

let brokers: Broker[] = []
let results: RunResult[][] = []
beforeAll(async () => {
  brokers = await Promise.all([startOracle({ overrides }), startTarget({ overrides })])
  results = await Promise.all(brokers.map((broker) => runTools(broker, comparedRuns, 250_000)))
})
afterAll(async () => {
  await Promise.all(brokers.map((broker) => broker.stop()))
})

const cases = comparedRuns.map((compared, index): [string, number, ComparedRun] => [compared.label, index, compared])

test.each(cases)('%s', (_label, index, { shown = masked }) => {
  const [oracle, ottla] = results.map((all) => all[index]!)
  const view = ({ status, stdout }: RunResult) => ({ status, stdout: shown(stdout) })
  expect(view(ottla!), ottla!.stderr).toEqual(view(oracle!))
})

/** The events that a verifiable client prints. */
function events(output: string): Array<Record<string, unknown>> {
  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line))
}

interface Acknowledged {
  partition: number
  offsets: number[]
}

test('kafka-verifiable-share-consumer: every record is acknowledged', async () => {
  const args = ['--topic', 't', '--group-id', 'verified', '--offset-reset-strategy', 'earliest', '--max-messages', '90']
  const acknowledged = async (broker: Broker) => {
    const seen = events(await toolOn(broker, 'kafka-verifiable-share-consumer', [...args, '--verbose']))
    const named = (name: string) => seen.filter((event) => event.name === name)
    expect(named('offsets_acknowledged').every(({ success }) => success === true)).toBe(true)
    const all = named('offsets_acknowledged').flatMap(({ partitions }) => partitions as Acknowledged[])
    const offsets = all.flatMap(({ partition, offsets }) => offsets.map((offset) => `${partition}:${offset}`))
    return { offsets: [...new Set(offsets)].sort(), ended: named('shutdown_complete').length }
  }
  const [oracle, ottla] = await Promise.all(brokers.map(acknowledged))
  expect(ottla).toEqual(oracle)
  expect(ottla!.offsets).toHaveLength(90)
})

test('kafka-verifiable-consumer of the new protocol: every record is seen, every offset committed', async () => {
  const args = ['--topic', 't', '--group-id', 'new-verified', '--group-protocol', 'consumer', '--verbose']
  const limits = ['--max-messages', '90', '--reset-policy', 'earliest']
  const consumed = async (broker: Broker) => {
    const seen = events(await toolOn(broker, 'kafka-verifiable-consumer', [...args, ...limits]))
    const records = seen.filter(({ name }) => name === 'record_data')
    const committed = seen.filter(({ name, success }) => name === 'offsets_committed' && success === true)
    const last = new Map<unknown, unknown>()
    for (const { offsets } of committed) {
      for (const { partition, offset } of offsets as Array<Record<string, unknown>>) last.set(partition, offset)
    }
    const values = records.map(({ partition, offset, key, value }) => `${partition} ${offset} ${key} ${value}`)
    return { values: values.sort(), last: [...last].sort() }
  }
  const [oracle, ottla] = await Promise.all(brokers.map(consumed))
  expect(ottla).toEqual(oracle)
  expect(ottla!.values).toHaveLength(90)
})

test('kafka-replica-verification: no lag anywhere', async () => {
  const verified = async (broker: Broker) => {
    const args = ['--broker-list', broker.bootstrap, '--topics-include', 't|one', '--report-interval-ms', '200']
    const daemon = await toolDaemon('kafka-replica-verification', args)
    try {
      return await eventually('a report', 60_000, async () => {
        return /max lag is \d+ .* among \d+ partitions/.exec(daemon.output('stdout'))?.[0]
      })
    } finally {
      await daemon.end('SIGKILL', 10_000)
    }
  }
  const [oracle, ottla] = await Promise.all(brokers.map(verified))
  expect(ottla!.replace(/for.*among/, 'among')).toBe('max lag is 0 among 4 partitions')
  expect(ottla).toBe(oracle)
})
