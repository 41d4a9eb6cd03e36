import { errors } from '../../../protocol/errors.ts'
import { CoordinatorError } from '../../coordinator-error.ts'
import type { TopologyProblem } from './types.ts'

/** Longer texts of clients' making do not fit a string of the protocol, of which a character may take three bytes. */
const MAX_DETAIL_LENGTH = 8000

/** As the protocol numbers what members are told in `status` of a heartbeat's response. */
export const status = {
  STALE_TOPOLOGY: 0,
  MISSING_SOURCE_TOPICS: 1,
  INCORRECTLY_PARTITIONED_TOPICS: 2,
  MISSING_INTERNAL_TOPICS: 3,
  SHUTDOWN_APPLICATION: 4,
  ASSIGNMENT_DELAYED: 5,
} as const

/** The topics that there are do not suit the topology; members wait until they do. */
export class TopicMisfit extends Error {
  readonly problem: TopologyProblem

  constructor(statusCode: number, statusDetail: string) {
    super(statusDetail)
    this.name = 'TopicMisfit'
    this.problem = { statusCode, statusDetail: bounded(statusDetail) }
  }
}

/** No topics whatever would suit the topology. */
export function invalidTopology(detail: string): CoordinatorError {
  return new CoordinatorError(errors.STREAMS_INVALID_TOPOLOGY, bounded(detail))
}

/** A topology that no client of Streams sends; Apache Kafka does not say more than this about it either. */
export function brokenTopology(): CoordinatorError {
  return new CoordinatorError(errors.UNKNOWN_SERVER_ERROR)
}

export function bounded(text: string): string {
  return text.length <= MAX_DETAIL_LENGTH ? text : `${text.slice(0, MAX_DETAIL_LENGTH)}...`
}

/** The first three, and how many more there are. */
export function summaryOf(topics: readonly string[]): string {
  if (topics.length === 0) return '<none>'
  const more = topics.length > 3 ? ` and ${topics.length - 3} additional topics` : ''
  return topics.slice(0, 3).join(', ') + more
}
