import type { InternalTopic } from '../coordinator/streams/topology/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { Time } from '../platform/time.ts'
import { errorOfCode, errors } from '../protocol/errors.ts'
import type { AutoTopics } from './auto-topics.ts'
import type { RequestContext } from './types.ts'

/** The latest failures are remembered. */
const MAX_FAILURES = 1000
/** Nobody waits for it. */
const TIMEOUT_MS = 30_000
const DEFAULT_REPLICATION_FACTOR = -1

interface Failure {
  readonly why: string
  readonly untilMs: number
}

/**
 * Makes the topics that Streams applications keep for themselves (KIP-1071). A heartbeat does not wait for that; it asks
 * again until the topics are there, and is told why they were not made. What failed is left alone for a while.
 */
export class StreamsTopics {
  readonly #topics: Pick<AutoTopics, 'createFor'>
  readonly #time: Time
  readonly #logger: Logger
  readonly #underWay = new Set<string>()
  readonly #failures = new Map<string, Failure>()

  constructor(topics: Pick<AutoTopics, 'createFor'>, time: Time, logger: Logger) {
    this.#topics = topics
    this.#time = time
    this.#logger = logger
  }

  /**
   * Starts to make those of `topics` that nobody makes and that have not failed within the last `pauseMs`, in the name of
   * the client that `context` tells of, whose quotas count.
   */
  create(topics: readonly InternalTopic[], pauseMs: number, context: RequestContext): void {
    const missing = topics.filter(({ name }) => !this.#underWay.has(name) && this.#failure(name) === undefined)
    if (missing.length === 0) return
    for (const { name } of missing) this.#underWay.add(name)
    void this.#create(missing, pauseMs, context)
  }

  /** By name, why those of `topics` that have failed lately were not made. */
  failures(topics: readonly InternalTopic[]): [name: string, why: string][] {
    return topics.flatMap(({ name }) => {
      const why = this.#failure(name)
      return why === undefined ? [] : [[name, why]]
    })
  }

  async #create(missing: readonly InternalTopic[], pauseMs: number, context: RequestContext): Promise<void> {
    try {
      const request = { topics: missing.map(newTopic), timeoutMs: TIMEOUT_MS, validateOnly: false }
      const response = await this.#topics.createFor(context, request, TIMEOUT_MS)
      if ('code' in response) for (const { name } of missing) this.#fail(name, response.message, pauseMs)
      else {
        for (const { name, errorCode, errorMessage } of response.topics) {
          if (errorCode !== errors.NONE.code) this.#fail(name, errorMessage || errorOfCode(errorCode).message, pauseMs)
        }
      }
    } catch (reason) {
      // Nobody waits who could be told: whatever it was must not be lost.
      this.#logger.error(`topics of a streams group were not made: ${String(reason)}`)
      for (const { name } of missing) this.#fail(name, errors.UNKNOWN_SERVER_ERROR.message, pauseMs)
    } finally {
      for (const { name } of missing) this.#underWay.delete(name)
    }
  }

  #failure(name: string): string | undefined {
    const failure = this.#failures.get(name)
    if (failure === undefined) return undefined
    if (failure.untilMs > this.#time.nowMs()) return failure.why
    this.#failures.delete(name)
    return undefined
  }

  #fail(name: string, why: string, pauseMs: number): void {
    this.#logger.warn(`topic ${name} of a streams group was not made: ${why}`)
    this.#failures.delete(name)
    this.#failures.set(name, { why, untilMs: this.#time.nowMs() + pauseMs })
    if (this.#failures.size > MAX_FAILURES) this.#failures.delete(this.#failures.keys().next().value!)
  }
}

function newTopic({ name, partitionCount, replicationFactor, configs }: InternalTopic) {
  return {
    name,
    numPartitions: partitionCount,
    replicationFactor: replicationFactor ?? DEFAULT_REPLICATION_FACTOR,
    assignments: [],
    configs: Array.from(configs, ([name, value]) => ({ name, value })),
  }
}
