import { checkBrokerConfig } from './broker-checks.ts'
import { ConfigError } from './config-error.ts'
import {
  type Endpoint,
  parseEndpoints,
  parseSecurityProtocol,
  type SecurityProtocol,
  securityProtocolMap,
} from './endpoints.ts'
import { type HostPort, parseBootstrapServers, parseVoters, type Voter } from './quorum-addresses.ts'
import type { Setting, SettingValue } from './setting.ts'
import { type BrokerSettingName, brokerSetting, brokerSettings, lookup, type ReadValue } from './settings.ts'
import { brokerSynonyms, listenerOverride } from './synonyms.ts'
import { defaultOf, parseSetting } from './values.ts'

export type Properties = ReadonlyMap<string, string>

/** The raw values of a broker, one map for each place they may come from; the first that has a value wins. */
export interface ConfigLayers {
  /** Dynamic configs of this broker alone. */
  readonly ownDynamic: Properties
  /** Dynamic configs of all brokers. */
  readonly defaultDynamic: Properties
  /** The config file, with overrides; broker.id and node.id stand for each other. */
  readonly fixed: Properties
}

export type BrokerValue<N extends BrokerSettingName> = ReadValue<(typeof brokerSettings)[N]>

/** What was wrong with dynamic configs that were left out, and the settings whose value changed. */
export interface DynamicUpdate {
  readonly changed: readonly string[]
  readonly ignored: readonly { name: string; reason: string }[]
}

/**
 * The configuration of one node: what its config file says, under the dynamic configs that the cluster gives it.
 *
 * The file part never changes; `applyDynamic` replaces the dynamic part, and every reader sees the new values from then
 * on. So read a value when it is used, rather than keeping it.
 */
export class BrokerConfig {
  readonly nodeId: number
  readonly roles: ReadonlySet<'broker' | 'controller'>
  readonly isBroker: boolean
  readonly isController: boolean
  readonly rack: string | null
  /** At least one; as configured, not made absolute. */
  readonly logDirs: readonly string[]
  /** Where __cluster_metadata-0 lies; the first log directory unless metadata.log.dir names another. */
  readonly metadataLogDir: string
  /** log.dirs and the metadata directory, each once: everything that is formatted and locked. */
  readonly allDirs: readonly string[]
  /** As written: Apache Kafka finds them among the listeners in upper case only. */
  readonly controllerListenerNames: readonly string[]
  /** Everything this node listens on. Port 0 lets the system choose. */
  readonly listeners: readonly Endpoint[]
  /** The listeners for clients and brokers: all that are no controller's. */
  readonly dataListeners: readonly Endpoint[]
  readonly controllerListeners: readonly Endpoint[]
  /** What clients and brokers are told. An empty host is this machine's name, port 0 the one that was bound. */
  readonly advertisedListeners: readonly Endpoint[]
  readonly advertisedControllerListeners: readonly Endpoint[]
  readonly interBrokerListener: { readonly name: string; readonly securityProtocol: SecurityProtocol }
  /** Voters of a fixed quorum; empty where the voters are in the metadata log. */
  readonly quorumVoters: readonly Voter[]
  readonly quorumBootstrapServers: readonly HostPort[]

  private readonly fixed: Map<string, string>
  private ownDynamic: Properties = new Map()
  private defaultDynamic: Properties = new Map()
  private effective: Map<string, string>
  private parsed = new Map<string, SettingValue>()

  /**
   * `properties` are the names and raw values of a server.properties. Throws ConfigError for a value that is refused and
   * for values that do not go together; unknown names are kept, see `unusedNames`.
   */
  constructor(properties: Properties) {
    this.fixed = withNodeIdSynonym(properties)
    this.effective = this.fixed
    for (const [name, text] of this.fixed) {
      const setting = lookup(brokerSettings, name)
      if (setting !== undefined) this.parsed.set(name, parseSetting(name, setting, text))
      const base = listenerSetting(name)
      if (base !== undefined) parseSetting(name, brokerSettings[base], text)
    }
    for (const name of ['process.roles', 'node.id', 'controller.listener.names'] as const) this.value(name)
    this.nodeId = this.get('node.id')
    this.roles = new Set(this.get('process.roles') as ('broker' | 'controller')[])
    this.isBroker = this.roles.has('broker')
    this.isController = this.roles.has('controller')
    this.rack = this.get('broker.rack')
    this.logDirs = this.get('log.dirs') ?? this.get('log.dir')
    this.metadataLogDir = this.get('metadata.log.dir') ?? this.logDirs[0]!
    this.allDirs = [...new Set([...this.logDirs, this.metadataLogDir])]
    this.quorumVoters = parseVoters(this.get('controller.quorum.voters'))
    this.quorumBootstrapServers = parseBootstrapServers(this.get('controller.quorum.bootstrap.servers'))
    this.controllerListenerNames = this.get('controller.listener.names')
    const protocols = this.securityProtocols()
    this.listeners = this.parseListeners(protocols)
    this.dataListeners = this.listeners.filter((endpoint) => !this.controllerListenerNames.includes(endpoint.name))
    this.controllerListeners = this.listeners.filter((endpoint) => this.controllerListenerNames.includes(endpoint.name))
    const advertised = this.get('advertised.listeners')
    const named = advertised === null ? null : parseEndpoints(advertised, protocols, { distinctPorts: false })
    this.advertisedListeners = (named ?? this.listeners).filter(
      (endpoint) => !this.controllerListenerNames.includes(endpoint.name),
    )
    this.advertisedControllerListeners = this.advertiseControllers(named ?? [])
    this.interBrokerListener = this.findInterBrokerListener(protocols)
    checkBrokerConfig(this, protocols)
  }

  /** The value in force now. LONG comes as a number, exact up to 2^53. */
  get<N extends BrokerSettingName>(name: N): BrokerValue<N> {
    const value = this.value(name)
    return (typeof value === 'bigint' ? Number(value) : value) as BrokerValue<N>
  }

  /** The value in force now, LONG as a bigint. */
  value(name: BrokerSettingName): SettingValue {
    const known = this.parsed.get(name)
    if (known !== undefined) return known
    const setting: Setting = brokerSettings[name]
    const text = this.effective.get(name)
    const value = text === undefined ? defaultOf(name, setting) : parseSetting(name, setting, text)
    this.parsed.set(name, value)
    return value
  }

  /** The log directories that take no new partitions (KIP-1066), as in `logDirs`. */
  get cordonedLogDirs(): readonly string[] {
    const cordoned = this.get('cordoned.log.dirs')
    return cordoned.includes('*') ? this.logDirs : cordoned
  }

  /** The value in force now for one listener: its own, or that for all. */
  forListener<N extends ListenerSettingName>(listener: string, name: N): BrokerValue<N> {
    const text = this.effective.get(`listener.name.${listener.toLowerCase()}.${name}`)
    return text === undefined ? this.get(name) : (parseSetting(name, brokerSettings[name], text) as BrokerValue<N>)
  }

  /** Whether the config file or a dynamic config gives the setting a value. */
  isSet(name: string): boolean {
    return this.effective.has(name)
  }

  /** The raw value in force of any name, also one that the table does not know (a plugin's, a listener's own). */
  raw(name: string): string | undefined {
    return this.effective.get(name)
  }

  layers(): ConfigLayers {
    return { ownDynamic: this.ownDynamic, defaultDynamic: this.defaultDynamic, fixed: this.fixed }
  }

  /** Raw values in force, by name. */
  effectiveProperties(): Properties {
    return this.effective
  }

  /**
   * Replaces the dynamic part: `clusterDefaults` are the configs of the broker resource with the empty name, `own` those
   * of this node's id. Values that cannot be applied are left out and named in the answer, as they may come from a
   * metadata log that another version wrote.
   */
  applyDynamic(clusterDefaults: Properties, own: Properties): DynamicUpdate {
    const ignored: { name: string; reason: string }[] = []
    this.defaultDynamic = keepApplicable(clusterDefaults, ignored)
    this.ownDynamic = keepApplicable(own, ignored)
    const before = this.effective
    this.effective = overlay(overlay(this.fixed, this.defaultDynamic), this.ownDynamic)
    this.parsed.clear()
    const names = new Set([...before.keys(), ...this.effective.keys()])
    return { changed: [...names].filter((name) => before.get(name) !== this.effective.get(name)), ignored }
  }

  /** What the config file would say together with these dynamic configs; throws ConfigError as the constructor does. */
  checkedWith(clusterDefaults: Properties, own: Properties): BrokerConfig {
    return new BrokerConfig(overlay(overlay(this.fixed, clusterDefaults), own))
  }

  /** Names in the config file that do nothing: `ignored` are known to Apache Kafka, `unknown` to nobody. */
  unusedNames(): { ignored: string[]; unknown: string[] } {
    const ignored: string[] = []
    const unknown: string[] = []
    for (const name of this.fixed.keys()) {
      const setting = lookup(brokerSettings, name)
      if (setting?.effect === 'works' || listenerSetting(name) !== undefined) continue
      if (setting !== undefined || isKnownElsewhere(name)) ignored.push(name)
      else unknown.push(name)
    }
    return { ignored: ignored.sort(), unknown: unknown.sort() }
  }

  private securityProtocols() {
    const mapName = 'listener.security.protocol.map'
    return securityProtocolMap(
      this.get(mapName),
      this.fixed.has(mapName),
      this.controllerListenerNames,
      this.get('listeners'),
    )
  }

  private parseListeners(protocols: ReadonlyMap<string, SecurityProtocol>): Endpoint[] {
    const endpoints = parseEndpoints(this.get('listeners'), protocols, { distinctPorts: true })
    // Apache Kafka's default listens on every interface. Nobody asked for that here, so the default is loopback.
    return this.fixed.has('listeners') ? endpoints : endpoints.map((endpoint) => ({ ...endpoint, host: '127.0.0.1' }))
  }

  private advertiseControllers(named: readonly Endpoint[]): Endpoint[] {
    const result: Endpoint[] = []
    for (const [index, name] of this.controllerListenerNames.entries()) {
      const advertised = named.find((endpoint) => endpoint.name === name)
      const own = this.controllerListeners.find((endpoint) => endpoint.name === name)
      if (advertised !== undefined) result.push(advertised)
      else if (own !== undefined) result.push(this.reachableController(own, index === 0))
    }
    return result
  }

  /** A controller listener that names no host is reached where the voters say that this node is. */
  private reachableController(endpoint: Endpoint, isFirst: boolean): Endpoint {
    if (endpoint.host !== '' && endpoint.host !== '0.0.0.0') return endpoint
    const voter = isFirst ? this.quorumVoters.find((candidate) => candidate.id === this.nodeId) : undefined
    return { ...endpoint, host: voter?.host ?? '', port: voter?.port ?? endpoint.port }
  }

  private findInterBrokerListener(protocols: ReadonlyMap<string, SecurityProtocol>) {
    const named = this.get('inter.broker.listener.name')
    const protocolName = 'security.inter.broker.protocol'
    if (named === null) {
      const securityProtocol = parseSecurityProtocol(this.get(protocolName), protocolName)
      return { name: securityProtocol as string, securityProtocol }
    }
    if (this.fixed.has(protocolName)) {
      throw new ConfigError(`Only one of inter.broker.listener.name and ${protocolName} should be set.`)
    }
    const name = named.toUpperCase()
    const securityProtocol = protocols.get(name)
    if (securityProtocol !== undefined) return { name, securityProtocol }
    throw new ConfigError(
      `Listener with name ${name} defined in inter.broker.listener.name not found in listener.security.protocol.map.`,
    )
  }
}

function withNodeIdSynonym(properties: Properties): Map<string, string> {
  const result = new Map(properties)
  const brokerId = result.get('broker.id')
  const nodeId = result.get('node.id')
  if (brokerId === undefined && nodeId !== undefined) result.set('broker.id', nodeId)
  else if (brokerId !== undefined && nodeId === undefined) result.set('node.id', brokerId)
  return result
}

/** A value set above hides all its synonyms below, even those that would be stronger in one and the same place. */
function overlay(below: Properties, above: Properties): Map<string, string> {
  const result = new Map(below)
  for (const [name, text] of above) {
    for (const synonym of brokerSynonyms(name, false)) result.delete(synonym)
    result.set(name, text)
  }
  return result
}

function keepApplicable(properties: Properties, ignored: { name: string; reason: string }[]): Map<string, string> {
  const kept = new Map<string, string>()
  for (const [name, text] of properties) {
    const setting = brokerSetting(name)
    try {
      if (setting?.mutability === 'read-only') throw new ConfigError(`${name} cannot be changed while the broker runs`)
      const base = listenerSetting(name)
      if (setting !== undefined) parseSetting(name, setting, text)
      else if (base !== undefined) parseSetting(name, brokerSettings[base], text)
      kept.set(name, text)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      ignored.push({ name, reason: error.message })
    }
  }
  return kept
}

/** What a listener can have its own value of, as `listener.name.NAME.SETTING`. */
const LISTENER_SETTINGS = ['max.connections', 'max.connection.creation.rate'] as const
type ListenerSettingName = (typeof LISTENER_SETTINGS)[number]

function listenerSetting(name: string): ListenerSettingName | undefined {
  const base = listenerOverride(name)
  return LISTENER_SETTINGS.find((setting) => setting === base)
}

const ELSEWHERE = ['super.users', 'allow.everyone.if.no.acl.found']
const PLUGIN_PREFIXES = ['rlmm.config.', 'rsm.config.', 'config.providers.', 'listener.name.']

/** Names that no table lists, as they belong to plugins of Apache Kafka or to one listener. */
function isKnownElsewhere(name: string): boolean {
  if (ELSEWHERE.includes(name)) return true
  const base = listenerOverride(name)
  if (base !== undefined) return brokerSynonyms(name).some((synonym) => lookup(brokerSettings, synonym) !== undefined)
  return PLUGIN_PREFIXES.some((prefix) => name.startsWith(prefix))
}
