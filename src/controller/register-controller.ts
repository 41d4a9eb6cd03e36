import { CONTROLLER_REGISTRATION_LEVEL, METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import type { ControllerRegistrationRequest } from '../protocol/messages/controller-registration.ts'
import { endPointsOf } from './register-broker.ts'
import { Refusal } from './result.ts'

/** The record of a ControllerRegistration (KIP-919). Throws Refusal UNSUPPORTED_VERSION. */
export function registerController(head: MetadataImage, request: ControllerRegistrationRequest): MetadataRecord {
  if (head.featureLevel(METADATA_VERSION) < CONTROLLER_REGISTRATION_LEVEL) {
    throw new Refusal(
      'UNSUPPORTED_VERSION',
      'The current MetadataVersion is too old to support controller registrations.',
    )
  }
  const { controllerId, incarnationId, listeners, features } = request
  return metadataRecord('RegisterController', {
    controllerId,
    incarnationId,
    zkMigrationReady: false,
    endPoints: endPointsOf(listeners),
    features,
  })
}
