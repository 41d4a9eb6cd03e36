import { bool, bytes, type InputOf, int8, int16, int32, type MessageOf, message, uuid } from '../schema.ts'

export const PushTelemetryRequest = message('PushTelemetryRequest', 72, '0', '0+', {
  clientInstanceId: uuid,
  subscriptionId: int32,
  terminating: bool,
  compressionType: int8,
  metrics: bytes,
})
export type PushTelemetryRequest = MessageOf<typeof PushTelemetryRequest>
export type PushTelemetryRequestInput = InputOf<typeof PushTelemetryRequest>

export const PushTelemetryResponse = message('PushTelemetryResponse', 72, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
})
export type PushTelemetryResponse = MessageOf<typeof PushTelemetryResponse>
export type PushTelemetryResponseInput = InputOf<typeof PushTelemetryResponse>
