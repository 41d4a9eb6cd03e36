import { supportedFeatures } from '../../metadata/features.ts'
import type { ListenerKind } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import {
  ApiVersionsRequest,
  ApiVersionsResponse,
  type ApiVersionsResponseInput,
} from '../../protocol/messages/api-versions.ts'
import type { ServedApis } from '../apis.ts'
import { defineHandler, type Services } from '../types.ts'

/** GetTelemetrySubscriptions and PushTelemetry. */
const TELEMETRY_KEYS: readonly number[] = [71, 72]

const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

/**
 * ApiVersions (KIP-35, KIP-511): which APIs are served in which versions, and the features of KIP-584. In version 3 features
 * whose lowest level is 0 are left out, as clients of that time could not read them (KAFKA-17492).
 */
export const handler = defineHandler({
  request: ApiVersionsRequest,
  response: ApiVersionsResponse,
  handle(request, context, services) {
    const { connection, apiVersion } = context
    if (apiVersion >= 3) {
      const { clientSoftwareName, clientSoftwareVersion } = request
      if (!SOFTWARE_NAME.test(clientSoftwareName) || !SOFTWARE_NAME.test(clientSoftwareVersion)) {
        return { errorCode: errors.INVALID_REQUEST.code }
      }
      connection.clientSoftwareName = clientSoftwareName
      connection.clientSoftwareVersion = clientSoftwareVersion
    }
    return {
      apiKeys: advertised(services.apis, connection.listenerKind).filter(
        ({ apiKey }) => services.clientMetrics.receiver !== undefined || !TELEMETRY_KEYS.includes(apiKey),
      ),
      supportedFeatures: supportedFeatures
        .filter((feature) => apiVersion >= 4 || feature.minVersion > 0)
        .map(({ name, minVersion, maxVersion }) => ({ name, minVersion, maxVersion })),
      finalizedFeaturesEpoch: services.image.offset,
      finalizedFeatures: finalizedFeatures(services),
    }
  },
  failed: (_, errorCode) => ({ errorCode }),
})

/** The answer, in version 0, to a request of a version that is not served (KIP-511). */
export function unsupportedApiVersions(served: ServedApis, kind: ListenerKind): ApiVersionsResponseInput {
  const own = advertised(served, kind).filter((api) => api.apiKey === ApiVersionsRequest.key)
  return { errorCode: errors.UNSUPPORTED_VERSION.code, apiKeys: own }
}

function advertised(served: ServedApis, kind: ListenerKind) {
  return served
    .on(kind)
    .map(({ api, versions: { low, high } }) => ({ apiKey: api.key, minVersion: low, maxVersion: high }))
}

function finalizedFeatures({ image, quorum }: Services) {
  const levels = new Map(image.features)
  levels.set('kraft.version', quorum.kraftVersion)
  return [...levels]
    .filter(([, level]) => level > 0)
    .map(([name, level]) => ({ name, minVersionLevel: level, maxVersionLevel: level }))
}
