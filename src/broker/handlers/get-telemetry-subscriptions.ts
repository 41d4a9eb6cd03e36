import {
  GetTelemetrySubscriptionsRequest,
  GetTelemetrySubscriptionsResponse,
} from '../../protocol/messages/get-telemetry-subscriptions.ts'
import { Codec } from '../../protocol/records/layout.ts'
import { defineHandler } from '../types.ts'

/** In the order of preference. */
const COMPRESSION_TYPES = [Codec.zstd, Codec.lz4, Codec.gzip, Codec.snappy]

/** GetTelemetrySubscriptions (KIP-714): which metrics a client is to push, and how often. */
export const handler = defineHandler({
  request: GetTelemetrySubscriptionsRequest,
  response: GetTelemetrySubscriptionsResponse,
  handle: ({ clientInstanceId }, context, { clientMetrics }) => {
    const assignment = clientMetrics.subscribe(clientInstanceId, context)
    if ('code' in assignment) return { errorCode: assignment.code }
    return {
      clientInstanceId: assignment.clientInstanceId,
      subscriptionId: assignment.id,
      acceptedCompressionTypes: COMPRESSION_TYPES,
      pushIntervalMs: assignment.intervalMs,
      telemetryMaxBytes: clientMetrics.maxBytes,
      deltaTemporality: true,
      requestedMetrics: [...assignment.metrics],
    }
  },
  failed: (_request, errorCode) => ({ errorCode }),
})
