import type { AlterConfigsRequest, AlterConfigsResponse } from '../protocol/messages/alter-configs.ts'
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '../protocol/messages/create-partitions.ts'
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts'
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '../protocol/messages/delete-topics.ts'
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../protocol/messages/incremental-alter-configs.ts'
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../protocol/messages/update-features.ts'
import type { MessageOf } from '../protocol/schema.ts'

/** A thousand producer ids that are this broker's alone. */
export interface ProducerIdBlock {
  readonly firstProducerId: number
  readonly size: number
}

/** What became of one topic that was to be made because somebody asked for it. */
export interface AutoCreation {
  readonly name: string
  /** 0 when the topic is there now, whoever made it. */
  readonly errorCode: number
  readonly errorMessage: string | null
}

/**
 * Decides over topics, configs, brokers and features. Every operation's promise resolves when its records are committed,
 * replayed and applied on this node.
 */
export interface Controller {
  createTopics(request: MessageOf<typeof CreateTopicsRequest>): Promise<MessageOf<typeof CreateTopicsResponse>>
  /** `version`: from 6 on topics may be named by id. */
  deleteTopics(
    request: MessageOf<typeof DeleteTopicsRequest>,
    version: number,
  ): Promise<MessageOf<typeof DeleteTopicsResponse>>
  createPartitions(
    request: MessageOf<typeof CreatePartitionsRequest>,
  ): Promise<MessageOf<typeof CreatePartitionsResponse>>
  alterConfigs(request: MessageOf<typeof AlterConfigsRequest>): Promise<MessageOf<typeof AlterConfigsResponse>>
  incrementalAlterConfigs(
    request: MessageOf<typeof IncrementalAlterConfigsRequest>,
  ): Promise<MessageOf<typeof IncrementalAlterConfigsResponse>>
  updateFeatures(
    request: MessageOf<typeof UpdateFeaturesRequest>,
    version: number,
  ): Promise<MessageOf<typeof UpdateFeaturesResponse>>
  allocateProducerIds(): Promise<ProducerIdBlock>
  /**
   * Makes what is missing of `names`: internal topics (__consumer_offsets, __transaction_state, __share_group_state) with
   * their own settings, others with the broker's defaults. One answer per name, in order.
   */
  autoCreateTopics(names: readonly string[]): Promise<AutoCreation[]>
}
