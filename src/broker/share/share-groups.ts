import type { BrokerConfig } from '../../config/broker-config.ts'
import { SHARE_STATE_TOPIC } from '../../controller/topic-names.ts'
import { ShareCoordinator } from '../../coordinator/share/share-coordinator.ts'
import { shareCoordinatorConfig } from '../../coordinator/share/share-coordinator-config.ts'
import { RetryingPersister, type SharePersister } from '../../coordinator/share/share-persister.ts'
import type { SharePartitionKey } from '../../coordinator/share/share-records.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { MetadataDelta, MetadataPublisher } from '../../metadata/types.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Platform } from '../../platform/platform.ts'
import { codecFromId } from '../../protocol/records/batch.ts'
import type { BrokerLinks } from '../../replication/channel/broker-links.ts'
import type { ReplicaManager } from '../../replication/replica-manager.ts'
import type { AutoTopics } from '../auto-topics.ts'
import { ReplicaLog } from '../replica-log.ts'
import { ShareError } from './share-error.ts'
import { ShareFetcher } from './share-fetcher.ts'
import { SharePartitions } from './share-partitions.ts'
import { type ShareSession, ShareSessions } from './share-sessions.ts'
import { ShareSettings } from './share-settings.ts'
import { ShareStateRouter } from './share-state-router.ts'

/** All that serves share groups on this broker (KIP-932). */
export class ShareGroups implements MetadataPublisher {
  readonly coordinator: ShareCoordinator
  readonly persister: SharePersister
  readonly settings: ShareSettings
  readonly sessions: ShareSessions
  readonly partitions: SharePartitions
  readonly fetcher: ShareFetcher
  readonly #image: MetadataImage
  readonly #nodeId: number
  readonly #logger: Logger

  constructor(
    config: BrokerConfig,
    platform: Platform,
    logger: Logger,
    image: MetadataImage,
    replicas: ReplicaManager,
    autoTopics: AutoTopics,
    links: BrokerLinks,
  ) {
    const { time } = platform
    this.#image = image
    this.#nodeId = config.nodeId
    this.#logger = logger
    this.coordinator = new ShareCoordinator({
      log: new ReplicaLog(replicas, SHARE_STATE_TOPIC, config.get('share.coordinator.load.buffer.size')),
      config: shareCoordinatorConfig(config),
      codec: codecFromId(config.get('share.coordinator.state.topic.compression.codec')),
      partitionCount: () =>
        image.topics.byName(SHARE_STATE_TOPIC)?.partitions.size ??
        config.get('share.coordinator.state.topic.num.partitions'),
      exists: (topicId, partition) => image.topics.partitionById(topicId, partition) !== undefined,
      time,
      logger,
    })
    this.persister = new RetryingPersister({
      shares: new ShareStateRouter({ nodeId: config.nodeId, local: this.coordinator, links, image, time }),
      hasTopic: (name) => image.topics.byName(name) !== undefined,
      makeTopic: async (name) => (await autoTopics.create([name]))[0]!.errorCode,
      time,
    })
    this.settings = new ShareSettings(config, image)
    this.sessions = new ShareSessions(() => this.settings.maxSessions)
    const { persister, settings } = this
    this.partitions = new SharePartitions({ replicas, image, persister, settings, time })
    this.fetcher = new ShareFetcher(replicas, this.partitions, settings, time)
  }

  /** What members have of topics that are gone, of partitions that are led elsewhere, or of share groups that are switched off, comes to an end. */
  onMetadataChange(delta: MetadataDelta): void {
    const { topicsDeleted, partitionsChanged } = delta
    if (topicsDeleted.size > 0) this.partitions.forget(({ topicId }) => topicsDeleted.has(topicId))
    if (partitionsChanged.size > 0) {
      const isGone = ({ topicId, partition }: SharePartitionKey) =>
        partitionsChanged.get(topicId)?.has(partition) === true &&
        this.#image.topics.partitionById(topicId, partition)?.leader !== this.#nodeId
      this.partitions.forget(isGone)
    }
    if (!delta.featuresChanged || this.#image.featureLevel('share.version') >= 1) return
    this.sessions.removeAll()
    this.partitions.forget(() => true)
  }

  /** The member's session is over: what it has not acknowledged is available to others. */
  release(session: ShareSession): void {
    const { groupId, memberId } = session
    if (this.sessions.get(groupId, memberId) === session) this.sessions.remove(groupId, memberId)
    for (const { topicId, partition } of session.partitions.values()) {
      this.partitions.release({ groupId, topicId, partition }, memberId).catch((reason) => {
        if (!(reason instanceof ShareError)) throw reason
        // Then the locks end by themselves.
        this.#logger.info(`Group ${groupId}: ${topicId}-${partition} is not released by ${memberId}: ${reason.message}`)
      })
    }
  }

  /** The connection of a session's member is gone. */
  disconnected(session: ShareSession): void {
    const { groupId, memberId } = session
    if (this.sessions.get(groupId, memberId) === session) this.release(session)
    if (!this.sessions.hasGroup(groupId)) this.partitions.forgetGroup(groupId)
  }

  stopWaiting(): void {
    this.fetcher.stopWaiting()
  }

  async close(): Promise<void> {
    await this.coordinator.close()
  }
}
