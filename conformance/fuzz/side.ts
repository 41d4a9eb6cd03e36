import { type ApiName, type Body, type Exchange, Probe } from '../differential/probe.ts'
import type { Broker } from '../harness/broker.ts'
import { sleep } from '../harness/process.ts'

/** Longer than anything takes on a busy machine; only a request that waits for others may take as long as a sequence. */
const ANSWER_WITHIN_MS = 120_000
/** Both brokers handle what came before a request before they handle the second one after it; see `settle`. */
const BARRIER_ROUNDS = 3

/** An answer, and who got it to what. */
export interface Answer {
  readonly who: string
  readonly note: string
  readonly request: Body
  readonly exchange: Exchange
}

/**
 * One broker in one sequence, with the connections of the clients. A client has one request under way at most. What the
 * brokers made up is learned by name, in the same order on both sides, so that it can be compared.
 */
export class Side {
  readonly broker: Broker
  /** Begins everything that the sequence makes. */
  readonly name: string
  readonly symbols = new Map<string | number, string>()
  readonly #probes = new Map<string, Probe>()
  readonly #waiting = new Map<string, Promise<void>>()
  #answers: Answer[] = []
  #unsorted: (() => void)[] = []

  constructor(broker: Broker, name: string) {
    this.broker = broker
    this.name = name
  }

  learn(value: unknown, symbol: string): void {
    if (typeof value !== 'string' && typeof value !== 'number') return
    if (value !== '' && value !== -1 && !this.symbols.has(value)) this.symbols.set(value, symbol)
  }

  /** Sends a request and writes its answer down. */
  async ask(who: string, api: ApiName, version: number, request: Body, options: AskOptions = {}): Promise<Body> {
    const probe = await this.#probeOf(who)
    const response = await probe.send(api, version, request)
    const exchange = probe.transcript.pop()!
    options.heard?.(response)
    this.#answers.push({ who, note: `${who}: ${options.note ?? api}`, request, exchange })
    if (options.normal !== undefined) this.#unsorted.push(() => options.normal?.(response))
    return response
  }

  /** Writes down what was found out by several requests. */
  write(who: string, api: ApiName, version: number, response: Body, note: string): void {
    this.#answers.push({ who, note: `${who}: ${note}`, request: {}, exchange: { api, version, response } })
  }

  /** Sends a request and keeps the answer for itself. */
  async quietly(api: ApiName, version: number, request: Body): Promise<Body> {
    return (await this.#probeOf('stage')).quietly(api, version, request)
  }

  /** For what sets the stage, such as making topics. */
  stage(): Promise<Probe> {
    return this.#probeOf('stage')
  }

  /** Sends a request whose answer may wait for what others do. */
  async post(who: string, api: ApiName, version: number, request: Body, options: AskOptions): Promise<void> {
    // Or else the broker might not know of its connection when the barrier is answered.
    await this.#probeOf(who)
    const answered = this.ask(who, api, version, request, options).then(() => {
      this.#waiting.delete(who)
    })
    this.#waiting.set(who, answered)
  }

  isWaiting(who: string): boolean {
    return this.#waiting.has(who)
  }

  /** Who waits for an answer, in order. */
  waiting(): string[] {
    return [...this.#waiting.keys()].sort()
  }

  /** Resolves when `who` has its answer. */
  async answered(who: string): Promise<void> {
    await this.#waiting.get(who)
  }

  /**
   * Until all that can be answered has been. Apache Kafka runs with one thread for the network, one for requests and one
   * for groups: when `barrier` is answered a second time, whatever was sent before the first has been handled, and a
   * third time later its answer has been read here.
   */
  async settle(barrier: () => Promise<void>): Promise<void> {
    if (this.#waiting.size === 0) return
    for (let round = 0; round < BARRIER_ROUNDS && this.#waiting.size > 0; round++) await barrier()
    await sleep(0)
  }

  /** What has been answered since the last time, in the order of the clients. */
  takeAnswers(): Answer[] {
    const answers = this.#answers
    for (const sort of this.#unsorted) sort()
    this.#unsorted = []
    this.#answers = []
    return answers.sort((a, b) => (a.who < b.who ? -1 : a.who > b.who ? 1 : 0))
  }

  /** What will be taken next. */
  peek(): readonly Answer[] {
    return this.#answers
  }

  close(): void {
    for (const probe of this.#probes.values()) probe.close()
  }

  /** The connection of a client, which has been answered once. */
  async #probeOf(who: string): Promise<Probe> {
    const known = this.#probes.get(who)
    if (known !== undefined) return known
    const probe = new Probe(this.broker, ANSWER_WITHIN_MS)
    this.#probes.set(who, probe)
    await probe.quietly('ApiVersions', 0, {})
    return probe
  }
}

interface AskOptions {
  readonly note?: string
  /** Remembers what the answer says; before anything is compared. */
  readonly heard?: (response: Body) => void
  /** Puts in order what has none; when all answers of the step have been heard. */
  readonly normal?: (response: Body) => void
}
