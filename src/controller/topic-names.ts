const MAX_LENGTH = 249

export const OFFSETS_TOPIC = '__consumer_offsets'
export const TRANSACTIONS_TOPIC = '__transaction_state'
export const SHARE_STATE_TOPIC = '__share_group_state'
export const METADATA_TOPIC = '__cluster_metadata'

/** Topics that the broker keeps for itself, which clients may read but are told apart by `isInternal`. */
export function isInternalTopic(name: string): boolean {
  return name === OFFSETS_TOPIC || name === TRANSACTIONS_TOPIC || name === SHARE_STATE_TOPIC
}

/** Why `name` cannot be a topic's name, in Apache Kafka's words; undefined when it can. */
export function topicNameFault(name: string): string | undefined {
  const fault = faultOf(name)
  return fault === undefined ? undefined : `Topic name is invalid: ${fault}`
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'the empty string is not allowed'
  if (name === '.' || name === '..') return `'${name}' is not allowed`
  if (name.length > MAX_LENGTH) return `the length of '${name}' is longer than the max allowed length ${MAX_LENGTH}`
  if (/^[a-zA-Z0-9._-]*$/.test(name)) return undefined
  return `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
}

/** Names that differ only in '.' and '_' would share the names of their metrics; equal results collide. */
export function collisionKey(name: string): string {
  return name.replaceAll('.', '_')
}
