import { OK, type Outcome } from '../controller/result.ts'
import type { Api } from '../protocol/api-keys.ts'
import { decodeResponse, encodeRequest, FRAME_SIZE_BYTES } from '../protocol/frames.ts'
import type { InputOf, Message } from '../protocol/schema.ts'
import { forward } from './forwarding.ts'
import type { RequestContext, Services } from './types.ts'

interface Resource {
  readonly resourceType: number
  readonly resourceName: string
}

interface Request<R extends Resource> {
  readonly resources: readonly R[]
  readonly validateOnly: boolean
}

type Result = Resource & Outcome

/**
 * Has the active controller alter the configs that this broker has not decided about itself (`outcomes`). One result a
 * resource, in the order of the request.
 */
export async function alterElsewhere<R extends Resource>(
  api: Api,
  request: Request<R>,
  outcomes: ReadonlyMap<R, Outcome>,
  context: RequestContext,
  services: Services,
): Promise<Result[]> {
  const rest = request.resources.filter((resource) => !outcomes.has(resource))
  const answers = rest.length === 0 ? [] : await ask(api, { ...request, resources: rest }, context, services)
  return request.resources.map((resource) => {
    const { resourceType, resourceName } = resource
    const outcome = outcomes.get(resource) ?? answers.find((answer) => isFor(answer, resource)) ?? OK
    return { resourceType, resourceName, errorCode: outcome.errorCode, errorMessage: outcome.errorMessage }
  })
}

function isFor(a: Resource, b: Resource): boolean {
  return a.resourceType === b.resourceType && a.resourceName === b.resourceName
}

async function ask<R extends Resource>(
  api: Api,
  request: Request<R>,
  { apiVersion, correlationId, clientId, connection }: RequestContext,
  { controllerLink, config }: Services,
): Promise<readonly Result[]> {
  const body = request as unknown as InputOf<Message>
  const frame = Buffer.concat(encodeRequest(api, apiVersion, { correlationId, clientId }, body))
  const timeoutMs = config.get('request.timeout.ms')
  const outcome = await forward(controllerLink, frame.subarray(FRAME_SIZE_BYTES), connection, timeoutMs)
  if (!('code' in outcome)) {
    const answer = decodeResponse(api, apiVersion, outcome).body as unknown as { readonly responses: readonly Result[] }
    return answer.responses
  }
  const { code: errorCode, message: errorMessage } = outcome
  return request.resources.map((resource) => ({ ...resource, errorCode, errorMessage }))
}
