import { ConfigError } from '../../config/config-error.ts'
import {
  type ConfigEntry,
  ConfigSource,
  describeBroker,
  describeBrokerDefaults,
  describeBrokerLogger,
  describeClientMetrics,
  describeGroup,
  describeTopic,
} from '../../config/describe.ts'
import { parseId } from '../../controller/config-changes.ts'
import { outcomeOfError, Refusal } from '../../controller/result.ts'
import { topicNameFault } from '../../controller/topic-names.ts'
import { ConfigResourceType } from '../../metadata/types.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
  type DescribeConfigsResponseInput,
} from '../../protocol/messages/describe-configs.ts'
import { defineHandler, type RequestContext, type Services } from '../types.ts'

type Resource = DescribeConfigsRequest['resources'][number]
type Result = NonNullable<DescribeConfigsResponseInput['results']>[number]

const knownTypes: ReadonlySet<number> = new Set(Object.values(ConfigResourceType))

/** DescribeConfigs: what is in force, where it comes from, and what it would fall back to (KIP-226, KIP-569). */
export const handler = defineHandler({
  request: DescribeConfigsRequest,
  response: DescribeConfigsResponse,
  handle: (request, context, services) => {
    // A kind of resource that is not known spoils the whole request, as in Apache Kafka.
    if (request.resources.some(({ resourceType }) => !knownTypes.has(resourceType))) {
      return failedWith(request, INVALID_REQUEST)
    }
    return { results: request.resources.map((resource) => describe(resource, request, context, services)) }
  },
  failed: failedWith,
})

const INVALID_REQUEST = 42

function failedWith({ resources }: DescribeConfigsRequest, errorCode: number) {
  const errorMessage = errorOfCode(errorCode).message
  return {
    results: resources.map(({ resourceType, resourceName }) => ({
      errorCode,
      errorMessage,
      resourceType,
      resourceName,
    })),
  }
}

function describe(
  resource: Resource,
  request: DescribeConfigsRequest,
  { apiVersion }: RequestContext,
  services: Services,
): Result {
  const { resourceType, resourceName, configurationKeys } = resource
  try {
    const wanted = configurationKeys === null || configurationKeys.length === 0 ? undefined : new Set(configurationKeys)
    const entries = entriesOf(resource, services).filter(({ name }) => wanted === undefined || wanted.has(name))
    const configs = entries.map((entry) => ({
      name: entry.name,
      value: entry.value,
      readOnly: entry.readOnly,
      isDefault: apiVersion === 0 && entry.source === ConfigSource.default,
      configSource: entry.source,
      isSensitive: entry.isSensitive,
      synonyms: request.includeSynonyms ? entry.synonyms : [],
      configType: entry.type,
      documentation: request.includeDocumentation ? entry.documentation : null,
    }))
    return { errorCode: 0, resourceType, resourceName, configs }
  } catch (error) {
    const refusal = error instanceof ConfigError ? new Refusal(error.error, error.message) : error
    return { ...outcomeOfError(refusal), resourceType, resourceName }
  }
}

function entriesOf({ resourceType, resourceName }: Resource, services: Services): ConfigEntry[] {
  const { config, image } = services
  const overrides = image.configs.of(resourceType, resourceName)
  switch (resourceType) {
    case ConfigResourceType.topic: {
      const fault = topicNameFault(resourceName)
      if (fault !== undefined) throw new Refusal('INVALID_TOPIC_EXCEPTION', fault)
      // Apache Kafka leaves this one message empty, which is not the same as leaving it out.
      if (image.topics.byName(resourceName) === undefined) throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', '')
      return describeTopic(overrides, config)
    }
    case ConfigResourceType.broker:
      if (resourceName === '') return describeBrokerDefaults(config)
      checkOwnId(resourceName, services.nodeId, ' or empty string,')
      return describeBroker(config)
    case ConfigResourceType.brokerLogger:
      if (resourceName === '') throw invalid('Broker id must not be empty')
      checkOwnId(resourceName, services.nodeId, '')
      return describeBrokerLogger(new Map([['root', services.logger.level]]))
    case ConfigResourceType.clientMetrics:
      if (resourceName === '') throw invalid('Client metrics subscription name must not be empty')
      return describeClientMetrics(overrides)
    default:
      if (resourceName === '') throw invalid('Group name must not be empty')
      return describeGroup(overrides, config)
  }
}

function checkOwnId(name: string, nodeId: number, orWhat: string): void {
  const id = parseId(name)
  if (id === undefined) throw invalid(`Broker id must be an integer, but it is: ${name}`)
  if (id !== nodeId) throw invalid(`Unexpected broker id, expected ${nodeId}${orWhat} but received ${name}`)
}

function invalid(text: string): Refusal {
  return new Refusal('INVALID_REQUEST', text)
}
