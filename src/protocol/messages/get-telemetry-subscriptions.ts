import { array, bool, type InputOf, int8, int16, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const GetTelemetrySubscriptionsRequest = message('GetTelemetrySubscriptionsRequest', 71, '0', '0+', {
  clientInstanceId: uuid,
})
export type GetTelemetrySubscriptionsRequest = MessageOf<typeof GetTelemetrySubscriptionsRequest>
export type GetTelemetrySubscriptionsRequestInput = InputOf<typeof GetTelemetrySubscriptionsRequest>

export const GetTelemetrySubscriptionsResponse = message('GetTelemetrySubscriptionsResponse', 71, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  clientInstanceId: uuid,
  subscriptionId: int32,
  acceptedCompressionTypes: array(int8),
  pushIntervalMs: int32,
  telemetryMaxBytes: int32,
  deltaTemporality: bool,
  requestedMetrics: array(string),
})
export type GetTelemetrySubscriptionsResponse = MessageOf<typeof GetTelemetrySubscriptionsResponse>
export type GetTelemetrySubscriptionsResponseInput = InputOf<typeof GetTelemetrySubscriptionsResponse>
