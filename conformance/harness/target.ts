import type { Broker, BrokerOptions } from './broker.ts'
import { startOracle } from './oracle.ts'
import { startOttla } from './ottla.ts'

/**
 * The broker under test. `OTTLA_TARGET=oracle` runs the same tests against Apache Kafka, which shows that a test
 * expects what Apache Kafka does.
 */
export function startTarget(options: BrokerOptions = {}): Promise<Broker> {
  const target = process.env.OTTLA_TARGET ?? 'ottla'
  if (target === 'oracle') return startOracle(options)
  if (target === 'ottla') return startOttla(options)
  throw new Error(`OTTLA_TARGET is ottla or oracle, not ${target}`)
}
