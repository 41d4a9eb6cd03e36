import { HeartbeatRequest, HeartbeatResponse } from '../../protocol/messages/heartbeat.ts'
import { defineHandler } from '../types.ts'

/** Heartbeat: a member is alive, and learns whether its group rebalances. */
export const handler = defineHandler({
  request: HeartbeatRequest,
  response: HeartbeatResponse,
  handle: (request, _, { groups }) => groups.heartbeat(request),
  failed: (_, errorCode) => ({ errorCode }),
})
