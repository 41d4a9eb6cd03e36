import { wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { AlterClientQuotasRequest, AlterClientQuotasResponse } from '../../protocol/messages/alter-client-quotas.ts'
import { defineHandler } from '../types.ts'

/** AlterClientQuotas (KIP-546): quotas of users, clients and addresses. */
export const handler = defineHandler({
  request: AlterClientQuotasRequest,
  response: AlterClientQuotasResponse,
  handle: async (request, _context, { controller }) => {
    try {
      return await controller.alterClientQuotas(request)
    } catch (error) {
      return failedWith(request, wholeOutcome(error).errorCode)
    }
  },
  failed: failedWith,
})

function failedWith({ entries }: AlterClientQuotasRequest, errorCode: number) {
  const errorMessage = errorOfCode(errorCode).message
  return { entries: entries.map(({ entity }) => ({ entity, errorCode, errorMessage })) }
}
