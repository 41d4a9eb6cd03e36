import { type RunningServer, startServer } from '../broker/server.ts'
import { BrokerConfig } from '../config/broker-config.ts'
import { type Logger, silentLogger } from '../platform/logger.ts'
import { MemoryDisk } from '../platform/memory-disk.ts'
import { nodePlatform } from '../platform/node-platform.ts'
import type { Platform } from '../platform/platform.ts'

/** The directory of a test broker, on the disk it is given. */
const DATA = '/data'

export interface TestBrokerOptions {
  /** Settings over those of a test broker, by Kafka's names. */
  readonly overrides?: Readonly<Record<string, string>>
  /** A disk to go on with; a new one in memory by default. */
  readonly disk?: Platform['disk']
  readonly logger?: Logger
}

export interface TestBroker {
  readonly server: RunningServer
  readonly disk: Platform['disk']
  /** host:port for clients. */
  readonly address: string
  readonly port: number
}

/**
 * A broker in this process: its data in memory, its listeners on free ports of loopback. Starts of groups are not
 * delayed, as that would only make tests slow.
 */
export async function startTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const { overrides = {}, disk = new MemoryDisk(), logger = silentLogger } = options
  const platform: Platform = { ...nodePlatform(), disk }
  const server = await startServer(testBrokerConfig(overrides), platform, logger)
  const { port } = server.listeners[0]!
  return { server, disk, address: `127.0.0.1:${port}`, port }
}

export function testBrokerConfig(overrides: Readonly<Record<string, string>> = {}): BrokerConfig {
  const properties = new Map([
    ['process.roles', 'broker,controller'],
    ['node.id', '1'],
    ['controller.listener.names', 'CONTROLLER'],
    ['listeners', 'PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0'],
    ['controller.quorum.bootstrap.servers', '127.0.0.1:0'],
    ['log.dirs', DATA],
    ['offsets.topic.num.partitions', '5'],
    ['offsets.topic.replication.factor', '1'],
    ['group.initial.rebalance.delay.ms', '0'],
    ...Object.entries(overrides),
  ])
  return new BrokerConfig(properties)
}
