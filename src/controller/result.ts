import type { BrokerConfig } from '../config/broker-config.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/records.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { type ErrorName, errors } from '../protocol/errors.ts'
import { MetadataLogError, NotLeaderError } from '../replication/raft/types.ts'
import type { Policies } from './policies.ts'

/** What an operation decided: the records that make it true, and the answer that goes out when they are committed. */
export interface Decision<T> {
  readonly records: readonly MetadataRecord[]
  readonly response: T
}

/** How many partitions whoever asks may still make and delete (KIP-599). */
export interface MutationQuota {
  /** Answers false where these are too many, and then takes nothing. */
  take(partitions: number): boolean
}

/** What decisions are made from. */
export interface DecisionContext {
  /** The state with everything that was decided, committed or not. */
  readonly head: MetadataImage
  readonly config: BrokerConfig
  readonly nodeId: number
  readonly random: Random
  readonly logger: Logger
  readonly policies?: Policies | undefined
  /** undefined: without limit. */
  readonly mutations?: MutationQuota | undefined
}

/** The error code and message of one result. */
export interface Outcome {
  readonly errorCode: number
  readonly errorMessage: string | null
}

export const OK: Outcome = { errorCode: 0, errorMessage: null }

/** A refusal with its own message; null where Apache Kafka gives none. */
export class Refusal extends Error {
  readonly error: ErrorName
  readonly text: string | null

  constructor(error: ErrorName, text: string | null) {
    super(text ?? error)
    this.name = 'Refusal'
    this.error = error
    this.text = text
  }
}

/** A refusal with the message that the error has in general. */
export function refuse(error: ErrorName): Refusal {
  return new Refusal(error, errors[error].message)
}

/** Runs `body`; what it refuses becomes the outcome. */
export function outcomeOf(body: () => void): Outcome {
  try {
    body()
    return OK
  } catch (error) {
    return outcomeOfError(error)
  }
}

/** The outcome that a Refusal stands for; any other error is thrown on. */
export function outcomeOfError(error: unknown): Outcome {
  if (!(error instanceof Refusal)) throw error
  return { errorCode: errors[error.error].code, errorMessage: error.text }
}

/** Throws Refusal THROTTLING_QUOTA_EXCEEDED where whoever asks has made or deleted too many partitions lately. */
export function checkMutations({ mutations }: DecisionContext, partitions: number, text: string | null = null): void {
  if (mutations?.take(partitions) === false) throw new Refusal('THROTTLING_QUOTA_EXCEEDED', text)
}

/** The most records and partitions that one request may make. */
export const MAX_RECORDS_PER_REQUEST = 10_000

/** Throws Refusal POLICY_VIOLATION for more records than one request may make. */
export function checkRecordCount(records: readonly MetadataRecord[]): void {
  if (records.length > MAX_RECORDS_PER_REQUEST) {
    throw new Refusal('POLICY_VIOLATION', 'Unable to perform excessively large batch operation.')
  }
}

/**
 * What a whole request is answered with: it was refused as a whole, this node is not the active controller, or the
 * metadata log could not be written. Any other error is thrown on.
 */
export function wholeOutcome(error: unknown): Outcome {
  if (error instanceof NotLeaderError) {
    return { errorCode: errors.NOT_CONTROLLER.code, errorMessage: error.message }
  }
  if (!(error instanceof MetadataLogError)) return outcomeOfError(error)
  const { code, message } = errors.KAFKA_STORAGE_ERROR
  return { errorCode: code, errorMessage: message }
}
