import { createHash } from 'node:crypto'
import { type Api, apis } from '../../../src/protocol/api-keys.ts'
import { encodeRequest } from '../../../src/protocol/frames.ts'
import type { Body, Probe } from '../probe.ts'
import { makeTopic, newest, type Scenario, settled } from '../scenario.ts'

/** User:ANONYMOUS, as brokers write down who asked them. */
const ANYBODY = Buffer.concat([
  Buffer.from([0, 0, 5]),
  Buffer.from('User'),
  Buffer.from([10]),
  Buffer.from('ANONYMOUS'),
  Buffer.alloc(2),
])
/** Of brokers that are there for a scenario only. */
const BROKER_ID = 500
const CONTROLLER_ID = 900
/** More than any offset that there is: whoever says so has caught up. */
const CAUGHT_UP = 2 ** 40

/** An id that nobody else has; the same for both brokers. */
function idOf(text: string): string {
  return createHash('md5').update(text).digest('base64url')
}

/** What Apache Kafka 4.3.1 supports, which the brokers of both clusters must. */
const features = [
  { name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 30 },
  { name: 'kraft.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
  { name: 'transaction.version', minSupportedVersion: 0, maxSupportedVersion: 2 },
  { name: 'group.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
  { name: 'eligible.leader.replicas.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
  { name: 'share.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
  { name: 'streams.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
]

async function clusterIdOf(probe: Probe): Promise<string> {
  return (await probe.quietly('DescribeCluster', 0, {})).clusterId
}

/** A registration that is accepted; what is in `change` replaces the same here. */
async function registration(probe: Probe, version: number, name: string, change: Body = {}): Promise<Body> {
  return {
    brokerId: BROKER_ID,
    clusterId: await clusterIdOf(probe),
    incarnationId: idOf(`${name} incarnation`),
    listeners: [{ name: 'PLAINTEXT', host: 'fenced.example', port: 9, securityProtocol: 0 }],
    features,
    rack: 'a rack',
    ...(version >= 2 && { logDirs: [idOf(`${name} directory`), idOf(`${name} other`)] }),
    ...change,
  }
}

/** Registers a broker, not part of what is compared, and answers its epoch. */
async function register(probe: Probe, name: string, change: Body = {}): Promise<number> {
  const version = newest('BrokerRegistration')
  const body = await registration(probe, version, name, change)
  const answer = await probe.toController().quietly('BrokerRegistration', version, body)
  if (answer.errorCode !== 0) throw new Error(`registration: error ${answer.errorCode}`)
  return answer.brokerEpoch
}

function unregister(probe: Probe): Promise<Body> {
  return probe.quietly('UnregisterBroker', 0, { brokerId: BROKER_ID })
}

function beat(brokerEpoch: number, change: Body = {}): Body {
  const wishes = { wantFence: false, wantShutDown: false }
  return { brokerId: BROKER_ID, brokerEpoch, currentMetadataOffset: CAUGHT_UP, ...wishes, ...change }
}

/** Waits until the broker knows that a partition has no leader, or has one. */
async function untilLeader(probe: Probe, topic: string, isLed: boolean): Promise<void> {
  for (let attempt = 0; attempt < 1500; attempt++) {
    const { topics } = await probe.quietly('Metadata', 12, { topics: [{ name: topic }], allowAutoTopicCreation: false })
    const [partition] = topics[0].partitions
    if (partition !== undefined && partition.leaderId >= 0 === isLed) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${topic}: waited in vain for ${isLed ? 'a' : 'no'} leader`)
}

/** Sends heartbeats until the broker may go; only the last is part of what is compared. */
async function shutDown(controller: Probe, version: number, brokerEpoch: number): Promise<void> {
  for (let attempt = 0; attempt < 1500; attempt++) {
    const answer = await controller.quietly('BrokerHeartbeat', version, beat(brokerEpoch, { wantShutDown: true }))
    if (answer.shouldShutDown || answer.errorCode !== 0) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await controller.send('BrokerHeartbeat', version, beat(brokerEpoch, { wantShutDown: true }), 'gone')
}

/** A broker that leads a topic of this name; `send` is its heartbeat. */
async function leader(probe: Probe, version: number, name: string) {
  const controller = probe.toController()
  const brokerEpoch = await register(probe, name)
  const send = (change: Body) => controller.send('BrokerHeartbeat', version, beat(brokerEpoch, change))
  await send({})
  const assignments = [{ partitionIndex: 0, brokerIds: [BROKER_ID] }]
  const topic = { name, numPartitions: -1, replicationFactor: -1, assignments }
  const created = await probe.quietly('CreateTopics', 7, { topics: [topic], timeoutMs: 10_000 })
  probe.learn(created.topics[0].topicId, '<topic id>')
  return { controller, brokerEpoch, send }
}

/** What brokers and controllers ask the controller for. */
export const controllerScenarios: readonly Scenario[] = [
  {
    title: 'who registers, and who may not',
    api: 'BrokerRegistration',
    listener: 'controller',
    run: async (probe, version, name) => {
      const controller = probe.toController()
      let epochs = 0
      const ask = async (change: Body, note?: string) => {
        const answer = await controller.send(
          'BrokerRegistration',
          version,
          await registration(probe, version, name, change),
          note,
        )
        const epoch: number = answer.brokerEpoch
        if (epoch >= 0 && !probe.symbols.has(epoch)) probe.learn(epoch, `<epoch ${++epochs}>`)
        return epoch
      }
      await ask({ clusterId: 'another' })
      await ask({ features: [] })
      await ask({ features: [{ ...features[0], maxSupportedVersion: 29 }, ...features.slice(1)] })
      await ask({ features: features.slice(0, 3) }, 'without a feature that is in use')
      await ask({ features: [...features, { name: 'other', minSupportedVersion: 1, maxSupportedVersion: 1 }] })
      if (version >= 1) await ask({ isMigratingZkBroker: true })
      if (version < 2) return
      await ask({ logDirs: [] })
      await ask({ logDirs: ['AAAAAAAAAAAAAAAAAAAAAQ'] })
      await ask({ logDirs: [idOf('twice'), idOf('twice')] })
      const epoch = await ask({})
      await ask({ rack: null }, 'again')
      await ask({ brokerId: BROKER_ID + 1 }, 'with the directory of another')
      await ask({ incarnationId: idOf('another') }, 'another process, before the first heartbeat')
      const { brokerEpoch } = await controller.quietly(
        'BrokerRegistration',
        version,
        await registration(probe, version, name, { incarnationId: idOf('third') }),
      )
      await controller.send('BrokerHeartbeat', 1, beat(brokerEpoch, { wantFence: true }))
      await ask({ incarnationId: idOf('fourth') }, 'another process, after it')
      await controller.send('BrokerHeartbeat', 1, beat(epoch))
      await unregister(probe)
      await controller.send('BrokerHeartbeat', 1, beat(brokerEpoch))
    },
  },
  {
    title: 'fenced, serving, gone',
    api: 'BrokerHeartbeat',
    listener: 'controller',
    run: async (probe, version, name) => {
      const controller = probe.toController()
      const brokerEpoch = await register(probe, name)
      const send = (change: Body, note?: string) =>
        controller.send('BrokerHeartbeat', version, beat(brokerEpoch, change), note)
      await send({ brokerEpoch: brokerEpoch - 1 })
      await send({ brokerId: BROKER_ID + 1 })
      await send({ currentMetadataOffset: 0 }, 'behind')
      await send({ currentMetadataOffset: 0, wantFence: true }, 'behind, and not ready')
      await send({ wantFence: true })
      await send({})
      await send({ wantFence: true })
      await send({})
      await send({ wantShutDown: true })
      await send({ wantShutDown: true })
      await send({})
      await send({ wantFence: true, wantShutDown: true })
      await send({})
      if (version >= 1) await send({ offlineLogDirs: [idOf(`${name} directory`), idOf('unknown')] })
      if (version >= 2) await send({ cordonedLogDirs: [idOf(`${name} other`)] })
      // Whom a broker takes for the controller is by chance, where several live.
      await send({ wantFence: true })
      await settled(probe)
      await probe.send('DescribeCluster', 2, { includeFencedBrokers: true })
      await unregister(probe)
      await settled(probe)
      await probe.send('DescribeCluster', 2, { includeFencedBrokers: true })
    },
  },
  {
    title: 'what a broker leads, while it comes and goes',
    api: 'BrokerHeartbeat',
    listener: 'controller',
    run: async (probe, version, name) => {
      const { controller, brokerEpoch, send } = await leader(probe, version, name)
      const look = async (isLed: boolean) => {
        await untilLeader(probe, name, isLed)
        const topics = [{ name }]
        await probe.send('DescribeTopicPartitions', 0, { topics, responsePartitionLimit: 10 })
      }
      await look(true)
      await send({ wantFence: true })
      await look(false)
      await send({})
      await look(true)
      await send({ wantShutDown: true })
      await look(false)
      await shutDown(controller, version, brokerEpoch)
      await send({})
      await look(true)
      if (version >= 1) {
        await send({ offlineLogDirs: [idOf(`${name} directory`), idOf(`${name} other`)] })
        await look(true)
      }
      await probe.send('DeleteTopics', 5, { topicNames: [name], timeoutMs: 10_000 })
      await unregister(probe)
    },
  },
  {
    title: 'who gets new partitions, while a broker shuts down',
    api: 'BrokerHeartbeat',
    listener: 'controller',
    run: async (probe, version, name) => {
      const { controller, brokerEpoch, send } = await leader(probe, version, name)
      await untilLeader(probe, name, true)
      const place = async (replicationFactor: number, note: string) => {
        const topics = [{ name: `${name}-more`, numPartitions: 10, replicationFactor }]
        await controller.send('CreateTopics', 6, { topics, timeoutMs: 10_000, validateOnly: true }, note)
      }
      await place(2, 'while it lives')
      await send({ wantShutDown: true })
      await place(2, 'while it shuts down')
      await place(1, 'while it shuts down')
      await shutDown(controller, version, brokerEpoch)
      await place(2, 'when it has gone')
      await place(1, 'when it has gone')
      await probe.send('DeleteTopics', 5, { topicNames: [name], timeoutMs: 10_000 })
      await unregister(probe)
    },
  },
  {
    title: 'blocks of producer ids',
    api: 'AllocateProducerIds',
    listener: 'controller',
    run: async (probe, version, name) => {
      const controller = probe.toController()
      const brokerEpoch = await register(probe, name)
      const ask = async (body: Body) => {
        const answer = await controller.send('AllocateProducerIds', version, { brokerId: BROKER_ID, ...body })
        if (answer.errorCode === 0) probe.learn(answer.producerIdStart, '<start>')
      }
      await ask({ brokerEpoch })
      await ask({ brokerEpoch: brokerEpoch + 1 })
      await ask({ brokerId: BROKER_ID + 1, brokerEpoch })
      await unregister(probe)
      await ask({ brokerEpoch })
    },
  },
  {
    title: 'what a controller supports, the cluster may use',
    api: 'ControllerRegistration',
    listener: 'controller',
    run: async (probe, version, name) => {
      const controller = probe.toController()
      const ask = (body: Body) =>
        controller.send('ControllerRegistration', version, {
          controllerId: CONTROLLER_ID,
          incarnationId: idOf(name),
          zkMigrationReady: false,
          listeners: [{ name: 'CONTROLLER', host: 'other.example', port: 9, securityProtocol: 0 }],
          features,
          ...body,
        })
      const raise = () => {
        const featureUpdates = [{ feature: 'share.version', maxVersionLevel: 1, upgradeType: 1 }]
        return controller.send('UpdateFeatures', 2, { timeoutMs: 10_000, featureUpdates, validateOnly: true })
      }
      await ask({ features: features.filter((feature) => feature.name !== 'share.version') })
      await raise()
      await ask({ listeners: [] })
      await raise()
      await ask({})
    },
  },
  {
    title: 'a broker that takes no new partitions',
    api: 'DescribeLogDirs',
    from: 5,
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      const set = async (value: string) => {
        const configs = [{ name: 'cordoned.log.dirs', configOperation: value === '' ? 1 : 0, value }]
        const resources = [{ resourceType: 4, resourceName: '1', configs }]
        await probe.send('IncrementalAlterConfigs', 1, { resources, validateOnly: false })
        await settled(probe)
      }
      const topics = [{ name: `${name}-more`, numPartitions: 1, replicationFactor: 1 }]
      const create = { topics, timeoutMs: 10_000, validateOnly: true }
      /** The controller hears of it by a heartbeat. */
      const untilIt = async (takesPartitions: boolean) => {
        for (let attempt = 0; attempt < 500; attempt++) {
          const answer = await probe.quietly('CreateTopics', 6, create)
          if ((answer.topics[0].errorCode === 0) === takesPartitions) return
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
      const look = () => probe.send('DescribeLogDirs', version, { topics: [{ topic: name, partitions: [0] }] })
      await look()
      const setAtController = (value: string, note: string) => {
        const resources = [
          { resourceType: 4, resourceName: '1', configs: [{ name: 'cordoned.log.dirs', configOperation: 0, value }] },
        ]
        return probe.toController().send('IncrementalAlterConfigs', 1, { resources, validateOnly: true }, note)
      }
      await set('/nowhere')
      await setAtController('*', 'what a controller cannot check')
      await set('*')
      await untilIt(false)
      await look()
      await setAtController('*', 'what was checked before')
      await setAtController('', 'none')
      await probe.send('CreateTopics', 6, create)
      const dirs = [{ path: probe.broker.dataDir, topics: [{ name, partitions: [0] }] }]
      await probe.send('AlterReplicaLogDirs', 2, { dirs })
      await set('')
      await untilIt(true)
      await look()
      await probe.send('CreateTopics', 6, create)
    },
  },
  {
    title: 'requests of clients that a broker passes on',
    api: 'Envelope',
    listener: 'controller',
    run: async (probe, version, name) => {
      const controller = probe.toController()
      const header = { correlationId: 77, clientId: 'a client' }
      const frame = (api: 'DeleteTopics' | 'Metadata', apiVersion: number, body: Body) =>
        Buffer.concat(encodeRequest(apis[api] as Api, apiVersion, header, body)).subarray(4)
      const request = frame('DeleteTopics', 4, { topicNames: [`${name}-none`], timeoutMs: 1000 })
      const ask = (change: Body, note?: string) => {
        const from = { requestPrincipal: ANYBODY, clientHostAddress: Buffer.from([127, 0, 0, 1]) }
        return controller.send('Envelope', version, { requestData: request, ...from, ...change }, note)
      }
      await ask({})
      await ask({ requestPrincipal: null }, 'from nobody')
      await ask({ requestPrincipal: ANYBODY.subarray(0, 4) }, 'from nobody in particular')
      await ask({ clientHostAddress: Buffer.from([127, 0, 1]) }, 'from nowhere')
      await ask({ requestData: frame('Metadata', 12, { topics: null }) }, 'what brokers answer themselves')
    },
  },
  {
    title: 'the controllers of a cluster',
    api: 'DescribeCluster',
    listener: 'controller',
    from: 1,
    run: async (probe, version) => {
      const controller = probe.toController()
      const ask = (body: Body) => controller.send('DescribeCluster', version, body)
      await ask({ endpointType: 2 })
      await ask({ endpointType: 2, includeClusterAuthorizedOperations: true })
      await ask({ endpointType: 1 })
      await ask({ endpointType: 7 })
      if (version >= 2) await ask({ endpointType: 2, includeFencedBrokers: true })
    },
  },
]
