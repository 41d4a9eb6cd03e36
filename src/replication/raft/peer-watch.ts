import type { Logger } from '../../platform/logger.ts'
import { errors } from '../../protocol/errors.ts'
import type { Peer, RaftRequest, RaftResponse } from './core/types.ts'

/** How long a node may be out of touch with whoever leads before that is told: longer than an election takes. */
const PATIENCE_MS = 5000
/** How often that is told at most. */
const TOLD_EVERY_MS = 60_000

export interface PeerWatchOptions {
  readonly logger: Logger
  readonly nodeId: number
  readonly clusterId: string
  readonly directory: string
}

/** What the answers of the others say of this node's place among them, and the lines in the log that an operator has of it. */
export class PeerWatch {
  readonly #options: PeerWatchOptions
  #misfit: string | undefined
  /** When this node led, or the leader answered it, for the last time. */
  #inTouchMs: number
  #toldMs = Number.NEGATIVE_INFINITY
  /** That it is out of touch has been told. */
  #isTold = false
  /** Who has been asked since it was in touch, and whether the last question was answered. */
  readonly #asked = new Map<string, boolean>()

  constructor(options: PeerWatchOptions, nowMs: number) {
    this.#options = options
    this.#inTouchMs = nowMs
  }

  /** What the operator has to put right before this node is in the quorum; undefined for nothing. */
  get misfit(): string | undefined {
    return this.#misfit
  }

  /** `response`: undefined where none came. `epoch`: the one that this node is in. */
  answered(
    { host, port }: Peer,
    request: RaftRequest,
    response: RaftResponse | undefined,
    epoch: number,
    nowMs: number,
  ): void {
    const place = `${host}:${port}`
    if (response !== undefined) this.#checkFit(place, response, epoch)
    // Only who leads answers these without an error.
    const isLeader = (request.type === 'fetch' || request.type === 'fetchSnapshot') && response?.error === errors.NONE
    if (isLeader) this.#inTouch(place, nowMs)
    else this.#asked.set(place, response !== undefined)
  }

  /** To be called now and then: tells whoever reads the log what has gone on for too long. */
  look(isLeader: boolean, nowMs: number): void {
    if (isLeader) this.#inTouch('this node', nowMs)
    else if (nowMs - this.#inTouchMs >= PATIENCE_MS && nowMs - this.#toldMs >= TOLD_EVERY_MS) this.#tell(nowMs)
  }

  #inTouch(leader: string, nowMs: number): void {
    this.#inTouchMs = nowMs
    if (this.#asked.size > 0) this.#asked.clear()
    if (!this.#isTold) return
    this.#isTold = false
    this.#options.logger.info(`The metadata quorum is reached: ${leader} leads it`)
  }

  #tell(nowMs: number): void {
    // Who asks nobody waits for its own disk; what makes a misfit of it has been told.
    if (this.#asked.size === 0 || this.#misfit !== undefined) return
    this.#toldMs = nowMs
    this.#isTold = true
    const places = (isAnswered: boolean) =>
      [...this.#asked].filter(([, is]) => is === isAnswered).map(([place]) => place)
    const [silent, others] = [places(false).join(', '), places(true).join(', ')]
    const why: string[] = []
    if (silent !== '') why.push(`no answer from ${silent}`)
    if (others !== '') why.push(`no leader at ${others}`)
    const seconds = Math.floor((nowMs - this.#inTouchMs) / 1000)
    this.#options.logger.warn(`The metadata quorum has not been reached for ${seconds} s: ${why.join('; ')}`)
  }

  #checkFit(place: string, response: RaftResponse, epoch: number): void {
    if (this.#misfit !== undefined) return
    const { clusterId, directory, logger, nodeId } = this.#options
    if (response.error === errors.INCONSISTENT_CLUSTER_ID) {
      this.#misfit = `${place} is of another cluster than ${directory}, which has the cluster id ${clusterId}`
    } else if ('leaderId' in response && response.leaderId === nodeId && response.epoch > epoch) {
      // Whoever leads has noted that before it says so.
      this.#misfit = `${place} knows another node ${nodeId}, or this one before it lost its disk`
    }
    if (this.#misfit !== undefined) logger.error(this.#misfit)
  }
}
