import { describeClientQuotas } from '../../controller/client-quotas.ts'
import { outcomeOfError } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import {
  DescribeClientQuotasRequest,
  DescribeClientQuotasResponse,
} from '../../protocol/messages/describe-client-quotas.ts'
import { defineHandler } from '../types.ts'

/** DescribeClientQuotas (KIP-546): the quotas that were set, by a filter over the entities that have them. */
export const handler = defineHandler({
  request: DescribeClientQuotasRequest,
  response: DescribeClientQuotasResponse,
  handle: (request, _context, { image }) => {
    try {
      return describeClientQuotas(image, request)
    } catch (error) {
      return { ...outcomeOfError(error), entries: null }
    }
  },
  failed: (_request, errorCode) => ({
    errorCode,
    errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message,
    entries: null,
  }),
})
