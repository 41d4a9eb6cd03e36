import type { RunningServer } from '../broker/server.ts'
import type { Logger } from '../platform/logger.ts'
import type { Scheduled, Time } from '../platform/time.ts'

/** A node that is asked to stop before it serves may be waiting for others that never come. */
const STARTING_STOP_MS = 5_000

/** A node that stops together with all others: for handing over, and then for the others to have done so. */
const HAND_OVER_MS = 3_000
const OTHERS_MS = 2_000

/** Nobody is there any more who would kill a node of a cluster that does not stop. */
const PARENTLESS_STOP_MS = 60_000

/** How a node comes to its end: by signals, with its cluster, or because the process that started it has ended. */
export class Stop {
  readonly #time: Time
  readonly #log: Logger
  readonly #exit: () => void
  #server: RunningServer | undefined
  #isStopping = false
  #giveUp: Scheduled | undefined

  /** `exit` ends the process at once. */
  constructor(time: Time, log: Logger, exit: () => void = () => process.exit(1)) {
    this.#time = time
    this.#log = log
    this.#exit = exit
  }

  /** The node serves from now on. Answers whether it is to stop again, which it does then. */
  started(server: RunningServer): boolean {
    this.#server = server
    this.#giveUp?.cancel()
    if (this.#isStopping) void server.stop()
    return this.#isStopping
  }

  /** The first signal stops the node, the second ends the process. */
  signalled(signal: string): void {
    if (this.#isStopping) this.#exit()
    else this.#begin(signal)
    void this.#server?.stop()
  }

  #begin(why: string): void {
    if (this.#isStopping) return
    this.#isStopping = true
    this.#log.info(`${why}: stopping`)
    if (this.#server === undefined) this.#giveUp = this.#time.after(STARTING_STOP_MS, this.#exit)
  }

  /** All nodes are going to stop. Resolves when this one has handed over; it serves until `now`. */
  async prepare(why: string): Promise<void> {
    this.#begin(why)
    await this.#server?.handOver(HAND_OVER_MS)
  }

  now(): void {
    void this.#server?.stop()
  }

  /** The parent has ended: its other children are stopping too, and nobody says when they are prepared. */
  async alone(): Promise<void> {
    this.#time.after(PARENTLESS_STOP_MS, this.#exit)
    await this.prepare('The process that started this one has ended')
    this.#time.after(OTHERS_MS, () => this.now())
  }
}
