import { wholeOutcome } from '../../controller/result.ts'
import {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../../protocol/messages/assign-replicas-to-dirs.ts'
import { defineHandler } from '../types.ts'

/** AssignReplicasToDirs (KIP-858): a broker says in which of its log directories replicas are. */
export const handler = defineHandler({
  request: AssignReplicasToDirsRequest,
  response: AssignReplicasToDirsResponse,
  handle: async (request, _context, { controller }) => {
    try {
      return await controller.assignDirectories(request)
    } catch (error) {
      return { errorCode: wholeOutcome(error).errorCode }
    }
  },
  failed: (_request, errorCode) => ({ errorCode }),
})
