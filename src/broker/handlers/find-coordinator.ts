import { OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTIONS_TOPIC } from '../../controller/topic-names.ts'
import type { GroupCoordinator } from '../../coordinator/group-coordinator.ts'
import { partitionFor } from '../../coordinator/partitioner.ts'
import { errorOfCode, errors, type KafkaError } from '../../protocol/errors.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../protocol/messages/find-coordinator.ts'
import { endPointOf } from '../endpoints.ts'
import { defineHandler, type RequestContext, type Services } from '../types.ts'

/** From these versions on: several keys (KIP-699), share partitions (KIP-932). */
const FIRST_VERSION_WITH_KEYS = 4
const FIRST_VERSION_WITH_SHARE = 6
/** A client that finds a coordinator still loading asks again anyway; this spares most of them the trouble. */
const LOAD_WAIT_MS = 5000

const KeyType = { group: 0, transaction: 1, share: 2 } as const

interface Coordinator {
  readonly errorCode: number
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

/**
 * FindCoordinator: the node that coordinates a group, a transactional id or a share partition. Makes the internal topic if
 * it is not there, and answers when its partition has a leader and, where that is this node, what it holds is loaded.
 */
export const handler = defineHandler({
  request: FindCoordinatorRequest,
  response: FindCoordinatorResponse,
  handle: async (request, context, services) => {
    if (topicOf(request.keyType, services) === undefined) return refuse(request, errors.INVALID_REQUEST, context)
    if (context.apiVersion < FIRST_VERSION_WITH_KEYS) {
      const coordinator = await find(request.keyType, request.key, context, services)
      const error = errorOfCode(coordinator.errorCode)
      // Apache Kafka writes the error's name where there is no error.
      return { ...coordinator, errorMessage: error === errors.NONE ? error.name : error.message }
    }
    const keys = request.coordinatorKeys
    const found = await Promise.all(keys.map((key) => find(request.keyType, key, context, services)))
    return { coordinators: found.map((coordinator, i) => ({ ...coordinator, key: keys[i]! })) }
  },
  failed: (request, errorCode, context) => refuse(request, errorOfCode(errorCode), context),
})

function refuse({ coordinatorKeys }: FindCoordinatorRequest, error: KafkaError, { apiVersion }: RequestContext) {
  const refusal = { ...noCoordinator(error), errorMessage: error.message }
  if (apiVersion < FIRST_VERSION_WITH_KEYS) return refusal
  return { coordinators: coordinatorKeys.map((key) => ({ ...refusal, key })) }
}

function noCoordinator(error: KafkaError): Coordinator {
  return { errorCode: error.code, nodeId: -1, host: '', port: -1 }
}

interface InternalTopic {
  readonly name: string
  /** Before it is made. */
  readonly partitionCount: number
}

function topicOf(keyType: number, { config }: Services): InternalTopic | undefined {
  switch (keyType) {
    case KeyType.group:
      return { name: OFFSETS_TOPIC, partitionCount: config.get('offsets.topic.num.partitions') }
    case KeyType.transaction:
      return { name: TRANSACTIONS_TOPIC, partitionCount: config.get('transaction.state.log.num.partitions') }
    case KeyType.share:
      return { name: SHARE_STATE_TOPIC, partitionCount: config.get('share.coordinator.state.topic.num.partitions') }
    default:
      return undefined
  }
}

async function find(keyType: number, key: string, context: RequestContext, services: Services): Promise<Coordinator> {
  const { image, autoTopics, nodeId } = services
  const topic = topicOf(keyType, services)!
  if (keyType === KeyType.share && (context.apiVersion < FIRST_VERSION_WITH_SHARE || !isSharePartition(key))) {
    return noCoordinator(errors.INVALID_REQUEST)
  }
  if (image.topics.byName(topic.name) === undefined) {
    const [creation] = await autoTopics.create([topic.name])
    if (creation?.errorCode !== errors.NONE.code) return noCoordinator(errors.COORDINATOR_NOT_AVAILABLE)
  }
  const partition = partitionFor(key, image.topics.byName(topic.name)?.partitions.size ?? topic.partitionCount)
  const leader = image.topics.partition(topic.name, partition)?.leader ?? -1
  const broker = image.brokers.get(leader)
  const endPoint = endPointOf(broker, context.connection.listenerName)
  if (broker === undefined || broker.fenced || endPoint === undefined) {
    return noCoordinator(errors.COORDINATOR_NOT_AVAILABLE)
  }
  if (leader === nodeId && keyType === KeyType.group) await loaded(services.groups, partition, services)
  if (leader === nodeId && keyType === KeyType.transaction) await loaded(services.transactions, partition, services)
  return { errorCode: errors.NONE.code, nodeId: leader, host: endPoint.host, port: endPoint.port }
}

/** Resolves when what the partition holds is loaded, or after `LOAD_WAIT_MS`. */
async function loaded(
  coordinator: Pick<GroupCoordinator, 'isActive' | 'whenLoaded'>,
  partition: number,
  { platform }: Services,
): Promise<void> {
  if (coordinator.isActive(partition)) return
  await new Promise<void>((resolve) => {
    const timeout = platform.time.after(LOAD_WAIT_MS, resolve)
    void coordinator.whenLoaded(partition).then(() => {
      timeout.cancel()
      resolve()
    })
  })
}

/** `groupId:topicId:partition`; only the group id may have colons in it. */
function isSharePartition(key: string): boolean {
  const match = /^(.*):([A-Za-z0-9_-]{22}):([+-]?\d{1,10})$/s.exec(key)
  if (match === null || match[1]!.trim() === '') return false
  const partition = Number(match[3])
  return partition >= -(2 ** 31) && partition < 2 ** 31
}
