import { apis } from '../../protocol/api-keys.ts'
import { errorOfCode, errors, type KafkaError } from '../../protocol/errors.ts'
import { RequestError } from '../../replication/channel/node-client.ts'
import type { Partition } from '../../replication/partition.ts'
import type { Services } from '../types.ts'

const CONSUMER = -1
const LATEST = -1
const ANY_EPOCH = -1
const READ_UNCOMMITTED = 0
/** The first version of ListOffsets that answers one offset. */
const MIN_VERSION = 1

/** Where what is committed of a partition ends, by its leader, which may be another broker; or why that cannot be told. */
export async function latestOffset(
  topic: string,
  partition: number,
  { image, nodeId, replicas, brokerLinks }: Pick<Services, 'image' | 'nodeId' | 'replicas' | 'brokerLinks'>,
): Promise<number | KafkaError> {
  const leader = image.topics.partition(topic, partition)?.leader ?? -1
  if (leader === nodeId) return endOf(replicas.get(topic, partition))
  if (leader < 0) return errors.LEADER_NOT_AVAILABLE
  const asked = { partitionIndex: partition, currentLeaderEpoch: ANY_EPOCH, timestamp: LATEST }
  const body = {
    replicaId: CONSUMER,
    isolationLevel: READ_UNCOMMITTED,
    topics: [{ name: topic, partitions: [asked] }],
  }
  try {
    const { response } = await brokerLinks.questions.request(leader, apis.ListOffsets, () => body, {
      minVersion: MIN_VERSION,
    })
    const answer = response.topics[0]?.partitions[0]
    if (answer === undefined) return errors.UNKNOWN_SERVER_ERROR
    return answer.errorCode === 0 ? answer.offset : errorOfCode(answer.errorCode)
  } catch (error) {
    if (error instanceof RequestError) return errors.NETWORK_EXCEPTION
    throw error
  }
}

function endOf(partition: Partition | undefined): number | KafkaError {
  if (partition?.isLeader !== true) return errors.NOT_LEADER_OR_FOLLOWER
  return partition.isEndUnknown ? errors.OFFSET_NOT_AVAILABLE : partition.log.highWatermark
}
