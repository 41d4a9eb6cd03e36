import { apis } from '../protocol/api-keys.ts'
import { errorOfCode } from '../protocol/errors.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'

/** Once so much of a block is used, the next one is fetched, so that nobody waits for it. */
const PREFETCH_AT = 0.9
/** A producer that waits asks again anyway. */
const FETCH_TIMEOUT_MS = 5000

export interface ProducerIdsOptions {
  readonly link: ControllerLink
  readonly nodeId: number
  /** Of this broker's registration; -1 for none. */
  readonly brokerEpoch: () => number
}

/** The ids from `next` up to, but not including, `end`. */
interface Block {
  next: number
  readonly end: number
  readonly prefetchAt: number
}

/** Hands out producer ids from blocks that are this broker's alone, each id once in the life of the cluster. */
export class ProducerIds {
  readonly #options: ProducerIdsOptions
  #current: Block = { next: 0, end: 0, prefetchAt: -1 }
  #following: Block | undefined
  #fetching: Promise<void> | undefined

  constructor(options: ProducerIdsOptions) {
    this.#options = options
  }

  /** Rejects when the controller cannot give a new block. */
  async take(): Promise<number> {
    for (;;) {
      const producerId = this.next()
      if (producerId !== undefined) return producerId
      await this.refill()
    }
  }

  /** undefined where a block must be fetched first. */
  next(): number | undefined {
    if (this.#current.next === this.#current.end) {
      if (this.#following === undefined) return undefined
      this.#current = this.#following
      this.#following = undefined
    }
    const producerId = this.#current.next++
    // Where this fails, whoever finds no id left hears of it.
    if (producerId === this.#current.prefetchAt) this.#fetch().catch(() => {})
    return producerId
  }

  /** Resolves when there are ids; rejects as `take`. */
  async refill(): Promise<void> {
    if (this.#current.next === this.#current.end && this.#following === undefined) await this.#fetch()
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchBlock().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetchBlock(): Promise<void> {
    const { link, nodeId: brokerId, brokerEpoch } = this.#options
    const body = () => ({ brokerId, brokerEpoch: brokerEpoch() })
    const { response } = await link.request(apis.AllocateProducerIds, body, { timeoutMs: FETCH_TIMEOUT_MS })
    const { errorCode, producerIdStart: start, producerIdLen: size } = response
    if (errorCode !== 0) throw new Error(`the controller answers ${errorOfCode(errorCode).name}`)
    if (start < this.#current.end || size < 1 || !Number.isSafeInteger(start + size)) {
      throw new Error(`the controller gives ${size} ids from ${start} on, after those up to ${this.#current.end}`)
    }
    this.#following = { next: start, end: start + size, prefetchAt: start + Math.floor(size * PREFETCH_AT) }
  }
}
