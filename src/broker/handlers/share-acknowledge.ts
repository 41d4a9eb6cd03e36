import { errors } from '../../protocol/errors.ts'
import { ShareAcknowledgeRequest, ShareAcknowledgeResponse } from '../../protocol/messages/share-acknowledge.ts'
import { LeaderHints } from '../leader-hint.ts'
import { type Acknowledged, acknowledgeAll, isMemberId } from '../share/acknowledgements.ts'
import { FINAL_EPOCH, INITIAL_EPOCH } from '../share/share-sessions.ts'
import { defineHandler, type RequestContext, type Services } from '../types.ts'

/** ShareAcknowledge (KIP-932): what became of records, apart from fetching. Version 2 renews locks (KIP-1222). */
export const handler = defineHandler({
  request: ShareAcknowledgeRequest,
  response: ShareAcknowledgeResponse,
  handle: async (request, context, services) => {
    const { groupId, memberId, shareSessionEpoch } = request
    const { shares, image } = services
    if (image.featureLevel('share.version') < 1) return { errorCode: errors.UNSUPPORTED_VERSION.code }
    if (groupId === null || !isMemberId(memberId)) return { errorCode: errors.INVALID_REQUEST.code }
    if (shareSessionEpoch === INITIAL_EPOCH) return { errorCode: errors.INVALID_SHARE_SESSION_EPOCH.code }
    const session = shares.sessions.use(groupId, memberId, shareSessionEpoch)
    if ('code' in session) return { errorCode: session.code }
    const results = await acknowledgeAll({ ...request, groupId, memberId }, context, services)
    if (shareSessionEpoch === FINAL_EPOCH) shares.release(session)
    return respond(results, groupId, context, services)
  },
  failed: (_, errorCode) => ({ errorCode }),
})

function respond(results: readonly Acknowledged[], groupId: string, context: RequestContext, services: Services) {
  const hints = new LeaderHints(services, context)
  const byTopic = new Map<string, ReturnType<typeof partitionOf>[]>()
  const partitionOf = ({ topicId, partition, errorCode, errorMessage }: Acknowledged) => {
    const isMisled = errorCode === errors.NOT_LEADER_OR_FOLLOWER.code || errorCode === errors.FENCED_LEADER_EPOCH.code
    const name = services.image.topics.byId(topicId)?.name ?? ''
    const currentLeader = isMisled ? hints.currentLeader(name, partition) : undefined
    return { partitionIndex: partition, errorCode, errorMessage, currentLeader }
  }
  for (const result of results) {
    const partitions = byTopic.get(result.topicId)
    if (partitions === undefined) byTopic.set(result.topicId, [partitionOf(result)])
    else partitions.push(partitionOf(result))
  }
  return {
    acquisitionLockTimeoutMs: services.shares.settings.limits(groupId).lockDurationMs,
    responses: [...byTopic].map(([topicId, partitions]) => ({ topicId, partitions })),
    nodeEndpoints: hints.nodeEndpoints,
  }
}
