import { ConfigError } from './config-error.ts'

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

const SECURITY_PROTOCOLS: readonly SecurityProtocol[] = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

/** One address of a listener. An empty host is every interface in listeners, and this machine's name when advertised. */
export interface Endpoint {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly securityProtocol: SecurityProtocol
}

export type SecurityProtocolMap = ReadonlyMap<string, SecurityProtocol>

export function parseSecurityProtocol(text: string, settingName: string): SecurityProtocol {
  const protocol = SECURITY_PROTOCOLS.find((known) => known === text.toUpperCase())
  if (protocol === undefined) throw new ConfigError(`Invalid security protocol \`${text}\` defined in ${settingName}`)
  return protocol
}

/** "a:1, b:c:2" as pairs; the last colon of an entry divides it. Throws ConfigError. */
export function parsePairs(settingName: string, text: string): Map<string, string> {
  const pairs = new Map<string, string>()
  if (text === '') return pairs
  for (const entry of text.split(/\s*,\s*/)) {
    const colon = entry.lastIndexOf(':')
    if (colon < 0) {
      throw new ConfigError(
        `Error parsing configuration property '${settingName}': '${entry}' is not of the form name:value`,
      )
    }
    pairs.set(entry.slice(0, colon).trim(), entry.slice(colon + 1).trim())
  }
  return pairs
}

/**
 * The security protocol of each listener name. Where the map is not set, controller listeners that carry no protocol's
 * name speak PLAINTEXT, unless TLS or SASL is in use anywhere.
 */
export function securityProtocolMap(
  mapText: string,
  mapIsSet: boolean,
  controllerListenerNames: readonly string[],
  listeners: readonly string[],
): SecurityProtocolMap {
  const settingName = 'listener.security.protocol.map'
  const map = new Map<string, SecurityProtocol>()
  for (const [name, protocol] of parsePairs(settingName, mapText)) {
    map.set(name.toUpperCase(), parseSecurityProtocol(protocol, settingName))
  }
  if (mapIsSet) return map
  const secured = (name: string) => name !== 'PLAINTEXT' && (SECURITY_PROTOCOLS as readonly string[]).includes(name)
  const usesSecurity =
    controllerListenerNames.some(secured) ||
    listeners.some((listener) => secured((listener.split(':')[0] ?? '').toUpperCase()))
  if (usesSecurity) return map
  for (const name of controllerListenerNames) if (!map.has(name)) map.set(name, 'PLAINTEXT')
  return map
}

const ENDPOINT = /^(.*):\/\/\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]{1,10})$/

function parseEndpoint(text: string, protocols: SecurityProtocolMap): Endpoint {
  const match = ENDPOINT.exec(text)
  if (match === null) throw new ConfigError(`Unable to parse ${text} to a broker endpoint`)
  const name = match[1]!.toUpperCase()
  const securityProtocol = protocols.get(name)
  if (securityProtocol === undefined) throw new ConfigError(`No security protocol defined for listener ${name}`)
  const port = Number(match[3])
  if (port < 0 || port > 65535) throw new ConfigError(`Port ${port} of ${text} is not from 0 to 65535`)
  return { name, host: match[2]!, port, securityProtocol }
}

function ipVersion(host: string): 0 | 4 | 6 {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host)) return 4
  return host.includes(':') ? 6 : 0
}

/** Two listeners may share a port only where one has an IPv4 address and the other an IPv6 address. */
function checkPorts(endpoints: readonly Endpoint[], shown: string): void {
  const byPort = new Map<number, Endpoint[]>()
  for (const endpoint of endpoints) {
    if (endpoint.port !== 0) byPort.set(endpoint.port, [...(byPort.get(endpoint.port) ?? []), endpoint])
  }
  for (const [port, sharing] of byPort) {
    if (sharing.length < 2) continue
    const versions = sharing.map((endpoint) => ipVersion(endpoint.host))
    if (versions.filter((version) => version === 0).length > 1) {
      throw new ConfigError(`Each listener must have a different port, listeners: ${shown}`)
    }
    if (sharing.length === 2 && versions.includes(4) && versions.includes(6)) continue
    const rule = 'If you have two listeners on the same port then one needs to be IPv4 and the other IPv6'
    throw new ConfigError(`${rule}, listeners: ${shown}, port: ${port}`)
  }
}

/** The endpoints of listeners or advertised.listeners, in their order. Throws ConfigError. */
export function parseEndpoints(
  entries: readonly string[],
  protocols: SecurityProtocolMap,
  rules: { distinctPorts: boolean },
): Endpoint[] {
  const shown = `[${entries.join(', ')}]`
  try {
    const endpoints = entries.map((entry) => parseEndpoint(entry, protocols))
    if (new Set(endpoints.map((endpoint) => endpoint.name)).size !== endpoints.length) {
      throw new ConfigError(`Each listener must have a different name, listeners: ${shown}`)
    }
    if (rules.distinctPorts) checkPorts(endpoints, shown)
    return endpoints
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(`Error creating broker listeners from '${shown}': ${error.message}`)
  }
}
