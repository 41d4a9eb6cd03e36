import { BrokerConfig } from '../config/broker-config.ts'
import { ConfigError } from '../config/config-error.ts'
import { parseProperties } from '../config/properties.ts'
import { StartupError } from '../config/startup-error.ts'
import { type Disk, diskErrorCode } from '../platform/disk.ts'
import { UsageError } from './console.ts'

/** The properties of a .properties file. Throws StartupError where it cannot be read. */
export function readPropertiesFile(disk: Disk, path: string): Map<string, string> {
  try {
    return parseProperties(disk.readFile(path).toString('utf8'))
  } catch (error) {
    const code = diskErrorCode(error)
    if (code === undefined) throw error
    throw new StartupError(`Cannot read ${path}: ${code === 'ENOENT' ? 'no such file' : code}`)
  }
}

/** The name=value pairs of --override. */
export function parseOverrides(overrides: readonly string[]): Map<string, string> {
  return new Map(
    overrides.map((override) => {
      const equals = override.indexOf('=')
      if (equals < 1) throw new UsageError(`--override needs name=value, not '${override}'`)
      return [override.slice(0, equals).trim(), override.slice(equals + 1)]
    }),
  )
}

/** A node that is broker and controller in one, alone in its cluster, and to be reached from this machine only. */
export function loopbackNode(port: number, directory: string): Map<string, string> {
  // With port 0 both ports are the system's choice, as there is no "next" one.
  const controllerPort = port === 0 ? 0 : port === 65535 ? port - 1 : port + 1
  return new Map([
    ['process.roles', 'broker,controller'],
    ['node.id', '1'],
    ['listeners', `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`],
    ['controller.listener.names', 'CONTROLLER'],
    ['controller.quorum.bootstrap.servers', `127.0.0.1:${controllerPort}`],
    ['log.dirs', directory],
    ['offsets.topic.replication.factor', '1'],
    ['transaction.state.log.replication.factor', '1'],
    ['transaction.state.log.min.isr', '1'],
    ['share.coordinator.state.topic.replication.factor', '1'],
    ['share.coordinator.state.topic.min.isr', '1'],
    // Waiting for more members is for many consumers that start together; alone it only looks slow.
    ['group.initial.rebalance.delay.ms', '0'],
  ])
}

/** Settings that would make a node less safe than its config file says, were they ignored. */
function refuseUnsafe(config: BrokerConfig): void {
  const authorizer = config.get('authorizer.class.name')
  if (authorizer !== '') {
    throw new StartupError(
      `Invalid value ${authorizer} for configuration authorizer.class.name: authorization is not available yet; only ` +
        'an empty value, which lets everyone do everything, is allowed',
    )
  }
  for (const { name, securityProtocol } of config.listeners) {
    if (securityProtocol === 'PLAINTEXT') continue
    throw new StartupError(
      `Invalid value ${securityProtocol} for listener ${name} in listener.security.protocol.map: only PLAINTEXT is ` +
        'available yet',
    )
  }
}

/** Throws StartupError with the reason in one line. */
export function nodeConfig(properties: ReadonlyMap<string, string>): BrokerConfig {
  try {
    const config = new BrokerConfig(properties)
    refuseUnsafe(config)
    return config
  } catch (error) {
    if (error instanceof ConfigError) throw new StartupError(error.message)
    throw error
  }
}
