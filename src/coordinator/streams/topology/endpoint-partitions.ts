import type { StreamsGroupHeartbeatResponse } from '../../../protocol/messages/streams-group-heartbeat.ts'
import { inHashOrder } from '../../hash-order.ts'
import type { ConfiguredSubtopology, TopicView } from './types.ts'

type Endpoint = NonNullable<StreamsGroupHeartbeatResponse['partitionsByUserEndpoint']>[number]

/**
 * What of the sources somebody who runs the tasks reads. As in Apache Kafka, a topic with fewer partitions than there
 * are tasks here is told with its first ones as counted among the tasks. Subtopologies and topics that there are no
 * more are left out.
 */
export function partitionsOfTasks(
  tasks: ReadonlyMap<string, Iterable<number>>,
  subtopologies: ReadonlyMap<string, ConfiguredSubtopology>,
  topics: TopicView,
): Endpoint['activePartitions'] {
  const partitions: Endpoint['activePartitions'] = []
  for (const [id, numbers] of tasks) {
    const subtopology = subtopologies.get(id)
    if (subtopology === undefined) continue
    const sorted = [...numbers].sort((a, b) => a - b)
    const names = new Set([...subtopology.sourceTopics, ...subtopology.repartitionSourceTopics.keys()])
    for (const topic of inHashOrder(names)) {
      const count = topics.byName(topic)?.partitions.size
      if (count !== undefined) partitions.push({ topic, partitions: sorted.slice(0, count) })
    }
  }
  return partitions
}
