import { FetchRequest, FetchResponse } from '../../protocol/messages/fetch.ts'
import { quorumHandler } from '../quorum-handler.ts'

/** Fetch on a listener of controllers reads the metadata log (KIP-595). */
export const handler = quorumHandler('fetch', FetchRequest, FetchResponse)
