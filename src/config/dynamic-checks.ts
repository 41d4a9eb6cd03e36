import type { BrokerConfig, Properties } from './broker-config.ts'
import { ConfigError } from './config-error.ts'
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
    if (perBroker) broker.checkedWith(defaultDynamic, properties)
    else broker.checkedWith(properties, ownDynamic)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.message, 'INVALID_REQUEST')
  }
}
