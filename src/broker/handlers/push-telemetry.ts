import { PushTelemetryRequest, PushTelemetryResponse } from '../../protocol/messages/push-telemetry.ts'
import { defineHandler } from '../types.ts'

/** PushTelemetry (KIP-714): metrics of a client. */
export const handler = defineHandler({
  request: PushTelemetryRequest,
  response: PushTelemetryResponse,
  handle: (request, context, { clientMetrics }) => ({ errorCode: clientMetrics.push(request, context).code }),
  failed: (_request, errorCode) => ({ errorCode }),
})
