import { isInternalTopic, topicNameFault } from '../../controller/topic-names.ts'
import type { StreamsHeartbeat } from '../../coordinator/streams/heartbeat.ts'
import { bounded, status } from '../../coordinator/streams/topology/topology-error.ts'
import { errors } from '../../protocol/errors.ts'
import {
  StreamsGroupHeartbeatRequest,
  StreamsGroupHeartbeatResponse,
  type StreamsGroupHeartbeatResponseInput,
} from '../../protocol/messages/streams-group-heartbeat.ts'
import { clientOf } from '../client-of.ts'
import { isStreamsProtocolEnabled } from '../group-protocols.ts'
import { defineHandler, type RequestContext, type Services } from '../types.ts'

/** How many topics that could not be made a member is told of. */
const MAX_TOLD_FAILURES = 3
/** A topic that could not be made is not tried again for so many heartbeats. */
const PAUSE_HEARTBEATS = 2

/** StreamsGroupHeartbeat (KIP-1071): all that a thread of a Streams application has to say, and all that it is told. */
export const handler = defineHandler({
  request: StreamsGroupHeartbeatRequest,
  response: StreamsGroupHeartbeatResponse,
  handle: async (request, context, services) => {
    if (!isStreamsProtocolEnabled(services)) return { errorCode: errors.UNSUPPORTED_VERSION.code }
    const errorMessage = topicsFault(request)
    if (errorMessage !== undefined) return { errorCode: errors.STREAMS_INVALID_TOPOLOGY.code, errorMessage }
    const heartbeat = await services.groups.streamsHeartbeat(clientOf(context), request)
    return heartbeat.topicsToCreate.length === 0 ? heartbeat.response : createTopics(heartbeat, context, services)
  },
  failed: (_, errorCode) => ({ errorCode }),
})

/** What is wrong with the names of topics, in Apache Kafka's words. */
function topicsFault({ topology }: StreamsGroupHeartbeatRequest): string | undefined {
  const names = new Set<string>()
  for (const subtopology of topology?.subtopologies ?? []) {
    for (const name of subtopology.sourceTopics) names.add(name)
    for (const name of subtopology.repartitionSinkTopics) names.add(name)
    for (const { name } of subtopology.repartitionSourceTopics) names.add(name)
    for (const { name } of subtopology.stateChangelogTopics) names.add(name)
  }
  const internal = [...names].filter(isInternalTopic)
  if (internal.length > 0) {
    return bounded(`Use of Kafka internal topics ${internal.join(',')} in a Kafka Streams topology is prohibited.`)
  }
  const invalid = [...names].filter((name) => topicNameFault(name) !== undefined)
  return invalid.length === 0 ? undefined : bounded(`Topic names ${invalid.join(',')} are not valid topic names.`)
}

function createTopics(
  { response, topicsToCreate }: StreamsHeartbeat,
  context: RequestContext,
  { streamsTopics }: Services,
): StreamsGroupHeartbeatResponseInput {
  // What is beyond the client's quota is not made; the heartbeat itself is not slowed down by that.
  streamsTopics.create(topicsToCreate, PAUSE_HEARTBEATS * (response.heartbeatIntervalMs ?? 0), context)
  const failures = streamsTopics.failures(topicsToCreate)
  if (failures.length === 0) return response
  const told = failures.slice(0, MAX_TOLD_FAILURES).map(([name, why]) => `${name} (${why})`)
  const more = failures.length > MAX_TOLD_FAILURES ? ` and ${failures.length - MAX_TOLD_FAILURES} more` : ''
  const detail = `; Creation failed: ${told.join(', ')}${more}.`
  return {
    ...response,
    status: (response.status ?? []).map((each) =>
      each.statusCode === status.MISSING_INTERNAL_TOPICS
        ? { ...each, statusDetail: bounded(`${each.statusDetail}${detail}`) }
        : each,
    ),
  }
}
