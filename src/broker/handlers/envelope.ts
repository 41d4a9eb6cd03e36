import { errors, type KafkaError } from '../../protocol/errors.ts'
import { decodeRequestHeader } from '../../protocol/frames.ts'
import { EnvelopeRequest, EnvelopeResponse } from '../../protocol/messages/envelope.ts'
import { includesVersion } from '../../protocol/schema.ts'
import { DecodeError } from '../../protocol/wire.ts'
import { addressOf, principalOf } from '../forwarding.ts'
import { answerTo, detachedConnection } from '../own-requests.ts'
import { type ConnectionInfo, defineHandler, type Services } from '../types.ts'

/** Envelope (KIP-590): a broker passes on what a client asked of it and only the active controller can answer. */
export const handler = defineHandler({
  request: EnvelopeRequest,
  response: EnvelopeResponse,
  handle: async ({ requestData, requestPrincipal, clientHostAddress }, { connection }, services) => {
    if (!services.controller.isActive) return { errorCode: errors.NOT_CONTROLLER.code }
    const sender = senderOf(requestPrincipal, clientHostAddress, connection)
    if ('code' in sender) return { errorCode: sender.code }
    const fault = faultOf(requestData, services)
    if (fault !== undefined) return { errorCode: fault.code }
    const answer = await answerTo(services.serve, requestData, sender, services.platform.time.monotonicMs())
    // As in Apache Kafka: it was not understood.
    return answer === undefined ? { errorCode: errors.UNSUPPORTED_VERSION.code } : { responseData: answer }
  },
  failed: (_request, errorCode) => ({ errorCode }),
})

function senderOf(
  principal: Buffer | null,
  address: Buffer,
  { listenerName }: ConnectionInfo,
): ConnectionInfo | KafkaError {
  const name = principal && readPrincipal(principal)
  if (name === null || name === undefined) return errors.PRINCIPAL_DESERIALIZATION_FAILURE
  const remoteAddress = addressOf(address)
  if (remoteAddress === undefined) return errors.INVALID_REQUEST
  return detachedConnection(listenerName, 'controller', name, remoteAddress)
}

function readPrincipal(bytes: Buffer): string | undefined {
  try {
    return principalOf(bytes)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

function faultOf(frame: Buffer, { apis }: Services): KafkaError | undefined {
  try {
    const { apiKey, apiVersion } = decodeRequestHeader(frame)
    const served = apis.of(apiKey, 'controller')
    if (served === undefined || served.forwarded === 'no') return errors.INVALID_REQUEST
    return includesVersion(served.versions, apiVersion) ? undefined : errors.UNSUPPORTED_VERSION
  } catch (error) {
    if (error instanceof DecodeError) return errors.UNSUPPORTED_VERSION
    throw error
  }
}
