import { logRetentionMs } from './broker-checks.ts'
import type { BrokerConfig, Properties } from './broker-config.ts'
import { ConfigError, invalidValue } from './config-error.ts'
import { brokerSetting, brokerSettings, lookup } from './settings.ts'
import { listenerOverride } from './synonyms.ts'
import { parseSetting } from './values.ts'

/** Security settings that can be changed for one listener only, by its prefix. */
const PER_LISTENER = [
  'ssl.keystore.location',
  'ssl.truststore.location',
  'ssl.truststore.certificates',
  'ssl.truststore.password',
  'ssl.keystore.password',
  'ssl.keystore.certificate.chain',
  'ssl.keystore.type',
  'ssl.key.password',
  'ssl.keystore.key',
  'ssl.truststore.type',
]

/** May be at most halved or doubled at a time. */
const THREAD_COUNTS = [
  'background.threads',
  'num.io.threads',
  'num.network.threads',
  'num.recovery.threads.per.data.dir',
  'num.replica.fetchers',
  'remote.log.manager.copier.thread.pool.size',
  'remote.log.manager.expiration.thread.pool.size',
  'remote.log.manager.follower.thread.pool.size',
  'remote.log.reader.threads',
] as const

/** The value of log.local.retention.* that takes log.retention.*. */
const SAME_AS_RETENTION = -2

const CLUSTER_LEVEL_LISTENER_SETTINGS = ['max.connections', 'max.connection.creation.rate', 'num.network.threads']

function refuseAny(names: readonly string[], message: string): void {
  if (names.length > 0) throw new ConfigError(`${message}: [${names.join(', ')}]`, 'INVALID_REQUEST')
}

function isPerBroker(name: string): boolean {
  if (lookup(brokerSettings, name)?.mutability === 'per-broker') return true
  const base = listenerOverride(name)
  return base !== undefined && !CLUSTER_LEVEL_LISTENER_SETTINGS.includes(base)
}

/**
 * Checks all dynamic configs that a broker resource is about to have: those of this broker where `perBroker`, otherwise
 * those of all brokers. Throws ConfigError (INVALID_REQUEST, as Apache Kafka answers) in its words.
 */
export function checkDynamicConfigs(properties: Properties, perBroker: boolean, broker: BrokerConfig): void {
  const names = [...properties.keys()]
  refuseAny(
    names.filter((name) => lookup(brokerSettings, name)?.mutability === 'read-only'),
    'Cannot update these configs dynamically',
  )
  refuseAny(
    names.filter((name) => PER_LISTENER.includes(name)),
    'These security configs can be dynamically updated only per-listener using the listener prefix',
  )
  try {
    for (const [name, text] of properties) {
      const base = listenerOverride(name) ?? name
      const setting = brokerSetting(base)
      if (setting !== undefined && setting.mutability !== 'read-only') parseSetting(base, setting, text)
    }
    if (!perBroker) {
      refuseAny(
        names.filter(isPerBroker),
        'Cannot update these configs at default cluster level, broker id must be specified',
      )
    }
    const { ownDynamic, defaultDynamic } = broker.layers()
    checkChange(
      broker,
      perBroker ? broker.checkedWith(defaultDynamic, properties) : broker.checkedWith(properties, ownDynamic),
    )
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.message, 'INVALID_REQUEST')
  }
}

/** What may not change too far at once. */
function checkChange(before: BrokerConfig, after: BrokerConfig): void {
  for (const name of THREAD_COUNTS) {
    const old = before.get(name)
    const count = after.get(name)
    if (count === old) continue
    const failed = `Dynamic thread count update validation failed for ${name}=${count}, value should`
    if (count < Math.floor(old / 2)) throw new ConfigError(`${failed} be at least half the current value ${old}`)
    if (count > old * 2) throw new ConfigError(`${failed} not be greater than double the current value ${old}`)
  }
  checkLocalRetention(after, 'ms', logRetentionMs(after))
  checkLocalRetention(after, 'bytes', after.get('log.retention.bytes'))
}

/** What stays on local disk of a tiered topic cannot be more than all of it. */
function checkLocalRetention(config: BrokerConfig, unit: 'ms' | 'bytes', whole: number): void {
  const name = `log.local.retention.${unit}` as const
  const local = config.get(name)
  if (whole < 0 || local === SAME_AS_RETENTION) return
  const refuse = (why: string) => invalidValue(name, String(local), why)
  if (local === -1) throw refuse(`Value must not be -1 as log.retention.${unit} value is set as ${whole}.`)
  if (local > whole) throw refuse(`Value must not be more than log.retention.${unit} property value: ${whole}`)
}
