import type { BrokerConfig } from './broker-config.ts'
import { ConfigError, invalidValue } from './config-error.ts'
import { parsePairs, type SecurityProtocol } from './endpoints.ts'
import type { BrokerSettingName } from './settings.ts'

/** Apache Kafka's `require` prefixes its message so, and clients and operators know it in this form. */
function require(condition: boolean, message: string): void {
  if (!condition) throw new ConfigError(`requirement failed: ${message}`)
}

/** Checks the values that must go together. Throws ConfigError for the first that do not. */
export function checkBrokerConfig(config: BrokerConfig, protocols: ReadonlyMap<string, SecurityProtocol>): void {
  checkGroupLimits(config)
  checkShareLimits(config)
  if (!config.get('group.coordinator.rebalance.protocols').includes('classic')) {
    throw new ConfigError("Disabling the 'CLASSIC' protocol is not supported.")
  }
  checkNode(config)
  checkLog(config)
  checkRoles(config, protocols)
  checkListeners(config)
  checkConnections(config)
}

function checkNode(config: BrokerConfig): void {
  if (config.nodeId !== config.get('broker.id')) {
    throw new ConfigError('You must set `node.id` to the same value as `broker.id`.')
  }
}

function checkLog(config: BrokerConfig): void {
  const hourMs = 3_600_000
  const rollMs = config.get('log.roll.ms') ?? config.get('log.roll.hours') * hourMs
  require(rollMs >= 1, 'log.roll.ms must be greater than or equal to 1')
  const jitterMs = config.get('log.roll.jitter.ms') ?? config.get('log.roll.jitter.hours') * hourMs
  require(jitterMs >= 0, 'log.roll.jitter.ms must be greater than or equal to 0')
  require(logRetentionMs(config) !== 0, 'log.retention.ms must be unlimited (-1) or, greater than or equal to 1')
  const cleanerThreads = config.get('log.cleaner.threads')
  if (cleanerThreads === 0) throw invalidValue('log.cleaner.threads', '0', 'Value must be at least 1')
  const perThread = config.get('log.cleaner.dedupe.buffer.size') / cleanerThreads
  require(perThread > 1024 * 1024, 'log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.')
  const waitMs = config.get('replica.fetch.wait.max.ms')
  require(waitMs <=
    config.get(
      'replica.socket.timeout.ms',
    ), 'replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts')
  require(waitMs <=
    config.get(
      'replica.lag.time.max.ms',
    ), 'replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR')
  checkCordoned(config)
}

/** The retention in force in milliseconds; -1 is unlimited. */
export function logRetentionMs(config: BrokerConfig): number {
  const minutes = config.get('log.retention.minutes')
  const milliseconds =
    config.get('log.retention.ms') ??
    (minutes === null ? config.get('log.retention.hours') * 3_600_000 : minutes * 60_000)
  return milliseconds < 0 ? -1 : milliseconds
}

function checkCordoned(config: BrokerConfig): void {
  const cordoned = config.get('cordoned.log.dirs')
  if (!config.isBroker) return
  if (cordoned.includes('*')) {
    require(cordoned.length === 1, 'When cordoned.log.dirs is set to *, it must not contain other values')
    return
  }
  const missing = cordoned.filter((directory) => !config.logDirs.includes(directory))
  require(missing.length ===
    0, `All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : ${missing.join(', ')}`)
}

function checkRoles(config: BrokerConfig, protocols: ReadonlyMap<string, SecurityProtocol>): void {
  const voterIds = config.quorumVoters.map((voter) => voter.id)
  if (voterIds.length === 0 && config.quorumBootstrapServers.length === 0) {
    throw new ConfigError(
      'If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap ' +
        'controllers or controller.quorum.voters must contain a parseable set of controllers.',
    )
  }
  if (config.isController) checkController(config, voterIds)
  else checkBrokerOnly(config, voterIds, protocols)
}

function checkController(config: BrokerConfig, voterIds: readonly number[]): void {
  const names = config.controllerListenerNames
  if (!config.isBroker) {
    require(config.advertisedControllerListeners.length ===
      config.listeners
        .length, 'The listeners config must only contain KRaft controller listeners from controller.listener.names when process.roles=controller')
  }
  require(voterIds.length === 0 ||
    voterIds.includes(
      config.nodeId,
    ), `If process.roles contains the 'controller' role, the node id ${config.nodeId} must be included in the set of voters ` +
    `controller.quorum.voters=Set(${voterIds.join(', ')})`)
  require(config.advertisedControllerListeners.length >
    0, "controller.listener.names must contain at least one value appearing in the 'listeners' configuration when running the KRaft controller role")
  require(names.every((name) =>
    config.listeners.some((endpoint) => endpoint.name === name),
  ), "controller.listener.names must only contain values appearing in the 'listeners' configuration when running the KRaft controller role")
}

function checkBrokerOnly(
  config: BrokerConfig,
  voterIds: readonly number[],
  protocols: ReadonlyMap<string, SecurityProtocol>,
): void {
  require(!voterIds.includes(
    config.nodeId,
  ), `If process.roles contains just the 'broker' role, the node id ${config.nodeId} must not be included in the set of ` +
    `voters controller.quorum.voters=Set(${voterIds.join(', ')})`)
  require(config.controllerListeners.length ===
    0, "controller.listener.names must not contain a value appearing in the 'listeners' configuration when running KRaft with just the broker role")
  for (const name of config.controllerListenerNames) {
    if (protocols.has(name.toUpperCase())) continue
    throw new ConfigError(
      `Controller listener with name ${name} defined in controller.listener.names not found in ` +
        'listener.security.protocol.map  (an explicit security mapping for each controller listener is required if ' +
        'listener.security.protocol.map is non-empty, or if there are security protocols other than PLAINTEXT in use)',
    )
  }
  require(!config.get(
    'controller.quorum.auto.join.enable',
  ), "controller.quorum.auto.join.enable is only supported when process.roles contains the 'controller' role.")
}

function checkListeners(config: BrokerConfig): void {
  if (config.isBroker) {
    const advertised = config.advertisedListeners.map((endpoint) => endpoint.name)
    const names = config.listeners.map((endpoint) => endpoint.name)
    require(advertised.length >
      0, 'There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?')
    require(advertised.includes(
      config.interBrokerListener.name,
    ), 'inter.broker.listener.name must be a listener name defined in advertised.listeners. ' +
      `The valid options based on currently configured listeners are ${advertised.join(',')}`)
    require(advertised.every((name) =>
      names.includes(name),
    ), 'advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. ' +
      `Found ${advertised.join(',')}. The valid options based on the current configuration are ${names.join(',')}`)
  }
  const everywhere = [...config.advertisedListeners, ...config.advertisedControllerListeners]
  require(!everywhere.some(
    (endpoint) => endpoint.host === '0.0.0.0',
  ), 'advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.')
}

function checkConnections(config: BrokerConfig): void {
  const queuedBytes = config.get('queued.max.request.bytes')
  require(queuedBytes <= 0 ||
    queuedBytes >=
      config.get(
        'socket.request.max.bytes',
      ), 'queued.max.request.bytes must be larger or equal to socket.request.max.bytes')
  const overridesName = 'max.connections.per.ip.overrides'
  const overrides = parsePairs(overridesName, config.get(overridesName))
  require(config.get('max.connections.per.ip') !== 0 ||
    overrides.size > 0, `max.connections.per.ip can be set to zero only if ${overridesName} property is set.`)
  const idleMs = config.get('connections.max.idle.ms')
  const delayMs = config.get('connection.failed.authentication.delay.ms')
  require(idleMs < 0 ||
    delayMs <
      idleMs, `connection.failed.authentication.delay.ms=${delayMs} should always be less than connections.max.idle.ms=${idleMs} ` +
    'to prevent failed authentication responses from timing out')
}

function ordered(config: BrokerConfig, low: BrokerSettingName, high: BrokerSettingName): void {
  const fits = (config.get(low) as number) <= (config.get(high) as number)
  if (!fits) throw new ConfigError(`${high} must be greater than or equal to ${low}`)
}

function within(config: BrokerConfig, low: BrokerSettingName, name: BrokerSettingName, high: BrokerSettingName): void {
  ordered(config, low, high)
  const value = config.get(name) as number
  if (value < (config.get(low) as number)) throw new ConfigError(`${name} must be greater than or equal to ${low}`)
  if (value > (config.get(high) as number)) throw new ConfigError(`${name} must be less than or equal to ${high}`)
}

function checkGroupLimits(config: BrokerConfig): void {
  for (const kind of ['consumer', 'share', 'streams'] as const) {
    for (const limit of ['heartbeat.interval.ms', 'session.timeout.ms', 'assignment.interval.ms'] as const) {
      within(config, `group.${kind}.min.${limit}`, `group.${kind}.${limit}`, `group.${kind}.max.${limit}`)
    }
    const heartbeat = `group.${kind}.heartbeat.interval.ms` as const
    const session = `group.${kind}.session.timeout.ms` as const
    if (config.get(heartbeat) >= config.get(session)) throw new ConfigError(`${heartbeat} must be less than ${session}`)
  }
  const assignors = config.get('group.share.assignors').length
  if (assignors !== 1) {
    throw new ConfigError(`group.share.assignors must contain exactly one assignor, but found ${assignors}`)
  }
  const [standby, most] = ['group.streams.num.standby.replicas', 'group.streams.max.standby.replicas'] as const
  if (config.get(standby) > config.get(most)) throw new ConfigError(`${standby} must be less than or equal to ${most}`)
}

function checkShareLimits(config: BrokerConfig): void {
  for (const limit of ['delivery.count.limit', 'partition.max.record.locks', 'record.lock.duration.ms'] as const) {
    ordered(config, `group.share.${limit}`, `group.share.max.${limit}`)
    if (config.get(`group.share.${limit}`) < config.get(`group.share.min.${limit}`)) {
      throw new ConfigError(`group.share.${limit} must be greater than or equal to group.share.min.${limit}`)
    }
  }
  ordered(config, 'group.share.max.size', 'group.share.max.share.sessions')
}
