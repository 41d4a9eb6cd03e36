import { CONTROLLER_REGISTRATION_LEVEL, METADATA_VERSION } from '../../metadata/features.ts'
import { errorOfCode, errors } from '../../protocol/errors.ts'
import { DescribeClusterRequest, DescribeClusterResponse } from '../../protocol/messages/describe-cluster.ts'
import { endPointOf } from '../endpoints.ts'
import { CLUSTER_OPERATIONS, NOT_ASKED } from '../operations.ts'
import { defineHandler, type RequestContext, type Services } from '../types.ts'

const EndpointType = { broker: 1, controller: 2 } as const

/** DescribeCluster (KIP-700, KIP-919, KIP-1073): the brokers; on a controller's listener the controllers. */
export const handler = defineHandler({
  request: DescribeClusterRequest,
  response: DescribeClusterResponse,
  handle: (request, context, services) => {
    const { clusterId, quorum, image } = services
    const own = context.connection.listenerKind === 'controller' ? EndpointType.controller : EndpointType.broker
    const { endpointType } = request
    if (own === EndpointType.controller && image.featureLevel(METADATA_VERSION) < CONTROLLER_REGISTRATION_LEVEL) {
      return { errorCode: errors.UNSUPPORTED_VERSION.code, errorMessage: errors.UNSUPPORTED_VERSION.message }
    }
    if (endpointType !== own) return wrongEndpoint(endpointType, own, context)
    const brokers =
      own === EndpointType.broker ? brokersFor(request, context, services) : controllersFor(context, services)
    const alive = own === EndpointType.broker ? aliveBrokerId(services) : quorum.leaderId
    return {
      ...(context.apiVersion >= 1 && { endpointType }),
      clusterId,
      controllerId: brokers.some(({ brokerId }) => brokerId === alive) ? alive : -1,
      brokers: context.apiVersion >= 2 ? brokers : brokers.map((broker) => ({ ...broker, isFenced: false })),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : NOT_ASKED,
    }
  },
  failed: (_request, errorCode) => ({
    errorCode,
    errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message,
  }),
})

function wrongEndpoint(asked: number, own: number, { apiVersion }: RequestContext) {
  const isKnown = asked === EndpointType.broker || asked === EndpointType.controller
  const error = isKnown ? errors.MISMATCHED_ENDPOINT_TYPE : errors.UNSUPPORTED_ENDPOINT_TYPE
  const name = (type: number): string => (type === EndpointType.broker ? 'BROKER' : 'CONTROLLER')
  return {
    errorCode: apiVersion === 0 ? errors.INVALID_REQUEST.code : error.code,
    errorMessage: isKnown
      ? `The request was sent to an endpoint of type ${name(own)}, but we wanted an endpoint of type ${name(asked)}`
      : `Unsupported endpoint type ${asked}`,
  }
}

function brokersFor({ includeFencedBrokers }: DescribeClusterRequest, context: RequestContext, { image }: Services) {
  const { listenerName } = context.connection
  return [...image.brokers.values()].flatMap((broker) => {
    const { id, rack, fenced } = broker
    const endPoint = endPointOf(broker, listenerName)
    if (endPoint === undefined || (fenced && !includeFencedBrokers)) return []
    return [{ brokerId: id, host: endPoint.host, port: endPoint.port, rack, isFenced: fenced }]
  })
}

function controllersFor({ connection }: RequestContext, { image }: Services) {
  return [...image.controllers.values()].flatMap((controller) => {
    const endPoint = endPointOf(controller, connection.listenerName)
    if (endPoint === undefined) return []
    return [{ brokerId: controller.id, host: endPoint.host, port: endPoint.port, rack: null, isFenced: false }]
  })
}

/** Apache Kafka names any live broker: clients send what is for the controller to brokers, which pass it on. */
function aliveBrokerId({ image }: Services): number {
  return [...image.brokers.values()].find(({ fenced }) => !fenced)?.id ?? -1
}
