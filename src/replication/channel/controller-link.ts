import type { Api } from '../../protocol/api-keys.ts'
import type { InputOf, Message, MessageOf } from '../../protocol/schema.ts'

export interface LinkOptions {
  /** A version below this is not used [0]. */
  readonly minVersion?: number
  /** How long to go on trying, connecting included [request.timeout of the link]. */
  readonly timeoutMs?: number
  /** Called when a try ends without an answer of the active controller: none is known, it is not active, or it went away. */
  readonly onFailure?: () => void
}

/**
 * The way to the active controller, wherever it is. A request is sent again after NOT_CONTROLLER and after a lost
 * connection, so that it may be carried out twice; what is not answered in time is rejected with RequestError.
 */
export interface ControllerLink {
  request<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    /** Gets the version that is used. */
    body: (version: number) => InputOf<Request>,
    options?: LinkOptions,
  ): Promise<{ readonly version: number; readonly response: MessageOf<Response> }>
}
