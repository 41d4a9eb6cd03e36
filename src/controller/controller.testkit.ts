import { BrokerConfig } from '../config/broker-config.ts'
import { supportedFeatures } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { encodeMetadataRecord } from '../metadata/records.ts'
import { snapshotRecords } from '../metadata/snapshot-records.ts'
import { silentLogger } from '../platform/logger.ts'
import { MemoryDisk } from '../platform/memory-disk.ts'
import type { Platform } from '../platform/platform.ts'
import { randomUuid } from '../platform/random.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import type { CreateTopicsRequest } from '../protocol/messages/create-topics.ts'
import { Controller } from './controller.ts'
import type { Policies } from './policies.ts'

export const CLUSTER_ID = '4L6g3nShT-eMCtK--X86sw'
export const DIRECTORY_ID = 'Z8ieC9GbRMy7po1nB9IrzQ'

const DEFAULTS = {
  'node.id': '1',
  'process.roles': 'broker,controller',
  listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
  'controller.listener.names': 'CONTROLLER',
  'controller.quorum.voters': '1@127.0.0.1:9093',
  'log.dirs': '/data',
}

/** A disk with controllers that come and go on it. */
export class ControllerWorld {
  readonly disk = new MemoryDisk()
  readonly time = new VirtualTime()
  readonly logger = { ...silentLogger }
  readonly config: BrokerConfig
  readonly platform: Platform
  policies: Policies = {}
  #randomState = 1

  constructor(properties: Readonly<Record<string, string>> = {}) {
    this.config = new BrokerConfig(new Map(Object.entries({ ...DEFAULTS, ...properties })))
    this.disk.makeDirectory('/data')
    const random = {
      bytes: (length: number) => Buffer.from(Array.from({ length }, () => this.#next() & 255)),
      below: (below: number) => this.#next() % below,
    }
    this.platform = { disk: this.disk, time: this.time, random } as unknown as Platform
  }

  #next(): number {
    this.#randomState = (Math.imul(this.#randomState, 1103515245) + 12345) >>> 0
    return this.#randomState >>> 8
  }

  /** Opened, and registered unless told otherwise. */
  async open(isRegistered = true): Promise<Controller> {
    const controller = await Controller.open({
      platform: this.platform,
      logger: this.logger,
      config: this.config,
      policies: this.policies,
      clusterId: CLUSTER_ID,
      directoryId: DIRECTORY_ID,
      controllerEndpoints: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 9093 }],
    })
    if (isRegistered) await this.#join(controller)
    const { configs } = controller.image
    const applyDynamic = () => void this.config.applyDynamic(configs.of(4, ''), configs.of(4, '1'))
    await controller.publishTo([{ onMetadataChange: applyDynamic }])
    return controller
  }

  /** The node is a controller and a broker that has caught up. No heartbeat follows. */
  async #join(controller: Controller): Promise<void> {
    const incarnationId = randomUuid(this.platform.random)
    const features = supportedFeatures.map(({ name, minVersion, maxVersion }) => ({
      name,
      minSupportedVersion: minVersion,
      maxSupportedVersion: maxVersion,
    }))
    const endPoint = { host: '127.0.0.1', port: 9093, securityProtocol: 0 }
    await controller.registerController({
      controllerId: 1,
      incarnationId,
      zkMigrationReady: false,
      listeners: [{ ...endPoint, name: 'CONTROLLER' }],
      features,
    })
    const registration = {
      brokerId: 1,
      clusterId: CLUSTER_ID,
      incarnationId,
      listeners: [{ ...endPoint, name: 'PLAINTEXT', port: 9092 }],
      features,
      rack: null,
      isMigratingZkBroker: false,
      logDirs: [DIRECTORY_ID],
      previousBrokerEpoch: -1,
    }
    const brokerEpoch = await controller.registerBroker(registration, 4, true)
    await controller.brokerHeartbeat({
      brokerId: 1,
      brokerEpoch,
      currentMetadataOffset: controller.image.offset,
      wantFence: false,
      wantShutDown: false,
      offlineLogDirs: [],
      cordonedLogDirs: [],
    })
  }
}

/** A CreateTopics request; what is left out takes the broker's default. */
export function newTopics(...topics: (Partial<CreateTopicsRequest['topics'][number]> & { name: string })[]) {
  return {
    topics: topics.map((topic) => ({
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [],
      configs: [],
      ...topic,
    })),
    timeoutMs: 60_000,
    validateOnly: false,
  }
}

/** Everything in an image, in a form in which equal states are equal. */
export function contentsOf(image: MetadataImage): string[] {
  return [...snapshotRecords(image)].map((record) => `${record.name} ${encodeMetadataRecord(record).toString('hex')}`)
}
