import type { BrokerConfig } from '../config/broker-config.ts'
import { parsePairs } from '../config/endpoints.ts'
import type { ConnectionLimits } from './listener.ts'

const OVERRIDES = 'max.connections.per.ip.overrides'
const LOCALHOST = '127.0.0.1'

/** The limits of connections as the settings are now. */
export function limitsOf(config: BrokerConfig): ConnectionLimits {
  const perAddress = config.get('max.connections.per.ip')
  const overrides = config.get(OVERRIDES)
  const special = overrides === '' ? undefined : overridesIn(overrides)
  return {
    total: config.get('max.connections'),
    perListener: (name) => config.forListener(name, 'max.connections'),
    protectedListener: config.dataListeners.length > 1 ? config.interBrokerListener.name : undefined,
    perAddress: (address) => special?.get(address) ?? perAddress,
    idleMs: config.get('connections.max.idle.ms'),
  }
}

function overridesIn(text: string): Map<string, number> {
  const limits = new Map<string, number>()
  for (const [host, count] of parsePairs(OVERRIDES, text)) {
    limits.set(host === 'localhost' ? LOCALHOST : host, Number(count))
  }
  return limits
}
