import type { BrokerConfig } from '../config/broker-config.ts'
import type { CreateTopicsRequest } from '../protocol/messages/create-topics.ts'
import { OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTIONS_TOPIC } from './topic-names.ts'

type NewTopic = CreateTopicsRequest['topics'][number]

/** How a topic is made that nobody asked for by CreateTopics: the broker's own topics have settings of their own. */
export function autoTopic(name: string, config: BrokerConfig): NewTopic {
  switch (name) {
    case OFFSETS_TOPIC:
      return newTopic(
        name,
        config.get('offsets.topic.num.partitions'),
        config.get('offsets.topic.replication.factor'),
        {
          'cleanup.policy': 'compact',
          'compression.type': 'producer',
          'segment.bytes': String(config.get('offsets.topic.segment.bytes')),
        },
      )
    case TRANSACTIONS_TOPIC:
      return newTopic(
        name,
        config.get('transaction.state.log.num.partitions'),
        config.get('transaction.state.log.replication.factor'),
        {
          'unclean.leader.election.enable': 'false',
          'compression.type': 'uncompressed',
          'cleanup.policy': 'compact',
          'min.insync.replicas': String(config.get('transaction.state.log.min.isr')),
          'segment.bytes': String(config.get('transaction.state.log.segment.bytes')),
        },
      )
    case SHARE_STATE_TOPIC:
      return newTopic(
        name,
        config.get('share.coordinator.state.topic.num.partitions'),
        config.get('share.coordinator.state.topic.replication.factor'),
        {
          'cleanup.policy': 'delete',
          'compression.type': 'producer',
          'segment.bytes': String(config.get('share.coordinator.state.topic.segment.bytes')),
          'min.insync.replicas': String(config.get('share.coordinator.state.topic.min.isr')),
          'retention.ms': '-1',
        },
      )
    default:
      return newTopic(name, -1, -1, {})
  }
}

function newTopic(
  name: string,
  numPartitions: number,
  replicationFactor: number,
  settings: Readonly<Record<string, string>>,
): NewTopic {
  const configs = Object.entries(settings).map(([setting, value]) => ({ name: setting, value }))
  return { name, numPartitions, replicationFactor, assignments: [], configs }
}
