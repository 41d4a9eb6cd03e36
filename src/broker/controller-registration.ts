import { CONTROLLER_REGISTRATION_LEVEL, METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { EndPoint } from '../metadata/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import { randomUuid } from '../platform/random.ts'
import type { Scheduled } from '../platform/time.ts'
import { apis } from '../protocol/api-keys.ts'
import { errorOfCode } from '../protocol/errors.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import { supportedFeatureRanges } from './broker-lifecycle.ts'

const RETRY_MS = 1000

export interface ControllerRegistrationOptions {
  readonly nodeId: number
  readonly endPoints: readonly EndPoint[]
  readonly link: ControllerLink
  readonly image: MetadataImage
  readonly platform: Platform
  readonly logger: Logger
}

/** Tells the cluster where this controller is and what it supports (KIP-919), until the metadata have it. */
export class ControllerRegistration {
  /** Resolves when it has been tried once. */
  readonly done: Promise<void>
  readonly #options: ControllerRegistrationOptions
  readonly #incarnationId: string
  #timer: Scheduled | undefined
  #isClosed = false

  constructor(options: ControllerRegistrationOptions) {
    this.#options = options
    this.#incarnationId = randomUuid(options.platform.random)
    this.done = this.#register()
  }

  async #register(): Promise<void> {
    const { image, nodeId, platform, logger } = this.#options
    const isDone = image.controllers.get(nodeId)?.incarnationId === this.#incarnationId
    if (!isDone && image.featureLevel(METADATA_VERSION) >= CONTROLLER_REGISTRATION_LEVEL) {
      const fault = await this.#ask()
      if (fault !== undefined && !this.#isClosed) logger.warn(`Controller ${nodeId} was not registered: ${fault}`)
    }
    if (isDone || this.#isClosed) return
    this.#timer = platform.time.after(RETRY_MS, () => void this.#register())
  }

  /** Why it was not registered. */
  async #ask(): Promise<string | undefined> {
    const { nodeId: controllerId, endPoints, link } = this.#options
    const incarnationId = this.#incarnationId
    const features = supportedFeatureRanges()
    const body = { controllerId, incarnationId, zkMigrationReady: false, listeners: [...endPoints], features }
    try {
      const { response } = await link.request(apis.ControllerRegistration, () => body)
      return response.errorCode === 0 ? undefined : errorOfCode(response.errorCode).name
    } catch (error) {
      if (error instanceof RequestError) return error.message
      throw error
    }
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }
}
