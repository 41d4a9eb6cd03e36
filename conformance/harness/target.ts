import type { Broker, BrokerOptions } from './broker.ts'
import { startOracle } from './oracle.ts'
import { startOttla } from './ottla.ts'

/**
 * What is under test. `OTTLA_TARGET=oracle` runs the same tests against Apache Kafka, which shows that a test expects
 * what Apache Kafka does.
 */
export function targetKind(): Broker['kind'] {
  const target = process.env.OTTLA_TARGET ?? 'ottla'
  if (target === 'oracle' || target === 'ottla') return target
  throw new Error(`OTTLA_TARGET is ottla or oracle, not ${target}`)
}

/** The broker under test. */
export function startTarget(options: BrokerOptions = {}): Promise<Broker> {
  return targetKind() === 'oracle' ? startOracle(options) : startOttla(options)
}
