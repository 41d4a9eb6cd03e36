/**
 * Ottla beside Apache Kafka on this machine, in one run, as ratios (below 1: Ottla needs less):
 *   start: from the start of the process to its first answer, on a directory with 100 partitions
 *   idle memory: resident set after that, at rest
 *   produce, consume: CPU seconds per GB of 1 KB records, as /proc counts them for the broker's process
 *   compact: CPU seconds per GB of 1 KB records, of which half stay
 *   group: until 100 consumers (KIP-848) have each their share of 1,000 partitions
 *   transactions: CPU seconds for 1,000 small transactions, of one partition each, 1,000 of them a second
 *
 * `npm run bench [-- GIGABYTES]`. Figures of single runs on a shared machine scatter; the ratios are steadier.
 */
import { rmSync } from 'node:fs'
import type { Broker } from '../conformance/harness/broker.ts'
import { startOracle } from '../conformance/harness/oracle.ts'
import { startOttla } from '../conformance/harness/ottla.ts'
import { measureCompaction } from './compaction.ts'
import { measureGroup } from './groups.ts'
import { Client, consume, createTopic, endOffset, PARTITIONS, produce } from './load.ts'
import { cpuSeconds, residentMb, SERVER_JVM } from './process.ts'
import { measureTransactions } from './transactions.ts'

const GB = 1e9
const STARTS = 3
interface Figures {
  startMs: number
  idleRssMb: number
  produceCpuPerGb: number
  consumeCpuPerGb: number
  produceMbPerSecond: number
  consumeMbPerSecond: number
  compactCpuPerGb: number
  groupSettleMs: number
  groupCpuSeconds: number
  transactionCpuPerThousand: number
}

const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs))

async function measured(broker: Broker, work: () => Promise<number>): Promise<{ perGb: number; mbPerSecond: number }> {
  const cpu = cpuSeconds(broker.pid)
  const startedMs = performance.now()
  const bytes = await work()
  const seconds = (performance.now() - startedMs) / 1000
  return { perGb: (cpuSeconds(broker.pid) - cpu) / (bytes / GB), mbPerSecond: bytes / 1e6 / seconds }
}

async function measure(start: (options: object) => Promise<Broker>, totalBytes: number): Promise<Figures> {
  let broker = await start({})
  const { home } = broker
  const client = await Client.open(broker.port)
  for (let index = 0; index < 10; index++) await createTopic(client, `idle-${index}`, 10)
  client.close()
  const startsMs: number[] = []
  for (let index = 0; index < STARTS; index++) {
    await broker.stop()
    broker = await start({ home })
    startsMs.push(broker.startupMs)
  }
  await pause(3000)
  const idleRssMb = residentMb(broker.pid)
  const load = await Client.open(broker.port)
  for (const topic of ['warm', 'load']) await createTopic(load, topic, PARTITIONS)
  load.close()
  await produce(broker.port, 'warm', totalBytes / 3)
  await consume(broker.port, 'warm', await endOffset(broker.port, 'warm'))
  const produced = await measured(broker, () => produce(broker.port, 'load', totalBytes))
  const end = await endOffset(broker.port, 'load')
  const consumed = await measured(broker, () => consume(broker.port, 'load', end))
  await broker.stop()
  rmSync(home.dir, { recursive: true, force: true })
  const group = await measureGroup(start, cpuSeconds)
  return {
    startMs: startsMs.sort((a, b) => a - b)[STARTS >> 1]!,
    idleRssMb,
    produceCpuPerGb: produced.perGb,
    consumeCpuPerGb: consumed.perGb,
    produceMbPerSecond: produced.mbPerSecond,
    consumeMbPerSecond: consumed.mbPerSecond,
    compactCpuPerGb: await measureCompaction(start, totalBytes, cpuSeconds),
    groupSettleMs: group.settleMs,
    groupCpuSeconds: group.cpuSeconds,
    transactionCpuPerThousand: await measureTransactions(start, cpuSeconds),
  }
}

const ROWS: ReadonlyArray<readonly [keyof Figures, string]> = [
  ['startMs', 'start with 100 partitions, ms'],
  ['idleRssMb', 'idle memory, MB'],
  ['produceCpuPerGb', 'produce, CPU s/GB'],
  ['consumeCpuPerGb', 'consume, CPU s/GB'],
  ['produceMbPerSecond', 'produce, MB/s'],
  ['consumeMbPerSecond', 'consume, MB/s'],
  ['compactCpuPerGb', 'compact, CPU s/GB'],
  ['groupSettleMs', 'group of 100 settles, ms'],
  ['groupCpuSeconds', 'group of 100 settles, CPU s'],
  ['transactionCpuPerThousand', '1,000 transactions/s, CPU s/1,000'],
]

const totalBytes = Number(process.argv[2] ?? 1) * GB
const kafka = await measure((options) => startOracle({ ...options, jvm: SERVER_JVM }), totalBytes)
const ottla = await measure(startOttla, totalBytes)
console.log(`${''.padEnd(36)}${'Ottla'.padStart(10)}${'Kafka'.padStart(10)}${'ratio'.padStart(10)}`)
for (const [name, label] of ROWS) {
  const cells = [ottla[name].toFixed(2), kafka[name].toFixed(2), (ottla[name] / kafka[name]).toFixed(3)]
  console.log(label.padEnd(36) + cells.map((cell) => cell.padStart(10)).join(''))
}
process.exit(0)
