import type { CoordinatorRecord } from './coordinator-record.ts'

/** The kinds of groups, as ListGroups names them. */
export type GroupType = 'classic' | 'consumer' | 'share' | 'streams'

/** Who commits, as the request says. */
export interface CommitIdentity {
  /** '' for none. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** Generation, or member epoch in a consumer group; negative for a consumer that is no member. */
  readonly generationId: number
  readonly isTransactional: boolean
  /** Not given in a transaction. */
  readonly apiVersion?: number
}

/** Throws CoordinatorError when this partition must not be committed, though others may. */
export type CommitCheck = (topicId: string, partition: number, topic: string) => void

/** What every kind of group tells about itself; what its members do is each kind's own business. */
export interface Group {
  readonly type: GroupType
  readonly id: string
  /** As DescribeGroups and ListGroups print it. */
  readonly stateName: string
  /** '' for none. */
  readonly protocolType: string
  /** No members, none on their way in. */
  readonly isEmpty: boolean
  /** Throws CoordinatorError when this member must not commit now; answers what to ask about each partition, if anything. */
  validateOffsetCommit(identity: CommitIdentity): CommitCheck | undefined
  /** Throws CoordinatorError when offsets must not be told. `memberId` is null and the epoch negative for no member. */
  validateOffsetFetch(memberId: string | null, memberEpoch: number): void
  /** Throws CoordinatorError when offsets of the group cannot be deleted now, whatever their topic. */
  validateOffsetDelete(): void
  /** Throws CoordinatorError when the group cannot be deleted now. */
  validateDelete(): void
  isSubscribedTo(topic: string): boolean
  /** When the retention of an offset committed at `commitTimestampMs` begins; undefined while nothing may expire. */
  retentionStartMs(commitTimestampMs: number): number | undefined
  /** The records that make the group, though not its offsets, go away. */
  tombstones(): CoordinatorRecord[]
}
